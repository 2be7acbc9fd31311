//! Each program, under each who schedules.

use test_capi::Interface::{Cuda, OpenCl};
use test_capi::{Interface, World};

const APP: &[(&str, &str)] = &[("XSCHED_SCHEDULER", "APP")];
const LOCAL: &[(&str, &str)] = &[("XSCHED_SCHEDULER", "LCL"), ("XSCHED_POLICY", "HPF")];
const GLOBAL: &[(&str, &str)] = &[];

/// With the stand-ins, by each scheduler; the last one with a server.
fn by_everybody(name: &str, interface: Interface) {
    let world = World::new();
    let program = world.compile(name, interface);
    for settings in [APP, LOCAL, GLOBAL] {
        world.is_well(world.command(&program, interface, true), settings);
    }
    let _server = world.machine.server(&[]);
    world.is_well(world.command(&program, interface, true), GLOBAL);
}

/// With libxsched.so and no stand-in.
fn without_stand_ins(name: &str, interface: Interface) {
    let world = World::new();
    let program = world.compile(name, interface);
    for settings in [APP, LOCAL, GLOBAL] {
        world.is_well(world.command(&program, interface, false), settings);
    }
}

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

#[test]
fn misused_by_one_and_by_many_threads_then_it_answers_errors_and_neither_ends_nor_hangs() {
    by_everybody("misuse", OpenCl);
    by_everybody("misuse", Cuda);
    without_stand_ins("misuse", OpenCl);
    without_stand_ins("misuse", Cuda);
}
