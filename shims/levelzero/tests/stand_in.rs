//! The built library against its table and the system's loader, and what a program is told when there is no libxsched.so.
//!
//! How first calls, threads and forks fare is tested once, with OpenCL's stand-in: the code is the same (`crates/shim`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of every row of the table.
macro_rules! symbols {
    ($($name:ident $fallback:ident;)*) => {
        const TABLE: &[&str] = &[$(stringify!($name)),*];
    };
}

include!("../src/symbols.rs");

fn stand_in() -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    let library = test.with_file_name("libxsched_shim_levelzero.so");
    assert!(library.exists(), "cargo test builds the stand-in: {}", library.display());
    library
}

#[track_caller]
fn run(command: &mut Command) -> (String, String) {
    let output = command.env("LC_ALL", "C").output().expect("start the program");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr))
}

fn exports(library: &Path) -> BTreeSet<String> {
    let (symbols, _) = run(Command::new("readelf").args(["--wide", "--dyn-syms"]).arg(library));
    let rows = symbols.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() == 8 && !["Ndx", "UND", "ABS"].contains(&row[6]))
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
fn the_library_exports_every_function_that_the_system_loader_exports() {
    let loader = Path::new("/usr/lib/x86_64-linux-gnu/libze_loader.so.1");
    assert!(loader.exists(), "these tests need the Level Zero loader (Debian: install libze1)");
    let ours = exports(&stand_in());
    let missing = exports(loader).into_iter().filter(|name| name.starts_with("ze") && !ours.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "cargo xtask symbols levelzero adds them");
}

#[test]
fn the_library_is_named_like_the_real_one_and_needs_only_the_c_library() {
    let (dynamic, _) = run(Command::new("readelf").args(["--wide", "--dynamic"]).arg(stand_in()));
    assert!(dynamic.contains("Library soname: [libze_loader.so.1]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    for needed in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        let is_libc = ["[libc.so.6]", "[ld-linux-x86-64.so.2]"].iter().any(|name| needed.ends_with(name));
        assert!(is_libc, "{needed}");
    }
}

#[test]
fn without_libxsched_level_zero_has_no_driver_and_one_line_says_why() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let (source, program) = (folder.path().join("program.c"), folder.path().join("program"));
    let text = "#include <stdio.h>\nint zeInit(unsigned);\nint zeFenceReset(void *);\n\
        int main(void) { printf(\"%x %x\\n\", zeInit(0), zeFenceReset(0)); return 0; }\n";
    std::fs::write(&source, text).expect("a file");
    std::fs::copy(stand_in(), folder.path().join("libze_loader.so.1")).expect("a copy");
    run(Command::new("gcc")
        .arg("-o")
        .arg(&program)
        .arg(&source)
        .arg(folder.path().join("libze_loader.so.1")));
    let (stdout, stderr) = run(Command::new(program).env("LD_LIBRARY_PATH", folder.path()));
    assert_eq!(stdout, "78000001 78000003\n");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("xsched: Level Zero stand-in: cannot load "), "{stderr}");
    assert!(stderr.ends_with("; Level Zero programs are told that there is no driver\n"), "{stderr}");
}
