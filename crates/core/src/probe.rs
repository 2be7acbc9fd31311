//! What a look at a platform finds: the lines that libxsched.so writes and `xcli doctor` reads, one JSON value each.
//!
//! A look calls a vendor's library, which may crash, hang or end the process. So it happens in a process of its own, each line is
//! written as soon as it is known, and [`Line::Doing`] goes before each step: the last one tells where it ended.

use crate::{DeviceKey, Level, named_values};
use serde::{Deserialize, Serialize};

named_values! {
    /// What a finding means to the user.
    pub enum Verdict {
        /// As it should be.
        Ok = "ok",
        /// Worth knowing; programs run and are scheduled.
        Note = "note",
        /// Some programs do not run, or are not scheduled.
        Problem = "problem",
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The library that answers.
    Library {
        /// Its version.
        version: String,
    },
    /// A platform in it.
    Platform(Platform),
    /// What is done next, in words that fit behind "while".
    Doing(String),
    /// What was found.
    Found(Finding),
    /// A device.
    Device(Device),
    /// Nothing follows: the look came to its end.
    Done,
}

/// A platform as far as it can be known without its vendor's library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Its name, such as "opencl".
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// File names under which programs open the vendor's library; the first one is its soname.
    pub libraries: Vec<String>,
    /// A function that every version of that library has.
    #[serde(default)]
    pub function: String,
    /// The real library that programs get.
    #[serde(default)]
    pub real: Option<String>,
    /// The variable that names the real library.
    #[serde(default)]
    pub setting: String,
    /// What there is to look at, in this order.
    pub looks: Vec<Look>,
    /// What was found already.
    pub findings: Vec<Finding>,
}

/// Something that is looked at in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// What the platform knows it by.
    pub key: String,
    /// What it is, for people.
    pub title: String,
    /// What to type to be rid of it if it breaks the process, if that is possible.
    pub mend: Option<String>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check it was: a fixed name.
    pub check: String,
    /// What it means.
    pub verdict: Verdict,
    /// What is so, for people.
    pub text: String,
    /// What to type to mend it.
    pub mend: Option<String>,
}

/// A device and how far its queues can be preempted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What the scheduler knows it by: devices with one key contend, whatever platform they are reached by.
    pub key: DeviceKey,
    /// Its vendor's name for it.
    pub name: String,
    /// The driver, by name.
    pub driver: String,
    /// The driver's version.
    pub driver_version: String,
    /// The level that a queue on it has; none if no queue could be made.
    pub level: Option<Level>,
    /// How commands are held back.
    pub mechanism: String,
    /// Why the level is not higher.
    pub limit: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &str, text: impl Into<String>) -> Finding {
        Finding::new(check, Verdict::Ok, text)
    }

    /// Worth knowing.
    pub fn note(check: &str, text: impl Into<String>) -> Finding {
        Finding::new(check, Verdict::Note, text)
    }

    /// Something is wrong.
    pub fn problem(check: &str, text: impl Into<String>) -> Finding {
        Finding::new(check, Verdict::Problem, text)
    }

    /// With the line to type that mends it.
    pub fn mend(self, command: impl Into<String>) -> Finding {
        Finding { mend: Some(command.into()), ..self }
    }

    fn new(check: &str, verdict: Verdict, text: impl Into<String>) -> Finding {
        Finding { check: check.into(), verdict, text: text.into(), mend: None }
    }
}
