//! What programs get of one device under UP, PUP and CFS, by the work that the device does for each ([`test_stats::shares`]), not by what the
//! server believes: each program runs alone first and last, natively, and what it gets done then is the whole device.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use test_stats::shares::{self, Company};

use super::{Bench, circumstances, record};
use crate::demo::greedy::{Backend, Greedy, monotonic};
use crate::demo::process::{POLL, Process};
use crate::demo::server::Server;
use crate::demo::{POCL_PLATFORM, in_private};
use crate::setup;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = POCL_PLATFORM)]
    device: String,
    /// How long the programs of each row run together.
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
    /// Only what runs under this policy.
    #[arg(long, value_name = "NAME", conflicts_with = "record")]
    policy: Option<String>,
    /// Keep the table in docs/results/shares.md.
    #[arg(long)]
    record: bool,
}

/// A program.
#[derive(Clone, Copy)]
enum What {
    /// `opencl-requests --greedy`: kernels of this length, so many in flight.
    Kernels { ms: f64, in_flight: u32 },
    /// As its users have it.
    Hashcat,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Kernels { ms, in_flight: 1 } => write!(f, "kernels of {ms} ms, waits for each"),
            What::Kernels { ms, in_flight } => write!(f, "kernels of {ms} ms, {in_flight} in flight"),
            What::Hashcat => f.write_str("hashcat"),
        }
    }
}

const fn kernels(ms: f64, in_flight: u32) -> What {
    What::Kernels { ms, in_flight }
}

/// What is measured.
const COMPANIES: [Company<What>; 8] = [
    Company::up(&[(kernels(1.0, 1), 75), (kernels(1.0, 1), 25)]),
    Company::up(&[(kernels(1.0, 1), 50), (kernels(1.0, 1), 50)]),
    Company::up(&[(kernels(1.0, 1), 75), (kernels(0.2, 8), 25)]),
    Company::up(&[(kernels(0.2, 8), 75), (kernels(20.0, 2), 25)]),
    Company::up(&[(kernels(1.0, 1), 75), (What::Hashcat, 25)]),
    Company::pup(&[(kernels(1.0, 1), 50), (kernels(1.0, 1), 30), (kernels(1.0, 1), 20)]),
    Company::cfs(&[(kernels(1.0, 1), 5), (kernels(1.0, 1), 0)]),
    Company::cfs(&[(kernels(1.0, 1), 2), (kernels(0.2, 8), 0), (kernels(1.0, 1), -2)]),
];

/// Until a program that was started is on its way, and its first numbers are forgotten.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a program may take to its first number: hashcat compiles for half a minute and more the first time.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Programs say where they are every second.
const REPORT_LIMIT: Duration = Duration::from_secs(30);

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut needs = vec![setup::OPENCL_LOADER, setup::HASHCAT];
    if options.device == POCL_PLATFORM {
        needs.push(setup::POCL);
    }
    setup::ensure(&needs, true)?;
    let bench = Bench::new(&["opencl-requests"])?;
    let server = bench.server()?;
    let together = Duration::from_secs(options.seconds);
    let shares = Shares { bench, server, device: &options.device, together };
    let mut table = format!(
        "{}\n\nDevice: {}. The programs of each row *all* ran together for {} s.\n\n\
         {}",
        circumstances()?,
        shares.device,
        options.seconds,
        shares::HEAD,
    );
    let is_wanted =
        |company: &Company<What>| options.policy.as_deref().is_none_or(|policy| policy == company.policy);
    for company in COMPANIES.into_iter().filter(is_wanted) {
        let rows = shares.measure(&company)?;
        eprint!("{rows}");
        table += &rows;
    }
    println!("\n{table}");
    if options.record { record("shares.md", &table) } else { Ok(()) }
}

struct Shares<'a> {
    bench: Bench,
    server: Server,
    device: &'a str,
    together: Duration,
}

impl Shares<'_> {
    /// The rows of programs that run together.
    fn measure(&self, company: &Company<What>) -> Result<String> {
        self.server.set_policy(company.policy)?;
        let loads: Vec<Load> =
            company.sides.iter().map(|&(what, _)| self.load(what)).collect::<Result<_>>()?;
        // Before and after, so that a machine that grows slower or faster meanwhile does so for all.
        let alone = || -> Result<Vec<f64>> {
            loads.iter().map(|load| Ok(self.rates(&[(load, None)], self.together / 8)?[0])).collect()
        };
        let before = alone()?;
        let together: Vec<_> = (loads.iter().zip(company.sides))
            .map(|(load, &(_, value))| (load, Some((company.hint, value))))
            .collect();
        let rates = self.rates(&together, self.together)?;
        let after = alone()?;
        let parts: Vec<f64> = (rates.iter().zip(before.iter().zip(after)))
            .map(|(rate, (before, after))| rate / f64::midpoint(*before, after))
            .collect();
        Ok(company.rows(&parts))
    }

    /// How the program is started, with kernels that are the same in each of its runs.
    fn load(&self, what: What) -> Result<Load> {
        Ok(match what {
            What::Hashcat => Load::Hashcat(Backend::find(
                self.device,
                in_private(Command::new("hashcat"), self.bench.folder()),
            )?),
            What::Kernels { ms, in_flight } => {
                let mut command = self.bench.program(PROGRAM, None);
                command.args([
                    "--device",
                    self.device,
                    "--greedy",
                    "--seconds",
                    "0",
                    "--kernel-ms",
                    &ms.to_string(),
                ]);
                let said = command.output().with_context(|| format!("starting {PROGRAM}"))?.stderr;
                let said = String::from_utf8_lossy(&said).into_owned();
                let rounds = said.lines().find_map(|line| line.strip_prefix("rounds: ")?.parse().ok());
                Load::Kernels {
                    rounds: rounds.with_context(|| format!("{PROGRAM} said: {said}"))?,
                    in_flight,
                }
            }
        })
    }

    /// What each of these programs gets done in a second while they run together for `time`: natively, or under the policy with a hint.
    fn rates(&self, loads: &[Start<'_>], time: Duration) -> Result<Vec<f64>> {
        let start = |(n, (load, hint)): (usize, &Start<'_>)| {
            let program = match load {
                Load::Kernels { .. } => self.bench.built.join(PROGRAM),
                Load::Hashcat(_) => Path::new("hashcat").to_owned(),
            };
            let command = match hint {
                Some((hint, value)) => self.server.program(&program, hint, *value),
                None => Command::new(&program),
            };
            let mut command = in_private(command, self.bench.folder());
            match load {
                Load::Kernels { rounds, in_flight } => {
                    command.args(["--device", self.device, "--greedy", "--rounds", &rounds.to_string()]);
                    command.args(["--in-flight", &in_flight.to_string()]);
                    Counter::start(&format!("{PROGRAM}-{n}"), command, self.bench.folder())
                        .map(Running::Kernels)
                }
                Load::Hashcat(backend) => {
                    Greedy::start(command, backend, self.bench.folder()).map(Running::Hashcat)
                }
            }
        };
        let mut running = loads.iter().enumerate().map(start).collect::<Result<Vec<_>>>()?;
        for ((_, hint), one) in loads.iter().zip(&running) {
            if hint.is_some() {
                self.server.suspensions_of(one.pid())?;
            }
        }
        let from = monotonic() + WARM_UP.as_nanos() as u64;
        let to = from + time.as_nanos() as u64;
        running.iter_mut().try_for_each(|one| one.watch(to))?;
        running.iter().map(|one| one.rate(from, to)).collect()
    }
}

