//! Calls through the stand-in: into libxsched.so's table, or into nothing if there is no libxsched.so.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::stage::{Stage, run, system_loader};

/// Standard output; there must be nothing on standard error.
#[track_caller]
fn output(program: &mut Command) -> String {
    let (stdout, stderr) = run(program);
    assert_eq!(stderr, "", "after {stdout}");
    stdout
}

const NOTHING_THERE: &str = "clGetPlatformIDs -1001 0\nclCreateContext (nil) -59\nclEnqueueMapImage (nil) -59\n\
    clCreateContext (nil)\nclSVMAlloc (nil)\nclFinish -59\nerrno 42\n";

#[test]
fn a_program_linked_with_the_system_loader_sees_the_same_platforms() {
    let stage = Stage::with_libxsched();
    let native = output(&mut stage.native("platforms"));
    let expected = format!("loaded\n{}{native}", stage.bind_line());
    for mut program in [stage.found_first("platforms"), stage.preloaded("platforms")] {
        assert_eq!(output(program.env("XSCHED_TEST_REAL", system_loader())), expected);
    }
}

#[test]
fn the_first_call_keeps_all_arguments_and_errno() {
    let stage = Stage::with_libxsched();
    let expected = format!(
        "loaded\n{}queue 1 kernel 2 dim 3 offset 4 global 5 local 6 count 7 events 8 event 9 errno 42\n\
         result 77 errno 42\n",
        stage.bind_line()
    );
    for mut program in [stage.found_first("arguments"), stage.preloaded("arguments")] {
        assert_eq!(output(program.env("XSCHED_TEST", "record")), expected);
    }
}

#[test]
fn the_first_call_keeps_vector_registers_and_a_variadic_call_s_count_of_them() {
    let stage = Stage::with_libxsched();
    let expected = format!(
        "loaded\n{}1 2 3 4 5 6 7 1.5 2.5 3.5 4.5 5.5 6.5 7.5 8.5 9.5\nresult 78\n",
        stage.bind_line()
    );
    assert_eq!(output(stage.found_first("variadic").env("XSCHED_TEST", "record")), expected);
}

#[test]
fn a_program_that_calls_nothing_never_loads_libxsched() {
    let stage = Stage::with_libxsched();
    assert_eq!(output(&mut stage.found_first("")), "");
    assert_eq!(output(&mut stage.preloaded("")), "");
}

#[test]
fn sixteen_threads_at_the_first_call_bind_once() {
    let stage = Stage::with_libxsched();
    let expected = format!("loaded\n{}16 right\n", stage.bind_line());
    for todo in ["slow", "record"] {
        assert_eq!(output(stage.found_first("threads").env("XSCHED_TEST", todo)), expected);
    }
}

#[test]
fn a_child_forked_while_another_thread_binds_binds_for_itself() {
    let stage = Stage::with_libxsched();
    let bind = stage.bind_line();
    let expected = format!("loaded\n{bind}{bind}child 0\nparent 0\n");
    assert_eq!(output(stage.found_first("fork").env("XSCHED_TEST", "slow")), expected);
}

#[test]
fn a_call_out_of_the_binding_itself_is_told_at_once_that_there_is_nothing() {
    let stage = Stage::with_libxsched();
    stage.compile(
        "vendor.so",
        &["vendor.c", "-shared", "-fPIC", &stage.shims().join("libOpenCL.so").to_string_lossy()],
    );
    let expected = format!("loaded\n{}constructor -1001\n16 right\n", stage.bind_line());
    let start = Instant::now();
    assert_eq!(
        output(stage.found_first("threads").env("XSCHED_TEST_REAL", stage.path("vendor.so"))),
        expected
    );
    assert!(start.elapsed() < Duration::from_secs(30), "a call out of the binding waited for it");
}

#[test]
fn a_library_looked_up_at_run_time_is_the_stand_in_under_both_names_and_stays() {
    let stage = Stage::with_libxsched();
    let expected = format!("loaded\n{}libOpenCL.so.1 1 0\nlibOpenCL.so 1 0\n", stage.bind_line());
    assert_eq!(output(stage.found_first("dynamic").env("XSCHED_TEST", "record")), expected);
}

#[test]
fn without_libxsched_opencl_has_no_platform_and_one_line_says_why() {
    let stage = Stage::new();
    for mut program in [stage.found_first("nothing-there"), stage.preloaded("nothing-there")] {
        let (stdout, stderr) = run(&mut program);
        assert_eq!(stdout, NOTHING_THERE);
        let beside = stage.shims().join("libxsched.so");
        assert_eq!(
            stderr,
            format!(
                "xsched: OpenCL stand-in: cannot load {} nor libxsched.so: libxsched.so: cannot open shared object file: \
                 No such file or directory; OpenCL programs are told that there is no platform\n",
                beside.display()
            )
        );
    }
}

#[test]
fn a_libxsched_that_is_not_one_is_named() {
    let stage = Stage::new();
    let file = stage.shims().join("libxsched.so");
    std::fs::write(&file, "not a library").expect("a file");
    let (stdout, stderr) = run(&mut stage.found_first("nothing-there"));
    assert_eq!(stdout, NOTHING_THERE);
    assert!(stderr.contains(&format!("cannot load {}: ", file.display())), "{stderr}");

    stage.compile("shims/libxsched.so", &["vendor.c", "-shared", "-fPIC"]);
    let (_, stderr) = run(&mut stage.found_first("nothing-there"));
    assert!(stderr.contains(&format!("cannot use {}: ", file.display())), "{stderr}");
    assert!(stderr.contains("undefined symbol: xsched_shim_bind"), "{stderr}");
}

#[test]
fn when_libxsched_refuses_opencl_has_no_platform() {
    let stage = Stage::with_libxsched();
    let (stdout, stderr) = run(stage.found_first("nothing-there").env("XSCHED_TEST", "refuse"));
    assert_eq!(stdout, format!("loaded\n{}{NOTHING_THERE}", stage.bind_line()));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("cannot serve it"), "{stderr}");
}

#[test]
fn slots_that_libxsched_leaves_empty_answer_that_there_is_nothing() {
    let stage = Stage::with_libxsched();
    let expected = format!("loaded\n{}{NOTHING_THERE}", stage.bind_line());
    assert_eq!(output(&mut stage.found_first("nothing-there")), expected);
}

#[test]
fn libxsched_is_also_found_where_the_loader_looks() {
    let stage = Stage::with_libxsched();
    std::fs::create_dir(stage.path("elsewhere")).expect("a folder");
    std::fs::rename(stage.shims().join("libxsched.so"), stage.path("elsewhere/libxsched.so")).expect("move");
    let mut program = stage.preloaded("arguments");
    program.env("LD_LIBRARY_PATH", stage.path("elsewhere")).env("XSCHED_TEST", "record");
    assert!(output(&mut program).starts_with(&format!("loaded\n{}", stage.bind_line())));
}

#[test]
fn libxsched_is_found_beside_a_stand_in_with_a_relative_path() {
    let stage = Stage::with_libxsched();
    let mut program = stage.native("arguments");
    program.current_dir(stage.shims()).env("LD_PRELOAD", "./libOpenCL.so.1").env("XSCHED_TEST", "record");
    assert!(output(&mut program).starts_with("loaded\nbind 1 opencl . "));
}
