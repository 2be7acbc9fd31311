//! What a program under XSched pays: time at its start, memory, threads.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use test_stats::{Coin, Estimate};

use super::{Bench, circumstances, record};
use crate::demo::POCL_PLATFORM;
use crate::setup;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = POCL_PLATFORM)]
    device: String,
    /// Its key, by which a rival makes the program's threads come out.
    #[arg(long, value_name = "KEY", default_value = "cpu:0")]
    key: String,
    /// Pairs of processes.
    #[arg(long, value_name = "N", default_value_t = 60)]
    pairs: usize,
    /// Keep the table in docs/results/guest-cost.md.
    #[arg(long)]
    record: bool,
}

/// What is compared: its name in what the program says, and for a person.
const ROWS: [(&str, &str); 9] = [
    ("opened", "the library is open, ms"),
    ("called", "the first call has returned, ms"),
    ("ready", "a queue and a kernel are there, ms"),
    ("cpu", "CPU time until then, ms"),
    ("whole", "from start to end of the process, ms"),
    ("rss", "resident memory, MiB"),
    ("pss", "its proportional share, MiB"),
    ("private", "private and written, MiB"),
    ("threads", "threads"),
];

/// Pairs before those that count: files are read, kernels compiled.
const WARM_UP: usize = 3;

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut needs = vec![setup::OPENCL_LOADER];
    if options.device == POCL_PLATFORM {
        needs.push(setup::POCL);
    }
    setup::ensure(&needs, true)?;
    let bench = Bench::new(&["opencl-launch-cost", "test-load"])?;
    let server = bench.server()?;
    let stand_in = bench.stage.join("lib/xsched/libOpenCL.so.1");
    let sample = |library: &std::ffi::OsStr, more: &[&str]| {
        let mut command = bench.program("opencl-guest-cost", Some(&server));
        sample(command.arg(library).args(["--device", &options.device]).args(more))
    };
    let native = || sample("libOpenCL.so.1".as_ref(), &[]);
    let under = || sample(stand_in.as_os_str(), &[]);
    let (mut coin, mut pairs) = (Coin::new(), Vec::new());
    for n in 0..WARM_UP + options.pairs {
        crate::demo::process::check_interrupt()?;
        let pair = if coin.toss() {
            let native = native()?;
            (native, under()?)
        } else {
            let under = under()?;
            (native()?, under)
        };
        pairs.extend((n >= WARM_UP).then_some(pair));
    }
    let mut tables = format!(
        "{}\n\n| {} pairs | natively | under XSched | added |\n|---|--:|--:|--:|\n",
        circumstances()?,
        pairs.len()
    );
    for (key, name) in ROWS {
        let value = |sample: &Value| sample[key].as_f64().unwrap_or(f64::NAN);
        let median = |of: &dyn Fn(&(Value, Value)) -> f64| Estimate::median(pairs.iter().map(of).collect());
        let (native, under) = (median(&|(native, _)| value(native)), median(&|(_, under)| value(under)));
        let added = median(&|(native, under)| value(under) - value(native));
        let _ = writeln!(tables, "| {name} | {:.2} | {:.2} | {added:.2} |", native.middle, under.middle);
    }
    let mut rival = bench.program("load", Some(&server));
    rival.args(["rival", "--device", &options.key]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut rival = rival.spawn().context("starting load rival")?;
    let contended = sample(stand_in.as_os_str(), &["--work-ms", "1000"]);
    drop(rival.stdin.take());
    rival.wait().context("waiting for load rival")?;
    let _ = writeln!(tables, "\nWhile others wait for it: {} threads.", contended?["threads"]);
    println!("\n{tables}");
    if options.record { record("guest-cost.md", &tables) } else { Ok(()) }
}

/// One process, and what it says.
fn sample(command: &mut Command) -> Result<Value> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().context("starting opencl-guest-cost")?;
    let whole = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "opencl-guest-cost failed ({}): {}", output.status, said.trim());
    let mut sample: Value =
        serde_json::from_slice(&output.stdout).context("reading what opencl-guest-cost says")?;
    sample["whole"] = (whole.as_secs_f64() * 1e3).into();
    Ok(sample)
}
