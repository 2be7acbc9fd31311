// What the build scripts of stand-ins have in common: each `include!`s this file.

/// Gives the library that is being built the SONAME and the link flags of a system library. `versions`: a file of the crate's that declares
/// the ELF version nodes; which symbol belongs to which node is said by `.symver` in its export.
///
/// rustc adds a version script of its own (an anonymous one, which makes everything else local). LLD, rustc's linker
/// for x86-64 Linux, accepts the two together; GNU ld refuses them.
fn link_stand_in(soname: &str, versions: Option<&str>) {
    println!("cargo:rerun-if-changed=build.rs");
    // The unwinder, which std asks for and nothing here uses, from the archive instead of libgcc_s.so.1: loading that
    // costs a preloaded program more than everything else of ours.
    println!("cargo:rustc-link-lib=gcc_eh");
    let mut arguments = vec![
        format!("-soname,{soname}"),
        // Never unmapped: an application may dlclose us while our addresses are in its tables.
        "-z,nodelete".to_owned(),
        // A symbol that nobody defines is an error here, not in the program that loads us.
        "-z,defs".to_owned(),
    ];
    if let Some(file) = versions {
        println!("cargo:rerun-if-changed={file}");
        let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
        arguments.push(format!("--version-script={folder}/{file}"));
    }
    for argument in arguments {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    }
}
