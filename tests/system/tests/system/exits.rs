//! Clients that end while they are suspended: nothing waits for the server, nothing crashes.

use test_system::wait::{PATIENCE, seconds};
use test_system::{End, Machine, Program, eventually};

#[test]
fn exit_while_a_thread_is_suspended_then_the_program_ends_with_its_own_status() {
    assert_eq!(end_of_suspended(&["work", "hear", "exit:3"]), End::Exit(3));
}

#[test]
fn immediate_exit_while_a_thread_is_suspended_then_the_program_ends_with_its_own_status() {
    assert_eq!(end_of_suspended(&["work", "hear", "_exit:4"]), End::Exit(4));
}

#[test]
fn return_from_main_while_a_thread_is_suspended_then_the_program_ends_well() {
    assert_eq!(end_of_suspended(&["work", "hear", "main"]), End::Exit(0));
}

#[test]
fn exit_handler_that_waits_for_a_suspended_thread_then_it_does_not_wait_for_the_server() {
    assert_eq!(end_of_suspended(&["join-at-exit", "work", "hear", "exit:3"]), End::Exit(3));
}

#[test]
fn abort_while_a_thread_is_suspended_then_the_program_ends_by_that_signal() {
    assert_eq!(end_of_suspended(&["work", "hear", "abort"]), End::Signal(6));
}

#[test]
fn dlclose_while_a_thread_is_suspended_then_the_program_goes_on_and_ends_well() {
    assert_eq!(end_of_suspended(&["work", "hear", "dlclose", "main"]), End::Exit(0));

    let machine = Machine::new();
    let _server = machine.strict_server();
    let (mut program, rival) = suspended(&machine, &["work", "hear", "dlclose", "hear", "main"]);
    program.tell("");
    rival.is_done();
    program.goes_on_within(seconds(2));
    program.tell("");
    assert_eq!(program.wait_for_end(), End::Exit(0), "{}", program.errors());
}

/// How a program ends that performs the rest of its script while it is suspended; in no more time than it needs.
fn end_of_suspended(script: &[&str]) -> End {
    let machine = Machine::new();
    let _server = machine.strict_server();
    // What a race at the end does, it does not do each time.
    let mut ends = (0..3).map(|_| {
        let (mut program, _rival) = suspended(&machine, script);
        program.tell("");
        let end = program.wait_for_end_within(seconds(5));
        eventually("it is gone", seconds(2), || machine.find(program.pid()).is_none());
        end
    });
    let first = ends.next().unwrap();
    ends.for_each(|end| assert_eq!(end, first));
    first
}

fn suspended(machine: &Machine, script: &[&str]) -> (Program, test_system::Rival) {
    let program = machine.actor(0, script);
    program.goes_on_within(PATIENCE);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    (program, rival)
}
