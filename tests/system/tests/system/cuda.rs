//! Driver-API programs on the simulated CUDA driver: the same results, every kind of stream scheduled, idleness found out.

use std::path::PathBuf;
use std::process::Command;
use test_system::machine::{library, program};
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, Rival, Storm, eventually};
use xsched_core::DeviceKey;

/// Every way to launch.
const KINDS: [&str; 4] = ["made", "legacy", "per-thread", "graph"];

/// The simulated device.
fn device() -> DeviceKey {
    DeviceKey::pci(0, 0xFA, 0, 0)
}

/// A folder in which the simulated driver is the system's.
fn driver(machine: &Machine) -> PathBuf {
    let folder = machine.folder().join("driver");
    std::fs::create_dir_all(&folder).unwrap();
    let _ = std::os::unix::fs::symlink(library("libfake_cuda.so"), folder.join("libcuda.so.1"));
    folder
}

/// The suite natively, with these arguments.
fn native(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = machine.command(program("cuda-suite"));
    command.args(arguments).env("LD_LIBRARY_PATH", driver(machine));
    command
}

/// The suite under XSched.
fn scheduled(machine: &Machine, priority: i32, arguments: &[&str]) -> Program {
    let mut command = machine.run_command(priority, program("cuda-suite"), arguments);
    command.env("LD_LIBRARY_PATH", driver(machine));
    Program::start(command)
}

fn transcript(suite: &Program) -> Vec<String> {
    assert_eq!(suite.wait_for_end_within(seconds(300)), End::Exit(0), "{}", suite.errors());
    assert_eq!(suite.warnings(), [""; 0]);
    suite.whole_output()
}

#[test]
fn cuda_suite_then_its_transcript_is_the_same_natively_under_xsched_and_in_a_storm() {
    let machine = Machine::new();
    let expected = transcript(&Program::start(native(&machine, &[])));
    assert!(expected.len() > 30, "{expected:?}");
    for line in &expected {
        assert!(!line.contains("HANG") && !line.contains("stopped"), "{line}");
    }

    let _server = machine.server(&[]);
    assert_eq!(transcript(&scheduled(&machine, 0, &[])), expected);

    let mut preloaded = native(&machine, &[]);
    preloaded
        .env("LD_PRELOAD", machine.library_folder().join("libcuda.so.1"))
        .env("XSCHED_SOCKET", machine.socket());
    assert_eq!(transcript(&Program::start(preloaded)), expected);

    let storm = Storm::of(Rival::attach_on(&machine.socket(), 200, &device()), 7);
    let mut suspensions = 0;
    for _ in 0..10 {
        let stormy = scheduled(&machine, 0, &[]);
        suspensions += machine.suspensions_until_the_end_of(&stormy);
        assert_eq!(transcript(&stormy), expected);
    }
    assert!(suspensions > 0, "nothing was suspended");
    drop(storm);
}

#[test]
fn cuda_suite_without_a_server_then_it_says_so_once_and_computes_the_same() {
    let machine = Machine::new();
    let expected = transcript(&Program::start(native(&machine, &[])));
    let mut alone = native(&machine, &[]);
    alone
        .env("LD_PRELOAD", machine.library_folder().join("libcuda.so.1"))
        .env("XSCHED_SOCKET", machine.socket());
    let alone = Program::start(alone);
    assert_eq!(alone.wait_for_end_within(seconds(300)), End::Exit(0), "{}", alone.errors());
    assert_eq!(alone.whole_output(), expected);
    assert!(alone.warnings().iter().all(|line| line.contains("no xserver")), "{:?}", alone.warnings());
}

#[test]
fn every_kind_of_stream_then_it_stands_still_while_a_more_urgent_program_has_work_and_goes_on_after() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let rival = Rival::attach_on(&machine.socket(), 100, &device());
    for kind in KINDS {
        let program = scheduled(&machine, 0, &["--busy", kind]);
        eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
        program.goes_on_within(PATIENCE);
        rival.wants_the_device();
        eventually("it is suspended", PATIENCE, || machine.is_suspended(program.pid()));
        program.stands_still_for(millis(400));
        rival.is_done();
        program.goes_on_within(PATIENCE);
    }
}

