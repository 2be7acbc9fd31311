//! Eight programs on one GPU for minutes: none fails, all go on, and nothing that they or xserver hold grows.
//!
//! Growth is the median of the last quarter of the looks against that of the first, once all programs have been at work for a while.

use crate::bundle;
use crate::worker::Worker;
use anyhow::{Context, Result};
use cuda_suite::cu::Api;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use test_stats::Estimate;
use test_system::Machine;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Minutes, from when all programs are at work.
    #[arg(long, value_name = "M", default_value_t = 5.0)]
    minutes: f64,
    /// Seconds between two looks.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    look: f64,
    /// Without XSched: what the programs themselves hold more and more of.
    #[arg(long)]
    native: bool,
    /// Only programs whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// Name, priority, and the command: a program of the bundle with its arguments.
const PROGRAMS: [(&str, i32, &[&str]); 8] = [
    ("suite, stream", 0, &["cuda-suite", "--busy", "made"]),
    ("suite, default stream", 0, &["cuda-suite", "--busy", "legacy"]),
    ("suite, thread's stream", 0, &["cuda-suite", "--busy", "per-thread"]),
    ("suite, graphs", 0, &["cuda-suite", "--busy", "graph"]),
    ("suite, now and then", 5, &["cuda-suite", "--sparse", "legacy"]),
    ("PyTorch, training", 0, &["programs/soak.py", "train"]),
    ("PyTorch, streams and graphs come and go", 0, &["programs/soak.py", "lives"]),
    ("PyTorch, decoding", 10, &["programs/soak.py", "decode"]),
];

/// What is held, and how much more of it at the end is none: an allocator or a thread of ours may just be at work.
const HELD: [(&str, f64, f64); 3] = [("fds", 2.0, 0.0), ("threads", 2.0, 0.0), ("RSS MiB", 4.0, 0.03)];
/// The same of the GPU's memory, of all programs together, in MiB.
const GPU_MEMORY: (&str, f64, f64) = ("GPU memory MiB", 8.0, 0.0);

/// Amounts of what is held by a process, look by look.
type Looks = Vec<[f64; 3]>;

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let machine = Machine::new();
    let server = machine.server(&[]);
    let mut workers = Vec::new();
    for (name, priority, words) in PROGRAMS.iter().filter(|program| program.0.contains(&options.only)) {
        workers.push(Worker::start(
            *name,
            command(&machine, (!options.native).then_some(*priority), words)?,
            None,
        ));
    }
    for worker in &mut workers {
        worker.begins("step")?;
    }
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    // Kernels are compiled and pools filled as programs go along.
    std::thread::sleep((length / 5).min(Duration::from_secs(30)));
    let (start, mut failures) = (Instant::now(), Vec::new());
    let (mut looks, mut server_looks, mut memory) =
        (vec![Looks::new(); workers.len()], Looks::new(), Vec::new());
    let steps = |workers: &[Worker]| workers.iter().map(Worker::steps).collect::<Vec<u64>>();
    let (first_steps, mut late_steps) = (steps(&workers), None);
    while start.elapsed() < length && failures.is_empty() {
        std::thread::sleep(Duration::from_secs_f64(options.look));
        for (worker, looks) in workers.iter().zip(&mut looks) {
            match held(worker.pid()) {
                Ok(held) if worker.end().is_none() => looks.push(held),
                _ => failures.push(format!(
                    "{} ended with {:?}:\n{}",
                    worker.name(),
                    worker.end(),
                    worker.last_words()
                )),
            }
        }
        server_looks.push(held(server.pid())?);
        memory.extend(gpu_memory(&workers.iter().map(Worker::pid).collect::<Vec<_>>()));
        if late_steps.is_none() && start.elapsed() > length.mul_f64(0.75) {
            late_steps = Some(steps(&workers));
        }
    }
    let last_steps = steps(&workers);
    let late_steps = late_steps.unwrap_or_else(|| first_steps.clone());
    println!(
        "{} programs {} for {:.1} minutes, {} looks. First and last: medians of the first and the last quarter of the looks.\n\n| program | steps | fds | threads | RSS MiB |\n|---|--:|--:|--:|--:|",
        workers.len(),
        if options.native { "without XSched" } else { "under XSched" },
        start.elapsed().as_secs_f64() / 60.0,
        server_looks.len()
    );
    for (at, (worker, looks)) in workers.iter().zip(&looks).enumerate() {
        let [first, late, last] = [&first_steps, &late_steps, &last_steps].map(|steps| steps[at]);
        if last == late {
            failures.push(format!("{} did not go on in the last quarter", worker.name()));
        }
        failures.extend(worker.warnings().iter().map(|line| format!("{} says {line}", worker.name())));
        println!("| {} | {} | {} |", worker.name(), last - first, row(worker.name(), looks, &mut failures));
    }
    println!("| xserver | | {} |", row("xserver", &server_looks, &mut failures));
    let grown = match memory[..] {
        [] => "not known, nvidia-smi says nothing".into(),
        _ => growth("all together", GPU_MEMORY, &memory, &mut failures),
    };
    println!("\n{}: {grown}", GPU_MEMORY.0);
    drop(workers);
    println!(
        "\n{}",
        if failures.is_empty() { "Nothing grows, and nothing failed.".into() } else { failures.join("\n") }
    );
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Natively, or under XSched with this priority.
fn command(machine: &Machine, priority: Option<i32>, words: &[&str]) -> Result<Command> {
    let (program, arguments) = words.split_first().context("a program")?;
    let path = bundle::file(program)?;
    let start = |program: &std::ffi::OsStr| match priority {
        Some(priority) => machine.run_command(priority, program, &[]),
        None => machine.command(program),
    };
    let mut command =
        if program.ends_with(".py") { start("python3".as_ref()) } else { start(path.as_os_str()) };
    if program.ends_with(".py") {
        command.arg(path);
    }
    command.args(arguments);
    Ok(command)
}

