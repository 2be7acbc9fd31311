//! The greedy program: hashcat, as its users have it, searching for a password that it cannot find.
//!
//! What it tells once a second (`--status --machine-readable`) is all that is read from it: candidates tried so far
//! and the time its last kernel took.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

use super::process::{POLL, Process};

/// The first start on a machine compiles for half a minute and more.
const START_LIMIT: Duration = Duration::from_secs(120);
/// hashcat reports every second.
const REPORT_LIMIT: Duration = Duration::from_secs(5);

/// The device that hashcat shall use, as hashcat counts them.
pub(crate) struct Backend {
    /// Its number for `--backend-devices`.
    id: u32,
    is_cpu: bool,
}

/// hashcat at work.
pub(crate) struct Greedy {
    process: Process,
    reports: Receiver<Sample>,
    samples: Vec<Sample>,
}

/// One report of hashcat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// When it came, in CLOCK_MONOTONIC nanoseconds.
    pub(crate) at: u64,
    /// Candidates tried so far.
    pub(crate) tried: u64,
    /// Time of the last kernel in milliseconds, by the device's clock.
    pub(crate) kernel_ms: f64,
}

impl Backend {
    /// Asks hashcat for the first device whose "platform / device" name contains `text`, ignoring case.
    pub(crate) fn find(text: &str, mut hashcat: Command) -> Result<Self> {
        let output = hashcat.args(OPENCL_ONLY).arg("-I").stdin(Stdio::null()).output();
        let listing = String::from_utf8_lossy(&output.context("starting hashcat -I")?.stdout).into_owned();
        find_in(&listing, text)
            .with_context(|| format!("hashcat sees no OpenCL device that matches {text:?}"))
    }
}

const OPENCL_ONLY: [&str; 2] = ["--backend-ignore-cuda", "--backend-ignore-hip"];

