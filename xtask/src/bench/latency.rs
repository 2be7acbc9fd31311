//! How long it takes from an urgent program's first launch until the greedy program is held.

use anyhow::Result;

use super::{Bench, circumstances, record};

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Pairs of samples.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pairs: usize,
    /// Keep the table in docs/results/preemption-latency.md.
    #[arg(long)]
    record: bool,
}

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let bench = Bench::new(&["test-load"])?;
    let server = bench.server()?;
    let mut command = bench.program("load", Some(&server));
    command.args(["wake", "--server", &server.pid().to_string(), "--pairs", &options.pairs.to_string()]);
    let table = bench.output("load", command, |_| Ok(()))?;
    let tables = format!("{}\n\n{table}", circumstances()?);
    println!("\n{tables}");
    if options.record { record("preemption-latency.md", &tables) } else { Ok(()) }
}
