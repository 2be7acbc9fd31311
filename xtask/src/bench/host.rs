//! All benchmarks that need neither cargo nor a driver: what a machine with nothing on it can say about XSched.

use anyhow::{Context, Result};
use clap::Parser;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Keep the tables.
    #[arg(long)]
    record: bool,
}

/// Each as on a command line, the quickest first. Lives of OpenCL programs need a driver.
const ALL: [&[&str]; 6] =
    [&["inside"], &["latency"], &["scale"], &["operate"], &["sim"], &["soak", "--lives", "0"]];

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    what: super::What,
}

/// Runs them.
pub(super) fn run(options: &Options) -> Result<()> {
    for words in ALL {
        let Line { what } = line(words, options.record)?;
        super::run_one(&what).with_context(|| format!("{} failed", words.join(" ")))?;
    }
    Ok(())
}

fn line(words: &[&str], record: bool) -> Result<Line> {
    let words = ["run"].iter().chain(words).copied().chain(record.then_some("--record"));
    Line::try_parse_from(words).context("one of the benchmarks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_a_benchmark_and_can_be_recorded() {
        for words in ALL {
            line(words, false).unwrap();
            line(words, true).unwrap();
        }
    }
}
