//! What a process is, and whether a condition of a rule holds for it.

use crate::container;
use glob::{MatchOptions, Pattern};
use std::fmt;

/// What a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its name, as it says itself; the kernel cuts it to 15 bytes.
    pub program: String,
    /// The path of its executable, if that can be seen.
    pub exe: Option<String>,
    /// Its user, as the kernel told.
    pub uid: u32,
    /// The paths of its control groups: one, or one for each hierarchy.
    pub cgroups: Vec<String>,
}

/// One key of a rule with its patterns, any of which is enough.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// The process's name, or the file name of its executable.
    Program(Vec<Pattern>),
    Exe(Vec<Pattern>),
    /// With the users as they were written.
    User(Vec<(String, u32)>),
    Cgroup(Vec<Pattern>),
    Container(Vec<Pattern>),
}

/// In paths, a star stays within its part.
const IN_PATHS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};
const IN_NAMES: MatchOptions = MatchOptions { require_literal_separator: false, ..IN_PATHS };

impl Condition {
    pub(crate) fn is_user(&self) -> bool {
        matches!(self, Condition::User(_))
    }

    pub(crate) fn asks_for_exe(&self) -> bool {
        matches!(self, Condition::Exe(_) | Condition::Program(_))
    }

    pub(crate) fn asks_for_cgroups(&self) -> bool {
        matches!(self, Condition::Cgroup(_) | Condition::Container(_))
    }

    pub(crate) fn holds(&self, process: &Identity) -> bool {
        let any = |patterns: &[Pattern], text: &str, options| {
            patterns.iter().any(|pattern| pattern.matches_with(text, options))
        };
        match self {
            Condition::Program(names) => {
                let file = process.exe.as_deref().and_then(|exe| exe.rsplit('/').next());
                any(names, &process.program, IN_NAMES) || file.is_some_and(|file| any(names, file, IN_NAMES))
            }
            Condition::Exe(paths) => process.exe.as_deref().is_some_and(|exe| any(paths, exe, IN_PATHS)),
            Condition::User(users) => users.iter().any(|(_, uid)| *uid == process.uid),
            Condition::Cgroup(paths) => process.cgroups.iter().any(|path| any(paths, path, IN_PATHS)),
            Condition::Container(names) => {
                let mut containers = process.cgroups.iter().filter_map(|path| container::in_path(path));
                containers.any(|container| {
                    any(names, container, IN_NAMES)
                        || names.iter().any(|name| container::is_beginning(name.as_str(), container))
                })
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |patterns: &[Pattern]| patterns.iter().map(|p| format!("{:?}", p.as_str())).collect();
        let (name, values): (_, Vec<String>) = match self {
            Condition::Program(names) => ("program", quoted(names)),
            Condition::Exe(paths) => ("exe", quoted(paths)),
            Condition::User(users) => ("user", users.iter().map(|(written, _)| written.clone()).collect()),
            Condition::Cgroup(paths) => ("cgroup", quoted(paths)),
            Condition::Container(names) => ("container", quoted(names)),
        };
        match values.as_slice() {
            [one] => write!(f, "{name} = {one}"),
            several => write!(f, "{name} = [{}]", several.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_be_that_of_the_executable_where_the_kernel_has_cut_the_other() {
        let process = Identity {
            program: "a-rather-long-n".into(),
            exe: Some("/opt/a-rather-long-name".into()),
            ..Identity::default()
        };
        let named = |name: &str| Condition::Program(vec![Pattern::new(name).unwrap()]).holds(&process);
        assert!(named("a-rather-long-name") && named("a-rather-long-n") && named("*name"));
        assert!(!named("/opt/*"));
    }

    #[test]
    fn a_name_made_up_to_keep_patterns_busy_does_not() {
        let pattern = Pattern::new("*a*a*a*a*a*a*a*a*b").unwrap();
        let process = Identity { exe: Some("a".repeat(4096)), ..Identity::default() };
        let begun = std::time::Instant::now();
        assert!(!Condition::Exe(vec![pattern]).holds(&process));
        assert!(begun.elapsed().as_secs() < 5, "a bound that a quadratic search keeps by far");
    }
}
