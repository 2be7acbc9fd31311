//! The wheel of the Python package.
//!
//! The package's own backend builds it with nothing but Python, so that neither an index nor a tool is needed, and the same tree gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Builds the wheel into a folder; returns its path.
pub(super) fn build(folder: &Path) -> Result<PathBuf> {
    const BUILD: &str = "import sys; import xsched_wheel; print(xsched_wheel.build_wheel(sys.argv[1]))";
    let backend = super::root().join("python/backend");
    let mut python = Command::new("python3");
    python.args(["-c", BUILD]).arg(folder).env("PYTHONPATH", backend).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = python.output().context("starting python3")?;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "building the wheel failed ({}):\n{wrong}", output.status);
    Ok(folder.join(said.trim()))
}
