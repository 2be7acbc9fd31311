//! Clients that fork and exec. A child is a client of its own when it first uses the device, not before, and what becomes of it is
//! nothing to its parent.

use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{Machine, Program, eventually, stays};

#[test]
fn child_that_does_not_use_the_device_then_it_is_no_client_and_its_exit_disturbs_nothing() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let mut parent = machine.actor(0, &["work", "fork:hear,exit:5", "reap", "sleep"]);
    let child = number(&parent.hears("forked"));
    eventually("the parent is attached", PATIENCE, || machine.is_attached(parent.pid()));
    let client = machine.find(parent.pid()).unwrap().client;
    stays("the child is no client", millis(500), || {
        machine.list().len() == 1 && machine.find(child).is_none()
    });
    parent.tell("");
    assert_eq!(parent.hears("reaped"), format!("{child} exit 5"));
    parent.goes_on_within(seconds(2));
    is_suspended_like_any_other(&machine, &parent);
    assert_eq!(machine.find(parent.pid()).unwrap().client, client, "it is still the same registration");
    assert!(parent.warnings().is_empty(), "{:?}", parent.warnings());
}

#[test]
fn fork_before_the_first_use_then_parent_and_child_are_two_clients() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let mut parent = machine.actor(0, &["fork:job,hear,job,exit:5", "job", "reap", "job", "sleep"]);
    let child = number(&parent.hears("forked"));
    assert_eq!([parent.hears("job"), parent.hears("job")], ["right", "right"]);
    eventually("both are attached", PATIENCE, || {
        machine.is_attached(parent.pid()) && machine.is_attached(child)
    });
    assert_eq!(machine.list().len(), 2);
    parent.tell("");
    assert_eq!(parent.hears("job"), "right");
    assert_eq!(parent.hears("reaped"), format!("{child} exit 5"));
    assert_eq!(parent.hears("job"), "right");
    eventually("the child is gone", seconds(2), || machine.list().len() == 1);
    assert!(machine.is_attached(parent.pid()));
}

#[test]
fn child_that_execs_another_program_then_that_is_a_client_of_its_own() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let mut parent = machine.actor(0, &["work", "fork:exec:job;sleep", "sleep"]);
    let child = number(&parent.hears("forked"));
    assert_eq!(parent.hears("job"), "right");
    eventually("both are attached", PATIENCE, || {
        machine.is_attached(parent.pid()) && machine.is_attached(child)
    });
    assert_eq!(machine.list().len(), 2);
    is_suspended_like_any_other(&machine, &parent);
}

#[test]
fn fork_while_suspended_then_the_child_ends_as_it_likes_and_the_parent_stays_suspended() {
    for end in ["exit:5", "_exit:5", "exec:exit:5"] {
        let machine = Machine::new();
        let _server = machine.strict_server();
        let mut parent = machine.actor(0, &["work", "hear", &format!("fork:{end}"), "reap", "sleep"]);
        parent.goes_on_within(PATIENCE);
        eventually("it attaches", PATIENCE, || machine.is_attached(parent.pid()));
        let client = machine.find(parent.pid()).unwrap().client;
        let rival = machine.rival(10);
        rival.wants_the_device();
        eventually("it is suspended", seconds(2), || machine.is_suspended(parent.pid()));
        parent.tell("");
        let child = number(&parent.hears("forked"));
        assert_eq!(parent.hears("reaped"), format!("{child} exit 5"), "{end}");
        assert!(machine.is_suspended(parent.pid()));
        assert_eq!(machine.find(parent.pid()).unwrap().client, client);
        parent.stands_still_for(millis(300));
        rival.is_done();
        parent.goes_on_within(seconds(2));
    }
}

#[test]
fn parent_that_dies_after_a_fork_then_its_registration_goes_although_the_child_lives() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let before = server.holdings();
    let mut parent = machine.actor(0, &["work", "fork:sleep", "_exit:0"]);
    let child = number(&parent.hears("forked"));
    parent.wait_for_end();
    eventually("the parent is gone", seconds(2), || machine.list().is_empty());
    eventually("all that it had is gone", seconds(2), || server.holdings() == before);
    assert!(std::fs::exists(format!("/proc/{child}")).unwrap(), "the child lives");
}

#[test]
fn exec_of_an_attached_client_then_the_old_registration_goes_and_a_new_one_comes() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let mut program = machine.actor(0, &["work", "hear", "exec:job;work;sleep"]);
    program.goes_on_within(PATIENCE);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let before = machine.find(program.pid()).unwrap().client;
    program.tell("");
    assert_eq!(program.hears("job"), "right");
    eventually("it is registered anew", PATIENCE, || {
        machine.list().len() == 1 && machine.find(program.pid()).is_some_and(|client| client.client != before)
    });
    is_suspended_like_any_other(&machine, &program);
}

#[test]
fn exec_while_suspended_then_the_new_program_is_suspended_too() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let mut program = machine.actor(0, &["work", "hear", "exec:say:begun;work;sleep"]);
    program.goes_on_within(PATIENCE);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.tell("");
    program.hears("begun");
    eventually("the new program is suspended", PATIENCE, || machine.is_suspended(program.pid()));
    rival.is_done();
    assert_eq!(program.hears("step"), "1");
}

fn is_suspended_like_any_other(machine: &Machine, program: &Program) {
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    program.goes_on_within(seconds(2));
}

fn number(text: &str) -> u32 {
    text.parse().unwrap()
}
