//! What the environment of a program can have wrong, and what it can ask for.

use test_system::machine::actor;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, eventually};

#[test]
fn real_library_missing_then_one_line_names_it_and_there_is_no_platform() {
    let machine = Machine::new();
    let program =
        with(&machine, &[("XSCHED_OPENCL_LIB", "/nonexistent/libOpenCL.so.1")], &["platforms", "job"]);
    assert_eq!(program.wait_for_end(), End::Exit(99), "the actor says that it has failed");
    assert_eq!(program.whole_output(), ["platforms -1001", "failed clGetPlatformIDs -1001"]);
    let errors = program.errors();
    assert_eq!(
        errors.lines().filter(|line| line.contains("/nonexistent/libOpenCL.so.1")).count(),
        1,
        "{errors}"
    );
    // The other one says what follows from it.
    assert!(errors.lines().count() <= 2, "{errors}");
}

#[test]
fn real_library_is_not_opencl_then_there_is_no_platform_and_no_crash() {
    let machine = Machine::new();
    let libc = "/lib/x86_64-linux-gnu/libc.so.6";
    let program = with(&machine, &[("XSCHED_OPENCL_LIB", libc)], &["platforms"]);
    assert!(matches!(program.wait_for_end(), End::Exit(_)), "{}", program.errors());
    let output = program.whole_output();
    assert!(output.len() == 1 && output[0].starts_with("platforms -"), "{output:?}");
}

#[test]
fn real_library_lacks_functions_then_those_answer_that_they_are_not_there_and_the_others_work() {
    let machine = Machine::new();
    let (source, library) = (machine.folder().join("old.c"), machine.folder().join("libOpenCL.so.0"));
    let text = "int clGetPlatformIDs(unsigned n, void **p, unsigned *c) { if (n && p) *p = c; if (c) *c = 1; return 0; }";
    std::fs::write(&source, text).unwrap();
    let mut cc = machine.command("cc");
    assert!(cc.args(["-shared", "-o"]).arg(&library).arg(&source).status().unwrap().success());
    let program = with(&machine, &[("XSCHED_OPENCL_LIB", library.to_str().unwrap())], &["platforms", "job"]);
    assert_eq!(program.wait_for_end(), End::Exit(99), "the actor says that it has failed");
    // CL_INVALID_OPERATION
    assert_eq!(program.whole_output(), ["platforms found", "failed clGetDeviceIDs -59"]);
}

/// Oclgrind, for one, stands in for the OpenCL library itself, under a name of its own.
#[test]
fn another_tools_stand_in_is_preloaded_then_calls_go_through_it_and_not_past_it() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let loader = ["/usr/lib/x86_64-linux-gnu/libOpenCL.so.1", "/usr/lib64/libOpenCL.so.1"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
        .expect("an OpenCL loader");
    let tools = machine.folder().join("tool.so");
    std::fs::copy(loader, &tools).unwrap();
    let program = with(&machine, &[("LD_PRELOAD", tools.to_str().unwrap())], &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", program.pid())).unwrap();
    assert!(maps.contains(tools.to_str().unwrap()), "{maps}");
    let others: Vec<&str> =
        maps.lines().filter(|line| line.contains("/libOpenCL.so.1.") || line.contains(loader)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn bad_values_then_each_is_reported_once_and_the_program_runs() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let bad = [
        ("XSCHED_WINDOW", "5 parsecs"),
        ("XSCHED_GRUOP", "x"),
        ("XSCHED_AUTO_XQUEUE_BATCH_SIZE", "8"),
        // Also where xserver schedules, which has a policy of its own.
        ("XSCHED_POLICY", "HFP"),
    ];
    let program = with(&machine, &bad, &["job", "job", "work", "sleep"]);
    program.goes_on_within(PATIENCE);
    eventually("it is attached", PATIENCE, || machine.is_attached(program.pid()));
    let warnings = program.warnings();
    for (name, _) in bad {
        let about = warnings.iter().filter(|line| line.contains(&format!("{name}:"))).count();
        assert_eq!(about, 1, "{name}: {warnings:?}");
    }
    assert_eq!(warnings.len(), bad.len(), "{warnings:?}");
}

#[test]
fn told_to_wait_for_a_server_then_the_first_launch_waits_until_one_comes() {
    let machine = Machine::new();
    let program = with(&machine, &[("XSCHED_ON_NO_SERVER", "wait")], &["say:begun", "work", "sleep"]);
    eventually("it has begun", PATIENCE, || !program.output().is_empty());
    std::thread::sleep(millis(1500));
    assert_eq!(program.steps(), 0, "nothing is launched without a server");
    assert!(program.warnings()[0].contains("this program waits"), "{:?}", program.warnings());
    let _server = machine.strict_server();
    program.goes_on_within(seconds(3));
    assert!(machine.is_attached(program.pid()));
}

#[test]
fn told_to_wait_for_a_server_that_does_not_come_then_the_program_can_still_end() {
    let machine = Machine::new();
    let mut program = with(&machine, &[("XSCHED_ON_NO_SERVER", "wait")], &["begin", "hear", "exit:3"]);
    eventually("its thread waits", PATIENCE, || program.threads().contains(&"xsched-agent".into()));
    std::thread::sleep(millis(500));
    assert_eq!(program.steps(), 0);
    program.tell("");
    assert_eq!(program.wait_for_end_within(seconds(5)), End::Exit(3));
}

#[test]
fn told_to_fail_without_a_server_then_launches_answer_device_not_available() {
    let machine = Machine::new();
    let mut program =
        with(&machine, &[("XSCHED_ON_NO_SERVER", "fail")], &["launch", "hear", "launch", "sleep"]);
    assert_eq!(program.hears("launch"), "-2");
    let _server = machine.strict_server();
    eventually("it attaches", PATIENCE, || machine.find(program.pid()).is_some());
    program.tell("");
    assert_eq!(program.hears("launch"), "0");
}

#[test]
fn told_not_to_schedule_then_the_program_runs_and_is_no_client() {
    for (name, value) in [("XSCHED_AUTO_XQUEUE", "off"), ("XSCHED_SCHEDULER", "APP")] {
        let machine = Machine::new();
        let _server = machine.strict_server();
        let program = with(&machine, &[(name, value)], &["work", "sleep"]);
        program.goes_on_within(PATIENCE);
        assert!(machine.list().is_empty());
        assert!(program.threads().iter().all(|thread| !thread.starts_with("xsched")));
    }
}

fn with(machine: &Machine, variables: &[(&str, &str)], script: &[&str]) -> Program {
    let mut command = machine.run_command(0, actor(), script);
    command.envs(variables.iter().copied());
    Program::start(command)
}
