//! What a busy machine costs xserver, how soon an operator sees it, and whether bad HTTP makes scheduling slower.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, circumstances, record};
use crate::demo::process::Process;
use crate::demo::server::Server;

/// Options.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Seconds of each measurement.
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Pairs of samples of scheduling latency, without and with bad HTTP.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pairs: usize,
    /// Keep the tables in docs/results/operate.md.
    #[arg(long)]
    record: bool,
}

/// Malformed requests; at this rate they go on for longer than [`Options::pairs`] take.
const REQUESTS: usize = 10_000;
const RATE: usize = 250;
/// How much longer than the latency is measured they may take: on a busy machine each of them is late.
const STORM_LIMIT: Duration = Duration::from_secs(200);

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    let bench = Bench::new(&["test-load"])?;
    let http = bench.folder().join("http.sock");
    let server = bench.server_with(|command| command.arg("--http").arg(&http))?;
    let load = |what: &str| {
        let mut command = bench.program("load", Some(&server));
        command.arg(what);
        command
    };
    let mut operate = load("operate");
    operate.args(["--server", &server.pid().to_string(), "--seconds", &options.seconds.to_string()]);
    operate.arg("--http").arg(&http);
    let mut tables =
        format!("{}\n\n{}", circumstances()?, bench.output("load operate", operate, |_| Ok(()))?);

    tables += "\nA launch of a program of which xserver keeps accounts:\n\n";
    tables += &bench.output("load accounted", load("accounted"), |_| Ok(()))?;

    let wake = || {
        let mut command = load("wake");
        command.args(["--server", &server.pid().to_string(), "--pairs", &options.pairs.to_string()]);
        command
    };
    tables += "\nScheduling latency, while nobody speaks HTTP:\n\n";
    tables += &bench.output("load wake", wake(), |_| Ok(()))?;
    let before = memory(&server)?;
    let mut storm = load("storm");
    storm.args(["--requests", &REQUESTS.to_string(), "--rate", &RATE.to_string()]);
    let mut storm = Process::spawn("load storm", with_http(storm, &http), bench.folder())?;
    tables += &format!("\nThe same during {REQUESTS} malformed requests and 1,000 slow connections:\n\n");
    tables += &bench.output("load wake", wake(), |_| storm.check_running())?;
    storm.wait(STORM_LIMIT)?;
    let after = memory(&server)?;
    tables += &format!("\nMemory of xserver before them {before:.1} MiB, after them {after:.1} MiB.\n");
    println!("\n{tables}");
    if options.record { record("operate.md", &tables) } else { Ok(()) }
}

fn with_http(mut command: Command, http: &Path) -> Command {
    command.arg("--http").arg(http).stdout(std::process::Stdio::null());
    command
}

/// Resident memory of the server, in MiB.
fn memory(server: &Server) -> Result<f64> {
    let path = format!("/proc/{}/status", server.pid());
    let status = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    Ok(kib.context("no VmRSS")?.parse::<f64>().context("VmRSS is a number")? / 1024.0)
}
