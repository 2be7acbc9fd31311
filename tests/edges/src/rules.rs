//! A rules file, and what it makes of a process whose names somebody made up. Whatever is wrong with the file is said, and what is taken from
//! it stands in it.

use crate::Seed;
use xsched_rules::{Identity, Rules};

/// Behind this line, there is no more of the file, but a process: its name, executable and control group, one a line.
const END: &str = "\n---\n";

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (file, process) = text.split_once(END).unwrap_or((&text, ""));
    let rules = match Rules::parse("r.toml", file, |name| (name == "alice").then_some(1000)) {
        Ok(rules) => rules,
        Err(problems) => {
            assert!(!problems.is_empty());
            let has_line = |place: &str| place.starts_with("r.toml:");
            return assert!(problems.iter().all(|problem| has_line(&problem.place)), "{problems:?}");
        }
    };
    let lines = u32::try_from(file.lines().count()).unwrap_or(u32::MAX);
    for rule in rules.iter() {
        assert!((1..=lines).contains(&rule.line()));
        assert!(!rule.whom().is_empty() && !rule.what().is_empty());
    }
    let mut process = process.lines().map(str::to_owned);
    let identity = Identity {
        program: process.next().unwrap_or_default(),
        exe: process.next(),
        uid: 1000,
        cgroups: process.collect(),
    };
    let class = rules.classify(&identity);
    assert!(class.lines.is_sorted() && class.lines.len() <= rules.len());
    assert!(class.hints.iter().all(|given| class.lines.contains(&given.line)));
    assert!(class.hints.is_sorted_by(|a, b| a.value.kind() < b.value.kind()), "one of each kind");
}

pub(crate) fn seeds() -> Vec<Seed> {
    let id = "0123456789abcdef".repeat(4);
    let rule =
        "[[rule]]\nprogram = \"hash*\"\nuser = [\"alice\", 1001]\npriority = -5\nlevel = 1\nthreshold = 4\n";
    let process = format!("hashcat\n/usr/bin/hashcat\n/system.slice/docker-{id}.scope");
    let paths = "[[rule]]\nexe = \"/usr/**\"\ncgroup = [\"/a/*\", \"/b/[!x]?\"]\ncontainer = \"0123456789ab\"\nutilization = 10\n";
    vec![
        ("rule", rule.into()),
        ("rule-and-process", format!("{rule}{END}{process}").into()),
        ("paths", format!("{paths}{END}{process}").into()),
        ("wrong", "[[rule]]\nprogam = 1\nuser = \"bob\"\npriority = 999\nexe = \"a**b\"\n[other]\n".into()),
    ]
}
