//! The window is soft: a program may launch as much as it likes before it lets the first of it start.

use test_system::machine::actor;
use test_system::wait::{PATIENCE, seconds};
use test_system::{Driver, End, Machine, Program, Storm, eventually};

/// Launches before the program opens its own gate.
const LAUNCHES: &str = "1000";

/// Both ways to hold one's own launches back: a user event, and a command of another queue.
const GATES: [&str; 2] = ["behind-event", "behind-queue"];

#[test]
fn a_thousand_launches_behind_an_event_of_the_programs_own_then_all_are_accepted_as_natively() {
    let machine = Machine::new();
    for gate in GATES {
        all_are_accepted(start(machine.command(actor()), gate), |_| ());
    }
    let _server = machine.strict_server();
    for gate in GATES {
        let program = start(machine.run_command(0, actor(), &[]), gate);
        all_are_accepted(program, |pid| {
            eventually("it attaches", PATIENCE, || machine.is_attached(pid));
            assert!(!is_windowed(&machine, pid), "it is alone");
        });
    }
}

#[test]
fn a_thousand_launches_behind_an_event_while_somebody_more_urgent_may_come_then_all_are_accepted_too() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let rival = machine.rival(10);
    for gate in GATES {
        // It was there, and may be back: for 10 seconds the others keep a small window.
        rival.wants_the_device();
        eventually("the server knows of it", PATIENCE, || {
            machine.list().iter().any(|client| client.queues.iter().any(|queue| queue.ready))
        });
        rival.is_done();
        let program = start(machine.run_command(0, actor(), &[]), gate);
        all_are_accepted(program, |pid| {
            eventually("it keeps a small window", PATIENCE, || is_windowed(&machine, pid));
        });
    }
}

#[test]
fn launches_behind_an_event_on_a_driver_that_runs_what_it_flushes_at_once_then_xsched_does_not_wait_for_the_event()
 {
    let driver = match Driver::oclgrind() {
        Ok(driver) => driver,
        Err(why) => return eprintln!("left out: {why}"),
    };
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let _storm = Storm::begin(&machine, 9);
    let mut command = machine.run_command(0, actor(), &["late-event:50"]);
    driver.alone_in(&mut command, machine.folder());
    let program = Program::start(command);
    assert_eq!(program.wait_for_end_within(seconds(120)), End::Exit(0), "{}", program.errors());
    assert_eq!(program.warnings(), [""; 0]);
}

/// With a script of its own.
fn start(mut command: std::process::Command, gate: &str) -> Program {
    command.arg(format!("{gate}:{LAUNCHES}"));
    Program::start(command)
}

/// The program opens its gate when it hears a line, which it gets when it has said that all launches are accepted.
fn all_are_accepted(mut program: Program, meanwhile: impl FnOnce(u32)) {
    assert_eq!(program.hears("accepted"), LAUNCHES);
    meanwhile(program.pid());
    program.tell("");
    assert_eq!(program.hears("behind"), "right");
    assert_eq!(program.wait_for_end(), End::Exit(0), "{}", program.errors());
    assert_eq!(program.warnings(), [""; 0]);
}

fn is_windowed(machine: &Machine, pid: u32) -> bool {
    machine.find(pid).is_some_and(|client| client.queues.iter().any(|queue| queue.windowed))
}
