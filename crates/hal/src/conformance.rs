//! The rules that every [`HwQueue`] keeps, as functions to put an implementation through.
//!
//! A platform's tests implement [`Subject`] and call [`run_all`]. Outcome and order are judged, with bounds far from the expected
//! times; the few durations that must be known come from [`Subject::unit`]. A rule about a capability that the queue does not have holds
//! by itself. A rule that does not end in time is broken.

pub mod rules;

use crate::{HwCommand, HwQueue};
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// A fresh queue and what the rules need to judge it.
pub trait Subject: Send + Sync {
    /// The queue; always the same one.
    fn queue(&self) -> Arc<dyn HwQueue>;

    /// A command for that queue that runs on the device for about `duration` and leaves `id` behind when it ends.
    fn command(&self, id: u64, duration: Duration) -> Box<dyn HwCommand>;

    /// What the commands have left behind so far, in the order of their ends. Must not wait for the queue.
    fn finished(&self) -> Vec<u64>;

    /// A command whose launch fails, if that can be had.
    fn failing_command(&self) -> Option<Box<dyn HwCommand>> {
        None
    }

    /// How long a command that counts as long runs; should exceed the machine's hiccups.
    fn unit(&self) -> Duration {
        Duration::from_millis(30)
    }
}

/// What a rule finds: nothing, or what is wrong.
pub type Finding = Result<(), String>;

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, a sentence with underscores.
    pub name: &'static str,
    /// Puts a fresh subject to the test.
    pub check: fn(&dyn Subject) -> Finding,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// What was seen.
    pub what: String,
}

pub use rules::RULES;

/// The longest that one rule may take.
pub const BOUND: Duration = Duration::from_secs(60);

/// Puts a fresh subject from `make` through each rule; the error lists every rule that was broken.
pub fn run_all<S: Subject + 'static>(make: impl Fn() -> S) -> Result<(), Vec<Violation>> {
    let broken: Vec<_> = RULES.iter().filter_map(|rule| run(*rule, make()).err()).collect();
    if broken.is_empty() { Ok(()) } else { Err(broken) }
}

/// Puts one subject through one rule. A rule that hangs leaves its thread behind.
pub fn run<S: Subject + 'static>(rule: Rule, subject: S) -> Result<(), Violation> {
    let (sender, receiver) = mpsc::channel();
    let check = move || {
        // Nobody listens any more if the bound has passed.
        let _ = sender.send((rule.check)(&subject));
    };
    let found = match thread::Builder::new().name("conformance".into()).spawn(check) {
        Ok(_) => receiver.recv_timeout(BOUND).unwrap_or_else(|e| match e {
            mpsc::RecvTimeoutError::Timeout => Err(format!("did not end within {BOUND:?}")),
            mpsc::RecvTimeoutError::Disconnected => Err("panicked".into()),
        }),
        Err(e) => Err(format!("no thread to run on: {e}")),
    };
    found.map_err(|what| Violation { rule: rule.name, what })
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

#[cfg(test)]
mod tests;
