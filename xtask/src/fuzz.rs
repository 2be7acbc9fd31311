//! Fuzzes what comes in from outside: the targets of tests/edges, each for a while, with libFuzzer and the address sanitizer.
//!
//! It begins with `fuzz/seeds`; what it finds on the way is kept under the target folder, for the next time. An input that fails is
//! kept in `fuzz/artifacts`: put it into `fuzz/seeds/TARGET` under a name that says what it was, and the plain tests replay it for ever.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::nightly::{self, Wish};
use crate::stage;
use crate::tally::Tally;

/// Fuzz messages, pages, settings and programs' files.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// These targets only; `cargo fuzz list` names them.
    targets: Vec<String>,
    /// How long to fuzz, all targets together.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Write the seeds anew instead, after a change of the messages.
    #[arg(long)]
    write_seeds: bool,
    #[command(flatten)]
    wish: Wish,
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz");

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<Tally> {
    let seeds = Path::new(FOLDER).join("seeds");
    let mut tally = Tally::default();
    if args.write_seeds {
        let mut write = stage::cargo();
        write
            .args(["run", "--quiet", "--package", "test-edges", "--example", "write-seeds", "--"])
            .arg(&seeds);
        ensure!(write.status().context("starting cargo")?.success(), "the seeds were not written");
        tally.pass(1);
        return Ok(tally);
    }
    let all = targets()?;
    if let Some(unknown) = args.targets.iter().find(|target| !all.contains(target)) {
        anyhow::bail!("there is no target {unknown}, only {}", all.join(", "));
    }
    if !args.wish.fulfil(&["rust-std"], &["fuzz"])? {
        return Ok(tally);
    }
    let chosen = if args.targets.is_empty() { &all } else { &args.targets };
    let seconds = (args.seconds / chosen.len() as u32).max(1);
    let kept = stage::target_dir()?.join("fuzz-corpus");
    for target in chosen {
        println!("{target}, for {seconds} s:");
        let corpus = kept.join(target);
        std::fs::create_dir_all(&corpus).with_context(|| format!("creating {}", corpus.display()))?;
        let mut fuzz = cargo_fuzz("run", target);
        fuzz.arg(corpus).arg(seeds.join(target));
        // A target that hangs is a bug; an input of more than this is cut by the messages themselves.
        fuzz.args(["--", "-timeout=20", "-max_len=70000", "-print_final_stats=1", "-verbosity=0"]);
        fuzz.arg(format!("-max_total_time={seconds}"));
        match fuzz.status().context("starting cargo fuzz")?.success() {
            true => tally.pass(1),
            false => tally.fail(format!("{target}: fuzz/artifacts/{target} has the input")),
        }
    }
    Ok(tally)
}

fn cargo_fuzz(what: &str, target: &str) -> Command {
    let mut command = nightly::cargo();
    command.args(["fuzz", what, "--fuzz-dir", FOLDER, target]);
    command
}

/// The names of the files in `fuzz/fuzz_targets`, in alphabetical order.
fn targets() -> Result<Vec<String>> {
    let folder = Path::new(FOLDER).join("fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
