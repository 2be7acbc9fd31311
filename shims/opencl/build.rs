//! Gives the stand-in the SONAME, the symbol versions and the link flags of a system `libOpenCL.so.1`.
//!
//! `versions.map` declares the version nodes; which symbol belongs to which node is said by `.symver` in `src/lib.rs`.
//! rustc adds a version script of its own (an anonymous one, which makes everything else local). LLD, rustc's linker
//! for x86-64 Linux, accepts the two together; GNU ld refuses them.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=versions.map");
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    // The unwinder, which std asks for and nothing here uses, from the archive instead of libgcc_s.so.1: loading that
    // costs a preloaded program more than everything else of ours.
    println!("cargo:rustc-link-lib=gcc_eh");
    for argument in [
        "-soname,libOpenCL.so.1".to_owned(),
        // Never unmapped: an application may dlclose us while our addresses are in its tables.
        "-z,nodelete".to_owned(),
        // A symbol that nobody defines is an error here, not in the program that loads us.
        "-z,defs".to_owned(),
        format!("--version-script={folder}/versions.map"),
    ] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    }
}