/// Open fds, threads and resident MiB of a process.
fn held(pid: u32) -> Result<[f64; 3]> {
    let count = |what: &str| -> Result<f64> {
        let path = format!("/proc/{pid}/{what}");
        Ok(std::fs::read_dir(&path).with_context(|| format!("reading {path}"))?.count() as f64)
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("reading its status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let kib: f64 = resident.context("no VmRSS")?.parse()?;
    Ok([count("fd")?, count("task")?, kib / 1024.0])
}

/// MiB in use on the first GPU, by these processes; by all that there are where it is not told of each.
fn gpu_memory(pids: &[u32]) -> Option<f64> {
    let ask = |what: &str| {
        let mut command = Command::new("nvidia-smi");
        command.args(["--id=0", what, "--format=csv,noheader,nounits"]);
        Some(String::from_utf8_lossy(&command.output().ok()?.stdout).into_owned())
    };
    let each = ask("--query-compute-apps=pid,used_memory")?;
    used_by(pids, &each).or_else(|| ask("--query-gpu=memory.used")?.trim().parse().ok())
}

/// The sum over these processes in lines of `PID, MIB`; `None` if one is not there, or has no number.
fn used_by(pids: &[u32], lines: &str) -> Option<f64> {
    let all: Vec<(u32, f64)> = lines
        .lines()
        .filter_map(|line| {
            let (pid, used) = line.split_once(',')?;
            Some((pid.trim().parse().ok()?, used.trim().parse().ok()?))
        })
        .collect();
    pids.iter().map(|pid| all.iter().find(|(of, _)| of == pid).map(|(_, used)| used)).sum()
}

fn row(name: &str, looks: &Looks, failures: &mut Vec<String>) -> String {
    let mut cells = Vec::new();
    for (at, what) in HELD.into_iter().enumerate() {
        let values: Vec<f64> = looks.iter().map(|look| look[at]).collect();
        cells.push(growth(name, what, &values, failures));
    }
    cells.join(" | ")
}

/// `FIRST → LAST`. More than the allowance is a failure.
fn growth(
    name: &str,
    (what, most, share): (&str, f64, f64),
    values: &[f64],
    failures: &mut Vec<String>,
) -> String {
    let quarter = values.len().div_ceil(4);
    let median = |part: &[f64]| Estimate::median(part.to_vec()).middle;
    let (first, last) = (median(&values[..quarter]), median(&values[values.len() - quarter..]));
    if last - first > most + share * first {
        failures.push(format!("{name}: {what} grew from {first:.0} to {last:.0}"));
    }
    format!("{first:.0} → {last:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_that_of_the_programs_if_it_is_told_of_each_of_them() {
        let lines = "17, 512\n18, 1024\n99, 40000\n";
        assert_eq!(used_by(&[18, 17], lines), Some(1536.0));
        assert_eq!(used_by(&[17, 20], lines), None);
        assert_eq!(used_by(&[17], "17, [N/A]\n"), None);
        assert_eq!(used_by(&[17], ""), None);
    }

    #[test]
    fn what_grows_by_a_little_each_look_is_found_and_what_jumps_about_is_not() {
        let mut failures = Vec::new();
        let jumps: Vec<f64> = (0..60).map(|look| 100.0 + f64::from(look % 7)).collect();
        assert_eq!(growth("p", HELD[2], &jumps, &mut failures), "103 → 103");
        assert!(failures.is_empty());
        let leaks: Vec<f64> = (0..60).map(|look| 10.0 + f64::from(look) / 4.0).collect();
        growth("p", HELD[0], &leaks, &mut failures);
        assert_eq!(failures, ["p: fds grew from 12 to 23"]);
        assert_eq!(growth("p", HELD[0], &[], &mut failures), "NaN → NaN");
    }
}
