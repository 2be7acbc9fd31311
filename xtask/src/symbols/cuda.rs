//! CUDA's stand-in. The driver library comes with the driver only, so what it exports is kept as lists of names, one for each version seen.
//!
//! The headers are NVIDIA's; they are needed only to find out which functions take a stream, for the table of `platforms/cuda`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::{Exports, Fallbacks, StandIn, write};

pub(super) const STAND_IN: StandIn = StandIn {
    platform: "cuda",
    libraries: &[
        concat!(env!("CARGO_MANIFEST_DIR"), "/../shims/cuda/exports/libcuda-580.159.04.txt"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../shims/cuda/exports/libcuda-550.163.01.txt"),
    ],
    install: "they are committed",
    headers: "",
    header: "",
    is_function: |_| true,
    declared: |_| bail!("name a library or a list, not a folder"),
    fallbacks,
    is_versioned: false,
    more: Some(streams),
};

/// `cuInit` says that there is no device, everything else that it is not supported.
fn fallbacks(_: &Path, exports: &Exports) -> Result<Fallbacks> {
    let fallback = |name: &str| if name == "cuInit" { "no_device" } else { "not_supported" };
    Ok(exports.keys().map(|name| (name.clone(), fallback(name).to_owned())).collect())
}

/// Types that are, or have in them, a stream.
const STREAMS: [&str; 4] =
    ["CUstream", "CUlaunchConfig", "CUDA_LAUNCH_PARAMS", "CUDA_GRAPH_INSTANTIATE_PARAMS"];

/// Writes the list of the exports that take a stream, as the prototypes in `headers` say.
fn streams(headers: &Path, exports: &Exports, command: &str) -> Result<()> {
    let mut takers = BTreeSet::new();
    let mut version = String::new();
    for file in ["cuda.h", "cudaGL.h", "cudaEGL.h", "cudaVDPAU.h"] {
        let path = headers.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        takers.extend(takers_of_streams(&text));
        version =
            text.lines().find(|line| line.starts_with("#define CUDA_VERSION")).map_or(version, str::to_owned);
    }
    let names: Vec<_> =
        exports.keys().filter(|name| takers.contains(base(name))).map(String::as_str).collect();
    ensure!(names.len() > 100, "the headers were not understood: {names:?}");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/cuda/src/intercept/stream-functions.txt");
    println!("{} of them take a stream", names.len());
    write(&path, &format!("// {command}, headers with {version}\n\n{}\n", names.join("\n")))
}

/// The names, without version and variant, of the functions that a header declares to take a stream.
fn takers_of_streams(header: &str) -> BTreeSet<String> {
    let declarations = header.split("CUDAAPI").skip(1);
    let takers = declarations.filter_map(|declaration| {
        let (name, rest) = declaration.split_once('(')?;
        let parameters = rest.split(';').next()?;
        let mut words = parameters.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| STREAMS.contains(&word)).then(|| base(name.trim()).to_owned())
    });
    takers.collect()
}

/// A function's name without what tells its variants apart: `_ptsz`, `_ptds`, and `_v2` and the like.
fn base(name: &str) -> &str {
    let name = name.strip_suffix("_ptsz").or_else(|| name.strip_suffix("_ptds")).unwrap_or(name);
    match name.rsplit_once("_v") {
        Some((base, version)) if version.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::exports_of;
    use super::*;

    #[test]
    fn variants_of_a_function_have_its_base_name() {
        for name in ["cuMemcpyAsync", "cuMemcpyAsync_v2", "cuMemcpyAsync_ptsz", "cuMemcpyAsync_v2_ptsz"] {
            assert_eq!(base(name), "cuMemcpyAsync");
        }
        assert_eq!(base("cu_value"), "cu_value");
    }

    #[test]
    fn a_function_takes_a_stream_by_value_by_address_or_in_a_struct() {
        let header = "CUresult CUDAAPI cuOne(CUfunction f,\n CUstream hStream);\nCUresult CUDAAPI cuTwo_v2(CUstream *s);\n\
            CUresult CUDAAPI cuThree(const CUlaunchConfig *config);\nCUresult CUDAAPI cuNone(CUstreamAttrID id);";
        assert_eq!(takers_of_streams(header).into_iter().collect::<Vec<_>>(), ["cuOne", "cuThree", "cuTwo"]);
    }

    #[test]
    fn both_drivers_lists_are_in_the_committed_table() {
        let table = STAND_IN.read("src/symbols.rs");
        for library in STAND_IN.libraries {
            let exports = exports_of(Path::new(library)).expect("a committed list");
            assert!(exports.len() > 600, "{library}");
            for name in exports.keys() {
                assert!(
                    table.contains(&format!("    {name} ")),
                    "{name} of {library}; run cargo xtask symbols cuda"
                );
            }
        }
    }
}
