//! The rules in force, with the file that they came from.
//!
//! Invariant: a file that has anything wrong with it changes nothing. Deliberately absent: watching the file; an operator says when it is to be
//! read again (SIGHUP, `xcli rules reload`), so that half of a change is never taken for the whole.

use crate::identity::identify;
use crate::rights::Rights;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use xsched_core::status::{RuleStatus, RulesStatus};
use xsched_core::text::Problem;
use xsched_core::{Hint, HintKind, Limits};
use xsched_ipc::peer::{self, Credentials};
use xsched_rules::{Class, Given, Rules, check_size};

/// Read if it is there and no other is named.
pub(crate) const FILE: &str = "/etc/xsched/rules.toml";

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Rulebook {
    /// None: there is no file that could be read.
    path: Option<PathBuf>,
    /// It must be there.
    is_named: bool,
    is_there: bool,
    rules: Rules,
}

impl Rulebook {
    /// Those of the file that was named, or of `otherwise` if it is there.
    pub(crate) fn open(named: Option<&Path>, otherwise: &Path) -> Result<Rulebook, Vec<Problem>> {
        let path = named.unwrap_or(otherwise).to_path_buf();
        let mut book = Rulebook { path: Some(path), is_named: named.is_some(), ..Rulebook::default() };
        book.reload().map(|()| book)
    }

    /// Reads the file again. Whatever is wrong with it, all of it is said and the rules stay as they are.
    pub(crate) fn reload(&mut self) -> Result<(), Vec<Problem>> {
        let Some(path) = &self.path else { return Ok(()) };
        let place = path.display().to_string();
        let problem = |message: String| vec![Problem { place: place.clone(), message }];
        let rules = match read(path) {
            Ok(text) => Some(Rules::parse(&place, &text, peer::user)?),
            Err(Unread::NotThere) if !self.is_named => None,
            Err(Unread::NotThere) => return Err(problem("is not there".into())),
            Err(Unread::Other(why)) => return Err(problem(why)),
        };
        self.is_there = rules.is_some();
        self.rules = rules.unwrap_or_default();
        Ok(())
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The file, if there is one.
    pub(crate) fn file(&self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.is_there)?;
        Some(path.display().to_string())
    }

    /// What stands for a rule in a status: `FILE:LINE`.
    pub(crate) fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.file().unwrap_or_default())
    }

    /// What they make of a process. A priority above the ceiling is for processes of users who are named, or who may have it anyway.
    pub(crate) fn classify(&self, rights: &Rights, who: &Credentials, program: &str) -> Class {
        if self.rules.is_empty() {
            return Class::default();
        }
        let mut class = self.rules.classify(&identify(&self.rules, who, program));
        for given in class.hints.iter_mut().filter(|given| !given.is_for_users) {
            given.value = rights.lower(who, given.value);
        }
        class
    }

    /// All of it, for an operator; `processes` says how many match the rule of a line.
    pub(crate) fn status(
        &self,
        rights: &Rights,
        reads: &[HintKind],
        processes: impl Fn(u32) -> u32,
    ) -> RulesStatus {
        let rules = self.rules.iter().map(|rule| RuleStatus {
            line: rule.line(),
            whom: rule.whom(),
            what: rule.what(),
            processes: processes(rule.line()),
        });
        RulesStatus { file: self.file(), rules: rules.collect(), notes: self.notes(rights, reads) }
    }

    /// What a rule gives and nobody gets, or not everybody.
    pub(crate) fn notes(&self, rights: &Rights, reads: &[HintKind]) -> Vec<String> {
        let mut notes = Vec::new();
        let mut unread: Vec<HintKind> = Vec::new();
        for rule in self.rules.iter() {
            for hint in rule.hints() {
                let kind = hint.kind();
                let most = rights.most(kind).filter(|most| hint.value() > *most && !rule.is_for_users());
                if let Some(most) = most {
                    notes.push(format!(
                        "{}: {} {} is above {most}, the most that ordinary users may have: their processes get {most}, \
                         because anybody can give a program any name; a rule that names the user too gives all of it",
                        self.place(rule.line()),
                        kind.info().name,
                        hint.value()
                    ));
                }
                if !reads.contains(&kind) && !unread.contains(&kind) {
                    unread.push(kind);
                }
            }
        }
        let names: Vec<&str> = unread.iter().map(|kind| kind.info().name).collect();
        if !names.is_empty() {
            notes.push(format!(
                "the policy in force does not read {}: kept for policies that do",
                names.join(", ")
            ));
        }
        notes
    }
}

