//! What a launch costs under XSched, whole: OpenCL launches through the stand-in against native ones.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Bench, circumstances, record};
use crate::demo::POCL_PLATFORM;
use crate::demo::server::Server;
use crate::setup;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = POCL_PLATFORM)]
    device: String,
    /// Pairs of blocks for each case.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pairs: usize,
    /// Keep the tables in docs/results/launch-cost.md.
    #[arg(long)]
    record: bool,
}

/// The example that measures.
const PROGRAM: &str = "opencl-launch-cost";

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut needs = vec![setup::OPENCL_LOADER];
    if options.device == POCL_PLATFORM {
        needs.push(setup::POCL);
    }
    setup::ensure(&needs, true)?;
    let bench = Bench::new(&[PROGRAM])?;
    let measure = |server: Option<&Server>| {
        let mut command = bench.program(PROGRAM, server);
        // The kernel has one work-item: a second worker would do nothing but fight for PoCL's locks.
        command.env("POCL_MAX_PTHREAD_COUNT", "1");
        command.arg(bench.stage.join("lib/xsched/libOpenCL.so.1"));
        command.args(["--device", &options.device, "--pairs", &options.pairs.to_string()]);
        // The first line comes when the queue is there; by then the program has attached, if it does at all.
        let mut unseen = server;
        bench.output(PROGRAM, command, |process| match unseen.take() {
            Some(server) => server.suspensions_of(process.pid()).map(drop),
            None => Ok(()),
        })
    };
    let mut tables = format!("{}\n", circumstances()?);
    let _ = write!(tables, "\n## Without an xserver\n\n{}", measure(None)?);
    let server = bench.server()?;
    let _ = write!(tables, "\n## Attached to an xserver, alone on the device\n\n{}", measure(Some(&server))?);
    println!("{tables}");
    if options.record { record("launch-cost.md", &tables) } else { Ok(()) }
}
