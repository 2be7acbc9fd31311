//! What is given out, in target/dist: the wheel of the Python package.
//!
//! The package's own backend builds it with nothing but Python, so that neither an index nor a tool is needed, and the same tree gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{setup, stage};

/// Runs the task.
pub(crate) fn run() -> Result<()> {
    setup::ensure(&[setup::PYTHON], true)?;
    let dist = stage::target_dir()?.join("dist");
    println!("{}", wheel(&dist)?.display());
    Ok(())
}

/// Builds the wheel into a folder; returns its path.
fn wheel(folder: &Path) -> Result<PathBuf> {
    const BUILD: &str = "import sys; import xsched_wheel; print(xsched_wheel.build_wheel(sys.argv[1]))";
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let backend = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../python/backend"));
    let mut python = Command::new("python3");
    python.args(["-c", BUILD]).arg(folder).env("PYTHONPATH", backend).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = python.output().context("starting python3")?;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "building the wheel failed ({}):\n{wrong}", output.status);
    Ok(folder.join(said.trim()))
}
