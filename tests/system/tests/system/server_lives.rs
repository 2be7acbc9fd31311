//! Servers that are not there, come, freeze, crash and end.

use std::process::Command;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, eventually, stays};

#[test]
fn no_server_at_start_then_the_program_runs_with_one_warning_and_attaches_when_one_appears() {
    let machine = Machine::new();
    let program = machine.actor(0, &["work", "sleep"]);
    program.goes_on_within(PATIENCE);
    // Several attempts to attach are over by then.
    std::thread::sleep(millis(1500));
    let warnings = program.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("no xserver"), "{warnings:?}");

    let server = machine.strict_server();
    eventually("it attaches", seconds(2), || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended for an urgent one", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    program.goes_on_within(seconds(2));
    drop(server);
}

#[test]
fn server_killed_while_a_client_is_suspended_then_it_runs_on_and_attaches_to_the_next() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    server.crash();
    program.goes_on_within(seconds(2));

    let _server = machine.strict_server();
    eventually("it attaches again", seconds(3), || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it obeys again", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
}

#[test]
fn server_frozen_while_a_client_is_suspended_then_it_runs_and_obeys_after_a_new_hello() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let before = machine.find(program.pid()).unwrap().client;
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));

    server.freeze();
    program.goes_on_within(seconds(3));
    // It tries to come back meanwhile, and leaves hellos that nobody answers.
    stays_running(&program, seconds(3));

    // The rival still has work, so the thawed server would rather hold the program: by the old hello it cannot, by a new one it may.
    server.thaw();
    eventually("it comes with a new hello", seconds(3), || {
        machine.find(program.pid()).is_some_and(|client| client.client != before)
    });
    eventually("it obeys again", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(seconds(1));
    rival.is_done();
    program.goes_on_within(seconds(2));
    stays("it is registered once", millis(500), || machine.find(program.pid()).is_some());
}

#[test]
fn server_frozen_while_nobody_is_suspended_then_nobody_notices() {
    let machine = Machine::new();
    let server = machine.server(&[]);
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    server.freeze();
    stays_running(&program, seconds(2));
    server.thaw();
    stays_running(&program, seconds(1));
    eventually("it is attached", seconds(3), || machine.is_attached(program.pid()));
}

#[test]
fn program_started_while_the_server_is_frozen_then_it_runs_and_attaches_after_the_thaw() {
    let machine = Machine::new();
    let server = machine.strict_server();
    server.freeze();
    let program = machine.actor(0, &["work", "sleep"]);
    program.goes_on_within(PATIENCE);
    stays_running(&program, seconds(2));
    server.thaw();
    eventually("it attaches", seconds(3), || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(seconds(1));
}

#[test]
fn server_told_to_end_then_its_socket_is_gone_and_clients_run() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    assert_eq!(server.end(), End::Exit(0));
    assert!(!machine.socket().exists());
    program.goes_on_within(seconds(2));
}

#[test]
fn second_server_on_the_same_socket_then_it_refuses_and_the_first_is_undisturbed() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let program = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));

    let mut second: Command = machine.server_command(&[]);
    let output = second.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("pid {}", server.pid())), "{said}");

    assert!(machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    program.goes_on_within(seconds(2));
    assert!(program.warnings().is_empty(), "{:?}", program.warnings());
}

fn stays_running(program: &test_system::Program, time: std::time::Duration) {
    let end = std::time::Instant::now() + time;
    while std::time::Instant::now() < end {
        program.goes_on_within(seconds(3));
    }
}
