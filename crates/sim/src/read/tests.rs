//! What is read, and what is said about what cannot be.

use super::*;
use crate::{Arrivals, Sharing};

const MS: Duration = Duration::from_millis(1);

fn problems(text: &str) -> Vec<String> {
    read("w.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn every_key_is_read() {
    let text = r#"
        title = "All keys"
        policy = "up"
        duration = "3s"
        seed = 7
        draw = ["0ms", "100ms"]
        scheduler = { grace = "1ms", lease = "2s", max_suspend = "3s", grant = "4ms", handover = "5ms", contended_linger = "6s" }
        [[device]]
        name = "gpu"
        level = "interrupt"
        sharing = "fair"
        engines = 2
        switch = "50us"
        watch = "1ms"
        [[device]]
        name = "npu"
        [[program]]
        name = "a"
        count = 2
        group = "g"
        device = ["gpu", "npu"]
        queues = 3
        hints = { priority = -3, utilization = 20 }
        facts = { nice = 5, active_window = true }
        arrivals = { every = "10ms", burst = 2 }
        offset = { uniform = ["0ms", "10ms"] }
        commands = 4
        length = { median = "2ms", sigma = 0.5 }
        pause = { exponential = "1ms" }
        waits = "command"
        in_flight = 5
        window = "2ms"
        start = "1s"
        stop = "2s"
        [[program]]
        name = "b"
        device = "npu"
        arrivals = { closed = { list = ["1ms", "2ms"] } }
        length = "1ms"
        [[change]]
        at = "1s"
        policy = "HPF"
        [[change]]
        at = "2s"
        program = "b"
        hints = { priority = 1 }
        facts = { active_window = false }
    "#;
    let workload = read("w.toml", text).unwrap();
    assert_eq!((workload.policy, workload.seed, workload.duration), (PolicyKind::Up, 7, 3_000 * MS));
    assert_eq!(workload.settings.handover, 5 * MS);
    assert_eq!((workload.devices[0].sharing, workload.devices[0].engines), (Sharing::Fair, 2));
    let program = &workload.programs[0];
    assert_eq!(
        (program.devices.as_slice(), program.queues, program.hints.priority()),
        ([0, 1].as_slice(), 3, -3)
    );
    assert_eq!(program.facts, [Fact::CpuPriority(-5), Fact::ActiveWindow(true)]);
    assert_eq!(program.arrivals, Arrivals::Periodic { every: 10 * MS, burst: 2 });
    assert_eq!(program.length, Law::Lognormal { median: 2 * MS, sigma: 0.5 });
    assert_eq!(workload.programs[1].arrivals, Arrivals::Closed(Law::List(vec![MS, 2 * MS])));
    let hints = vec![Hint::new(xsched_core::HintKind::Priority, 1).unwrap()];
    let other = What::Program { program: 1, hints, facts: vec![Fact::ActiveWindow(false)] };
    assert_eq!(workload.changes[0].what, What::Policy(PolicyKind::Hpf));
    assert_eq!(workload.changes[1], Change { at: 2_000 * MS, what: other });
    assert_eq!(workload.queues(), 2 * 2 * 3 + 1);
}

#[test]
fn a_program_needs_its_name_its_arrivals_and_a_length() {
    let all = problems("[[program]]\ncount = 2\n");
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all.iter().all(|problem| problem.starts_with("w.toml:1: program.")), "{all:#?}");
    assert!(all[0].contains("program.name: is missing; expected a name"), "{all:#?}");
    assert_eq!(problems(""), ["w.toml:1: program: is missing; expected at least one [[program]]"]);
}

