//! What XSched costs applications: one process with it and one without, which take turns in short windows, so that only one of them runs at
//! a time, and whatever the machine does meanwhile happens to both.

use crate::bundle;
use crate::worker::Worker;
use anyhow::{Result, ensure};
use cuda_suite::cu::Api;
use std::time::{Duration, Instant};
use test_stats::{Coin, Estimate};
use test_system::Machine;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pairs of windows for each application.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pairs: usize,
    /// Seconds of a window.
    #[arg(long, value_name = "S", default_value_t = 0.4)]
    seconds: f64,
    /// Begin no application after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 480)]
    budget: u64,
    /// Only applications whose name contains one of these.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    only: Vec<String>,
}

/// Applications by their names in `programs/apps.py`, and what they are.
const APPS: [(&str, &str); 6] = [
    ("resnet152-1", "ResNet-152, batch 1, eager"),
    ("resnet152-32", "ResNet-152, batch 32, eager"),
    ("resnet152-graph", "ResNet-152, batch 4, CUDA graph"),
    ("bert-large", "encoder of BERT-large, 8 × 128, eager"),
    ("resnet50-training", "training of ResNet-50, batch 128"),
    ("decoding", "LLM of 10⁹ random weights, a token a step, eager"),
];

/// What a window showed.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Milliseconds of a step.
    step: f64,
    /// Cores used meanwhile.
    cores: f64,
}

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let is_chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|t| name.contains(t));
    let apps: Vec<_> = APPS.into_iter().filter(|(name, _)| is_chosen(name)).collect();
    ensure!(!apps.is_empty(), "--only {:?} names none of {:?}", options.only, APPS.map(|(name, _)| name));
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mut workers = [false, true].map(|is_scheduled| start(&machine, is_scheduled, &apps));
    for worker in &mut workers {
        worker.as_mut().map_err(|why| anyhow::anyhow!("{why:#}"))?.begins("ready")?;
    }
    let [native, under] = workers;
    let (mut native, mut under) = (native?, under?);
    ensure!(machine.is_attached(under.pid()), "{} is not attached to the xserver", under.name());
    eprintln!("both processes are ready after {:.0} s", begun.elapsed().as_secs_f64());
    println!(
        "One process with XSched and one without, alone on the GPU by turns: {} pairs of windows of {} s for each application.\n",
        options.pairs, options.seconds
    );
    println!(
        "| application | native ms | ratio [95 %] | cores native | cores more [95 %] |\n|---|--:|--:|--:|--:|"
    );
    let mut coin = Coin::new();
    for (name, what) in apps {
        if begun.elapsed().as_secs() >= options.budget {
            println!("| {what} | not begun: {} s are over | | | |", options.budget);
            continue;
        }
        let mut pairs = Vec::with_capacity(options.pairs);
        for _ in 0..options.pairs {
            pairs.push(if coin.toss() {
                let first = window(&mut native, name, options.seconds)?;
                (first, window(&mut under, name, options.seconds)?)
            } else {
                let first = window(&mut under, name, options.seconds)?;
                (window(&mut native, name, options.seconds)?, first)
            });
        }
        let median = |of: fn(&(Window, Window)) -> f64| Estimate::median(pairs.iter().map(of).collect());
        let (ratio, cores) = (median(|(a, b)| b.step / a.step), median(|(a, b)| b.cores - a.cores));
        println!(
            "| {what} | {:.3} | {ratio:.4} | {:.3} | {cores:.3} |",
            median(|(native, _)| native.step).middle,
            median(|(native, _)| native.cores).middle,
        );
    }
    Ok(())
}

fn start(machine: &Machine, is_scheduled: bool, apps: &[(&str, &str)]) -> Result<Worker> {
    let mut command =
        if is_scheduled { machine.run_command(0, "python3", &[]) } else { machine.command("python3") };
    let names: Vec<&str> = apps.iter().map(|(name, _)| *name).collect();
    command.arg(bundle::file("programs/apps.py")?).arg(names.join(","));
    Ok(Worker::start(if is_scheduled { "apps.py under XSched" } else { "apps.py" }, command, None))
}

fn window(worker: &mut Worker, name: &str, seconds: f64) -> Result<Window> {
    let bound = Duration::from_secs_f64(seconds) + Duration::from_secs(30);
    let said = worker.ask(&format!("run {name} {seconds}"), "did", bound)?;
    let numbers = said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [steps, took, busy] = numbers[..] else { anyhow::bail!("{}: {said:?}", worker.name()) };
    ensure!(steps > 0.0, "{}: no step of {name} within {seconds} s", worker.name());
    Ok(Window { step: took / steps * 1e3, cores: busy / took })
}
