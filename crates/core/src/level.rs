//! Preemption levels: which commands can still be held back.

use crate::text::{Expected, Value};
use std::fmt;

/// How far a queue can be preempted, by the state of the command that can still be held back. Each level contains the ones
/// below it. A queue's level follows from what its platform can do (`hal::HwQueue::level`), never from a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Level {
    /// Pending commands: do not launch them. Latency: what is already launched.
    Block = 1,
    /// Launched but not started: stop the device queue. Latency: the running command.
    Deactivate = 2,
    /// Running: switch it out. Latency: a context switch.
    Interrupt = 3,
}

impl Level {
    /// The level with this number.
    pub fn from_number(n: u8) -> Option<Level> {
        match n {
            1 => Some(Level::Block),
            2 => Some(Level::Deactivate),
            3 => Some(Level::Interrupt),
            _ => None,
        }
    }

    /// 1, 2 or 3.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Block => "block",
            Level::Deactivate => "deactivate",
            Level::Interrupt => "interrupt",
        })
    }
}

impl Value for Level {
    const EXPECTED: &'static str = "1 (block), 2 (deactivate) or 3 (interrupt)";
    fn parse(text: &str) -> Result<Self, Expected> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "block" => Ok(Level::Block),
            "2" | "deactivate" => Ok(Level::Deactivate),
            "3" | "interrupt" => Ok(Level::Interrupt),
            _ => Err(Expected::new(Self::EXPECTED)),
        }
    }
    fn show(&self) -> String {
        self.number().to_string()
    }
}
