//! What a program waits for until `cuInit` has returned: fresh processes, with the driver itself and with the stand-in, in turn.

use crate::bundle;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::time::Instant;
use test_stats::{Coin, Estimate};
use test_system::Machine;

pub(super) const NAME: &str = "load + first cuInit";

const PAIRS: usize = 20;

#[derive(clap::Args)]
pub(crate) struct Options {
    library: String,
}

/// One start, in a process that has done nothing before: milliseconds.
pub(crate) fn once(options: &Options) -> Result<()> {
    let start = Instant::now();
    let cu = Api::open(&options.library).map_err(anyhow::Error::msg)?;
    // SAFETY: flags must be 0.
    let code = unsafe { (cu.cuInit)(0) };
    let took = start.elapsed().as_secs_f64() * 1e3;
    ensure!(code == 0, "cuInit answers {code}");
    println!("{took:.4}");
    Ok(())
}

/// A table of its own.
pub(super) fn print(machine: &Machine) -> Result<()> {
    let shim = bundle::stand_in()?;
    let shim = shim.to_str().context("a path")?;
    let one = |library: &str| -> Result<f64> {
        let mut command = machine.command(std::env::current_exe().context("finding this program")?);
        command.args(["start", library]).env("XSCHED_SOCKET", machine.socket());
        let output = command.output().context("starting this program again")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let why = || format!("{library}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said.trim().parse().with_context(why)
    };
    let (mut coin, mut seen) = (Coin::new(), Vec::new());
    for _ in 0..PAIRS {
        seen.push(if coin.toss() {
            let first = one("libcuda.so.1")?;
            (first, one(shim)?)
        } else {
            let first = one(shim)?;
            (one("libcuda.so.1")?, first)
        });
    }
    let median = |of: fn(&(f64, f64)) -> f64| Estimate::median(seen.iter().map(of).collect());
    println!("\n| case | processes | native ms | added ms [95 %] |\n|---|--:|--:|--:|");
    let (native, added) = (median(|(native, _)| *native), median(|(native, under)| under - native));
    println!("| {NAME} | {PAIRS} pairs | {:.2} | {added:.2} |", native.middle);
    Ok(())
}
