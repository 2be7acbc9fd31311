//! Benchmarks: what a launch costs under XSched, whole (`launch`) and at the gate alone (`gate`).
//!
//! Nothing is asserted: numbers of a busy machine are for reading. `--record` keeps those of a quiet one in
//! `docs/results/`, where the text below the tables is written by hand and stays.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::demo::process::{self, Process};
use crate::demo::server::Server;
use crate::demo::{POCL_PLATFORM, in_private};
use crate::{setup, stage};

/// Measure what a launch costs under XSched.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// OpenCL launches through the stand-in against native ones, alternated in one process; without and with an xserver.
    Launch(Launch),
    /// The gate and the launch path around an empty call, in nanoseconds (criterion).
    Gate,
}

#[derive(clap::Args)]
struct Launch {
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = POCL_PLATFORM)]
    device: String,
    /// Pairs of blocks for each case.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pairs: usize,
    /// Keep the tables in docs/results/launch-cost.md.
    #[arg(long)]
    record: bool,
}

/// How long the program may take to end after its last line.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Launch(options) => launch(options),
        What::Gate => gate(),
    }
}

fn launch(options: &Launch) -> Result<()> {
    process::catch_interrupts()?;
    let mut needs = vec![setup::OPENCL_LOADER];
    if options.device == POCL_PLATFORM {
        needs.push(setup::POCL);
    }
    setup::ensure(&needs, true)?;
    eprintln!("building …");
    let program = stage::build(&["opencl-launch-cost"])?.join("opencl-launch-cost");
    let stage = stage::stage()?;
    let folder =
        tempfile::Builder::new().prefix("xsched-bench-").tempdir().context("creating a temporary folder")?;
    let measure = |server: Option<&Server>| {
        let mut command = in_private(Command::new(&program), folder.path());
        let nowhere = folder.path().join("no-xserver.sock");
        command.env("XSCHED_SOCKET", server.map_or(nowhere.as_path(), Server::socket));
        // The kernel has one work-item: a second worker would do nothing but fight for PoCL's locks.
        command.env("POCL_MAX_PTHREAD_COUNT", "1");
        command.arg(stage.join("lib/xsched/libOpenCL.so.1"));
        command.args(["--device", &options.device, "--pairs", &options.pairs.to_string()]);
        measure(command, server, folder.path())
    };
    let mut tables = format!("{}\n", circumstances()?);
    let _ = write!(tables, "\n## Without an xserver\n\n{}", measure(None)?);
    let server = Server::start(&stage, |command| in_private(command, folder.path()), folder.path())?;
    let _ = write!(tables, "\n## Attached to an xserver, alone on the device\n\n{}", measure(Some(&server))?);
    println!("{tables}");
    if options.record { record("launch-cost.md", &tables) } else { Ok(()) }
}

/// Runs the program to its end; returns what it printed. Under a server, it must be found there.
fn measure(mut command: Command, server: Option<&Server>, folder: &Path) -> Result<String> {
    command.stdout(Stdio::piped());
    let mut process = Process::spawn("opencl-launch-cost", command, folder)?;
    let mut said = String::new();
    for line in BufReader::new(process.take_stdout().context("the output is piped")?).lines() {
        let line = line.context("reading what opencl-launch-cost prints")?;
        process::check_interrupt()?;
        eprintln!("{line}");
        // The first line comes when the queue is there; by then the program has attached, if it does at all.
        if let Some(server) = server.filter(|_| said.is_empty()) {
            server.suspensions_of(process.pid())?;
        }
        said += &line;
        said.push('\n');
    }
    process.wait(END_LIMIT)?;
    Ok(said)
}

fn gate() -> Result<()> {
    let status = stage::cargo()
        .args(["bench", "--package", "xsched-queue", "--package", "xsched-runtime"])
        .args(["--bench", "gate", "--bench", "launch"])
        .status()
        .context("starting cargo bench")?;
    ensure!(status.success(), "cargo bench failed ({status})");
    Ok(())
}

/// When and where this runs.
fn circumstances() -> Result<String> {
    let date = Command::new("date").arg("+%F").output().context("starting date")?.stdout;
    let cpus = std::fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let models = || cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = rustix::system::uname();
    Ok(format!(
        "Measured {} on {} × {}, Linux {}.",
        String::from_utf8_lossy(&date).trim(),
        models().count(),
        models().next().map_or("an unnamed processor", |(_, model)| model.trim()),
        kernel.release().to_string_lossy(),
    ))
}

/// Puts `tables` between the two marks of a results file.
fn record(name: &str, tables: &str) -> Result<()> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/results")).join(name);
    let old = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let new = replaced(&old, tables).with_context(|| format!("{} has no marks", path.display()))?;
    std::fs::write(&path, new).with_context(|| format!("writing {}", path.display()))?;
    println!("recorded in docs/results/{name}");
    Ok(())
}

const BEGIN: &str = "<!-- measured: written by --record -->\n";
const END: &str = "<!-- end of measured -->\n";

/// `old` with the part between the two marks replaced.
fn replaced(old: &str, measured: &str) -> Option<String> {
    let (before, rest) = old.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{measured}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let old = format!("title\n{BEGIN}old{END}reading\n");
        let new = replaced(&old, "new").unwrap();
        assert_eq!(new, format!("title\n{BEGIN}\nnew\n{END}reading\n"));
        assert_eq!(replaced(&new, "new").unwrap(), new);
        assert_eq!(replaced("no marks", "new"), None);
    }
}
