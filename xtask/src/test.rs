//! All tests, with everything that they need: system packages, and release binaries laid out as an installation.
//!
//! `cargo test` does the testing (`lanes`); this is what must be there before, and one closing line after. What the
//! tests learn: `STAGED_XSCHED` is the folder with the staged binaries, `SLOW_TESTS=1` asks for the slow ones too, `NULL_LEVELZERO_DRIVER`
//! is the Level Zero loader's null driver; `INTEL_OPENCL` and `PYOPENCL` are the folders of what pip gets.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tally::Tally;
use crate::{lanes, misuse, null_driver, pip, service, setup, stage};

/// Set up what the tests need and run all of them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these.
    only: Option<Part>,
    /// The slow tests too, and OpenCL's results on a second driver: Intel's for CPUs, which pip gets.
    #[arg(long)]
    all: bool,
    /// For how long the C interface is misused by each test of `misuse`.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Never install a package, only say which are missing.
    #[arg(long)]
    no_install: bool,
}

/// A part of the tests.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Programs that nobody here wrote, all of them, on each OpenCL driver that can be had.
    Programs,
    /// xserver as a service of a Debian that boots in a container, and programs in containers; needs root, and minutes.
    Service,
    /// The C interface, misused by 32 threads at random: plainly, under valgrind, under ThreadSanitizer.
    Misuse,
}

/// The tests whose results a driver decides: a package, and a part of their names.
const OF_A_DRIVER: [&str; 3] = ["--package=test-system", "--", "opencl_suite"];

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<Tally> {
    if let Some(Part::Service) = args.only {
        setup::ensure(service::NEEDS, !args.no_install)?;
        return service::run();
    }
    setup::ensure_for_tests(!args.no_install)?;
    let staged = if args.only.is_none() { lanes::build()? } else { stage::stage()? };
    let target = stage::target_dir()?;
    let null_driver = null_driver::get(&target, !args.no_install);
    if let Some(Part::Misuse) = args.only {
        let test = cargo_test(&staged, &target, null_driver.as_deref());
        return misuse::run(test, args.seconds, !args.no_install);
    }
    let mut tally = Tally::default();
    if !args.all && args.only.is_none() {
        return lanes::run(|| cargo_test(&staged, &target, null_driver.as_deref()));
    }
    // The tests leave out what is not there, and say so.
    if let Err(why) = setup::ensure(setup::PROGRAMS, !args.no_install) {
        println!("{why}");
    }
    let from_pip = FromPip::get(&target)?;
    let slow = || {
        let mut command = cargo_test(&staged, &target, null_driver.as_deref());
        from_pip.tell(command.env("SLOW_TESTS", "1"));
        command
    };
    if let Some(Part::Programs) = args.only {
        tally.add_run(slow().args(["--package=test-system", "--test=programs"]))?;
        return Ok(tally);
    }
    tally.add(lanes::run(slow)?);
    if let Some(intel) = &from_pip.intel {
        println!("once more with Intel's driver:");
        let vendors = only(&intel.join(pip::INTEL), &target.join("only-intel"))?;
        tally.add_run(slow().args(OF_A_DRIVER).env("OCL_ICD_VENDORS", vendors))?;
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

/// What pip gets: where it is, if it can be had.
struct FromPip {
    intel: Option<PathBuf>,
    pyopencl: Option<PathBuf>,
}

impl FromPip {
    fn get(target: &Path) -> Result<FromPip> {
        if !pip::is_there() {
            println!(
                "left out: Intel's driver and pyopencl, because there is no python3 with venv (Debian: python3-venv)"
            );
            return Ok(FromPip { intel: None, pyopencl: None });
        }
        Ok(FromPip { intel: Some(pip::intel(target)?), pyopencl: Some(pip::pyopencl(target)?) })
    }

    /// Tells the tests.
    fn tell(&self, command: &mut Command) {
        for (name, folder) in [("INTEL_OPENCL", &self.intel), ("PYOPENCL", &self.pyopencl)] {
            if let Some(folder) = folder {
                command.env(name, folder);
            }
        }
    }
}

/// Makes `folder` one of registrations that names only this driver, for OCL_ICD_VENDORS.
fn only(driver: &Path, folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("driver.icd"), format!("{}\n", driver.display())))
        .with_context(|| format!("writing {}", folder.display()))?;
    Ok(folder.to_path_buf())
}
