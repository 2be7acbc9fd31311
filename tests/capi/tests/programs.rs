//! Each program, under each who schedules.

use std::process::Command;
use test_capi::Interface::{Cuda, OpenCl};
use test_capi::{World, by_everybody, without_stand_ins};
use test_system::machine::library;
use test_system::wait::seconds;
use test_system::{End, Program};

#[test]
fn the_usual_program_then_its_streams_are_suspended_and_resumed() {
    by_everybody("usual", OpenCl);
    by_everybody("usual", Cuda);
}

#[test]
fn commands_that_call_back_then_order_results_and_suspensions_hold() {
    by_everybody("callbacks", OpenCl);
    by_everybody("callbacks", Cuda);
}

#[test]
fn commands_that_call_back_without_a_stand_in_then_the_same_holds() {
    without_stand_ins("callbacks", OpenCl);
    without_stand_ins("callbacks", Cuda);
}

#[test]
fn what_reaches_a_stream_directly_then_comes_behind_what_was_submitted() {
    by_everybody("order", OpenCl);
    by_everybody("order", Cuda);
}

#[test]
fn one_thread_feeds_two_queues_then_the_local_scheduler_goes_by_their_priorities() {
    by_everybody("local", OpenCl);
    by_everybody("local", Cuda);
}

#[test]
fn one_thread_feeds_two_queues_without_a_stand_in_then_the_same_holds() {
    without_stand_ins("local", OpenCl);
    without_stand_ins("local", Cuda);
}

/// What the program wrote to its error output; it ends well.
fn complaints(mut command: Command, settings: &[(&str, &str)]) -> String {
    command.envs(settings.iter().copied());
    let program = Program::start(command);
    assert_eq!(program.wait_for_end_within(seconds(60)), End::Exit(0), "{settings:?}: {}", program.errors());
    program.errors()
}

#[test]
fn levels_above_blocking_are_granted_where_xserver_can_interrupt_and_else_a_line_says_why_not() {
    let world = World::new();
    let program = world.compile("levels", Cuda);
    let preload = library("libfake_rm_preload.so");
    let interruptible = |settings: &[(&str, &str)]| {
        let mut command = world.command(&program, Cuda, true);
        // A driver whose channels can be stopped.
        command.env("LD_PRELOAD", &preload).env("FAKE_CUDA_RM", "1");
        complaints(command, settings)
    };
    let said = interruptible(&[("INTERRUPTIBLE", "1")]);
    for who in ["a scheduler in the process", "the program itself"] {
        let why =
            format!("interrupted by xserver alone, for the whole process, and {who} schedules this one");
        let line = said.lines().find(|line| line.contains(&why)).unwrap_or_else(|| panic!("{who}: {said}"));
        assert!(line.starts_with("xsched: level ") && line.contains(" has level block: "), "{line}");
    }
    assert!(
        interruptible(&[("XSCHED_AUTO_XQUEUE_LEVEL", "1")])
            .contains("the settings allow level block at most")
    );
    assert!(interruptible(&[("XSCHED_DEVICE_CONTROL", "off")]).contains("XSCHED_DEVICE_CONTROL is off"));
    let said = complaints(world.command(&program, Cuda, true), &[]);
    assert!(said.contains("no channel group of a context was seen"), "{said}");

    let program = world.compile("levels", OpenCl);
    let said = complaints(world.command(&program, OpenCl, true), &[]);
    assert!(said.contains("nothing by which the device's driver can be told"), "{said}");
}
