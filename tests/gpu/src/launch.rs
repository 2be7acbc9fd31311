//! What the stand-in adds to a launch: blocks of launches through the native library and through the stand-in, alternately, in one process, on one
//! stream. Then from many threads on many streams ([`crowd`]), and what it takes to load the driver ([`start`]).

use crate::bundle;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::{Api, Code, Handle, Kernels, done};
use std::ptr::{null, null_mut};
use std::time::Instant;
use test_stats::{Coin, Estimate};
use test_system::Machine;

mod crowd;
pub(crate) mod start;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pairs of blocks for each case.
    #[arg(long, value_name = "N", default_value_t = 300)]
    pairs: usize,
    /// Repetitions of the whole; each is a table.
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: usize,
    /// Without an xserver.
    #[arg(long)]
    alone: bool,
    /// Only rows whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Begin no row after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 480)]
    budget: u64,
}

/// What a block does so often.
#[derive(Clone, Copy)]
enum Step {
    Launch,
    /// A kernel of so many nanoseconds; the block is waited for.
    Long(u64),
    LaunchAndWait,
    Graph,
}

struct Case {
    name: &'static str,
    step: Step,
    stream: fn(&Bench) -> Handle,
    calls: usize,
    /// Native against native: what the method makes of no difference.
    is_control: bool,
}

/// A row on the stream that the program made, on the default stream, or on the thread's.
const fn case(name: &'static str, step: Step, stream: fn(&Bench) -> Handle, calls: usize) -> Case {
    Case { name, step, stream, calls, is_control: false }
}

const MADE: fn(&Bench) -> Handle = |bench| bench.made;
const LEGACY: fn(&Bench) -> Handle = |_| null_mut();
const PER_THREAD: fn(&Bench) -> Handle = |_| 2 as Handle;

const CASES: &[Case] = &[
    Case { is_control: true, ..case("control: native against native", Step::Launch, MADE, 500) },
    case("empty kernel, made stream", Step::Launch, MADE, 500),
    case("empty kernel, legacy default stream", Step::Launch, LEGACY, 500),
    case("empty kernel, per-thread default stream", Step::Launch, PER_THREAD, 500),
    case("kernel of 10 µs, made stream", Step::Long(10_000), MADE, 200),
    case("kernel of 10 µs, legacy default stream", Step::Long(10_000), LEGACY, 200),
    case("kernel of 10 µs, per-thread default stream", Step::Long(10_000), PER_THREAD, 200),
    case("kernel of 50 µs, legacy default stream", Step::Long(50_000), LEGACY, 60),
    case("empty kernel + cuStreamSynchronize, made stream", Step::LaunchAndWait, MADE, 200),
    case("empty kernel + cuStreamSynchronize, legacy default stream", Step::LaunchAndWait, LEGACY, 200),
    case(
        "empty kernel + cuStreamSynchronize, per-thread default stream",
        Step::LaunchAndWait,
        PER_THREAD,
        200,
    ),
    case("graph of 4 empty kernels", Step::Graph, MADE, 400),
];

struct Bench {
    empty: Handle,
    kernels: Kernels,
    graph: Handle,
    made: Handle,
}

/// Runs all and prints the tables.
pub(crate) fn run(options: &Options) -> Result<()> {
    let native = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}", bundle::circumstances(&native)?);
    let machine = Machine::new();
    let server = (!options.alone).then(|| machine.server(&[]));
    // SAFETY: this process has one thread of its own; the driver's read other variables.
    unsafe { std::env::set_var("XSCHED_SOCKET", machine.socket()) };
    let shim = Api::open(bundle::stand_in()?.to_str().context("a path")?).map_err(anyhow::Error::msg)?;
    let bench = Bench::new(&native).map_err(|code| anyhow::anyhow!("the driver answers {code}"))?;
    if server.is_some() {
        bench.block(&shim, &CASES[1], 1).map_err(|code| anyhow::anyhow!("the driver answers {code}"))?;
        ensure!(machine.is_attached(std::process::id()), "this program is not attached to the xserver");
    }
    let begun = Instant::now();
    let is_asked = |name: &str| {
        let is_late = begun.elapsed().as_secs() >= options.budget;
        if is_late {
            println!("| {name} | not begun: {} s are over | | | |", options.budget);
        }
        !is_late && name.contains(&options.only)
    };
    for _ in 0..options.repeat {
        println!("\n| case | calls | native ns | ratio [95 %] | added ns [95 %] |\n|---|--:|--:|--:|--:|");
        for case in CASES.iter().filter(|case| is_asked(case.name)) {
            let row = bench.row(&native, &shim, case, options.pairs);
            println!(
                "{}",
                row.map_err(|code| anyhow::anyhow!("the driver answers {code} in {:?}", case.name))?
            );
        }
        if is_asked(crowd::NAME) {
            let row = crowd::row(&native, &shim, &bench, options.pairs.min(60));
            println!("{}", row.map_err(|code| anyhow::anyhow!("the driver answers {code} in a crowd"))?);
        }
    }
    if is_asked(start::NAME) {
        start::print(&machine)?;
    }
    Ok(())
}

