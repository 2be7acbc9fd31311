//! The examples, as their heads say that they are run: under `xcli run`, on PoCL, by pyopencl, which is from PyPI.

use std::process::Command;
use test_python::{Environment, build_wheel, sources};
use test_system::wait::PATIENCE;
use test_system::{End, Machine, Program, eventually};
use xsched_core::{HintKind, HintSource};

fn environment() -> Option<Environment> {
    let environment = Environment::from_index("pyopencl", &["pyopencl", "numpy"])?;
    let folder = tempfile::tempdir().unwrap();
    environment.install(&build_wheel(folder.path()));
    Some(environment)
}

fn command(machine: &Machine, environment: &Environment, program: &[&str]) -> Command {
    let mut command = machine.xcli();
    command.arg("run").arg("--").arg(environment.interpreter()).args(program);
    command.current_dir(sources().join("examples")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYOPENCL_NO_CACHE", "1");
    command
}

#[test]
fn every_example_says_what_its_head_promises() {
    let machine = Machine::new();
    let Some(environment) = environment() else { return };
    let _server = machine.server(&[]);
    for (example, says) in [
        ("suspend_resume.py", &["runs", "suspended: it stands still", "resumed: it runs again"][..]),
        (
            "submit.py",
            &[
                "0 of 10 are launched while the queue is suspended",
                "the fifth is complete: True",
                "all are complete, in order: True",
            ],
        ),
        ("local_scheduler.py", &["30 urgent requests, "]),
        (
            "hints.py",
            &["in the background: -2", "more urgent for a request", "refused: XHintPriority: invalid value"],
        ),
    ] {
        let program = Program::start(command(&machine, &environment, &[example]));
        assert_eq!(program.wait_for_end(), End::Exit(0), "{example}: {}", program.errors());
        let output = program.whole_output();
        assert_eq!(output.len(), says.len(), "{example}: {output:?}");
        for (line, start) in output.iter().zip(says) {
            assert!(line.starts_with(start), "{example}: {output:?}");
        }
        assert!(program.warnings().is_empty(), "{example}: {:?}", program.warnings());
    }
}

/// What Python says reaches the server as what the program gave; the latest scope of the process and of a queue hold, and end.
#[test]
fn what_a_program_gives_is_shown_as_its_own() {
    let machine = Machine::new();
    let Some(environment) = environment() else { return };
    let _server = machine.server(&[]);
    let script = "\
import xsched
from _work import Work
work = Work()
work.run()
print('there', flush=True)
input()
with xsched.priority(4):
    print('process', flush=True)
    input()
    with xsched.Queue(work.queue) as queue:
        with queue.with_priority(6):
            print('queue', flush=True)
            input()
    print('closed', flush=True)
    input()
print('over', flush=True)
input()
";
    let mut program = Program::start(command(&machine, &environment, &["-c", script]));
    let holds = |program: &Program, priority: i64, source: HintSource| {
        eventually(&format!("{priority} by {source}"), PATIENCE, || {
            let queue = machine.find(program.pid()).and_then(|client| client.queues.into_iter().next());
            let kind = HintKind::Priority;
            queue.is_some_and(|queue| queue.hints[&kind] == priority && queue.origins[&kind].source == source)
        });
    };
    for (says, priority, source) in [
        ("there", 0, HintSource::Default),
        ("process", 4, HintSource::Program),
        ("queue", 6, HintSource::Program),
        ("closed", 4, HintSource::Program),
        ("over", 0, HintSource::Default),
    ] {
        program.hears(says);
        holds(&program, priority, source);
        program.tell("");
    }
    assert_eq!(program.wait_for_end(), End::Exit(0), "{}", program.errors());
}
