//! The built layer, loaded as an OpenCL loader does it.

use std::ffi::{CString, c_int, c_void};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

#[macro_use]
#[path = "../src/dispatch.rs"]
mod dispatch;

macro_rules! strings {
    ($($name:ident)*) => { &[$(stringify!($name)),*] };
}

const FUNCTIONS: &[&str] = functions!(strings);

/// The layer that cargo built together with this test.
fn built() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libxsched_opencl_layer.so");
    assert!(library.exists(), "cargo test builds the layer: {}", library.display());
    library
}

/// A folder with the layer, a loader, and perhaps a libxsched.so.
struct Stage(TempDir);

impl Stage {
    /// `bind`: what the libxsched.so does; without, there is none.
    fn new(bind: Option<&str>) -> Stage {
        let stage = Stage(TempDir::new().unwrap());
        std::fs::copy(built(), stage.path("libxsched_opencl_layer.so")).unwrap();
        let loader = format!("{}/tests/loader.c", env!("CARGO_MANIFEST_DIR"));
        stage.compile("loader", &[&loader]);
        if let Some(bind) = bind {
            let head = "int xsched_shim_bind(unsigned abi, const char *platform, const char *folder, \
                        const char *const *names, unsigned long count, void **table)";
            let source = stage.path("libxsched.c");
            std::fs::write(&source, format!("#include <string.h>\n{head} {{ {bind} }}\n")).unwrap();
            stage.compile("libxsched.so", &["-shared", "-fPIC", source.to_str().unwrap()]);
        }
        stage
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn compile(&self, output: &str, arguments: &[&str]) {
        let status = Command::new("gcc").arg("-o").arg(self.path(output)).args(arguments).status();
        assert!(status.unwrap().success());
    }

    /// What the layer answers to a loader with so many functions, and what is said on standard error.
    fn init(&self, name: &str, count: usize) -> (String, String) {
        let mut loader = Command::new(self.path("loader"));
        loader.arg(self.path("libxsched_opencl_layer.so")).args([name, &count.to_string()]);
        // Cargo's has the workspace's own libxsched.so.
        let output = loader.env_remove("LD_LIBRARY_PATH").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        (text(output.stdout), text(output.stderr))
    }
}

const INITS: [&str; 2] = ["clInitLayer", "clInitLayerWithProperties"];

#[test]
fn the_functions_are_those_of_the_header_in_its_order() {
    let header = std::fs::read_to_string("/usr/include/CL/cl_icd.h").expect("install opencl-c-headers");
    let (_, table) = header.split_once("typedef struct _cl_icd_dispatch {").unwrap();
    let (table, _) = table.split_once("} cl_icd_dispatch").unwrap();
    let names: Vec<&str> = table
        .split(';')
        .filter_map(|entry| entry.split_whitespace().last())
        .filter(|name| name.starts_with("cl"))
        .collect();
    assert!(names.len() >= 149, "the header was not understood: {names:?}");
    assert_eq!(&names[..FUNCTIONS.len()], FUNCTIONS);
}

#[test]
fn it_says_its_version_and_name_as_loaders_ask() {
    type GetInfo = unsafe extern "C" fn(u32, usize, *mut c_void, *mut usize) -> c_int;
    let path = CString::new(built().to_str().unwrap()).unwrap();
    // SAFETY: C strings; the layer has no constructors, and its function this signature.
    let get = unsafe {
        let layer = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
        std::mem::transmute::<*mut c_void, GetInfo>(libc::dlsym(layer, c"clGetLayerInfo".as_ptr()))
    };
    let info = |name, size| {
        let (mut value, mut length) = ([0xee; 16], 0);
        // SAFETY: places of ours, with room for `size`.
        (unsafe { get(name, size, value.as_mut_ptr().cast(), &raw mut length) }, value, length)
    };
    let (code, value, length) = info(0x4240, 4);
    assert_eq!((code, length, u32::from_ne_bytes(*value.first_chunk().unwrap())), (0, 4, 100));
    let (code, value, length) = info(0x4241, 16);
    assert_eq!((code, length, &value[..8]), (0, 7, &b"XSched\0\xee"[..]));
    assert_eq!(info(0x4240, 3).0, -30, "too small");
    assert_eq!(info(0x4242, 16).0, -30, "unknown");
}

#[test]
fn without_libxsched_the_loader_keeps_its_own_functions_and_one_line_says_why() {
    let stage = Stage::new(None);
    for name in INITS {
        for count in [1, FUNCTIONS.len(), FUNCTIONS.len() + 1, 1000] {
            let (answer, errors) = stage.init(name, count);
            assert_eq!(answer, format!("code 0 answered {count}"));
            assert!(errors.starts_with("xsched: OpenCL layer: cannot load "), "{errors}");
            assert!(errors.ends_with("; OpenCL programs run unscheduled"), "{errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
}

#[test]
fn handlers_come_into_the_table_and_functions_that_are_not_known_stay() {
    let bind = "if (abi != 1 || strcmp(platform, \"opencl-layer\") || strcmp(names[0], \"loader\") || !table[0]) return 1; \
                for (unsigned long i = 1; i < count; i++) if (!strcmp(names[i], \"clFinish\")) table[i] = (void *)7; return 0;";
    let stage = Stage::new(Some(bind));
    let finish = FUNCTIONS.iter().position(|name| *name == "clFinish").unwrap();
    for name in INITS {
        // What ocl-icd and Khronos's loader have, and one that has more than can be passed on: it keeps the rest.
        for (count, answered) in [(149, 149), (150, 150), (1000, 256)] {
            let (answer, errors) = stage.init(name, count);
            assert_eq!(answer, format!("code 0 answered {answered} {finish} is 0x7"));
            assert_eq!(errors, "");
        }
    }
}

#[test]
fn a_libxsched_that_cannot_serve_it_changes_nothing() {
    let (answer, errors) = Stage::new(Some("return 1;")).init("clInitLayer", 149);
    assert_eq!(answer, "code 0 answered 149");
    assert!(errors.contains("cannot serve it"), "{errors}");
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    assert_eq!(Stage::new(None).init("clInitLayer", 0).0, "code -30 answered 0");
}

#[test]
fn it_exports_what_a_layer_has_and_nothing_else() {
    let output = Command::new("readelf").args(["--wide", "--dyn-syms"]).arg(built()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut exports: Vec<&str> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row.len() == 8 && !["Ndx", "UND", "ABS"].contains(&row[6]))
        .map(|row| row[7])
        .collect();
    exports.sort_unstable();
    assert_eq!(exports, ["clDeinitLayer", "clGetLayerInfo", "clInitLayer", "clInitLayerWithProperties"]);
}
