//! Policies with ordinary programs, and a policy that is changed while they run.

use test_system::machine::program;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, eventually};

fn set_policy(machine: &Machine, name: &str) {
    let output = machine.xcli().args(["policy", name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `xcli run --utilization`.
fn start(machine: &Machine, utilization: &str, script: &[&str]) -> Program {
    let mut command = machine.xcli();
    command.args(["run", "--utilization", utilization, "--"]).arg(test_system::machine::actor()).args(script);
    Program::start(command)
}

#[test]
fn policy_changed_while_programs_run_then_it_holds_at_once() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(200));

    set_policy(&machine, "UP");
    for _ in 0..10 {
        program.goes_on_within(seconds(2));
    }
    set_policy(&machine, "HPF");
    eventually("it is suspended again", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    program.goes_on_within(seconds(2));
    assert!(program.warnings().is_empty(), "{:?}", program.warnings());
}

#[test]
fn two_programs_under_up_then_both_get_on_in_turns_and_neither_has_an_error() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    set_policy(&machine, "UP");
    // One waits for each of its commands, the other one has many in flight.
    let programs =
        [start(&machine, "30", &["check", "sleep"]), start(&machine, "60", &["work-deep", "sleep"])];
    for program in &programs {
        eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    }
    for _ in 0..10 {
        programs.iter().for_each(|program| program.goes_on_within(seconds(5)));
    }
    for program in &programs {
        assert!(machine.suspensions(program.pid()) > 0, "it had the device for itself");
        assert!(program.warnings().is_empty(), "{:?}", program.warnings());
        assert!(program.output().iter().all(|line| !line.starts_with("failed")), "{:?}", program.output());
    }
}

#[test]
fn greedy_programs_of_different_utilization_under_up_then_the_one_that_asks_for_more_gets_more() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    set_policy(&machine, "UP");
    let requests = program("opencl-requests");
    let run = |utilization: &str| {
        let mut command = machine.xcli();
        command.args(["run", "--utilization", utilization, "--"]).arg(&requests);
        command.args(["--greedy", "--rounds", "200000", "--seconds", "8"]);
        Program::start(command)
    };
    let programs = [run("90"), run("10")];
    programs.iter().for_each(|program| assert_eq!(program.wait_for_end_within(seconds(60)), End::Exit(0)));
    // The kernels are the same; nine times as many should be done, and twice as many is what a busy machine cannot spoil.
    let kernels = programs.each_ref().map(|program| {
        let output = program.whole_output();
        output.last().and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or(0)
    });
    assert!(kernels[0] > 2 * kernels[1] && kernels[1] > 0, "{kernels:?}");
}
