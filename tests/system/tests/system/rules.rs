//! Rules of an operator's, with programs that know nothing of them.

use std::path::PathBuf;
use std::process::Output;
use test_system::machine::{actor, program};
use test_system::wait::{PATIENCE, seconds};
use test_system::{Machine, Program, Server, eventually};
use xsched_core::HintSource;

/// A machine whose server has this rules file.
fn ruled(machine: &Machine, rules: &str) -> (Server, PathBuf) {
    let file = machine.folder().join("rules.toml");
    std::fs::write(&file, rules).unwrap();
    let flags = ["--lease", "60s", "--max-suspend", "60s", "--rules", file.to_str().unwrap()];
    (machine.server(&flags), file)
}

fn reload(machine: &Machine) -> Output {
    machine.xcli().args(["rules", "reload"]).output().unwrap()
}

fn source(machine: &Machine, program: &Program) -> Option<(i64, HintSource)> {
    let queue = machine.find(program.pid())?.queues.into_iter().next()?;
    let kind = xsched_core::HintKind::Priority;
    Some((*queue.hints.get(&kind)?, queue.origins.get(&kind)?.source))
}

/// Both are started alike; who yields is the rules' matter alone.
#[test]
fn a_rule_makes_a_greedy_program_yield_a_reload_changes_that_and_a_bad_file_does_not() {
    let machine = Machine::new();
    let greedy_yields = "[[rule]]\nexe = \"**/opencl-requests\"\npriority = -10\n";
    let (_server, file) = ruled(&machine, greedy_yields);
    let greedy = machine.run(0, program("opencl-requests"), &["--greedy", "--kernel-ms", "1"]);
    eventually("the greedy one attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    assert_eq!(source(&machine, &greedy), Some((-10, HintSource::Rule)));
    let actor = machine.actor(0, &["work", "sleep"]);
    eventually("the other one attaches", PATIENCE, || machine.is_attached(actor.pid()));
    let mut last = 0;
    for _ in 0..3 {
        eventually("the greedy one is suspended again and again", PATIENCE, || {
            machine.suspensions(greedy.pid()) > last
        });
        last = machine.suspensions(greedy.pid());
        actor.goes_on_within(PATIENCE);
    }
    assert_eq!(machine.suspensions(actor.pid()), 0);

    std::fs::write(&file, "[[rule]]\nprogram = \"system-actor\"\npriority = \"low\"\n").unwrap();
    let bad = reload(&machine);
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert_eq!(bad.status.code(), Some(1));
    assert!(said.contains("rules.toml:3: priority: \"low\" is not valid; expected a whole number"), "{said}");
    assert_eq!(source(&machine, &greedy), Some((-10, HintSource::Rule)));
    assert_eq!(source(&machine, &actor), Some((0, HintSource::Environment)));

    // Now it is the other one that yields.
    std::fs::write(&file, "[[rule]]\nprogram = \"system-actor\"\npriority = -10\n").unwrap();
    let good = reload(&machine);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for more in 1..=3 {
        eventually("the other one is suspended again and again", PATIENCE, || {
            machine.suspensions(actor.pid()) >= more
        });
    }
    std::fs::write(&file, "").unwrap();
    assert!(reload(&machine).status.success());
    actor.goes_on_within(seconds(5));
    let warnings = [greedy.warnings(), actor.warnings()].concat();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_rule_limits_what_a_program_has_in_flight_and_xcli_shows_where_all_of_it_came_from() {
    let machine = Machine::new();
    let rules = "[[rule]]\nprogram = \"system-actor\"\nuser = 0\npriority = -3\nlevel = 1\nthreshold = 1\ngap = 300\n";
    let uid = rustix::process::getuid().as_raw();
    let (_server, file) = ruled(&machine, &rules.replace("user = 0", &format!("user = {uid}")));
    let mut command = machine.run_command(4, actor(), &["work-deep", "sleep"]);
    command.env("XSCHED_AUTO_XQUEUE_GAP", "900");
    let program = Program::start(command);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    let client = machine.find(program.pid()).unwrap();
    assert_eq!(client.threshold.as_ref().map(|limit| limit.value), Some(1));
    let output = machine.xcli().args(["list", "--hints"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let place = format!("rule {}:1", file.display());
    for hint in ["level", "threshold", "priority", "gap"] {
        let line = text.lines().find(|line| line.contains(&format!(" {hint} "))).unwrap_or_default();
        assert!(line.ends_with(&place), "{hint}: {text}");
    }
    // A rival that goes first makes it keep its window, which is one command now.
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", PATIENCE, || machine.is_suspended(program.pid()));
    rival.is_done();
    eventually("no more than one command is in flight", PATIENCE, || {
        let queues = machine.find(program.pid()).map(|client| client.queues).unwrap_or_default();
        queues.iter().any(|queue| queue.windowed && !queue.suspended && queue.launched - queue.completed <= 2)
    });
    program.goes_on_within(PATIENCE);
    let unset =
        machine.xcli().args(["hint", "--pid", &program.pid().to_string(), "--priority", "8"]).output();
    assert!(unset.unwrap().status.success());
    assert_eq!(source(&machine, &program), Some((8, HintSource::Operator)));
}
