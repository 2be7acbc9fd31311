//! `xcli run` says which programs it cannot help, and runs them all the same.

use crate::support::{self, compile, library_folder, output, stderr, stdout, xcli};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

fn run(library: &Path, program: &Path) -> Output {
    output(xcli().args(["run", "--lib-dir"]).arg(library).arg(program))
}

#[test]
fn an_ordinary_program_is_run_without_a_word() {
    let library = library_folder();
    let result = run(library.path(), Path::new("true"));
    assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""));
}

#[test]
fn a_static_program_is_named_and_runs() {
    let library = library_folder();
    let program = library.path().join("static");
    compile("int main(void) { return 7; }", &program, &["-static"]);
    let result = run(library.path(), &program);
    assert_eq!(result.status.code(), Some(7));
    let text = stderr(&result);
    assert!(text.contains("will run unscheduled: it is statically linked"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn the_interpreter_of_a_script_is_what_counts() {
    let library = library_folder();
    let interpreter = library.path().join("interpreter");
    compile("int main(void) { return 7; }", &interpreter, &["-static"]);
    let script = library.path().join("script");
    support::script(&format!("#!{}\n", interpreter.display()), &script);
    let result = run(library.path(), &script);
    assert_eq!(result.status.code(), Some(7));
    assert!(stderr(&result).contains("interpreter will run unscheduled"), "{}", stderr(&result));
}

#[test]
fn a_program_for_another_c_library_is_named() {
    let library = library_folder();
    let program = library.path().join("other");
    compile("int main(void) { return 0; }", &program, &["-Wl,--dynamic-linker=/no/ld-musl-x86_64.so.1"]);
    let text = stderr(&run(library.path(), &program));
    assert!(text.contains("its loader is /no/ld-musl-x86_64.so.1"), "{text}");
}

/// A program set to another user needs root to make: others see the unit test only.
#[test]
fn a_setuid_program_is_named_and_runs() {
    let library = library_folder();
    let program = library.path().join("setuid");
    compile("int main(void) { return 7; }", &program, &[]);
    if std::os::unix::fs::chown(&program, Some(65534), None).is_err() {
        return;
    }
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    std::fs::set_permissions(library.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let result = run(library.path(), &program);
    assert_eq!(result.status.code(), Some(7));
    assert!(stderr(&result).contains("it is setuid or setgid"), "{}", stderr(&result));
}

#[test]
fn a_warning_is_one_json_value_when_asked_for() {
    let library = library_folder();
    let program = library.path().join("static");
    compile("#include <stdio.h>\nint main(void) { puts(\"out\"); return 0; }", &program, &["-static"]);
    let result = output(xcli().args(["--json", "run", "--lib-dir"]).arg(library.path()).arg(&program));
    let warning: serde_json::Value = serde_json::from_slice(&result.stderr).unwrap();
    assert!(warning["warning"].as_str().unwrap().contains("statically linked"), "{warning}");
    assert_eq!(stdout(&result), "out\n", "the program's output is its own");
}
