//! What tests need from PyPI: each in a Python environment of its own in the target folder, got once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup;

/// Whether Python packages can be installed into a folder of our own.
pub(crate) fn is_there() -> bool {
    setup::has_python_module("venv") && setup::has_python_module("ensurepip")
}

/// The file name of Intel's OpenCL driver for CPUs.
pub(crate) const INTEL: &str = "libintelocl.so";

/// Intel's OpenCL driver for CPUs, and the Khronos loader; returns their folder.
pub(crate) fn intel(target: &Path) -> Result<PathBuf> {
    let venv = target.join("intel-opencl");
    let folder = venv.join("lib");
    if !folder.join(INTEL).is_file() {
        // The second has libimf.so, which the first needs and does not ask for.
        install(&venv, &["intel-opencl-rt", "intel-cmplr-lib-rt"])?;
        ensure!(
            folder.join(INTEL).is_file(),
            "intel-opencl-rt was installed, but there is no {INTEL} in {}",
            folder.display()
        );
    }
    Ok(folder)
}

/// pyopencl with what its tests need, and in the folder `source` its tests and examples, of the same version; returns the folder.
pub(crate) fn pyopencl(target: &Path) -> Result<PathBuf> {
    let venv = target.join("pyopencl");
    let source = venv.join("source");
    if source.is_dir() {
        return Ok(venv);
    }
    install(&venv, &["pyopencl", "numpy", "mako", "pytest"])?;
    let version = Command::new(venv.join("bin/python"))
        .args(["-c", "from importlib.metadata import version; print(version('pyopencl'))"])
        .output()
        .context("starting python")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let archive = venv.join(format!("pyopencl-{version}.tar.gz"));
    let mut download = Command::new(venv.join("bin/pip"));
    download.args(["download", "--quiet", "--no-deps", "--no-binary=pyopencl", "--dest"]).arg(&venv);
    succeed(download.arg(format!("pyopencl=={version}")))?;
    let unpacked = venv.join("unpacked");
    std::fs::create_dir_all(&unpacked).with_context(|| format!("making {}", unpacked.display()))?;
    let strip = "--strip-components=1";
    succeed(Command::new("tar").arg("-xzf").arg(&archive).arg(strip).arg("-C").arg(&unpacked))?;
    // Last, so that a half of it is not taken for the whole.
    std::fs::rename(&unpacked, &source).with_context(|| format!("naming {}", source.display()))?;
    Ok(venv)
}

/// Makes a Python environment with these packages.
fn install(venv: &Path, packages: &[&str]) -> Result<()> {
    eprintln!("installing {} into {} …", packages.join(", "), venv.display());
    succeed(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    succeed(Command::new(venv.join("bin/pip")).args(["install", "--quiet"]).args(packages))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