impl Greedy {
    /// Starts hashcat by `command` (the program, or what runs it) and waits until it works on the device.
    pub(crate) fn start(mut command: Command, backend: &Backend, folder: &Path) -> Result<Self> {
        command.args(OPENCL_ONLY).args(["-d", &backend.id.to_string()]);
        // MD5 by brute force: kernels of one length, one after another. The digest is nobody's, 95^9 candidates last
        // for months. Nothing is kept (sessions, found passwords, log), and no time goes into self-tests.
        command.args(["-m", "0", "-a", "3", "-w", "1", "--force", "--self-test-disable", "--hwmon-disable"]);
        command.args(["--potfile-disable", "--restore-disable", "--logfile-disable"]);
        if backend.is_cpu {
            // Fixed sizes instead of hashcat's own tuning, which comes out differently at each start: about 1 ms a
            // kernel on any CPU, since the first number counts per core.
            command.args(["-n", "256", "-u", "512", "-T", "1"]);
        }
        command.args(["--status", "--machine-readable", "--status-timer", "1"]);
        command.args(["ffffffffffffffffffffffffffffffff", "?a?a?a?a?a?a?a?a?a"]);
        let mut process = Process::spawn("hashcat", stdout_piped(command), folder)?;
        let stdout = process.take_stdout().context("hashcat's output is piped")?;
        let (sender, reports) = channel();
        // Ends with hashcat, at the end of its output.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if let Some(sample) = parse(&String::from_utf8_lossy(&line), monotonic())
                    && sender.send(sample).is_err()
                {
                    return;
                }
            }
        });
        let mut greedy = Self { process, reports, samples: Vec::new() };
        while greedy.report(START_LIMIT)?.tried == 0 {}
        Ok(greedy)
    }

    /// The number of hashcat's process; `xcli run` becomes the program that it runs.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The time of the latest report.
    pub(crate) fn reported_at(&self) -> u64 {
        self.samples.last().map_or(0, |sample| sample.at)
    }

    /// Collects reports until there is one from `until` (CLOCK_MONOTONIC nanoseconds) or later.
    pub(crate) fn watch(&mut self, until: u64) -> Result<()> {
        while self.reported_at() < until {
            self.report(REPORT_LIMIT)?;
        }
        Ok(())
    }

    /// Candidates per second between two times that were both watched.
    pub(crate) fn rate(&self, from: u64, to: u64) -> Result<f64> {
        rate(&self.samples, from, to).context("hashcat reported too little")
    }

    /// Kernel times in milliseconds, as reported between two times.
    pub(crate) fn kernel_times(&self, from: u64, to: u64) -> Vec<f64> {
        self.samples.iter().filter(|s| (from..=to).contains(&s.at)).map(|s| s.kernel_ms).collect()
    }

    fn report(&mut self, mut limit: Duration) -> Result<Sample> {
        loop {
            match self.reports.recv_timeout(POLL) {
                Ok(sample) => {
                    self.samples.push(sample);
                    return Ok(sample);
                }
                Err(RecvTimeoutError::Timeout) => limit = limit.saturating_sub(POLL),
                Err(RecvTimeoutError::Disconnected) => self.process.wait(REPORT_LIMIT)?,
            }
            self.process.check_running()?;
            if limit.is_zero() {
                bail!("hashcat has stopped reporting");
            }
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds, the clock of the time stamps of both programs.
pub(crate) fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn stdout_piped(mut command: Command) -> Command {
    command.stdout(Stdio::piped());
    command
}

/// Reads `STATUS 3 SPEED … EXEC_RUNTIME <ms> … PROGRESS <tried> <of> …`, separated by tabs.
fn parse(line: &str, at: u64) -> Option<Sample> {
    let mut words = line.split('\t').skip_while(|word| *word != "STATUS");
    words.next()?;
    let words: Vec<&str> = words.collect();
    let after = |key: &str| words.iter().position(|word| *word == key).and_then(|i| words.get(i + 1));
    Some(Sample {
        at,
        tried: after("PROGRESS")?.parse().ok()?,
        kernel_ms: after("EXEC_RUNTIME")?.parse().ok()?,
    })
}

/// Candidates per second, the reports taken as joined by straight lines.
fn rate(samples: &[Sample], from: u64, to: u64) -> Option<f64> {
    let at = |time: u64| -> Option<f64> {
        let pair = samples.windows(2).find(|pair| (pair[0].at..=pair[1].at).contains(&time))?;
        let [before, after] = pair else { return None };
        let part = (time - before.at) as f64 / (after.at - before.at).max(1) as f64;
        Some(before.tried as f64 + part * (after.tried - before.tried) as f64)
    };
    (to > from).then_some(())?;
    Some((at(to)? - at(from)?) / ((to - from) as f64 / 1e9))
}

/// Reads the listing of `hashcat -I`: platforms with their name, below each its devices with number, type and name.
fn find_in(listing: &str, text: &str) -> Option<Backend> {
    let (mut platform, mut id, mut is_cpu) = (String::new(), None, false);
    for line in listing.lines() {
        let line = line.trim();
        let value = line.split_once(": ").map_or("", |(_, value)| value.trim());
        if line.starts_with("OpenCL Platform ID") {
            (platform, id) = (String::new(), None);
        } else if let Some(number) = line.strip_prefix("Backend Device ID #") {
            id = number.split_whitespace().next().and_then(|n| n.parse().ok());
        } else if line.starts_with("Type.") {
            is_cpu = value == "CPU";
        } else if line.starts_with("Name.") {
            match id {
                None => platform = value.to_owned(),
                Some(id) => {
                    let name = format!("{platform} / {value}").to_lowercase();
                    if name.contains(&text.to_lowercase()) {
                        return Some(Backend { id, is_cpu });
                    }
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "STATUS\t3\tSPEED\t240872502\t1000\tEXEC_RUNTIME\t0.994811\tCURKU\t1024\tPROGRESS\t946895872\t\
                          630249409724609375\tRECHASH\t0\t1\tRECSALT\t0\t1\tREJECTED\t0\tUTIL\t-1\t";

    #[test]
    fn a_report_gives_progress_and_kernel_time_and_other_lines_give_nothing() {
        assert_eq!(parse(REPORT, 7), Some(Sample { at: 7, tried: 946_895_872, kernel_ms: 0.994_811 }));
        assert_eq!(parse("Please consider using the -w option instead.", 7), None);
        assert_eq!(parse("STATUS\t3\tPROGRESS\tmany", 7), None);
    }

    #[test]
    fn a_rate_between_reports_follows_the_lines_between_them() {
        let sample = |at, tried| Sample { at, tried, kernel_ms: 1.0 };
        let samples = [sample(0, 0), sample(1_000_000_000, 100), sample(2_000_000_000, 300)];
        assert_eq!(rate(&samples, 0, 1_000_000_000), Some(100.0));
        assert_eq!(rate(&samples, 500_000_000, 1_500_000_000), Some(150.0));
        assert_eq!(rate(&samples, 500_000_000, 2_500_000_000), None);
    }

    #[test]
    fn a_device_is_found_by_platform_or_device_name_with_its_number() {
        let listing = "OpenCL Info:\n\nOpenCL Platform ID #1\n  Vendor..: The pocl project\n  \
            Name....: Portable Computing Language\n\n  Backend Device ID #1\n    Type...........: CPU\n    \
            Name...........: pthread-skylake\n\nOpenCL Platform ID #2\n  Name....: NVIDIA CUDA\n\n  \
            Backend Device ID #2 (Alias: #3)\n    Type...........: GPU\n    Name...........: NVIDIA H200\n";
        let find = |text| find_in(listing, text).map(|backend| (backend.id, backend.is_cpu));
        assert_eq!(find("portable"), Some((1, true)));
        assert_eq!(find("h200"), Some((2, false)));
        assert_eq!(find("NVIDIA CUDA"), Some((2, false)));
        assert_eq!(find("Arc"), None);
    }
}