/// A row of the table.
fn line(name: &str, calls: usize, seen: &[(f64, f64)]) -> String {
    let median = |of: fn(&(f64, f64)) -> f64| Estimate::median(seen.iter().map(of).collect());
    let (ratio, added) = (median(|(a, b)| b / a), median(|(a, b)| b - a));
    format!("| {name} | {calls} | {:.0} | {ratio:.4} | {added:.1} |", median(|(a, _)| *a).middle)
}

impl Bench {
    fn new(cu: &Api) -> Result<Bench, Code> {
        let (mut context, mut made, mut graph, mut exec, mut module, mut empty) =
            (null_mut(), null_mut(), null_mut(), null_mut(), null_mut(), null_mut());
        // SAFETY: places for the answers; PTX with a NUL at its end; so below.
        unsafe {
            done((cu.cuDevicePrimaryCtxRetain)(&raw mut context, 0))?;
            done((cu.cuCtxSetCurrent)(context))?;
            done((cu.cuStreamCreate)(&raw mut made, 1))?;
            done((cu.cuModuleLoadData)(&raw mut module, cuda_suite::kernels::PTX.as_ptr().cast()))?;
            done((cu.cuModuleGetFunction)(&raw mut empty, module, c"empty".as_ptr()))?;
            done((cu.cuStreamBeginCapture_v2)(made, 2))?;
            for _ in 0..4 {
                done(launch(cu, empty, made))?;
            }
            done((cu.cuStreamEndCapture)(made, &raw mut graph))?;
            done((cu.cuGraphInstantiateWithFlags)(&raw mut exec, graph, 0))?;
        }
        Ok(Bench { empty, kernels: cu.kernels()?, graph: exec, made })
    }

    /// Nanoseconds per step of a block.
    fn block(&self, cu: &Api, case: &Case, calls: usize) -> Result<f64, Code> {
        let stream = (case.stream)(self);
        // SAFETY: a live stream; so below.
        done(unsafe { (cu.cuStreamSynchronize)(stream) })?;
        let mut failed = 0;
        let start = Instant::now();
        match case.step {
            Step::Launch => (0..calls).for_each(|_| failed |= launch(cu, self.empty, stream)),
            Step::Long(time) => {
                (0..calls).for_each(|_| failed |= cu.spin(&self.kernels, time, stream));
                // SAFETY: as above.
                failed |= unsafe { (cu.cuStreamSynchronize)(stream) };
            }
            Step::LaunchAndWait => (0..calls).for_each(|_| {
                failed |= launch(cu, self.empty, stream);
                // SAFETY: as above.
                failed |= unsafe { (cu.cuStreamSynchronize)(stream) };
            }),
            Step::Graph => (0..calls).for_each(|_| {
                // SAFETY: a graph of this context.
                failed |= unsafe { (cu.cuGraphLaunch)(self.graph, stream) };
            }),
        }
        let time = start.elapsed().as_nanos() as f64 / calls as f64;
        done(failed)?;
        Ok(time)
    }

    fn row(&self, native: &Api, shim: &Api, case: &Case, pairs: usize) -> Result<String, Code> {
        let other = if case.is_control { native } else { shim };
        let mut coin = Coin::new();
        let mut seen = Vec::with_capacity(pairs);
        for pair in 0..pairs + 10 {
            let times = if coin.toss() {
                let first = self.block(native, case, case.calls)?;
                (first, self.block(other, case, case.calls)?)
            } else {
                let first = self.block(other, case, case.calls)?;
                (self.block(native, case, case.calls)?, first)
            };
            // The first ones warm up.
            if pair >= 10 {
                seen.push(times);
            }
        }
        Ok(line(case.name, case.calls, &seen))
    }
}

#[inline]
fn launch(cu: &Api, function: Handle, stream: Handle) -> Code {
    // SAFETY: a kernel without parameters.
    unsafe { (cu.cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, stream, null(), null()) }
}
