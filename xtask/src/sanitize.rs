//! Runs tests under tools that see what a test alone does not: data races, memory errors, undefined behaviour.
//!
//! What each tool covers is the table below, what none covers is in docs/design/0007. All system calls go through libc here
//! (`rustix_use_libc`), where the tools see them; the product makes them itself.

use std::process::Command;

use anyhow::Result;

use crate::nightly::{self, Wish};
use crate::stage;
use crate::tally::Tally;

/// Run tests under a tool that finds races or errors of memory.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    wish: Wish,
}

/// A tool, and what it runs.
pub(crate) struct Tool {
    /// Its folder for what is built.
    name: &'static str,
    /// What it needs of rustup.
    components: &'static [&'static str],
    /// What it makes of cargo.
    arguments: &'static [&'static str],
    flags: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// One run for each: packages, and which of their tests.
    runs: &'static [&'static [&'static str]],
}

/// Races between threads: all crates whose code runs on several. The standard library is built for it too; else each of its locks
/// would look like none.
pub(crate) const THREAD: Tool = Tool {
    name: "tsan",
    components: &["rust-src"],
    arguments: &["test", "-Zbuild-std"],
    flags: "-Zsanitizer=thread",
    environment: &[("TSAN_OPTIONS", "halt_on_error=1")],
    runs: &[&[
        "--package=xsched-hal",
        "--package=xsched-queue",
        "--package=xsched-ipc",
        "--package=xsched-runtime",
        "--lib",
        "--tests",
    ]],
};

/// Errors of memory: all crates with unsafe code that a plain program can run, and the server.
pub(crate) const ADDRESS: Tool = Tool {
    name: "asan",
    components: &["rust-std"],
    arguments: &["test"],
    flags: "-Zsanitizer=address",
    // What a program maps or leaks for good is not lost: a guest's page and queues are.
    environment: &[("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=1")],
    runs: &[&[
        "--package=xsched-hal",
        "--package=xsched-queue",
        "--package=xsched-ipc",
        "--package=xsched-runtime",
        "--package=xserver",
        "--package=test-edges",
        "--lib",
        "--tests",
    ]],
};

/// Undefined behaviour, and orderings that the machine at hand never shows: what makes no system call but a few.
pub(crate) const MIRI: Tool = Tool {
    name: "miri",
    components: &["miri", "rust-src"],
    arguments: &["miri", "test"],
    flags: "",
    environment: &[("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-many-seeds=0..2"), ("PROPTEST_CASES", "2")],
    runs: &[
        &["--package=xsched-core", "--package=xsched-hal", "--package=xsched-queue", "--lib"],
        &["--package=xsched-ipc", "--lib", "wire::", "ring::", "address::"],
    ],
};

/// Runs all that the tool covers.
pub(crate) fn run(tool: &Tool, args: &Args) -> Result<Tally> {
    let mut tally = Tally::default();
    if !args.wish.fulfil(tool.components, &[])? {
        return Ok(tally);
    }
    for tests in tool.runs {
        tally.add_run(&mut cargo(tool, tests)?)?;
    }
    Ok(tally)
}

fn cargo(tool: &Tool, tests: &[&str]) -> Result<Command> {
    let mut command = nightly::cargo();
    let (target, host) = (stage::target_dir()?.join(tool.name), nightly::host()?);
    command.args(tool.arguments).args(["--target", &host]).arg("--target-dir").arg(target);
    let (packages, names): (Vec<&str>, Vec<&str>) = tests.iter().partition(|test| test.starts_with('-'));
    command.args(packages).args(["--no-fail-fast", "--"]).args(names);
    command.env("RUSTFLAGS", format!("--cfg rustix_use_libc {}", tool.flags));
    command.env("CARGO_PROFILE_TEST_DEBUG", "line-tables-only").env("CARGO_INCREMENTAL", "0");
    command.envs(tool.environment.iter().copied());
    Ok(command)
}
