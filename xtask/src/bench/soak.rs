//! Whether anything grows while guests come, work and go.

use anyhow::Result;

use super::{Bench, circumstances, record};
use crate::setup;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Attachments: connect, work, go.
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    cycles: usize,
    /// Changes of a queue's state, in a crowd that comes and goes.
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    changes: usize,
    /// Lives of OpenCL programs under the stand-in; with 0, no OpenCL is needed.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    lives: usize,
    /// Keep the tables in docs/results/soak.md.
    #[arg(long)]
    record: bool,
}

/// Runs the benchmark; it fails if something grew.
pub(super) fn run(options: &Options) -> Result<()> {
    let has_lives = options.lives > 0;
    let mut programs = vec!["test-load"];
    if has_lives {
        setup::ensure(&[setup::OPENCL_LOADER, setup::POCL], true)?;
        programs.push("test-system");
    }
    let bench = Bench::new(&programs)?;
    let server = bench.server()?;
    let mut command = bench.program("load", Some(&server));
    command.args(["soak", "--server", &server.pid().to_string()]);
    command.args(["--cycles", &options.cycles.to_string(), "--changes", &options.changes.to_string()]);
    command.args(["--lives", &options.lives.to_string()]);
    if has_lives {
        // A program that launches some kernels, waits for them and ends.
        command.arg("--").arg(bench.stage.join("bin/xcli")).args(["run", "--"]);
        command.arg(bench.built.join("system-actor")).args(["job", "exit:0"]);
    }
    let tables = bench.output("load", command, |_| Ok(()))?;
    let tables = format!("{}\n\n{tables}", circumstances()?);
    println!("\n{tables}");
    if options.record { record("soak.md", &tables) } else { Ok(()) }
}
