//! The built library's exports and their ELF versions, against the table and against the system's OpenCL loader.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::stage::{Stage, run, stand_in, system_loader};

/// `name@@version` of every row of the table.
macro_rules! symbols {
    ($($name:ident $version:literal $fallback:ident;)*) => {
        pub(crate) const TABLE: &[&str] = &[$(concat!(stringify!($name), "@@", $version)),*];
    };
}

include!("../../src/symbols.rs");

/// `name@@version` of every symbol that a library offers to others.
fn exports(library: &Path) -> BTreeSet<String> {
    let (symbols, _) =
        run(Command::new("readelf").args(["--wide", "--dyn-syms"]).arg(library).env("LC_ALL", "C"));
    symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        // Number, value, size, type, binding, visibility, section, name. An absolute one is a version's own symbol.
        .filter(|row| row.len() == 8 && !["Ndx", "UND", "ABS"].contains(&row[6]))
        .map(|row| row[7].to_owned())
        .collect()
}

#[test]
fn the_library_exports_the_table_and_nothing_else() {
    let table = TABLE.iter().map(|symbol| (*symbol).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(table.len(), TABLE.len());
    assert_eq!(exports(&stand_in()), table);
}

#[test]
fn the_library_exports_what_the_system_loader_exports() {
    let theirs = exports(system_loader());
    assert!(theirs.contains("clFinish@@OPENCL_1.0"), "{theirs:?}");
    let ours = exports(&stand_in());
    let missing = theirs.difference(&ours).collect::<Vec<_>>();
    assert!(missing.is_empty(), "cargo xtask symbols opencl adds {missing:?}");
}

#[test]
fn the_library_is_named_like_the_real_one_and_needs_only_the_c_library() {
    let (dynamic, _) =
        run(Command::new("readelf").args(["--wide", "--dynamic"]).arg(stand_in()).env("LC_ALL", "C"));
    assert!(dynamic.contains("Library soname: [libOpenCL.so.1]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    for needed in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        assert!(
            ["[libc.so.6]", "[ld-linux-x86-64.so.2]"].iter().any(|name| needed.ends_with(name)),
            "{needed}"
        );
    }
}

#[test]
fn a_program_linked_with_a_library_without_versions_runs_with_ours() {
    let stage = Stage::with_libxsched();
    stage.compile("libOpenCL.so.1", &["unversioned.c", "-shared", "-fPIC", "-Wl,-soname,libOpenCL.so.1"]);
    stage.compile("program", &["program.c", &stage.path("libOpenCL.so.1").to_string_lossy()]);
    let (stdout, stderr) = run(stage.found_first("arguments").env("XSCHED_TEST", "record"));
    assert!(stdout.ends_with("result 77 errno 42\n"), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn a_program_linked_with_ours_runs_with_the_system_loader() {
    let stage = Stage::new();
    let native = run(&mut stage.native("platforms"));
    stage.compile("program", &["program.c", &stage.shims().join("libOpenCL.so").to_string_lossy()]);
    let linked_with_ours = run(&mut stage.native("platforms"));
    assert_eq!(linked_with_ours, native);
    assert_eq!(native.1, "");
}