#[test]
fn each_problem_names_file_line_key_value_and_what_is_allowed() {
    let all = problems(
        "policy = \"FIFO\"\n\
         duration = \"5\"\n\
         colour = 1\n\
         [[device]]\n\
         name = \"d\"\n\
         switch = \"1ms\"\n\
         [[program]]\n\
         name = \"p\"\n\
         count = 0\n\
         hints = { priority = 300, speed = 1 }\n\
         arrivals = { every = \"0ms\" }\n\
         length = { uniform = [\"3ms\", \"1ms\"] }\n\
         waits = \"sometimes\"\n",
    );
    let wanted = [
        "w.toml:1: policy: \"FIFO\" is not valid; expected the name of a policy",
        "w.toml:2: duration: \"5\" is not valid; expected a duration with its unit",
        "w.toml:3: colour: is not a key; expected one of change device draw",
        "w.toml:6: device.switch: \"1ms\" is not valid; expected level = \"interrupt\"",
        "w.toml:9: program.count: 0 is not valid; expected a whole number from 1 to",
        "w.toml:10: program.hints.priority: 300 is not valid; expected a whole number from -256 to 255",
        "w.toml:10: program.hints.speed: is not a key; expected one of",
        "w.toml:11: program.arrivals.every: \"0ms\" is not valid; expected a duration",
        "w.toml:12: program.length.uniform: [\"3ms\", \"1ms\"] is not valid; expected two durations",
        "w.toml:13: program.waits: \"sometimes\" is not valid; expected one of command request never",
    ];
    assert_eq!(all.len(), wanted.len(), "{all:#?}");
    for (problem, start) in all.iter().zip(wanted) {
        assert!(problem.starts_with(start), "{problem:?} does not start with {start:?}");
    }
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    let all = problems("a = 1\nb = = 2\n");
    assert!(all.len() == 1 && all[0].starts_with("w.toml:2: is not valid TOML"), "{all:#?}");
}

#[test]
fn laws_and_arrivals_that_say_two_things_or_half_a_thing_are_refused() {
    let program = |rest: &str| format!("[[program]]\nname = \"p\"\n{rest}");
    for (rest, key) in [
        ("arrivals = { every = \"1ms\", poisson = \"1ms\" }\nlength = \"1ms\"", "program.arrivals:"),
        ("arrivals = {}\nlength = \"1ms\"", "program.arrivals:"),
        ("arrivals = \"1ms\"\nlength = \"1ms\"", "program.arrivals:"),
        ("arrivals = { burst = 2 }\nlength = \"1ms\"", "program.arrivals:"),
        ("arrivals = { at = [\"2ms\", \"1ms\"] }\nlength = \"1ms\"", "program.arrivals.at:"),
        ("arrivals = { closed = 3 }\nlength = \"1ms\"", "program.arrivals.closed:"),
        ("arrivals = { closed = \"0ms\" }\nlength = { median = \"1ms\" }", "program.length:"),
        ("arrivals = { closed = \"0ms\" }\nlength = { list = [] }", "program.length.list:"),
        ("arrivals = { closed = \"0ms\" }\nlength = { list = [\"0ms\"] }", "program.length:"),
        ("arrivals = { closed = \"0ms\" }\nlength = \"0ms\"", "program.length:"),
        ("arrivals = { closed = \"0ms\" }\nlength = \"1ms\"\ndevice = \"gpu\"", "program.device:"),
        (
            "arrivals = { closed = \"0ms\" }\nlength = \"1ms\"\nstart = \"2ms\"\nstop = \"1ms\"",
            "program.stop:",
        ),
    ] {
        let all = problems(&program(rest));
        assert!(all.len() == 1 && all[0].contains(key), "{rest}: {all:#?}");
    }
}

#[test]
fn names_are_given_once_and_those_that_are_used_exist() {
    let text = "[[device]]\nname = \"d\"\n[[device]]\nname = \"d\"\n\
                [[program]]\nname = \"p\"\narrivals = { closed = \"0ms\" }\nlength = \"1ms\"\n\
                [[change]]\nat = \"1ms\"\nprogram = \"q\"\nhints = { priority = 1 }\n\
                [[change]]\nat = \"1ms\"\n";
    let all = problems(text);
    assert_eq!(all.len(), 4, "{all:#?}");
    assert!(
        all[0].starts_with("w.toml:4: device.name: \"d\" is not valid; expected a name that no other"),
        "{all:#?}"
    );
    assert!(
        all[1].starts_with("w.toml:5: program.device: is missing; expected the name of a device: d, d"),
        "{all:#?}"
    );
    assert!(
        all[2]
            .starts_with("w.toml:11: change.program: \"q\" is not valid; expected the name of a program: p"),
        "{all:#?}"
    );
    assert!(all[3].contains("expected either policy, or program and hints or facts"), "{all:#?}");
}
