//! Several urgent programs beside several greedy ones: each urgent one's latency against alone, and what the greedy ones get together.

use crate::bundle;
use crate::player::this;
use crate::preempt::player;
use crate::worker::Worker;
use anyhow::{Context as _, Result};
use cuda_suite::cu::Api;
use std::time::Duration;
use test_stats::quantile;
use test_system::Machine;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Urgent programs.
    #[arg(long, value_name = "N", default_value_t = 2)]
    urgent: usize,
    /// Greedy ones.
    #[arg(long, value_name = "N", default_value_t = 4)]
    greedy: usize,
    /// Length of the greedy kernels in µs.
    #[arg(long, value_name = "µs", default_value_t = 1000)]
    length: u64,
    /// Kernels of an urgent request, of 20 µs each; each number is a table.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [player::KERNELS, 100])]
    kernels: Vec<usize>,
    /// Urgent requests for each row, of each urgent program.
    #[arg(long, value_name = "N", default_value_t = 150)]
    requests: usize,
    /// Highest levels that XSched uses, each a setting.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', default_values_t = [1, 3], value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Vec<u8>,
}

/// Between two urgent requests of one program.
const PERIOD_MS: u64 = 20;
/// How long the greedy ones work before anything counts.
const SETTLE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}", bundle::circumstances(&cu)?);
    options.kernels.iter().try_for_each(|kernels| table(options, *kernels))
}

fn table(options: &Options, kernels: usize) -> Result<()> {
    println!(
        "\n{} urgent programs, each {kernels} kernels of {} µs every {PERIOD_MS} ms, beside {} greedy ones with kernels of {} µs.\n",
        options.urgent,
        player::KERNEL.as_micros(),
        options.greedy,
        options.length
    );
    println!("| setting | urgent µs p50 | p99 | p99 of alone | greedy work of one alone | of what is left |");
    println!("|---|--:|--:|--:|--:|--:|");
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mut cast = Cast::start(options, &machine, None)?;
    let alone = cast.urgent(options.requests, kernels)?;
    let rate = cast.greedy_alone(options.length)?;
    row("native, urgent ones alone", &alone, &alone, None);
    let (times, kept) = cast.together(options, kernels)?;
    row("native", &times, &alone, Some((kept / rate, left(options, kernels))));
    drop(cast);
    for &level in &options.level {
        let mut cast = Cast::start(options, &machine, Some(level))?;
        let (times, kept) = cast.together(options, kernels)?;
        row(&format!("XSched, Level {level}"), &times, &alone, Some((kept / rate, left(options, kernels))));
    }
    Ok(())
}

fn row(name: &str, times: &[f64], alone: &[f64], kept: Option<(f64, f64)>) {
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(times, share));
    let kept = kept.map_or_else(
        || "– | –".into(),
        |(kept, left)| format!("{:.1} % | {:.1} %", kept * 100.0, kept / left * 100.0),
    );
    println!("| {name} | {p50:.0} | {p99:.0} | {:.2} | {kept} |", p99 / quantile(alone, 0.99));
}

/// The part of the device that the urgent programs' kernels leave.
fn left(options: &Options, kernels: usize) -> f64 {
    let work = options.urgent as f64 * kernels as f64 * player::KERNEL.as_secs_f64();
    1.0 - work / (PERIOD_MS as f64 / 1e3)
}

struct Cast {
    urgent: Vec<Worker>,
    greedy: Vec<Worker>,
}

impl Cast {
    /// Natively, or under XSched with a highest level.
    fn start(options: &Options, machine: &Machine, level: Option<u8>) -> Result<Cast> {
        let play = |kind: &str, priority: &str, at: usize| {
            let mut command = match level {
                None => machine.command(this()),
                Some(level) => {
                    let mut command = machine.xcli();
                    command.args(["run", "--priority", priority, "--level", &level.to_string(), "--"]);
                    command.arg(this());
                    command
                }
            };
            command.args(["player", kind]);
            Worker::start(format!("{kind} {at}"), command, None)
        };
        let mut cast = Cast {
            urgent: (0..options.urgent).map(|at| play("urgent", "10", at)).collect(),
            greedy: (0..options.greedy).map(|at| play("greedy", "0", at)).collect(),
        };
        let all = cast.urgent.iter_mut().chain(&mut cast.greedy);
        all.map(|worker| worker.begins("ready")).collect::<Result<Vec<_>>>()?;
        Ok(cast)
    }

    /// All times of all urgent programs, at once, least first.
    fn urgent(&mut self, requests: usize, kernels: usize) -> Result<Vec<f64>> {
        let order = format!("run {requests} {PERIOD_MS} {kernels}");
        self.urgent.iter_mut().try_for_each(|worker| worker.tell(&order))?;
        let mut times = Vec::new();
        for worker in &mut self.urgent {
            let said = worker.hear("took", PATIENCE)?;
            times.extend(said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?);
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    }

    fn greedy_alone(&mut self, length: u64) -> Result<f64> {
        let one = self.greedy.first_mut().context("there is one at least")?;
        one.tell(&format!("go {length}"))?;
        std::thread::sleep(SETTLE);
        one.tell("count")?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(one.ask("stop", "did", PATIENCE)?.parse()?)
    }

    /// The urgent times, and the greedy rates together.
    fn together(&mut self, options: &Options, kernels: usize) -> Result<(Vec<f64>, f64)> {
        let length = options.length;
        self.greedy.iter_mut().try_for_each(|worker| worker.tell(&format!("go {length}")))?;
        std::thread::sleep(SETTLE);
        // The first ones teach whoever learns.
        self.urgent(10, kernels)?;
        self.greedy.iter_mut().try_for_each(|worker| worker.tell("count"))?;
        let times = self.urgent(options.requests, kernels)?;
        self.greedy.iter_mut().try_for_each(|worker| worker.tell("stop"))?;
        let rates = self.greedy.iter_mut().map(|worker| Ok(worker.hear("did", PATIENCE)?.parse::<f64>()?));
        Ok((times, rates.sum::<Result<f64>>()?))
    }
}
