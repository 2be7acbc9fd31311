//! The purpose of it all, with ordinary programs on both sides.

use test_system::machine::program;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, eventually};

#[test]
fn greedy_and_urgent_program_together_then_only_the_greedy_one_is_suspended_and_both_get_on() {
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let requests = program("opencl-requests");
    let mut greedy = machine.run(0, &requests, &["--greedy", "--kernel-ms", "1"]);
    greedy.hears("");
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    assert_eq!(machine.suspensions(greedy.pid()), 0, "it is alone");

    let urgent = machine.run(10, &requests, &["--period", "50", "--work", "5", "--requests", "80"]);
    eventually("the urgent one attaches", PATIENCE, || machine.is_attached(urgent.pid()));
    let mut last = 0;
    for _ in 0..3 {
        eventually("the greedy one is suspended again and again", PATIENCE, || {
            machine.suspensions(greedy.pid()) > last
        });
        last = machine.suspensions(greedy.pid());
        assert_eq!(machine.suspensions(urgent.pid()), 0);
    }
    assert_eq!(urgent.wait_for_end(), End::Exit(0), "{}", urgent.errors());
    assert!(last >= 3, "{last}");

    // The last lines of the greedy one are from after the end of the urgent one.
    let lines = greedy.output().len();
    eventually("the greedy one goes on", seconds(5), || greedy.output().len() > lines + 1);
    let warnings = [greedy.warnings(), urgent.warnings()].concat();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn urgent_program_of_a_group_then_its_members_are_not_suspended_for_each_other() {
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let start = |priority: &str| {
        let mut command = machine.xcli();
        command.args(["run", "--group", "job", "--priority", priority, "--"]);
        command.arg(test_system::machine::actor()).args(["work", "sleep"]);
        test_system::Program::start(command)
    };
    let (one, other) = (start("0"), start("10"));
    eventually("both attach", PATIENCE, || {
        machine.is_attached(one.pid()) && machine.is_attached(other.pid())
    });
    for _ in 0..20 {
        one.goes_on_within(seconds(2));
        other.goes_on_within(seconds(2));
    }
    assert_eq!([one.pid(), other.pid()].map(|pid| machine.suspensions(pid)), [0, 0]);
}

#[test]
fn priority_changed_from_outside_then_a_suspended_program_runs_and_is_suspended_again() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    program.goes_on_within(PATIENCE);
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    let set_priority = |priority: &str| {
        let pid = program.pid().to_string();
        let output = machine.xcli().args(["hint", "--pid", &pid, "--priority", priority]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    set_priority("20");
    program.goes_on_within(seconds(2));
    set_priority("0");
    eventually("it is suspended again", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
}
