//! Level Zero's stand-in: which symbols are functions, and what each answers.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{Exports, Fallbacks, StandIn};

pub(super) const STAND_IN: StandIn = StandIn {
    platform: "levelzero",
    libraries: &["/usr/lib/x86_64-linux-gnu/libze_loader.so.1", "/usr/lib64/libze_loader.so.1"],
    install: "Debian: install libze1",
    headers: "/usr/include/level_zero",
    header: "ze_api.h",
    is_function,
    declared,
    fallbacks,
    is_versioned: false,
    more: None,
};

/// Where the loader's headers are, relative to their folder.
const FOLDERS: [&str; 3] = ["", "layers", "loader"];

/// What programs call before anything else: these say that there is no driver.
const FIRST_CALLS: [&str; 6] =
    ["zeInit", "zeInitDrivers", "zeDriverGet", "zesInit", "zesDriverGet", "zeLoaderInit"];

/// The only functions that return no `ze_result_t`: a handle, a bool, nothing.
const WITHOUT_RESULT: [&str; 4] = [
    "zeLoaderGetTracingHandle",
    "zelCheckIsLoaderInTearDown",
    "zelLoaderContextTeardown",
    "zelSetDelayLoaderContextTeardown",
];

/// Every function that a Level Zero loader exports begins so; the rest of its symbols are its own C++.
fn is_function(symbol: &str) -> bool {
    ["ze", "zes", "zet", "zel", "zer"].iter().any(|prefix| {
        symbol.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

/// By name: the functions differ too little to need their prototypes.
fn fallbacks(_: &Path, exports: &Exports) -> Result<Fallbacks> {
    let fallback = |name: &str| match name {
        _ if FIRST_CALLS.contains(&name) => "no_driver",
        _ if WITHOUT_RESULT.contains(&name) => "null",
        _ => "unsupported",
    };
    Ok(exports.keys().map(|name| (name.clone(), fallback(name).to_owned())).collect())
}

/// The functions that headers declare: for loaders newer than the system's.
fn declared(folder: &Path) -> Result<Exports> {
    let mut exports = Exports::new();
    for folder in FOLDERS.map(|sub| folder.join(sub)).iter().filter(|folder| folder.is_dir()) {
        for file in folder.read_dir().with_context(|| format!("read {}", folder.display()))? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "h") {
                let text =
                    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                exports.extend(declarations(&text).into_iter().map(|name| (name, String::new())));
            }
        }
    }
    ensure!(!exports.is_empty(), "no functions in the headers of {}", folder.display());
    Ok(exports)
}

/// The functions of a header, which reads `ZE_APIEXPORT result ZE_APICALL name(…);`.
fn declarations(text: &str) -> Vec<String> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c == '(').filter(|w| !w.is_empty()).collect();
    let is_declaration =
        |w: &&[&str]| w[0].starts_with("ZE_") && w[0].ends_with("EXPORT") && w[2] == "ZE_APICALL";
    words
        .windows(4)
        .filter(is_declaration)
        .map(|w| w[3].to_owned())
        .filter(|name| is_function(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_found_in_a_header() {
        let header = "ZE_APIEXPORT ze_result_t ZE_APICALL\nzeInit(\n ze_init_flags_t flags);\n\
            typedef ze_result_t (ZE_APICALL *ze_pfnInit_t)(ze_init_flags_t);\n\
            ZE_DLLEXPORT void ZE_APICALL\nzelLoaderContextTeardown();";
        assert_eq!(declarations(header), ["zeInit", "zelLoaderContextTeardown"]);
    }

    #[test]
    fn the_loader_s_own_symbols_are_no_functions_of_the_interface() {
        assert!(
            is_function("zeInit") && is_function("zelTracerCreate") && is_function("zetModuleGetDebugInfo")
        );
        assert!(!is_function("_ZN6loader7contextE") && !is_function("zebra") && !is_function("ze"));
    }
}
