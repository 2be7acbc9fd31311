//! All tests, with everything that they need: system packages, and release binaries laid out as an installation.
//!
//! `cargo test --workspace` does the testing; this is what must be there before, and one closing line after. What the
//! tests learn: `STAGED_XSCHED` is the folder with the staged binaries, `SLOW_TESTS=1` asks for the slow ones too, `NULL_LEVELZERO_DRIVER`
//! is the Level Zero loader's null driver.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tally::Tally;
use crate::{null_driver, setup, stage};

/// Set up what the tests need and run all of them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The slow tests too, and OpenCL's results on a second driver: Intel's for CPUs, which pip gets.
    #[arg(long)]
    all: bool,
    /// Never install a package, only say which are missing.
    #[arg(long)]
    no_install: bool,
}

/// The tests whose results a driver decides: a package, and a part of their names.
const OF_A_DRIVER: [&str; 3] = ["--package=test-system", "--", "opencl_suite"];

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<Tally> {
    setup::ensure(setup::TESTS, !args.no_install)?;
    let staged = stage::stage()?;
    let target = stage::target_dir()?;
    let null_driver = null_driver::get(&target, !args.no_install);
    let mut tally = Tally::default();
    if !args.all {
        tally.add_run(cargo_test(&staged, &target, null_driver.as_deref()).arg("--workspace"))?;
        return Ok(tally);
    }
    let intel = if setup::has_pip() { Some(intel(&target)?) } else { None };
    let mut all = cargo_test(&staged, &target, null_driver.as_deref());
    all.arg("--workspace").env("SLOW_TESTS", "1");
    if let Some(intel) = &intel {
        all.env("INTEL_OPENCL", intel);
    }
    tally.add_run(&mut all)?;
    match intel {
        Some(intel) => {
            println!("once more with Intel's driver:");
            let vendors = only(&intel.join(INTEL), &target.join("only-intel"))?;
            tally.add_run(
                cargo_test(&staged, &target, null_driver.as_deref())
                    .args(OF_A_DRIVER)
                    .env("OCL_ICD_VENDORS", vendors),
            )?;
        }
        None => {
            println!("left out: Intel's driver, because there is no python3 with venv (Debian: python3-venv)")
        }
    }
    Ok(tally)
}

fn cargo_test(staged: &Path, target: &Path, null_driver: Option<&Path>) -> Command {
    let mut command = stage::cargo();
    for (key, _) in std::env::vars_os() {
        if key.to_str().is_some_and(|key| key.starts_with("XSCHED_")) {
            command.env_remove(key);
        }
    }
    command.args(["test", "--no-fail-fast"]).env("STAGED_XSCHED", staged);
    if let Some(driver) = null_driver {
        command.env("NULL_LEVELZERO_DRIVER", driver);
    }
    // What programs keep (compiled kernels, mostly) stays out of the user's home, and is there for the next time.
    command.env("POCL_CACHE_DIR", target.join("kernels"));
    for kept in ["XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env(kept, target.join("kept"));
    }
    command
}

/// The file name of Intel's driver.
const INTEL: &str = "libintelocl.so";

/// Gets Intel's OpenCL driver for CPUs, if it is not there yet; returns its folder.
fn intel(target: &Path) -> Result<PathBuf> {
    let venv = target.join("intel-opencl");
    let folder = venv.join("lib");
    if !folder.join(INTEL).is_file() {
        eprintln!("installing intel-opencl-rt into {} (about 1 GB) …", venv.display());
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        // The second has libimf.so, which the first needs and does not ask for.
        let packages = ["intel-opencl-rt", "intel-cmplr-lib-rt"];
        succeed(Command::new(venv.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
        ensure!(
            folder.join(INTEL).is_file(),
            "intel-opencl-rt was installed, but there is no {INTEL} in {}",
            folder.display()
        );
    }
    Ok(folder)
}

/// Makes `folder` one of registrations that names only this driver, for OCL_ICD_VENDORS.
fn only(driver: &Path, folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("driver.icd"), format!("{}\n", driver.display())))
        .with_context(|| format!("writing {}", folder.display()))?;
    Ok(folder.to_path_buf())
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
