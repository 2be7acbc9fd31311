//! OpenCL's stand-in: how the Khronos headers say what a function answers.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Exports, Fallbacks, StandIn};

pub(super) const STAND_IN: StandIn = StandIn {
    platform: "opencl",
    // Where Debian and Fedora keep the loader.
    libraries: &["/usr/lib/x86_64-linux-gnu/libOpenCL.so.1", "/usr/lib64/libOpenCL.so.1"],
    install: "Debian: install ocl-icd-libopencl1",
    headers: "/usr/include/CL",
    header: "cl.h",
    is_function: |_| true,
    declared: |_| bail!("name a library, not a folder"),
    fallbacks: prototypes,
    is_versioned: true,
    more: None,
};

/// Which of the stand-in's fallbacks each function of the headers in `folder` gets.
fn prototypes(folder: &Path, _: &Exports) -> Result<Fallbacks> {
    let mut fallbacks = Fallbacks::new();
    let files = folder.read_dir().with_context(|| {
        format!("read {} (Debian: install opencl-c-headers, or give --headers)", folder.display())
    })?;
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "h") {
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            for prototype in text.split("extern CL_API_ENTRY").skip(1) {
                let prototype = prototype.split(';').next().unwrap_or(prototype);
                let (name, fallback) =
                    fallback(prototype).with_context(|| format!("{}: {prototype}", path.display()))?;
                fallbacks.insert(name, fallback);
            }
        }
    }
    Ok(fallbacks)
}

/// Name and fallback of the function with this prototype (what stands between `extern CL_API_ENTRY` and `;`).
fn fallback(prototype: &str) -> Result<(String, String)> {
    let (result, rest) = prototype.split_once("CL_API_CALL").context("no CL_API_CALL")?;
    let result =
        result.split_whitespace().filter(|word| !word.starts_with("CL_")).collect::<Vec<_>>().join(" ");
    let (name, rest) = rest.split_once('(').context("no parameters")?;
    let name = name.trim().to_owned();
    let error_at = parameters(rest).iter().position(|parameter| parameter.ends_with("errcode_ret"));
    let fallback = match (name.as_str(), result.as_str(), error_at) {
        ("clGetPlatformIDs", ..) => "no_platforms".to_owned(),
        (_, "cl_int", None) => "error".to_owned(),
        (_, "void", None) => "null".to_owned(),
        (_, result, error_at) if result.ends_with('*') || HANDLES.contains(&result) => match error_at {
            Some(position) => format!("null_at_{position}"),
            None => "null".to_owned(),
        },
        _ => bail!("what to answer for a {result} with its error at {error_at:?}?"),
    };
    Ok((name, fallback))
}

/// OpenCL's types that are pointers.
const HANDLES: [&str; 12] = [
    "cl_command_buffer_khr",
    "cl_command_queue",
    "cl_context",
    "cl_device_id",
    "cl_event",
    "cl_kernel",
    "cl_mem",
    "cl_platform_id",
    "cl_program",
    "cl_sampler",
    "cl_semaphore_khr",
    "cl_accelerator_intel",
];

/// The parameters of a list whose opening parenthesis is behind us; one may be a pointer to a function with its own.
fn parameters(list: &str) -> Vec<String> {
    let mut parameters = vec![String::new()];
    let mut depth = 1;
    for character in list.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 1 => {
                parameters.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if let Some(last) = parameters.last_mut() {
            last.push(character);
        }
    }
    parameters.iter().map(|parameter| parameter.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_fallback(prototype: &str, expected: &str) {
        let (_, fallback) = fallback(prototype).expect("a prototype");
        assert_eq!(fallback, expected);
    }

    #[test]
    fn a_function_with_an_error_code_as_result_answers_an_error() {
        assert_fallback("cl_int CL_API_CALL\nclFinish(cl_command_queue command_queue)", "error");
        assert_fallback(
            "CL_API_PREFIX__VERSION_1_1_DEPRECATED cl_int CL_API_CALL clUnloadCompiler(void)",
            "error",
        );
    }

    #[test]
    fn a_function_with_a_handle_as_result_stores_its_error_where_the_prototype_says() {
        let create_context = "cl_context CL_API_CALL\n clCreateContext(const cl_context_properties * properties,
            cl_uint num_devices, const cl_device_id * devices,
            void (CL_CALLBACK * pfn_notify)(const char * errinfo, const void * private_info, size_t cb, void * data),
            void * user_data, cl_int * errcode_ret) CL_API_SUFFIX__VERSION_1_0";
        assert_fallback(create_context, "null_at_5");
        assert_fallback(
            "cl_event CL_API_CALL clCreateUserEvent(cl_context c, cl_int *errcode_ret)",
            "null_at_1",
        );
    }

    #[test]
    fn a_function_with_a_pointer_or_nothing_as_result_answers_null() {
        assert_fallback("void * CL_API_CALL clSVMAlloc(cl_context context, size_t size)", "null");
        assert_fallback("void CL_API_CALL clSVMFree(cl_context context, void * svm_pointer)", "null");
    }

    #[test]
    fn a_result_of_an_unknown_type_is_refused() {
        assert!(fallback("cl_float CL_API_CALL clGetLuck(void)").is_err());
    }
}
