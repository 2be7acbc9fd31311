//! All tests, with everything that they need: system packages, and release binaries laid out as an installation.
//!
//! `cargo test --workspace` does the testing; this is what must be there before, and one closing line after. What the
//! tests learn: `STAGED_XSCHED` is the folder with the staged binaries, `SLOW_TESTS=1` asks for the slow ones too.

use crate::tally::Tally;
use crate::{setup, stage};
use anyhow::{Context, Result};

/// Set up what the tests need and run all of them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The slow tests too.
    #[arg(long)]
    all: bool,
    /// Never install a package, only say which are missing.
    #[arg(long)]
    no_install: bool,
}

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<Tally> {
    setup::ensure(setup::TESTS, !args.no_install)?;
    let staged = stage::stage()?;
    let cache = stage::target_dir()?.join("kernels");
    std::fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;

    let mut tests = stage::cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    for (key, _) in std::env::vars_os() {
        if key.to_str().is_some_and(|key| key.starts_with("XSCHED_")) {
            tests.env_remove(key);
        }
    }
    tests.env("STAGED_XSCHED", staged).env("POCL_CACHE_DIR", cache);
    if args.all {
        tests.env("SLOW_TESTS", "1");
    }
    let mut tally = Tally::default();
    tally.add_run(&mut tests)?;
    Ok(tally)
}
