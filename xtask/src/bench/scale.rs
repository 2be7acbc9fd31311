//! What xserver and a decision of it cost with a crowd attached.

use anyhow::Result;

use super::{Bench, circumstances, record};

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Processes.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    clients: usize,
    /// Samples of each event, in each of the two crowds.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    samples: usize,
    /// Keep the tables in docs/results/scale.md.
    #[arg(long)]
    record: bool,
}

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let bench = Bench::new(&["test-load"])?;
    let server = bench.server()?;
    let mut command = bench.program("load", Some(&server));
    command.args(["crowd", "--server", &server.pid().to_string()]);
    command.args(["--clients", &options.clients.to_string(), "--samples", &options.samples.to_string()]);
    let tables = bench.output("load", command, |_| Ok(()))?;
    let tables = format!("{}\n\n{tables}", circumstances()?);
    println!("\n{tables}");
    if options.record { record("scale.md", &tables) } else { Ok(()) }
}
