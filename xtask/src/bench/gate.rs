//! What the gate and the launch path cost around an empty call.

use anyhow::{Context, Result, ensure};

use crate::stage;

/// Runs the benchmark.
pub(super) fn run() -> Result<()> {
    let status = stage::cargo()
        .args(["bench", "--package", "xsched-queue", "--package", "xsched-runtime"])
        .args(["--bench", "gate", "--bench", "launch"])
        .status()
        .context("starting cargo bench")?;
    ensure!(status.success(), "cargo bench failed ({status})");
    Ok(())
}