/// A program that is to be started, natively or with a hint under XSched.
type Start<'a> = (&'a Load, Option<(&'a str, i32)>);

const PROGRAM: &str = "opencl-requests";

/// A program that is ready to be started again and again.
enum Load {
    Kernels { rounds: u32, in_flight: u32 },
    Hashcat(Backend),
}

/// A program at work.
enum Running {
    Kernels(Counter),
    Hashcat(Greedy),
}

impl Running {
    fn pid(&self) -> u32 {
        match self {
            Running::Kernels(counter) => counter.process.pid(),
            Running::Hashcat(greedy) => greedy.pid(),
        }
    }

    /// Waits until it has said where it was at `until` (CLOCK_MONOTONIC nanoseconds).
    fn watch(&mut self, until: u64) -> Result<()> {
        match self {
            Running::Kernels(counter) => counter.watch(until, REPORT_LIMIT),
            Running::Hashcat(greedy) => greedy.watch(until),
        }
    }

    /// What it got done in a second between two times.
    fn rate(&self, from: u64, to: u64) -> Result<f64> {
        match self {
            Running::Kernels(counter) => counter.rate(from, to),
            Running::Hashcat(greedy) => greedy.rate(from, to),
        }
    }
}

/// `opencl-requests --greedy`, which says every second how many kernels are done.
struct Counter {
    process: Process,
    reports: Receiver<(u64, u64)>,
    /// Time and kernels.
    samples: Vec<(u64, u64)>,
}

impl Counter {
    fn start(name: &str, mut command: Command, folder: &Path) -> Result<Counter> {
        command.stdout(Stdio::piped());
        let mut process = Process::spawn(name, command, folder)?;
        let stdout = process.take_stdout().context("the output is piped")?;
        let (sender, reports) = channel();
        // Ends with the program, at the end of its output.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(sample) = parse(&line)
                    && sender.send(sample).is_err()
                {
                    return;
                }
            }
        });
        let mut counter = Counter { process, reports, samples: Vec::new() };
        counter.watch(1, START_LIMIT)?;
        Ok(counter)
    }

    fn watch(&mut self, until: u64, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit + Duration::from_nanos(until.saturating_sub(monotonic()));
        while self.samples.last().is_none_or(|(at, _)| *at < until) {
            self.samples.extend(self.reports.recv_timeout(POLL).ok());
            self.process.check_running()?;
            ensure!(Instant::now() < end, "{PROGRAM} has stopped reporting");
        }
        Ok(())
    }

    fn rate(&self, from: u64, to: u64) -> Result<f64> {
        rate(&self.samples, from, to).with_context(|| format!("{PROGRAM} reported too little"))
    }
}

/// Reads `<nanoseconds> <kernels> <rate>/s`.
fn parse(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// Kernels per second, the samples taken as joined by straight lines.
fn rate(samples: &[(u64, u64)], from: u64, to: u64) -> Option<f64> {
    let at = |time: u64| -> Option<f64> {
        let pair = samples.windows(2).find(|pair| (pair[0].0..=pair[1].0).contains(&time))?;
        let [(begin, before), (end, after)] = pair else { return None };
        let part = (time - begin) as f64 / (end - begin).max(1) as f64;
        Some(*before as f64 + part * (after - before) as f64)
    };
    Some((at(to)? - at(from)?) / ((to - from) as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_the_program_are_read_and_other_lines_are_not() {
        assert_eq!(parse("2676030445235 1853 282.6/s"), Some((2_676_030_445_235, 1853)));
        assert_eq!(parse("device: x"), None);
    }

    #[test]
    fn a_rate_follows_the_lines_between_the_samples() {
        let samples = [(0, 0), (1_000_000_000, 100), (2_000_000_000, 300)];
        assert_eq!(rate(&samples, 500_000_000, 1_500_000_000), Some(150.0));
        assert_eq!(rate(&samples, 500_000_000, 2_500_000_000), None);
    }
}
