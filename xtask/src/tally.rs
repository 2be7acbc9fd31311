//! What passed and what failed: read from the output of `cargo test`, told in one closing line.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

/// How many passed, and the names of those that failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    pub(crate) fn pass(&mut self, count: usize) {
        self.passed += count;
    }

    /// `what`: for a person.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.failed.push(what.into());
    }

    /// Adds what another one counted.
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
    }

    /// Nothing failed.
    pub(crate) fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }

    /// Prints the names of those that failed, and the closing line; returns the exit code that goes with it.
    pub(crate) fn close(&self) -> ExitCode {
        for what in &self.failed {
            println!("failed: {what}");
        }
        println!("{} passed, {} failed", self.passed, self.failed.len());
        ExitCode::from(u8::from(!self.is_clean()))
    }

    /// Runs a `cargo test`, lets its output through, and adds its results. Whatever makes cargo fail without a test
    /// that failed (a build, a test program that was killed) counts as one failure.
    pub(crate) fn add_run(&mut self, command: &mut Command) -> Result<()> {
        self.add_run_with("", command)
    }

    /// The same, with a mark in front of each line of the output.
    pub(crate) fn add_run_with(&mut self, mark: &str, command: &mut Command) -> Result<()> {
        let mut cargo = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
        let output = cargo.stdout.take().context("the output of cargo test")?;
        let mut results = Results::default();
        for line in BufReader::new(output).split(b'\n') {
            // Bytes, because a test may print anything.
            let line = line.context("reading the output of cargo test")?;
            let line = String::from_utf8_lossy(&line);
            println!("{mark}{line}");
            results.read(&line);
        }
        let status = cargo.wait().context("waiting for cargo test")?;
        let failed_before = self.failed.len();
        self.passed += results.passed;
        self.failed.extend(results.failed);
        if results.unfinished > 0 {
            self.fail(format!("{} test programs that ended before their tests did", results.unfinished));
        }
        if !status.success() && self.failed.len() == failed_before {
            self.fail(format!("cargo test ({status})"));
        }
        Ok(())
    }
}

/// What the output of `cargo test` has said so far.
#[derive(Default)]
struct Results {
    passed: usize,
    failed: Vec<String>,
    /// Test programs that began and did not end yet.
    unfinished: usize,
}

impl Results {
    fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["running", count, "test" | "tests"] if count.parse::<usize>().is_ok() => self.unfinished += 1,
            // test result: ok. 3 passed; 0 failed; …
            ["test", "result:", _, passed, "passed;", ..] => {
                self.unfinished = self.unfinished.saturating_sub(1);
                self.passed += passed.parse::<usize>().unwrap_or_default();
            }
            ["test", ref name @ .., "...", "FAILED"] => self.failed.push(name.join(" ")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Tally {
        let mut tally = Tally::default();
        tally.add_run(Command::new("sh").args(["-c", script])).unwrap();
        tally
    }

    #[test]
    fn results_of_several_programs_are_summed() {
        let tally = shell(
            "echo 'running 2 tests'; echo 'test a::b ... ok'; echo 'test a::c - should panic ... FAILED'
             echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured'
             echo 'running 1 test'; echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured'; exit 101",
        );
        assert_eq!(tally, Tally { passed: 2, failed: vec!["a::c - should panic".into()] });
    }

    #[test]
    fn a_program_that_is_killed_is_a_failure() {
        let tally = shell("echo 'running 2 tests'; echo 'test a ... ok'; exit 101");
        assert_eq!((tally.passed, tally.failed.len()), (0, 1), "{tally:?}");
    }

    #[test]
    fn a_build_that_fails_is_a_failure() {
        assert_eq!(shell("exit 101").failed.len(), 1);
        assert_eq!(shell("exit 0"), Tally::default());
    }
}
