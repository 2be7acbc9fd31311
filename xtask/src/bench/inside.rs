//! What scheduling inside a process costs: `tests/load`, `load inside`.

use anyhow::Result;

use super::{Bench, circumstances, record};

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Keep the table in docs/results/inside.md.
    #[arg(long)]
    record: bool,
}

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let bench = Bench::new(&["test-load"])?;
    let mut command = bench.program("load", None);
    command.arg("inside");
    let table = format!("{}\n\n{}", circumstances()?, bench.output("load inside", command, |_| Ok(()))?);
    if options.record { record("inside.md", &table) } else { Ok(()) }
}
