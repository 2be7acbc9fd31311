//! Runs tests under tools that see what a test alone does not: data races, memory errors, undefined behaviour.
//!
//! What each tool covers is the table below, what none covers is in docs/design/0013. A tool that reports nothing may also be one that sees
//! nothing, so each is first shown a fault. All system calls go through libc here
//! (`rustix_use_libc`), where the tools see them; the product makes them itself.

use std::process::Command;

use anyhow::{Context, Result, ensure};

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
    /// A program with a fault, and what the tool says of it. Miri needs none: it is an interpreter, what it does not see does not happen.
    fault: Option<(&'static str, &'static str)>,
    /// One run for each: packages and kinds of tests, and what the test programs are told.
    runs: &'static [(&'static [&'static str], &'static [&'static str])],
}

/// Races between threads: all crates whose code runs on several. The standard library is built for it too; else each of its locks
/// would look like none.
pub(crate) const THREAD: Tool = Tool {
    name: "tsan",
    components: &["rust-src"],
    arguments: &["test", "-Zbuild-std"],
    flags: "-Zsanitizer=thread",
    environment: &[("TSAN_OPTIONS", "halt_on_error=1:die_after_fork=0")],
    fault: Some((
        "static mut N: u64 = 0;
         fn main() {
             let add = || (0..1000).for_each(|_| unsafe { N = std::hint::black_box(N) + 1 });
             std::thread::scope(|scope| { scope.spawn(add); add(); });
         }",
        "data race",
    )),
    runs: &[(
        &[
            "--package=xsched-hal",
            "--package=xsched-queue",
            "--package=xsched-ipc",
            "--package=xsched-runtime",
            "--lib",
            "--tests",
        ],
        &[],
    )],
};

/// Errors of memory: all crates with unsafe code that a plain program can run, and the server.
pub(crate) const ADDRESS: Tool = Tool {
    name: "asan",
    components: &["rust-std"],
    arguments: &["test"],
    flags: "-Zsanitizer=address",
    // What a program maps or leaks for good is not lost: a guest's page and queues are. What is freed is not kept back for long, because a
    // test looks at how much memory the server has.
    environment: &[("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=1:quarantine_size_mb=4")],
    fault: Some((
        "fn main() {
             let gone = { let b = Box::new(7); &raw const *b };
             println!(\"{}\", unsafe { std::hint::black_box(gone).read() });
         }",
        "heap-use-after-free",
    )),
    runs: &[(
        &[
            "--package=xsched-hal",
            "--package=xsched-queue",
            "--package=xsched-ipc",
            "--package=xsched-runtime",
            "--package=xserver",
            "--package=test-edges",
            "--lib",
            "--tests",
        ],
        &[],
    )],
};

/// Undefined behaviour, and orderings that the machine at hand never shows: what makes no system call but a few.
pub(crate) const MIRI: Tool = Tool {
    name: "miri",
    components: &["miri", "rust-src"],
    arguments: &["miri", "test"],
    flags: "",
    environment: &[("MIRIFLAGS", "-Zmiri-isolation-error=hide")],
    fault: None,
    runs: &[
        // Left out is safe code that counts or waits a lot.
        (
            &["--package=xsched-core", "--package=xsched-hal", "--package=xsched-queue", "--lib"],
            &["--skip=conformance::", "--skip=spread_over_a_table", "--skip=window::"],
        ),
        // What is random has many cases elsewhere, and here no time for one.
        (
            &["--package=xsched-ipc", "--lib"],
            &["wire::", "ring::", "address::", "--skip=random", "--skip=with_changed_bytes"],
        ),
    ],
};

impl Tool {
    /// Its folder for what is built, in the target folder.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What it needs of rustup.
    pub(crate) fn components(&self) -> &'static [&'static str] {
        self.components
    }
}

/// Runs all that the tool covers.
pub(crate) fn run(tool: &Tool, args: &Args) -> Result<Tally> {
    let mut tally = Tally::default();
    if !args.wish.fulfil(tool.components, &[])? {
        return Ok(tally);
    }
    if let Some((program, says)) = tool.fault {
        println!("a fault that is there must be seen: {says}");
        see(tool, program, says)?;
        tally.pass(1);
    }
    for (tests, options) in tool.runs {
        tally.add_run(
            cargo(tool, tool.arguments)?.args(*tests).args(["--no-fail-fast", "--"]).args(*options),
        )?;
    }
    Ok(tally)
}

/// Cargo with what builds for the tool, and these arguments.
pub(crate) fn cargo(tool: &Tool, arguments: &[&str]) -> Result<Command> {
    let mut command = nightly::cargo();
    let (target, host) = (stage::target_dir()?.join(tool.name), nightly::host()?);
    command.args(arguments).args(["--target", &host]).arg("--target-dir").arg(target);
    command.env("RUSTFLAGS", format!("--cfg rustix_use_libc {}", tool.flags));
    command
        .env("CARGO_PROFILE_TEST_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    command.env("CARGO_INCREMENTAL", "0");
    command.envs(tool.environment.iter().copied());
    Ok(command)
}

/// Fails if the tool does not see the fault of a program.
fn see(tool: &Tool, program: &str, says: &str) -> Result<()> {
    let folder = stage::target_dir()?.join(tool.name);
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let (source, built) = (folder.join("fault.rs"), folder.join("fault"));
    std::fs::write(&source, program).with_context(|| format!("writing {}", source.display()))?;
    let mut rustc = Command::new("rustup");
    // The standard library may be any: the fault is not there.
    rustc.args([
        "run",
        "nightly",
        "rustc",
        "-Awarnings",
        "-Cunsafe-allow-abi-mismatch=sanitizer",
        tool.flags,
    ]);
    let status = rustc.arg(&source).arg("-o").arg(&built).status().context("starting rustc")?;
    ensure!(status.success(), "{rustc:?} failed ({status})");
    let output = Command::new(&built).output().with_context(|| format!("starting {}", built.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains(says), "{} does not see a {says}: {said}", tool.name);
    Ok(())
}
