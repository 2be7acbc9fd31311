//! What programs get of one GPU under UP, PUP and CFS, by the work that it does for each ([`test_stats::shares`]).
//!
//! The programs are this one ([`sharer`]); the kernels of each fill the device. All programs of a row count between the same two moments, which are named in
//! advance, so none is ever alone while another one counts.

pub(crate) mod sharer;

use crate::bundle;
use crate::player;
use crate::worker::Worker;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::fmt;
use std::time::Duration;
use test_stats::shares::{Company, HEAD};
use test_system::Machine;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long the programs of each row run together.
    #[arg(long, value_name = "S", default_value_t = 8.0)]
    seconds: f64,
    /// Only what runs under this policy.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Highest level that XSched uses.
    #[arg(long, value_name = "LEVEL", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    level: u8,
    /// Fail if a share is off by more points.
    #[arg(long, value_name = "POINTS")]
    within: Option<f64>,
}

/// Two kernels of this length are in flight, in µs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kernels(u64);

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernels of {} ms, 2 in flight", self.0 as f64 / 1e3)
    }
}

/// What is measured.
const COMPANIES: [Company<Kernels>; 6] = [
    Company::up(&[(Kernels(1000), 75), (Kernels(1000), 25)]),
    Company::up(&[(Kernels(100), 75), (Kernels(10_000), 25)]),
    Company::pup(&[(Kernels(1000), 50), (Kernels(1000), 30), (Kernels(1000), 20)]),
    Company::pup(&[(Kernels(100), 50), (Kernels(1000), 30), (Kernels(10_000), 20)]),
    Company::cfs(&[(Kernels(1000), 5), (Kernels(1000), 0)]),
    Company::cfs(&[(Kernels(1000), 2), (Kernels(100), 0), (Kernels(10_000), -2)]),
];

/// From an order until it counts.
const SETTLE: Duration = Duration::from_millis(500);
/// How long a program counts alone, before and after.
const ALONE: Duration = Duration::from_millis(700);
/// How long an answer may take beyond the time that it is about.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mut alone = Worker::start("alone", command(machine.command(player::this())), None);
    alone.begins("ready")?;
    println!(
        "Highest level {}. The programs of each row *all* ran together for {} s.\n\n{}",
        options.level,
        options.seconds,
        HEAD.trim_end()
    );
    let mut furthest: f64 = 0.0;
    let is_wanted =
        |company: &&Company<Kernels>| options.policy.as_ref().is_none_or(|name| name == company.policy);
    for company in COMPANIES.iter().filter(is_wanted) {
        let parts = measure(&machine, &mut alone, company, options)?;
        print!("{}", company.rows(&parts));
        furthest = furthest.max(company.off_by(&parts));
    }
    println!("\nThe share that is off most is off by {furthest:.1} points.");
    ensure!(
        options.within.is_none_or(|within| furthest <= within),
        "that is more than {} points",
        options.within.unwrap_or_default()
    );
    Ok(())
}

fn command(mut command: std::process::Command) -> std::process::Command {
    command.arg("sharer");
    command
}

/// The part of the device that each got.
fn measure(
    machine: &Machine,
    alone: &mut Worker,
    company: &Company<Kernels>,
    options: &Options,
) -> Result<Vec<f64>> {
    let set = machine.xcli().args(["policy", company.policy]).output().context("starting xcli")?;
    ensure!(set.status.success(), "xcli policy says: {}", String::from_utf8_lossy(&set.stderr));
    // One after the other, for each finds out first how fast the device is.
    let mut workers = Vec::new();
    for (n, (_, value)) in company.sides.iter().enumerate() {
        let mut run = machine.xcli();
        run.args([
            "run",
            &format!("--{}={value}", company.hint),
            "--level",
            &options.level.to_string(),
            "--",
        ]);
        run.arg(player::this());
        let mut worker = Worker::start(format!("{} {n}", company.policy), command(run), None);
        worker.begins("ready")?;
        test_system::eventually("it attaches", PATIENCE, || machine.is_attached(worker.pid()));
        workers.push(worker);
    }
    let before = each_alone(alone, company)?;
    let time = Duration::from_secs_f64(options.seconds);
    let from = sharer::now() + SETTLE;
    for (worker, (kernels, _)) in workers.iter_mut().zip(company.sides) {
        worker.tell(&between(*kernels, from, from + time))?;
    }
    let rates = workers.iter_mut().map(|worker| rate(worker, SETTLE + time)).collect::<Result<Vec<_>>>()?;
    let after = each_alone(alone, company)?;
    Ok((rates.iter().zip(before.iter().zip(after)))
        .map(|(rate, (before, after))| rate / f64::midpoint(*before, after))
        .collect())
}

/// What each gets done in a second alone, natively.
fn each_alone(alone: &mut Worker, company: &Company<Kernels>) -> Result<Vec<f64>> {
    let mut known: Vec<(Kernels, f64)> = Vec::new();
    for (kernels, _) in company.sides {
        if !known.iter().any(|(of, _)| of == kernels) {
            let from = sharer::now() + SETTLE / 5;
            alone.tell(&between(*kernels, from, from + ALONE))?;
            known.push((*kernels, rate(alone, ALONE)?));
        }
    }
    let find =
        |kernels: &Kernels| known.iter().find(|(of, _)| of == kernels).map_or(f64::NAN, |(_, rate)| *rate);
    Ok(company.sides.iter().map(|(kernels, _)| find(kernels)).collect())
}

fn between(kernels: Kernels, from: Duration, to: Duration) -> String {
    format!("between {} {} {}", kernels.0, from.as_micros(), to.as_micros())
}

fn rate(worker: &mut Worker, time: Duration) -> Result<f64> {
    let said = worker.hear("did", time + PATIENCE)?;
    said.parse().with_context(|| format!("{} says {said:?}", worker.name()))
}
