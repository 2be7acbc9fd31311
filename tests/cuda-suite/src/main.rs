//! `cuda-suite`: driver-API cases, one line each, which is the same in every run on one driver, whatever the timing.
//!
//! `cuda-suite [--case TEXT]… [--repeat N]`, or a load: `--busy KIND`, `--sparse KIND`, `--eager KIND`. Cases that break a context run in processes of their own (`--child`).

mod cases;
mod load;
mod work;

use clap::Parser;
use cuda_suite::cu::Api;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use work::Work;

#[derive(Parser)]
#[command(about = "Runs driver-API cases and prints one line for each.")]
struct Options {
    /// Only cases whose name contains this.
    #[arg(long = "case", value_name = "TEXT")]
    cases: Vec<String>,
    /// Print the list of cases.
    #[arg(long)]
    list: bool,
    /// How often; the lines of the first round are printed, later ones are compared.
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Instead of cases: always busy, in steps.
    #[arg(long, value_name = "KIND")]
    busy: Option<load::Kind>,
    /// Instead of cases: launches now and then and never waits, in steps.
    #[arg(long, value_name = "KIND")]
    sparse: Option<load::Kind>,
    /// Instead of cases: requests of many short launches with gaps in between, in steps.
    #[arg(long, value_name = "KIND")]
    eager: Option<load::Kind>,
    /// Before the load: hand an event to others by this file, or take theirs if it is there.
    #[arg(long, value_name = "FILE")]
    share: Option<std::path::PathBuf>,
    /// Run one case that needs a process of its own.
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// Ends the process if a case takes longer: a hang is a result too.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        cases::ALL.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let cu = match Api::open("libcuda.so.1") {
        Ok(cu) => cu,
        Err(why) => {
            eprintln!("cuda-suite: {why}");
            return ExitCode::from(2);
        }
    };
    if let Some(name) = &options.child {
        let line = cases::child(name, cu).unwrap_or_else(|code| format!("stopped={code}"));
        println!("{line}");
        return ExitCode::SUCCESS;
    }
    let work = match Work::new(cu) {
        Ok(work) => work,
        Err(code) => {
            println!("init stopped={code}");
            return ExitCode::from(2);
        }
    };
    if let Some(file) = &options.share
        && let Err(why) = work.share(file)
    {
        eprintln!("cuda-suite: {}: {why}", file.display());
        return ExitCode::from(2);
    }
    let load = match (options.busy, options.sparse, options.eager) {
        (Some(kind), ..) => Some(load::busy(&work, kind)),
        (None, Some(kind), _) => Some(load::sparse(&work, kind)),
        (None, None, Some(kind)) => Some(load::eager(&work, kind)),
        (None, None, None) => None,
    };
    if let Some(result) = load {
        eprintln!("cuda-suite: {result:?}");
        return ExitCode::from(2);
    }
    let chosen: Vec<_> = cases::ALL
        .iter()
        .filter(|(name, _)| options.cases.is_empty() || options.cases.iter().any(|text| name.contains(text)))
        .collect();
    let mut first: Vec<String> = Vec::new();
    let mut is_same = true;
    for round in 0..options.repeat {
        for (at, (name, case)) in chosen.iter().enumerate() {
            let watchdog = watch(name);
            let line = format!("{name}: {}", case(&work).unwrap_or_else(|code| format!("stopped={code}")));
            drop(watchdog);
            if round == 0 {
                println!("{line}");
                first.push(line);
            } else if first.get(at) != Some(&line) {
                eprintln!("round {round}: {line}");
                is_same = false;
            }
        }
    }
    if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends the process if what is returned is not dropped in time.
fn watch(name: &'static str) -> std::sync::mpsc::Sender<()> {
    let (alive, ended) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let start = Instant::now();
        if ended.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            println!("{name}: HANG after {} s", start.elapsed().as_secs());
            std::process::exit(3);
        }
    });
    alive
}
