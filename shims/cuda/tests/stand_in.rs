//! The built library: its exports against two drivers' lists, and what it answers alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The stand-in that cargo built together with this test.
fn stand_in() -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    let library = test.with_file_name("libxsched_shim_cuda.so");
    assert!(library.exists(), "cargo test builds the stand-in: {}", library.display());
    library
}

fn run(command: &mut Command) -> (String, String) {
    let output = command.env("LC_ALL", "C").output().expect("start the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    (stdout, stderr)
}

/// Names of what a library offers to others.
fn exports(library: &Path) -> BTreeSet<String> {
    let (symbols, _) = run(Command::new("readelf").args(["--wide", "--dyn-syms"]).arg(library));
    symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        // Number, value, size, type, binding, visibility, section, name.
        .filter(|row| row.len() == 8 && !["Ndx", "UND"].contains(&row[6]))
        .map(|row| row[7].to_owned())
        .collect()
}

/// What a driver's list says: functions, and data.
fn list(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let (data, functions): (Vec<_>, Vec<_>) = lines.partition(|line| line.ends_with(" data"));
    let name = |line: &str| line.trim_end_matches(" data").to_owned();
    (functions.into_iter().map(name).collect(), data.into_iter().map(name).collect())
}

#[test]
fn the_library_exports_every_function_of_both_drivers_and_nothing_else() {
    let (newer, newer_data) = list(include_str!("../exports/libcuda-580.159.04.txt"));
    let (older, older_data) = list(include_str!("../exports/libcuda-550.163.01.txt"));
    assert!(newer.len() > 650 && older.len() > 600 && newer_data.len() > 20 && older_data.len() >= 20);
    let ours = exports(&stand_in());
    assert_eq!(ours, newer.union(&older).cloned().collect(), "run cargo xtask symbols cuda");
    // A debugger finds its data in the library that has it.
    assert!(newer_data.union(&older_data).all(|name| !ours.contains(name)));
}

#[test]
fn the_library_is_named_like_the_real_one_and_needs_only_the_c_library() {
    let (dynamic, _) = run(Command::new("readelf").args(["--wide", "--dynamic"]).arg(stand_in()));
    assert!(dynamic.contains("Library soname: [libcuda.so.1]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    for needed in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        let known = ["[libc.so.6]", "[ld-linux-x86-64.so.2]"];
        assert!(known.iter().any(|name| needed.ends_with(name)), "{needed}");
    }
}

#[test]
fn without_libxsched_there_is_no_device_and_one_line_says_why() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    std::fs::copy(stand_in(), folder.path().join("libcuda.so.1")).expect("copy the stand-in");
    let program = folder.path().join("program");
    let source = folder.path().join("program.c");
    std::fs::write(
        &source,
        "#include <dlfcn.h>\n#include <errno.h>\n#include <stdio.h>\n\
         int main(void) {\n\
         void *cuda = dlopen(\"libcuda.so.1\", RTLD_NOW);\n\
         int (*init)(unsigned) = (int (*)(unsigned))dlsym(cuda, \"cuInit\");\n\
         int (*count)(int *) = (int (*)(int *))dlsym(cuda, \"cuDeviceGetCount\");\n\
         int devices = 7;\n\
         errno = 42;\n\
         int first = init(0), second = count(&devices);\n\
         printf(\"%d %d %d errno %d\\n\", first, second, devices, errno);\n\
         return 0;\n}\n",
    )
    .expect("write the program");
    run(Command::new("cc").arg("-o").arg(&program).arg(&source).arg("-ldl"));
    let (said, complained) = run(Command::new(&program).env("LD_LIBRARY_PATH", folder.path()));
    assert_eq!(said, "100 801 7 errno 42\n");
    assert_eq!(complained.lines().count(), 1, "{complained}");
    assert!(complained.contains("CUDA programs are told that there is no device"), "{complained}");
}
