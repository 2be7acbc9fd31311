//! The urgent program: `opencl-requests`, and the time stamps that it leaves.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::process::Process;

/// One request, CLOCK_MONOTONIC nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Request {
    /// When it was to be made.
    pub(crate) due: u64,
    /// When it was made.
    pub(crate) started: u64,
    /// When its answer was there.
    pub(crate) finished: u64,
}

impl Request {
    /// From due to answered, in milliseconds.
    pub(crate) fn latency_ms(&self) -> f64 {
        self.finished.saturating_sub(self.due) as f64 / 1e6
    }

    /// From made to answered, in milliseconds.
    pub(crate) fn service_ms(&self) -> f64 {
        self.finished.saturating_sub(self.started) as f64 / 1e6
    }
}

/// The size of a request (`--work`) that takes `wanted_ms` on the idle device.
pub(crate) fn calibrate(mut command: Command, device: &str, wanted_ms: f64, folder: &Path) -> Result<usize> {
    let answer = folder.join("calibration");
    let file = std::fs::File::create(&answer).with_context(|| format!("creating {}", answer.display()))?;
    command.args(["--device", device, "--calibrate", &wanted_ms.to_string()]).stdout(file);
    Process::spawn("calibration", command, folder)?.wait(Duration::from_secs(60))?;
    let text = std::fs::read_to_string(&answer)?;
    text.trim().parse().with_context(|| format!("opencl-requests --calibrate answered {text:?}"))
}

/// Makes `count` requests by `command` (the program, or what runs it) and returns their stamps.
pub(crate) fn run(
    mut command: Command,
    arguments: &[String],
    count: usize,
    folder: &Path,
) -> Result<Vec<Request>> {
    let csv = folder.join("requests.csv");
    command.args(arguments).arg("--requests").arg(count.to_string()).arg("--csv").arg(&csv);
    command.stdout(Stdio::null());
    // Even at ten times the period the demo is over by then; this only bounds a hang.
    Process::spawn("opencl-requests", command, folder)?.wait(Duration::from_secs(90))?;
    let text = std::fs::read_to_string(&csv).with_context(|| format!("reading {}", csv.display()))?;
    std::fs::remove_file(&csv)?;
    parse(&text).with_context(|| format!("{} is not a list of requests", csv.display()))
}

fn parse(csv: &str) -> Option<Vec<Request>> {
    let number = |word: Option<&str>| word?.parse().ok();
    let requests = csv.lines().skip(1).map(|line| {
        let mut words = line.split(',');
        let (due, started, finished) = (number(words.next())?, number(words.next())?, number(words.next())?);
        Some(Request { due, started, finished })
    });
    requests.collect::<Option<Vec<_>>>().filter(|requests| !requests.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_stamps_becomes_requests_and_a_broken_one_nothing() {
        let requests = parse("due_ns,started_ns,finished_ns\n100,200,3000100\n").unwrap();
        assert_eq!(requests, [Request { due: 100, started: 200, finished: 3_000_100 }]);
        assert_eq!(requests[0].latency_ms(), 3.0);
        assert_eq!(parse("due_ns,started_ns,finished_ns\n100,200\n"), None);
        assert_eq!(parse("due_ns,started_ns,finished_ns\n"), None);
    }
}
