//! What XSched costs a program besides time: its threads, its signals, its errno and its fds.

use std::process::Stdio;
use test_system::machine::actor;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{Machine, Program, Storm, eventually, stays};

#[test]
fn attached_program_then_it_has_at_most_two_more_threads_and_both_are_named() {
    let machine = Machine::new();
    let native = native(&machine, &["work", "sleep"]);
    native.goes_on_within(PATIENCE);
    let _server = machine.server(&[]);
    let program = machine.actor(0, &["work-deep", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let storm = Storm::begin(&machine, 1);
    let is_ours = |name: &String| name.starts_with("xsched");
    stays("at most two threads are ours, each there once", seconds(2), || {
        let ours: Vec<String> = program.threads().into_iter().filter(is_ours).collect();
        ours == ["xsched-agent"] || ours == ["xsched-agent", "xsched-watcher"]
    });
    let others = program.threads().iter().filter(|name| !is_ours(name)).count();
    assert_eq!(others, native.threads().len(), "{:?} {:?}", program.threads(), native.threads());
    drop(storm);
    eventually("the watcher goes when nobody needs it", seconds(6), || {
        program.threads().iter().filter(|name| is_ours(name)).count() == 1
    });
}

#[test]
fn program_that_uses_timers_then_its_handlers_never_run_on_our_threads() {
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mut program = machine.actor(0, &["alarms", "work-deep", "hear", "alarms-check", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let storm = Storm::begin(&machine, 2);
    for _ in 0..20 {
        program.goes_on_within(seconds(2));
        assert!(our_threads_block_all_signals(program.pid()));
    }
    drop(storm);
    program.tell("");
    assert_eq!(program.hears("signals"), "some 0");
}

#[test]
fn calls_that_succeed_then_errno_stays_as_it_was_also_when_they_were_suspended() {
    let machine = Machine::new();
    let mut native = native(&machine, &["errno"]);
    assert_eq!(native.hears("errno"), "changed by []", "the driver itself keeps it");
    let _server = machine.server(&[]);
    let mut alone = machine.actor(0, &["errno", "sleep"]);
    assert_eq!(alone.hears("errno"), "changed by []");
    let _storm = Storm::begin(&machine, 3);
    let mut suspended = machine.actor(0, &["errno", "sleep"]);
    assert_eq!(suspended.hears("errno"), "changed by []");
    assert!(machine.suspensions(suspended.pid()) > 0);
}

#[test]
fn program_whose_stderr_is_a_broken_pipe_then_our_warnings_do_not_end_it() {
    let machine = Machine::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = machine.run_command(0, actor(), &["sigpipe", "job", "exit:0"]);
    // Warned of are the setting and that there is no server.
    command.env("XSCHED_WINDOW", "5 parsecs").stdin(Stdio::null()).stderr(writer);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "job right\n");
}

#[test]
fn program_that_closes_all_fds_then_its_own_files_are_left_alone_and_it_runs() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let script = ["work", "close-fds", "open-files", "hear", "check-files", "hear", "check-files", "sleep"];
    let mut program = machine.actor(0, &script);
    program.goes_on_within(PATIENCE);
    // Now it would be suspended, and resumed, if it were still attached.
    let rival = machine.rival(10);
    for _ in 0..5 {
        rival.wants_the_device();
        std::thread::sleep(millis(100));
        rival.is_done();
        std::thread::sleep(millis(100));
    }
    program.goes_on_within(seconds(3));
    program.tell("");
    assert_eq!(program.hears("files"), "kept");
    server.crash();
    let _server = machine.strict_server();
    std::thread::sleep(millis(1500));
    program.goes_on_within(seconds(3));
    program.tell("");
    assert_eq!(program.hears("files"), "kept");
}

#[test]
fn program_that_closes_all_fds_then_it_runs_on_unscheduled_and_says_so() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let mut program = machine.actor(0, &["work", "hear", "close-fds", "sleep"]);
    program.goes_on_within(PATIENCE);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.tell("");
    program.goes_on_within(seconds(5));
    eventually("it is no client any more", seconds(2), || machine.find(program.pid()).is_none());
    eventually("it has said why", seconds(2), || !program.warnings().is_empty());
    let warnings = program.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("has closed"), "{warnings:?}");
}

#[test]
fn child_of_a_daemon_that_closes_all_fds_then_the_childs_files_are_left_alone() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let script =
        ["job", "close-fds", "open-files", "fork:check-files,exit:0", "reap", "check-files", "sleep"];
    let mut program = machine.actor(0, &script);
    assert_eq!(program.hears("job"), "right");
    assert_eq!([program.hears("files"), program.hears("files")], ["kept", "kept"]);
}

fn native(machine: &Machine, script: &[&str]) -> Program {
    let mut command = machine.command(actor());
    command.args(script);
    Program::start(command)
}

/// By the masks that the kernel shows. SIGKILL and SIGSTOP cannot be blocked, and the C library keeps 32 and 33 for itself.
fn our_threads_block_all_signals(pid: u32) -> bool {
    const ALL: u64 = !(1 << 8 | 1 << 18 | 1 << 31 | 1 << 32);
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let texts = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    texts.filter(|text| text.starts_with("Name:\txsched")).all(|text| {
        let mask = text.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0").trim();
        u64::from_str_radix(mask, 16).unwrap_or(0) & ALL == ALL
    })
}
