//! A program of the bundle that stays and does what it is told, line by line (`programs/told.py`), so that several can take turns without
//! being started anew.
//!
//! Whatever it fails to say within its bound is an error with its name and what it said instead.

use crate::cores::Cores;
use anyhow::{Result, bail};
use std::process::Command;
use std::time::{Duration, Instant};
use test_system::{End, Program};

/// How long a program may take until it is ready, since it was started: libraries are read from a cold disk, and kernels compiled.
const START: Duration = Duration::from_secs(120);

/// Between two looks at what it said.
const LOOK: Duration = Duration::from_millis(1);

/// A running program, ended when dropped.
pub(crate) struct Worker {
    name: String,
    program: Program,
    heard: usize,
    started: Instant,
}

impl Worker {
    /// Starts it, on these cores only if they are named.
    pub(crate) fn start(name: impl Into<String>, mut command: Command, cores: Option<&Cores>) -> Worker {
        if let Some(cores) = cores {
            cores.pin(&mut command);
        }
        Worker { name: name.into(), program: Program::start(command), heard: 0, started: Instant::now() }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// The steps that it has made, by its last word on that.
    pub(crate) fn steps(&self) -> u64 {
        self.program.steps()
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.program.end()
    }

    /// What XSched has written to its error output.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.program.warnings()
    }

    /// Gives it an order.
    pub(crate) fn tell(&mut self, order: &str) -> Result<()> {
        self.is_there(order)?;
        self.program.tell(order);
        Ok(())
    }

    /// Waits for its first word, by which it is ready.
    pub(crate) fn begins(&mut self, beginning: &str) -> Result<String> {
        self.hear(beginning, START.saturating_sub(self.started.elapsed()))
    }

    /// Waits for the next line of its output that begins so; returns the rest of it.
    pub(crate) fn hear(&mut self, beginning: &str, bound: Duration) -> Result<String> {
        let start = Instant::now();
        loop {
            for line in self.program.output().iter().skip(self.heard) {
                self.heard += 1;
                if let Some(rest) = line.strip_prefix(beginning) {
                    return Ok(rest.trim().to_owned());
                }
            }
            self.is_there(&format!("saying {beginning:?}"))?;
            if start.elapsed() > bound {
                bail!(
                    "{} did not say {beginning:?} within {bound:?}; its errors end with:\n{}",
                    self.name,
                    self.last_words()
                );
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Gives it an order and waits for its answer.
    pub(crate) fn ask(&mut self, order: &str, beginning: &str, bound: Duration) -> Result<String> {
        self.tell(order)?;
        self.hear(beginning, bound)
    }

    /// The end of what it wrote to its error output.
    pub(crate) fn last_words(&self) -> String {
        let errors = self.program.errors();
        let lines: Vec<&str> = errors.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    fn is_there(&self, before: &str) -> Result<()> {
        match self.program.end() {
            None => Ok(()),
            Some(end) => bail!(
                "{} ended with {end:?} before {before}; its errors end with:\n{}",
                self.name,
                self.last_words()
            ),
        }
    }
}
