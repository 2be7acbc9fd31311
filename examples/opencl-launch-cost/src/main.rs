//! What does the OpenCL stand-in add to a launch? Times blocks of launches of an empty kernel through the native library
//! and through the stand-in, alternately, in one process, on one queue, and prints the comparison as a Markdown table.
//!
//! Both libraries end in the same driver, context and queue, and the two blocks of a pair follow each other within
//! milliseconds in an order that is tossed for, so whatever else the machine does meets both alike.
//! `cargo xtask bench launch` runs this with and without an xserver.

mod cases;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use cases::{CASES, Case, Other, PAUSE, Side};
use opencl_launch_cost::cl::{Api, Launcher};
use test_stats::{Coin, Estimate};

/// Compare launches through the OpenCL stand-in with native ones, alternated in one process.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The stand-in.
    #[arg(value_name = "STAND-IN")]
    stand_in: PathBuf,
    /// The native library; without a slash: wherever the loader finds it.
    #[arg(long, value_name = "FILE", default_value = "libOpenCL.so.1")]
    native: PathBuf,
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    device: String,
    /// Pairs of blocks for each case.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pairs: usize,
    /// Time that a block shall take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1.0)]
    block_ms: f64,
    /// Only the cases whose name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
}

/// More launches than this in one block would fill some driver's queue.
const MAX_CALLS: usize = 4_000;
/// Blocks before those that count.
const WARM_UP: usize = 10;

fn main() -> Result<()> {
    let options = Options::parse();
    // The native one first: then the stand-in finds it in the process and uses this very copy.
    let native = Api::open(&options.native)?;
    let path = options.stand_in.canonicalize();
    let path = path.with_context(|| format!("looking for {}", options.stand_in.display()))?;
    let shim = Api::open(&path)?;
    ensure!(!shim.is_same(&native), "{} is the native library", path.display());
    let launcher = shim.launcher(&options.device)?;
    println!("Device: {}\n", launcher.device);
    println!("| case | calls | native ns | other ns | ratio | added ns |");
    println!("|---|--:|--:|--:|--:|--:|");
    let cores = sched_getaffinity(None).context("sched_getaffinity")?;
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core));
    let first = allowed.next().unwrap_or(0);
    let last = allowed.next_back().unwrap_or(first);
    for case in CASES.iter().filter(|case| case.name.contains(&options.case)) {
        let mut core = CpuSet::new();
        core.set(if case.is_on_first_core { first } else { last });
        sched_setaffinity(None, &core).context("sched_setaffinity")?;
        let side = |api, pause| Side { api, pause };
        let other = match case.other {
            Other::StandIn => side(&shim, 0),
            Other::Native => side(&native, 0),
            Other::NativeAndPause => side(&native, PAUSE),
        };
        println!("{}", row(case, side(&native, 0), other, &launcher, &options)?);
    }
    Ok(())
}

fn row(case: &Case, native: Side<'_>, other: Side<'_>, on: &Launcher, options: &Options) -> Result<String> {
    let mut nanos = f64::INFINITY;
    for _ in 0..WARM_UP {
        nanos = nanos.min(case.time(native, on, 100)?).min(case.time(other, on, 100)?);
    }
    let calls = ((options.block_ms * 1e6 / nanos) as usize).clamp(20, MAX_CALLS);
    let mut coin = Coin::new();
    let mut pairs = Vec::with_capacity(options.pairs);
    for _ in 0..options.pairs {
        pairs.push(if coin.toss() {
            let first = case.time(native, on, calls)?;
            (first, case.time(other, on, calls)?)
        } else {
            let first = case.time(other, on, calls)?;
            (case.time(native, on, calls)?, first)
        });
    }
    let median = |of: fn(&(f64, f64)) -> f64| Estimate::median(pairs.iter().map(of).collect());
    Ok(format!(
        "| {} | {calls} | {:.0} | {:.0} | {:.4} | {:.1} |",
        case.name,
        median(|(native, _)| *native).middle,
        median(|(_, other)| *other).middle,
        median(|(native, other)| other / native),
        median(|(native, other)| other - native),
    ))
}
