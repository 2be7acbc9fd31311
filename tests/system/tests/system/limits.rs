//! Programs that have more of something than there is room for, or less than is usual.

use std::ffi::OsStr;
use test_system::machine::actor;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, eventually};
use xsched_ipc::page::SLOTS;

#[test]
fn ten_thousand_queues_in_one_program_then_the_server_knows_them_all() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let program = machine.actor(0, &["queues:10000", "work", "sleep"]);
    program.goes_on_within(PATIENCE);
    // The program makes two more for its own work.
    eventually("all are known", PATIENCE, || {
        machine.find(program.pid()).is_some_and(|client| client.queues.len() == 10_002)
    });
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    program.goes_on_within(seconds(2));
    assert_eq!(program.warnings(), [""; 0]);
    drop(server);
}

#[test]
fn more_queues_than_the_page_has_slots_then_those_beyond_are_suspended_with_the_others_and_one_line_says_so()
{
    let machine = Machine::new();
    let _server = machine.strict_server();
    // Its last queue, on which it works, has no slot.
    let program = machine.actor(0, &[&format!("queues:{SLOTS}"), "work", "sleep"]);
    program.goes_on_within(PATIENCE * 2);
    let warnings = program.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("more than 65504 queues"), "{warnings:?}");
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(program.pid()));
    program.stands_still_for(millis(300));
    rival.is_done();
    program.goes_on_within(seconds(2));
}

#[test]
fn small_limit_on_file_sizes_then_one_line_says_so_and_the_program_runs_unscheduled() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    // Blocks of 512 bytes: enough for what the driver keeps in files.
    let script = format!("ulimit -f 6000 && exec {} job exit:3", actor().display());
    let command = machine.run_command(0, OsStr::new("sh"), &["-c", &script]);
    let program = Program::start(command);
    assert_eq!(program.wait_for_end(), End::Exit(3), "{}", program.errors());
    assert_eq!(program.whole_output(), ["job right"]);
    let warnings = program.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("RLIMIT_FSIZE"), "{warnings:?}");
}
