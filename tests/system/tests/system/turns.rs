//! Policies of turns with real programs: who gets how much, and who goes first. Also HHPF, which needs a second device.
//!
//! Shares are those of kernels done, all of one length, between two reports of each program; a busy machine may shift them by some points.

use test_system::machine::program;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, Rival, eventually};
use xsched_core::DeviceKey;

fn set_policy(machine: &Machine, name: &str) {
    let output = machine.xcli().args(["policy", name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A program that runs kernels back to back, started with hints.
fn greedy(machine: &Machine, hints: &[&str]) -> Program {
    let mut command = machine.xcli();
    command.arg("run").args(hints).arg("--").arg(program("opencl-requests"));
    command.args(["--greedy", "--rounds", "1000", "--in-flight", "2"]);
    Program::start(command)
}

/// What a greedy program said last: the time in nanoseconds, and how many kernels are done.
fn report(program: &Program) -> Option<(u64, u64)> {
    let output = program.output();
    let mut words = output.last()?.split(' ').map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

/// Kernels per second of each, while all of them run.
fn rates(programs: &[Program]) -> Vec<f64> {
    let next = |program: &Program| {
        let before = report(program);
        eventually("it reports", PATIENCE, || report(program).is_some() && report(program) != before);
    };
    programs.iter().for_each(next);
    // The first report may be of a time when not all were there.
    programs.iter().for_each(next);
    let from: Vec<_> = programs.iter().map(|program| report(program).unwrap()).collect();
    std::thread::sleep(seconds(6));
    let to = programs.iter().map(|program| {
        next(program);
        report(program).unwrap()
    });
    to.zip(from)
        .map(|((to, after), (from, before))| (after - before) as f64 / (to - from) as f64 * 1e9)
        .collect()
}

/// Each one's part of all, in percent.
fn shares(programs: &[Program]) -> Vec<f64> {
    let rates = rates(programs);
    let sum: f64 = rates.iter().sum();
    rates.iter().map(|rate| 100.0 * rate / sum).collect()
}

fn assert_near(shares: &[f64], wanted: &[f64]) {
    let is_near = shares.iter().zip(wanted).all(|(share, wanted)| (share - wanted).abs() <= 10.0);
    assert!(is_near, "{shares:.1?} instead of {wanted:?}");
}

#[test]
fn three_processes_under_pup_then_each_gets_what_it_asks_for() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    set_policy(&machine, "PUP");
    let programs = ["50", "30", "20"].map(|part| greedy(&machine, &["--utilization", part]));
    assert_near(&shares(&programs), &[50.0, 30.0, 20.0]);
}

#[test]
fn programs_of_different_priority_under_cfs_then_five_steps_are_three_times_as_much() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    set_policy(&machine, "CFS");
    let programs = ["5", "0"].map(|priority| greedy(&machine, &["--priority", priority]));
    assert_near(&shares(&programs), &[75.3, 24.7]);
}

#[test]
fn one_process_under_spup_then_the_device_is_idle_for_what_it_did_not_ask_for() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    // Turns that are long enough even for a machine on which threads wait for a processor.
    let programs = [greedy(&machine, &["--utilization", "30", "--timeslice", "100000"])];
    let all = rates(&programs)[0];
    assert_eq!(machine.suspensions(programs[0].pid()), 0, "alone under HPF it has all of the device");
    set_policy(&machine, "SPUP");
    let part = 100.0 * rates(&programs)[0] / all;
    // Half of it at most, whatever else the machine does; and it does get on.
    assert!((2.0..50.0).contains(&part), "{part} % of what it gets done alone");
    assert!(machine.suspensions(programs[0].pid()) > 0);
    set_policy(&machine, "HPF");
    let again = 100.0 * rates(&programs)[0] / all;
    assert!(again > part, "{again} % under HPF, {part} % under SPUP");
}

#[test]
fn program_of_short_bursts_under_mlfq_then_it_does_not_wait_for_the_turns_of_batch_programs() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    set_policy(&machine, "MLFQ");
    // Turns of 100 ms at the top, and of 800 ms where those are soon who use them up.
    let batch = [(); 2].map(|()| greedy(&machine, &["--timeslice", "100000"]));
    for program in &batch {
        eventually("it reports", PATIENCE, || report(program).is_some());
    }
    let mut command = machine.xcli();
    command.args(["run", "--"]).arg(program("opencl-requests"));
    command.args(["--period", "700", "--work", "2", "--requests", "9", "--warm-up", "2"]);
    let short = Program::start(command);
    assert_eq!(short.wait_for_end_within(seconds(60)), End::Exit(0));
    let output = short.whole_output();
    let summary = output.last().unwrap();
    let median = summary.split("latency p50 ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let median: f64 = median.parse().unwrap();
    assert!(median < 700.0, "the turn of one of the others is 800 ms: {summary}");
    for program in &batch {
        assert!(machine.suspensions(program.pid()) > 0);
        let before = report(program);
        eventually("it gets on", seconds(10), || report(program) > before);
    }
}

#[test]
fn urgent_guest_on_another_device_under_hhpf_then_the_program_is_held_and_goes_on_when_that_is_done() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = Rival::attach_on(&machine.socket(), 10, &DeviceKey::pci(0, 0xFA, 1, 0));
    rival.wants_the_device();
    for _ in 0..5 {
        program.goes_on_within(seconds(2));
    }
    set_policy(&machine, "HHPF");
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    for _ in 0..5 {
        program.goes_on_within(seconds(2));
    }
    rival.wants_the_device();
    eventually("it is suspended again", seconds(2), || machine.is_suspended(program.pid()));
    set_policy(&machine, "HPF");
    program.goes_on_within(seconds(2));
    assert!(program.warnings().is_empty(), "{:?}", program.warnings());
}
