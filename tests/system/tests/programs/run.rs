//! One program on one driver, three times.

use crate::catalog::{Entry, Invocation};
use std::process::Command;
use test_system::wait::seconds;
use test_system::{Driver, End, Machine, Program, Storm};

/// Runs in a storm, at most, until one was suspended: some programs launch for a few milliseconds only.
const MOST_RUNS: u32 = 12;

/// What can be seen of a run: what it wrote, as far as the entry compares it, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    output: Vec<String>,
    end: End,
}

/// Runs it natively, under XSched and in a storm; all must come out the same, with no word from XSched.
pub(crate) fn natively_under_xsched_and_in_a_storm(entry: &Entry, driver: &Driver) {
    let machine = Machine::new();
    let invocation = entry.command(driver).expect("it was there when the tests began");
    for file in entry.files {
        std::fs::write(machine.folder().join(file.name), file.text).unwrap();
    }
    let program = start(machine.command(&invocation.program), &invocation, driver, &machine);
    let native = outcome(entry, &program);
    let has_worked = matches!(native.end, End::Exit(_)) && !native.output.is_empty();
    assert!(has_worked, "it does not work natively: {native:?}\n{}", program.errors());
    drop(program);

    let _server = machine.server(&[]);
    let under_xsched = |priority| {
        let command = machine.run_command(priority, &invocation.program, &[]);
        start(command, &invocation, driver, &machine)
    };
    let program = under_xsched(0);
    assert_eq!(outcome(entry, &program), native);
    assert_eq!(program.warnings(), [""; 0]);

    let _storm = Storm::begin(&machine, 9);
    let mut suspensions = 0;
    for _ in 0..MOST_RUNS {
        let program = under_xsched(0);
        suspensions += machine.suspensions_until_the_end_of(&program);
        assert_eq!(outcome(entry, &program), native);
        assert_eq!(program.warnings(), [""; 0]);
        if suspensions > 0 || !entry.launches {
            return;
        }
    }
    panic!("it was never suspended in {MOST_RUNS} runs");
}

fn start(mut command: Command, invocation: &Invocation, driver: &Driver, machine: &Machine) -> Program {
    command.args(&invocation.arguments).envs(invocation.variables.iter().map(|(name, value)| (name, value)));
    driver.alone_in(&mut command, machine.folder());
    Program::start(command)
}

fn outcome(entry: &Entry, program: &Program) -> Outcome {
    let end = program.wait_for_end_within(seconds(600));
    Outcome { output: (entry.compared)(program.whole_output()), end }
}
