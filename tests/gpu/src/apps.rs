//! What XSched costs applications: processes with and without it, in turn.

use crate::bundle;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use test_stats::Estimate;
use test_system::{End, Machine, Program};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pairs of processes.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pairs: usize,
    /// Seconds for each application in each process.
    #[arg(long, value_name = "S", default_value_t = 2)]
    seconds: u32,
}

/// Milliseconds of a step, and cores used meanwhile.
type Figure = (f64, f64);
type Figures = BTreeMap<String, Figure>;
/// Natively, and under XSched.
type Pair = (Figure, Figure);

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    println!("{} pairs of processes, with and without XSched in turn, alone on the GPU.\n", options.pairs);
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mut seen: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    for pair in 0..options.pairs {
        let (native, under) = if pair % 2 == 0 {
            let first = figures(&machine, false, options)?;
            (first, figures(&machine, true, options)?)
        } else {
            let first = figures(&machine, true, options)?;
            (figures(&machine, false, options)?, first)
        };
        for (name, native) in native {
            let under = *under.get(&name).context("the same applications")?;
            seen.entry(name).or_default().push((native, under));
        }
    }
    println!(
        "| application | native ms | ratio: median [least, most] | cores native | cores more |\n|---|--:|--:|--:|--:|"
    );
    for (name, pairs) in seen {
        let median = |of: fn(&Pair) -> f64| Estimate::median(pairs.iter().map(of).collect());
        let ratios: Vec<f64> = pairs.iter().map(|(native, under)| under.0 / native.0).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        println!(
            "| {name} | {:.3} | {:.4} [{least:.4}, {most:.4}] | {:.3} | {:+.3} |",
            median(|(native, _)| native.0).middle,
            median(|(native, under)| under.0 / native.0).middle,
            median(|(native, _)| native.1).middle,
            median(|(native, under)| under.1 - native.1).middle,
        );
    }
    Ok(())
}

fn figures(machine: &Machine, is_scheduled: bool, options: &Options) -> Result<Figures> {
    let mut command: Command =
        if is_scheduled { machine.run_command(0, "python3", &[]) } else { machine.command("python3") };
    command.arg(bundle::file("programs/apps.py")?).arg(options.seconds.to_string());
    let program = Program::start(command);
    let end = program.wait_for_end_within(Duration::from_secs(200));
    ensure!(end == End::Exit(0), "apps.py ended with {end:?}: {}", program.errors());
    let figure = |line: &String| {
        let (name, rest) = line.split_once(": ")?;
        let (time, cores) = rest.split_once(" ms, cores ")?;
        Some((name.to_owned(), (time.parse().ok()?, cores.parse().ok()?)))
    };
    Ok(program.whole_output().iter().filter_map(figure).collect())
}
