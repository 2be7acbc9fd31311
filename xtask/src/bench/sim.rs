//! How fast `xcli sim` is: 100,000 queues, 10 million events.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::bundle::Bundle;
use super::{circumstances, record};
use crate::stage;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Run so many seconds of virtual time; 60 of them are 10 million events.
    #[arg(long, value_name = "S", default_value_t = 60)]
    seconds: u64,
    /// Keep the table in docs/results/sim.md.
    #[arg(long)]
    record: bool,
}

/// Devices, processes on each and queues of each: 100,000 in all.
const DEVICES: u32 = 8;
const PROCESSES: u32 = 125;
const QUEUES: u32 = 100;
/// Of the processes on a device, so many are urgent.
const URGENT: u32 = 25;
/// Between two requests of a queue: with commands of 100 µs, 12,500 queues use 70 % of a device.
const BETWEEN_MS: u32 = 1_786;

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let xcli = match Bundle::here()? {
        Some(bundle) => bundle.stage().join("bin/xcli"),
        None => {
            eprintln!("building …");
            stage::build(&["xcli"])?.join("xcli")
        }
    };
    let folder = tempfile::tempdir().context("creating a temporary folder")?;
    let file = folder.path().join("workload.toml");
    std::fs::write(&file, workload(options.seconds)).context("writing the workload")?;
    let mut table = format!(
        "{}\n\n| policy | events | decisions | s | s of CPU | events a second |\n|---|--:|--:|--:|--:|--:|\n",
        circumstances()?
    );
    for policy in ["HPF", "UP"] {
        let mut command = Command::new(&xcli);
        command.args(["sim", "--json", "--policy", policy]).arg(&file);
        let (begin, spent) = (Instant::now(), cpu_of_children()?);
        let output = command.output().context("starting xcli")?;
        let seconds = begin.elapsed().as_secs_f64();
        ensure!(output.status.success(), "xcli: {}", String::from_utf8_lossy(&output.stderr));
        let outcome: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("reading its JSON")?;
        let count = |name: &str| outcome[name].as_u64().with_context(|| format!("its JSON has no {name}"));
        let (events, decisions) = (count("events")?, count("decisions")?);
        let (cpu, rate) = (cpu_of_children()? - spent, events as f64 / seconds);
        let row = format!("| {policy} | {events} | {decisions} | {seconds:.1} | {cpu:.1} | {rate:.0} |\n");
        eprint!("{row}");
        table += &row;
    }
    println!("\n{table}");
    if options.record { record("sim.md", &table) } else { Ok(()) }
}

/// Seconds of CPU that programs started here and ended have used: on a busy machine, what to look at.
fn cpu_of_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    // Behind the name, which may be anything: state, parent, …, and as the 14th and 15th what children used.
    let fields = stat.rsplit_once(')').context("/proc/self/stat has no name")?.1.split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn workload(seconds: u64) -> String {
    let mut text = format!("duration = \"{seconds}s\"\n");
    for device in 0..DEVICES {
        let _ = writeln!(text, "[[device]]\nname = \"d{device}\"");
    }
    for device in 0..DEVICES {
        for (name, count, priority) in [("urgent", URGENT, 1), ("usual", PROCESSES - URGENT, 0)] {
            let _ = writeln!(
                text,
                "[[program]]\nname = \"{name} {device}\"\ndevice = \"d{device}\"\ncount = {count}\nqueues = {QUEUES}\n\
                 hints = {{ priority = {priority} }}\narrivals = {{ poisson = \"{BETWEEN_MS}ms\" }}\n\
                 length = {{ exponential = \"100us\" }}"
            );
        }
    }
    text
}
