//! What an urgent request takes right behind a greedy program's work, in one process and without any scheduler: the least that an urgent program beside a
//! greedy one can hope for.

use crate::bundle;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds that count of each row.
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    seconds: f64,
}

/// Runs the program, which prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let mut command = std::process::Command::new("python3");
    command.arg(bundle::file("programs/behind.py")?).arg(options.seconds.to_string());
    let status = command.status().context("starting python3")?;
    ensure!(status.success(), "programs/behind.py ends with {status}");
    Ok(())
}