/// The limits in a class.
pub(crate) fn limits(class: &Class) -> Limits {
    Limits {
        level: class.level.map(|given| given.value),
        threshold: class.threshold.map(|given| given.value),
    }
}

/// The rule's line for a hint in a class.
pub(crate) fn line_of(class: &Class, kind: HintKind) -> Option<u32> {
    let is_it = |given: &&Given<Hint>| given.value.kind() == kind;
    class.hints.iter().find(is_it).map(|given| given.line)
}

enum Unread {
    NotThere,
    Other(String),
}

/// The text of a plain file: nothing else, because opening or reading another kind could wait.
fn read(path: &Path) -> Result<String, Unread> {
    let cannot = |errno: Errno| Unread::Other(format!("cannot be read: {errno}"));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Err(Unread::NotThere),
        other => other.map_err(cannot)?,
    };
    let stat = rustix::fs::fstat(&file).map_err(cannot)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Unread::Other("is not a file".into()));
    }
    let mut text = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match rustix::io::read(&file, &mut chunk).map_err(cannot)? {
            0 => break,
            n => text.extend_from_slice(chunk.get(..n).unwrap_or_default()),
        }
        check_size(text.len() as u64).map_err(|why| Unread::Other(format!("is too long; {why}")))?;
    }
    String::from_utf8(text).map_err(|error| {
        let good = text_before(&error);
        Unread::Other(format!("is not UTF-8 in line {}", 1 + good.matches('\n').count()))
    })
}

fn text_before(error: &std::string::FromUtf8Error) -> String {
    let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    String::from_utf8_lossy(good).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: Result<(), Vec<Problem>>) -> String {
        result.unwrap_err().iter().map(|problem| format!("{problem}\n")).collect()
    }

    #[test]
    fn a_file_that_cannot_be_used_changes_nothing_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        assert!(Rulebook::open(Some(&path), Path::new(FILE)).is_err(), "it was named");
        let mut book = Rulebook::open(None, &path).unwrap();
        assert_eq!((book.len(), book.file()), (0, None));
        std::fs::write(&path, "[[rule]]\nprogram = 'a'\npriority = 1\n").unwrap();
        book.reload().unwrap();
        assert_eq!((book.len(), book.place(1)), (1, format!("{}:1", path.display())));

        std::fs::write(&path, "[[rule]]\nprogram = 'a'\npriority = 999\n").unwrap();
        let why = said(book.reload());
        assert!(why.starts_with(&format!("{}:3: priority: \"999\"", path.display())), "{why}");
        std::fs::write(&path, b"# \xff\n").unwrap();
        assert!(said(book.reload()).contains("is not UTF-8 in line 1"));
        std::fs::write(&path, vec![b'#'; 2 << 20]).unwrap();
        assert!(said(book.reload()).contains("is too long"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(said(book.reload()).contains("is not a file"));
        assert_eq!(book.len(), 1, "the old rule holds all the time");

        std::fs::remove_dir(&path).unwrap();
        book.reload().unwrap();
        assert_eq!(book.len(), 0, "without the file that nobody named, there is no rule");
    }

    #[test]
    fn a_pipe_in_place_of_the_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        let pipe = rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0);
        pipe.unwrap();
        assert!(Rulebook::open(Some(&path), Path::new(FILE)).is_err());
    }

    #[test]
    fn a_priority_above_the_ceiling_is_given_by_the_user_and_not_by_a_name_that_anybody_can_take() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        let text = "[[rule]]\nprogram = 'urgent'\npriority = 50\n\n[[rule]]\nprogram = 'urgent'\nuser = 7\npriority = 60\n";
        std::fs::write(&path, text).unwrap();
        let book = Rulebook::open(Some(&path), Path::new(FILE)).unwrap();
        let rights = Rights::of_root(5);
        let priority = |uid| {
            let who = Credentials { pid: 0, uid, gid: uid, groups: vec![] };
            book.classify(&rights, &who, "urgent").hints[0].value.value()
        };
        assert_eq!([priority(0), priority(7), priority(8)], [50, 60, 5]);
        let notes = book.notes(&rights, &[HintKind::Priority]);
        assert!(notes.len() == 1 && notes[0].contains("rules.toml:1: priority 50 is above 5"), "{notes:?}");
        assert!(book.notes(&Rights::of_root(99), &[])[0].contains("does not read priority"));
    }
}
