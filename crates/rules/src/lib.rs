//! Rules: how an operator classifies programs without touching them.
//!
//! A rules file holds `[[rule]]` tables. In each, some keys say whom it matches and others what those get; docs/hints.md describes them.
//! All rules that match hold, in the order of the file, and of two that give the same thing the later one wins: the general ones stand first,
//! the exceptions below them. Invariant: a file is taken as a whole or not at all. Deliberately absent: reading files, finding
//! out what a process is, and rights, which are xserver's; a process's command line, see docs/hints.md.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod container;
mod identity;
mod parse;

use std::fmt::Write;
use xsched_core::limits::Limits;
use xsched_core::{Hint, Level};

pub use identity::Identity;
pub use parse::{MOST_RULES, check_size};

use identity::Condition;

/// The rules of one file, in its order.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    line: u32,
    conditions: Vec<Condition>,
    hints: Vec<Hint>,
    limits: Limits,
}

/// Something that a rule gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// What.
    pub value: T,
    /// The rule's line.
    pub line: u32,
    /// The rule names users. What they are the kernel knows; anybody can call a program what he likes.
    pub is_for_users: bool,
}

/// What rules make of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The lines of the rules that match.
    pub lines: Vec<u32>,
    /// At most one of each kind.
    pub hints: Vec<Given<Hint>>,
    /// The highest level to use.
    pub level: Option<Given<Level>>,
    /// The most commands in flight.
    pub threshold: Option<Given<u32>>,
}

impl Rules {
    /// Every rule.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any rule asks for the path of the executable.
    pub fn asks_for_exe(&self) -> bool {
        self.conditions().any(Condition::asks_for_exe)
    }

    /// Whether any rule asks for control groups.
    pub fn asks_for_cgroups(&self) -> bool {
        self.conditions().any(Condition::asks_for_cgroups)
    }

    /// What they make of a process.
    pub fn classify(&self, identity: &Identity) -> Class {
        let mut class = Class::default();
        for rule in self.0.iter().filter(|rule| rule.matches(identity)) {
            let (line, is_for_users) = (rule.line, rule.is_for_users());
            class.lines.push(line);
            for hint in &rule.hints {
                class.hints.retain(|given| given.value.kind() != hint.kind());
                class.hints.push(Given { value: *hint, line, is_for_users });
            }
            let level = rule.limits.level.map(|value| Given { value, line, is_for_users });
            class.level = level.or(class.level);
            let threshold = rule.limits.threshold.map(|value| Given { value, line, is_for_users });
            class.threshold = threshold.or(class.threshold);
        }
        class.hints.sort_by_key(|given| given.value.kind());
        class
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter().flat_map(|rule| &rule.conditions)
    }
}

impl Rule {
    /// The line of the file that it begins in.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The hints that it gives.
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// Whether it names users.
    pub fn is_for_users(&self) -> bool {
        self.conditions.iter().any(Condition::is_user)
    }

    /// Whom it matches, in one line as in the file: `program = "hash*", user = "alice"`.
    pub fn whom(&self) -> String {
        let conditions: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        conditions.join(", ")
    }

    /// What it gives, in one line: `priority = -5, level = 1`.
    pub fn what(&self) -> String {
        let mut all = String::new();
        let mut add = |name: &str, value: i64| {
            let comma = if all.is_empty() { "" } else { ", " };
            // Writing to text does not fail.
            let _ = write!(all, "{comma}{name} = {value}");
        };
        self.hints.iter().for_each(|hint| add(hint.kind().info().name, hint.value()));
        self.limits.level.into_iter().for_each(|level| add("level", level.number().into()));
        self.limits.threshold.into_iter().for_each(|threshold| add("threshold", threshold.into()));
        all
    }

    fn matches(&self, identity: &Identity) -> bool {
        self.conditions.iter().all(|condition| condition.holds(identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::HintKind;

    fn rules(text: &str) -> Rules {
        Rules::parse("r.toml", text, |name| (name == "alice").then_some(1000)).unwrap()
    }

    fn hashcat() -> Identity {
        Identity {
            program: "hashcat".into(),
            exe: Some("/usr/bin/hashcat".into()),
            uid: 1000,
            cgroups: vec!["/user.slice/user-1000.slice/session-2.scope".into()],
        }
    }

    #[test]
    fn all_rules_that_match_hold_and_the_later_one_wins() {
        let rules = rules(
            "[[rule]]\nprogram = '*'\npriority = -1\nlevel = 1\n\
             [[rule]]\nprogram = 'hash*'\npriority = -5\nutilization = 10\n\
             [[rule]]\nprogram = 'other'\npriority = 9\n",
        );
        let class = rules.classify(&hashcat());
        assert_eq!(class.lines, [1, 5]);
        let hints: Vec<_> = class.hints.iter().map(|g| (g.value.kind(), g.value.value(), g.line)).collect();
        assert_eq!(hints, [(HintKind::Priority, -5, 5), (HintKind::Utilization, 10, 5)]);
        assert_eq!(class.level.map(|g| (g.value, g.line)), Some((Level::Block, 1)));
        assert_eq!(class.threshold, None);
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold_and_one_of_several_patterns_is_enough() {
        let matches = |rule: &str| {
            let rules = rules(&format!("[[rule]]\n{rule}\npriority = 1\n"));
            !rules.classify(&hashcat()).lines.is_empty()
        };
        assert!(matches("program = ['x', 'hashcat']\nuser = 'alice'"));
        assert!(matches("program = 'hashcat'\nuser = [7, 1000]"));
        assert!(!matches("program = 'hashcat'\nuser = 7"));
        assert!(!matches("program = 'hash'"));
        assert!(matches("exe = '/usr/bin/*'") && matches("exe = '**/hashcat'"));
        assert!(!matches("exe = '/usr/*'"), "a star stays within its folder");
        assert!(matches("cgroup = '/user.slice/**'"));
        assert!(!matches("cgroup = '/user.slice/*'"));
        assert!(!matches("container = '*'"));
    }

    #[test]
    fn a_rule_is_shown_as_it_was_written() {
        let rules = rules(
            "[[rule]]\nuser = ['alice', 7]\nprogram = 'a*'\nthreshold = 4\npriority = -5\nlevel = 'block'",
        );
        let rule = rules.iter().next().unwrap();
        assert_eq!(rule.whom(), r#"program = "a*", user = ["alice", 7]"#);
        assert_eq!(rule.what(), "priority = -5, level = 1, threshold = 4");
        assert!(rule.is_for_users());
    }
}
