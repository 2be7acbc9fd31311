//! Benchmarks, one file for each that is more than a command.
//!
//! Nothing is asserted: numbers of a busy machine are for reading. `--record` keeps those of a quiet one in
//! `docs/results/`, where the text outside of the measured part is written by hand and stays. Those that need neither cargo nor a
//! driver also run elsewhere, out of a [`bundle`].

pub(crate) mod bundle;
mod gate;
mod guest;
mod host;
mod inside;
mod latency;
mod launch;
mod levelzero;
mod operate;
mod scale;
mod shares;
mod sim;
mod soak;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::demo::in_private;
use crate::demo::process::{self, Process};
use crate::demo::server::Server;
use crate::stage;
use bundle::Bundle;

/// Measure XSched.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    /// Lay out a folder with what the benchmarks of `host` need, to copy to another machine: `DIR/run BENCHMARK` runs there.
    #[arg(long, value_name = "DIR", exclusive = true)]
    bundle: Option<PathBuf>,
    /// Put into docs/results what was recorded in such a folder.
    #[arg(long, value_name = "DIR", exclusive = true)]
    take: Option<PathBuf>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand)]
enum What {
    /// OpenCL launches through the stand-in against native ones, alternated in one process; without and with an xserver.
    Launch(launch::Options),
    /// The gate and the launch path around an empty call, in nanoseconds (criterion).
    Gate,
    /// What a program under XSched pays: time at its start, memory, threads.
    Guest(guest::Options),
    /// All that need neither cargo nor a driver, one after another.
    Host(host::Options),
    /// What scheduling inside a process costs: submitted commands, decisions.
    Inside(inside::Options),
    /// From an urgent program's first launch to the greedy program's closed gate, against a bare wake of a process.
    Latency(latency::Options),
    /// An urgent and a greedy Level Zero program on the simulated device.
    Levelzero(levelzero::Options),
    /// What a busy machine costs xserver, and how soon an operator sees it.
    Operate(operate::Options),
    /// What xserver and a decision of it cost with 1,000 processes and 10,000 queues attached.
    Scale(scale::Options),
    /// How fast the simulator is with 100,000 queues and 10 million events.
    Sim(sim::Options),
    /// Whether anything grows while 500,000 guests come, work and go.
    Soak(soak::Options),
    /// What programs get of a device under UP, PUP and CFS, against what they were to get.
    Shares(shares::Options),
}

/// How long a program may take to end after its last line.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<()> {
    match (&args.bundle, &args.take, &args.what) {
        (Some(folder), ..) => bundle::lay_out(folder),
        (_, Some(folder), _) => bundle::take(folder),
        (_, _, Some(what)) => run_one(what),
        (None, None, None) => bail!("say which benchmark, or --bundle DIR; --help lists them"),
    }
}

fn run_one(what: &What) -> Result<()> {
    match what {
        What::Launch(options) => launch::run(options),
        What::Gate => gate::run(),
        What::Guest(options) => guest::run(options),
        What::Host(options) => host::run(options),
        What::Inside(options) => inside::run(options),
        What::Latency(options) => latency::run(options),
        What::Levelzero(options) => levelzero::run(options),
        What::Operate(options) => operate::run(options),
        What::Scale(options) => scale::run(options),
        What::Sim(options) => sim::run(options),
        What::Soak(options) => soak::run(options),
        What::Shares(options) => shares::run(options),
    }
}

/// What a benchmark of the real xserver plays with: everything built, and a folder that goes with it.
struct Bench {
    /// Where an installation's files are.
    stage: PathBuf,
    /// Where other programs were built.
    built: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    /// Builds the stage, and `programs` of the workspace; or finds them in the bundle that this runs out of.
    fn new(programs: &[&str]) -> Result<Self> {
        process::catch_interrupts()?;
        let folder = tempfile::Builder::new().prefix("xsched-bench-").tempdir();
        let folder = folder.context("creating a temporary folder")?;
        if let Some(bundle) = Bundle::here()? {
            bundle.has(programs)?;
            return Ok(Self { stage: bundle.stage(), built: bundle.programs(), folder });
        }
        eprintln!("building …");
        let built = stage::build(programs)?;
        Ok(Self { stage: stage::stage()?, built, folder })
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An xserver of the bench's own.
    fn server(&self) -> Result<Server> {
        self.server_with(|command| command)
    }

    /// The same with more on its command line.
    fn server_with(&self, more: impl Fn(&mut Command) -> &mut Command) -> Result<Server> {
        let settings = |command| {
            let mut command = in_private(command, self.folder());
            more(&mut command);
            command
        };
        Server::start(&self.stage, settings, self.folder())
    }

    /// A program that was built, told of the server, or of a place where none is.
    fn program(&self, name: &str, server: Option<&Server>) -> Command {
        let mut command = in_private(Command::new(self.built.join(name)), self.folder());
        let nowhere = self.folder().join("no-xserver.sock");
        command.env("XSCHED_SOCKET", server.map_or(nowhere.as_path(), Server::socket));
        command
    }

    /// Runs a program to its end; returns what it printed. `each` is told of each line when it comes.
    fn output(
        &self,
        name: &str,
        mut command: Command,
        mut each: impl FnMut(&Process) -> Result<()>,
    ) -> Result<String> {
        command.stdout(Stdio::piped());
        let mut process = Process::spawn(name, command, self.folder())?;
        let mut said = String::new();
        for line in BufReader::new(process.take_stdout().context("the output is piped")?).lines() {
            let line = line.with_context(|| format!("reading what {name} prints"))?;
            process::check_interrupt()?;
            eprintln!("{line}");
            each(&process)?;
            said += &line;
            said.push('\n');
        }
        process.wait(END_LIMIT)?;
        Ok(said)
    }
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

/// Puts `tables` between the two marks of a results file; out of a bundle, beside it, for [`bundle::take`].
fn record(name: &str, tables: &str) -> Result<()> {
    match Bundle::here()? {
        Some(bundle) => bundle.keep(name, tables),
        None => put(name, tables),
    }
}

fn put(name: &str, tables: &str) -> Result<()> {
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
