//! The C interface misused by 32 threads at random, for as long as asked, with tools that look on: valgrind, and ThreadSanitizer in libraries that are built for it.
//!
//! What happens is `tests/capi`, tests/misuse.rs; here is what that needs. Deliberately absent: the stand-ins under ThreadSanitizer, which are linked without undefined symbols.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::nightly::{self, Wish};
use crate::sanitize::{self, THREAD};
use crate::stage;
use crate::tally::Tally;

/// The libraries that are looked into, and what they belong to.
const PACKAGES: [&str; 2] = ["xsched-lib", "fake-cuda"];

/// Runs the tests by this command of `cargo test`.
pub(crate) fn run(mut test: Command, length: u32, install: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    if Wish::if_possible(install).fulfil(THREAD.components(), &[])? {
        test.env("TSAN_LIBRARIES", build()?).env("TSAN_RUNTIME", runtime()?);
    }
    test.args(["--package=test-capi", "--test=misuse"]).env("MISUSE_SECONDS", length.to_string());
    tally.add_run(&mut test)?;
    Ok(tally)
}

/// Builds the libraries for ThreadSanitizer; answers the folder that they are in.
fn build() -> Result<PathBuf> {
    let mut build = sanitize::cargo(&THREAD, &["build", "-Zbuild-std", "--quiet"])?;
    PACKAGES.iter().for_each(|package| _ = build.args(["--package", package]));
    let status = build.status().context("starting cargo build")?;
    ensure!(status.success(), "{build:?} failed ({status})");
    Ok(stage::target_dir()?.join(THREAD.name()).join(nightly::host()?).join("debug"))
}

/// What ThreadSanitizer is itself, in the version that goes with the compiler.
fn runtime() -> Result<PathBuf> {
    let said = nightly::sysroot()?;
    let runtime = said.join("lib/rustlib").join(nightly::host()?).join("lib/librustc-nightly_rt.tsan.a");
    ensure!(runtime.is_file(), "no {}", runtime.display());
    Ok(runtime)
}
