//! The report: its data, in the shape of its JSON, and its text.
//!
//! The text is for eyes and screen readers alike: the conclusion first, each finding begins with what it means, in a word, and what is to
//! be typed stands on a line of its own, unbroken.

use crate::output::{count, indented, printable};
use serde::Serialize;
use std::collections::BTreeMap;
use xsched_core::Level;
use xsched_core::probe::{Device, Finding, Verdict};

/// All that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Version of xcli.
    version: &'static str,
    /// How many findings are problems.
    problems: usize,
    /// How many are notes.
    notes: usize,
    findings: Vec<Entry>,
    devices: Vec<Reached>,
}

/// A finding and what it belongs to.
#[derive(Debug, Serialize)]
struct Entry {
    section: String,
    /// The section's name for people.
    #[serde(skip)]
    title: String,
    #[serde(flatten)]
    finding: Finding,
}

/// A device and the platform by which it is reached.
#[derive(Debug, Serialize)]
struct Reached {
    platform: String,
    #[serde(flatten)]
    device: Device,
}

/// Where the text of a finding begins.
const INDENT: usize = 11;

impl Report {
    pub(crate) fn new() -> Report {
        let (findings, devices) = (Vec::new(), Vec::new());
        Report { version: env!("CARGO_PKG_VERSION"), problems: 0, notes: 0, findings, devices }
    }

    /// Adds findings. `section` is its fixed name, `title` the one for people. A finding that is there already is not added again.
    pub(crate) fn add(&mut self, section: &str, title: &str, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if self.findings.iter().any(|entry| entry.section == section && entry.finding == finding) {
                continue;
            }
            match finding.verdict {
                Verdict::Problem => self.problems += 1,
                Verdict::Note => self.notes += 1,
                Verdict::Ok => {}
            }
            self.findings.push(Entry { section: section.into(), title: title.into(), finding });
        }
    }

    pub(crate) fn add_device(&mut self, platform: &str, device: Device) {
        self.devices.push(Reached { platform: platform.into(), device });
    }

    /// `2 problems`, if there are any.
    pub(crate) fn failure(&self) -> Option<String> {
        (self.problems > 0).then(|| count(self.problems, "problem"))
    }

    pub(crate) fn text(&self) -> String {
        let sound = self.findings.len() - self.problems - self.notes;
        let mut text = format!(
            "XSched {}: {}, {}, {} in order.\n",
            self.version,
            if self.problems == 0 { "no problem".into() } else { count(self.problems, "problem") },
            count(self.notes, "note"),
            count(sound, "thing")
        );
        let mut section = "";
        for entry in &self.findings {
            if entry.section != section {
                text.push_str(&format!("\n{}\n", entry.title));
                section = &entry.section;
            }
            text.push_str(&entry.finding_text());
        }
        text + &self.devices_text()
    }

    fn devices_text(&self) -> String {
        let mut by_key: BTreeMap<&str, Vec<&Reached>> = BTreeMap::new();
        for reached in &self.devices {
            by_key.entry(reached.device.key.as_str()).or_default().push(reached);
        }
        let mut text = String::new();
        for (key, reached) in by_key {
            text.push_str(&format!("\nDevice {}\n", printable(key)));
            if reached.len() > 1 {
                let many = reached.len();
                let why =
                    format!("It is reached in {many} ways, and programs contend for it whichever they take.");
                text.push_str(&indented(&why, "  ", 2));
            }
            for one in reached {
                let Device { name, driver, driver_version, .. } = &one.device;
                let name =
                    printable(&format!("{name}, by {} ({driver}, driver {driver_version})", one.platform));
                text.push_str(&indented(&name, "  ", 4));
                text.push_str(&indented(&one.level_text(), "    ", 4));
            }
        }
        text
    }
}

impl Entry {
    fn finding_text(&self) -> String {
        let Finding { verdict, text, mend, .. } = &self.finding;
        let mut lines = indented(&printable(text), &format!("  {:<9}", verdict.name()), INDENT);
        if let Some(mend) = mend {
            let what = if *verdict == Verdict::Problem { "to mend it" } else { "to change that" };
            lines.push_str(&format!("{:INDENT$}{what}, type:\n{:INDENT$}  {}\n", "", "", printable(mend)));
        }
        lines
    }
}

impl Reached {
    fn level_text(&self) -> String {
        let Device { level, mechanism, limit, .. } = &self.device;
        let Some(level) = level else { return "Its queues are not scheduled.".into() };
        let higher = match limit {
            Some(limit) if *level < Level::Interrupt => format!(" Not higher, because {}.", printable(limit)),
            _ => String::new(),
        };
        format!("Level {} ({level}): {}.{higher}", level.number(), printable(mechanism))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::DeviceKey;

    fn device(name: &str) -> Device {
        Device {
            key: DeviceKey::cpu(0),
            name: name.into(),
            driver: "Driver".into(),
            driver_version: "3.1".into(),
            level: Some(Level::Block),
            mechanism: "the launching thread waits at the gate".into(),
            limit: Some("there is no standard way to stop what was launched".into()),
        }
    }

    #[test]
    fn the_conclusion_comes_first_and_what_is_to_be_typed_is_not_broken() {
        let mut report = Report::new();
        let long = format!("mv {}", "/a-long-path".repeat(10));
        report.add(
            "one",
            "One",
            [Finding::ok("a", "word ".repeat(40)), Finding::problem("b", "bad").mend(&long)],
        );
        report.add("two", "Two", [Finding::note("c", "odd\u{1b}"), Finding::note("c", "odd\u{1b}")]);
        report.add_device("one", device("CPU"));
        report.add_device("other", device("CPU, too"));
        let text = report.text();
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap(),
            format!("XSched {}: 1 problem, 1 note, 1 thing in order.", env!("CARGO_PKG_VERSION"))
        );
        assert!(lines.filter(|line| !line.contains(&long)).all(|line| line.len() <= 80), "{text}");
        assert!(text.contains("\nOne\n  ok       word") && text.contains("\n  problem  bad\n"), "{text}");
        assert!(text.contains(&format!("to mend it, type:\n             {long}\n")), "{text}");
        assert!(text.contains("\nTwo\n  note     odd?\n\nDevice cpu:0\n  It is reached in 2 ways"), "{text}");
        assert!(
            text.contains("    Level 1 (block): the launching thread waits at the gate. Not higher"),
            "{text}"
        );
        assert_eq!(report.failure().as_deref(), Some("1 problem"));
    }

    #[test]
    fn names_in_the_json_are_fixed() {
        let mut report = Report::new();
        report.add("one", "One", [Finding::problem("b", "bad").mend("x")]);
        report.add_device("one", device("CPU"));
        let mut value = serde_json::to_value(&report).unwrap();
        value["version"] = "".into();
        assert_eq!(
            value,
            serde_json::json!({
                "version": "", "problems": 1, "notes": 0,
                "findings": [{"section": "one", "check": "b", "verdict": "problem", "text": "bad", "mend": "x"}],
                "devices": [{
                    "platform": "one", "key": "cpu:0", "name": "CPU", "driver": "Driver", "driver_version": "3.1",
                    "level": "block", "mechanism": "the launching thread waits at the gate",
                    "limit": "there is no standard way to stop what was launched",
                }],
            })
        );
    }
}