#[test]
fn an_urgent_program_that_never_waits_then_it_is_found_idle_and_others_get_on() {
    let machine = Machine::new();
    // A lease that never lapses: only the truth helps.
    let _server = machine.strict_server();
    for kind in KINDS {
        let greedy = scheduled(&machine, 0, &["--busy", "made"]);
        greedy.goes_on_within(PATIENCE);
        let urgent = scheduled(&machine, 10, &["--sparse", kind]);
        eventually("the urgent one attaches", PATIENCE, || machine.is_attached(urgent.pid()));
        let (before, urgent_before) = (greedy.steps(), urgent.steps());
        eventually("the greedy one makes many steps", seconds(60), || greedy.steps() > before + 100);
        assert!(urgent.steps() > urgent_before, "both of them");
        eventually("it was suspended meanwhile", PATIENCE, || machine.suspensions(greedy.pid()) > 0);
    }
}

#[test]
fn an_urgent_program_with_gaps_between_its_kernels_then_others_come_in_between_its_requests_and_not_in_each_gap()
 {
    const REQUESTS: u64 = 20;
    let machine = Machine::new();
    let _server = machine.server(&[]);
    for kind in ["made", "legacy", "per-thread"] {
        let greedy = scheduled(&machine, 0, &["--busy", "made"]);
        greedy.goes_on_within(PATIENCE);
        let urgent = scheduled(&machine, 10, &["--eager", kind]);
        urgent.goes_on_within(PATIENCE);
        let (before, first) = (machine.suspensions(greedy.pid()), urgent.steps());
        eventually("some requests", seconds(60), || urgent.steps() >= first + REQUESTS);
        let (requests, suspensions) = (urgent.steps() - first, machine.suspensions(greedy.pid()) - before);
        // Once for each request, and in gaps that a busy machine makes longer than they should be. If each gap counted, it would be five to ten times.
        assert!(suspensions > 0, "{kind}: they do not meet");
        assert!(suspensions < requests * 4, "{kind}: {suspensions} suspensions in {requests} requests");
    }
}

#[test]
fn two_devices_then_only_the_one_that_an_urgent_program_uses_is_held() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let rival = Rival::attach_on(&machine.socket(), 100, &DeviceKey::pci(0, 0xFA, 1, 0));
    let mut command = machine.run_command(0, program("cuda-suite"), &["--busy", "legacy"]);
    command.env("LD_LIBRARY_PATH", driver(&machine)).env("FAKE_CUDA_DEVICES", "2");
    let program = Program::start(command);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    rival.wants_the_device();
    program.goes_on_within(PATIENCE);
    std::thread::sleep(millis(200));
    assert!(!machine.is_suspended(program.pid()));
    rival.is_done();
}

#[test]
fn processes_that_share_an_event_then_they_are_suspended_as_one_also_by_the_next_server() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let file = machine.folder().join("event");
    let share = file.to_str().unwrap();
    let first = scheduled(&machine, 0, &["--busy", "made", "--share", share]);
    eventually("it hands out its event", PATIENCE, || file.exists());
    // More urgent, and it may be waiting for the first one: that is not held.
    let second = scheduled(&machine, 10, &["--busy", "made", "--share", share]);
    let go_on = |why: &str| {
        for program in [&first, &second] {
            eventually(why, PATIENCE, || machine.is_attached(program.pid()));
            program.goes_on_within(PATIENCE);
        }
        first.goes_on_within(PATIENCE);
        assert!(!machine.is_suspended(first.pid()));
    };
    go_on("both attach");
    drop(server);
    let _server = machine.strict_server();
    go_on("both attach to the next server");
    // A stranger is held for both.
    let third = scheduled(&machine, 5, &["--busy", "made"]);
    eventually("it is suspended", PATIENCE, || machine.is_suspended(third.pid()));

    let mut alone = machine.run_command(0, program("cuda-suite"), &["--busy", "made", "--share", share]);
    alone.env("LD_LIBRARY_PATH", driver(&machine)).env("XSCHED_JOIN_SHARERS", "off");
    let alone = Program::start(alone);
    eventually("who does not want to be joined is suspended", PATIENCE, || machine.is_suspended(alone.pid()));
}

/// valgrind takes mappings away that the kernel's auxiliary vector still names.
#[test]
fn under_valgrind_then_a_program_computes_the_same() {
    let machine = Machine::new();
    let case = ["--case", "order-in-a-stream"];
    let expected = transcript(&Program::start(native(&machine, &case)));
    let _server = machine.server(&[]);
    let mut command = machine.run_command(0, "valgrind", &["-q", "--error-exitcode=9"]);
    command.arg(program("cuda-suite")).args(case).env("LD_LIBRARY_PATH", driver(&machine));
    let suite = Program::start(command);
    assert_eq!(suite.wait_for_end_within(seconds(300)), End::Exit(0), "{}", suite.errors());
    assert_eq!(suite.whole_output(), expected);
}
