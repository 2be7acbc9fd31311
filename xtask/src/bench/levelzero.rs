//! An urgent and a greedy Level Zero program on the simulated device: alone, together natively, together under XSched.
//!
//! The device is simulated, so this says what the scheduling does, and nothing about any hardware. The situations take turns, so that whatever
//! disturbs the machine disturbs all of them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use test_stats::{Estimate, quantile};

use super::{Bench, END_LIMIT, circumstances, record};
use crate::demo::in_private;
use crate::demo::process::{self, Process};
use crate::demo::server::Server;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// How often each situation comes.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Requests of the urgent program each time.
    #[arg(long, value_name = "N", default_value_t = 60)]
    requests: usize,
    /// Keep the table in docs/results/levelzero-sim.md.
    #[arg(long)]
    record: bool,
}

/// Ten kernels of 1 ms every 50 ms.
const KERNEL_US: u64 = 1_000;
const KERNELS: u64 = 10;
const PERIOD_MS: u64 = 50;

/// Who runs, and how.
#[derive(Clone, Copy)]
struct Situation {
    title: &'static str,
    with_greedy: bool,
    is_scheduled: bool,
}

const SITUATIONS: [Situation; 4] = [
    Situation { title: "alone, natively", with_greedy: false, is_scheduled: false },
    Situation { title: "alone, under XSched", with_greedy: false, is_scheduled: true },
    Situation { title: "beside the greedy one, natively", with_greedy: true, is_scheduled: false },
    Situation { title: "beside the greedy one, under XSched", with_greedy: true, is_scheduled: true },
];

/// What was seen in a situation.
#[derive(Default)]
struct Seen {
    /// Of each request, in milliseconds.
    latencies: Vec<f64>,
    /// The greedy program's kernels, and how long that took.
    kernels: u64,
    time: Duration,
}

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let bench = Bench::new(&["fake-levelzero"])?;
    let worker = compile(bench.folder())?;
    let server = bench.server()?;
    let mut rows = Vec::new();
    for kind in ["list", "queue"] {
        let mut seen: [Seen; 4] = Default::default();
        for round in 1..=options.rounds {
            for (situation, seen) in SITUATIONS.iter().zip(&mut seen) {
                eprintln!("{kind}, round {round} of {}: {} …", options.rounds, situation.title);
                let run =
                    Run { bench: &bench, server: &server, worker: &worker, kind, situation: *situation };
                run.once(options.requests, seen)?;
            }
        }
        rows.push(table(kind, &seen));
    }
    let tables = format!("{}\n\n{}", circumstances()?, rows.join("\n"));
    println!("\n{tables}");
    if options.record { record("levelzero-sim.md", &tables) } else { Ok(()) }
}

/// One time in one situation.
struct Run<'a> {
    bench: &'a Bench,
    server: &'a Server,
    worker: &'a Path,
    kind: &'a str,
    situation: Situation,
}

impl Run<'_> {
    fn once(&self, requests: usize, seen: &mut Seen) -> Result<()> {
        let steps = Arc::new(AtomicU64::new(0));
        let mut greedy = None;
        if self.situation.with_greedy {
            let command = self.command(0, &["greedy", &KERNEL_US.to_string()]);
            let mut process = Process::spawn("greedy", command, self.bench.folder())?;
            let (output, counted) = (process.take_stdout().context("the output is piped")?, steps.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Some(step) = line.strip_prefix("step ").and_then(|step| step.parse().ok()) {
                        counted.store(step, Ordering::Relaxed);
                    }
                }
            });
            let end = Instant::now() + END_LIMIT;
            while steps.load(Ordering::Relaxed) == 0 {
                process.check_running()?;
                ensure!(Instant::now() < end, "the greedy program does nothing");
                process::pause(process::POLL)?;
            }
            greedy = Some(process);
        }
        let numbers = [KERNEL_US, KERNELS, PERIOD_MS, requests as u64].map(|n| n.to_string());
        let arguments: Vec<&str> = ["urgent"].into_iter().chain(numbers.iter().map(String::as_str)).collect();
        let mut urgent = Process::spawn("urgent", self.command(10, &arguments), self.bench.folder())?;
        let mut lines = BufReader::new(urgent.take_stdout().context("the output is piped")?).lines();
        // The first request is not counted: with it, the programs meet.
        lines.next().context("the urgent program says nothing")??;
        let (start, before) = (Instant::now(), steps.load(Ordering::Relaxed));
        for line in lines {
            let line = line?;
            process::check_interrupt()?;
            let micros: f64 = line.strip_prefix("request ").context("a request")?.parse()?;
            seen.latencies.push(micros / 1_000.0);
        }
        seen.kernels += steps.load(Ordering::Relaxed) - before;
        seen.time += start.elapsed();
        if let Some(greedy) = &mut greedy {
            greedy.check_running()?;
        }
        urgent.wait(END_LIMIT)
    }

    fn command(&self, priority: i32, arguments: &[&str]) -> Command {
        let command = match self.situation.is_scheduled {
            true => self.server.program(self.worker, "priority", priority),
            false => Command::new(self.worker),
        };
        let mut command = in_private(command, self.bench.folder());
        command.arg(self.kind).args(arguments).stdout(Stdio::piped());
        command.env("ZE_ENABLE_ALT_DRIVERS", self.bench.built.join("libfake_levelzero.so"));
        command.env("FAKE_LEVELZERO_DEVICE", self.bench.folder());
        command
    }
}

fn compile(folder: &Path) -> Result<PathBuf> {
    let (sources, worker) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/levelzero/c"), folder.join("worker"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-pthread", "-o"]).arg(&worker).arg(sources.join("worker.c"));
    gcc.arg("-l:libze_loader.so.1");
    let output = gcc.output().context("starting gcc (cargo xtask setup installs it)")?;
    ensure!(output.status.success(), "gcc: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(worker)
}

fn table(kind: &str, seen: &[Seen; 4]) -> String {
    let what = if kind == "list" { "immediate lists and events" } else { "command queues, lists and fences" };
    let mut text = format!(
        "With {what}:\n\n| urgent program | requests | p50 | over alone | p99 | over alone | greedy program, of the device's time |\n\
         |---|---|---|---|---|---|---|\n"
    );
    let [alone, ..] = seen;
    for (situation, seen) in SITUATIONS.iter().zip(seen) {
        let mut sorted = seen.latencies.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let pairs: Vec<(f64, f64)> =
            alone.latencies.iter().copied().zip(seen.latencies.iter().copied()).collect();
        let at = |share| {
            let ratio = Estimate::ratio(&pairs, share);
            format!(
                "{:.1} ms | {:.2} [{:.2}, {:.2}]",
                quantile(&sorted, share),
                ratio.middle,
                ratio.low,
                ratio.high
            )
        };
        let share = match situation.with_greedy {
            true => {
                let busy = seen.kernels as f64 * KERNEL_US as f64 / 1e6 / seen.time.as_secs_f64();
                format!("{:.0} %", busy * 100.0)
            }
            false => "–".into(),
        };
        text += &format!(
            "| {} | {} | {} | {} | {share} |\n",
            situation.title,
            seen.latencies.len(),
            at(0.5),
            at(0.99)
        );
    }
    text
}
