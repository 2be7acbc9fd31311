//! Programs nobody here wrote, and the suite: same output and same end natively, under XSched, and in a storm of suspensions.

use crate::bundle;
use anyhow::{Context, Result};
use cases::{CASES, Case, There};
use cuda_suite::cu::Api;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use test_system::{End, Machine, Program, Rival, Storm};
use xsched_core::DeviceKey;

mod cases;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only programs whose name contains one of these.
    #[arg(long, value_name = "TEXT", value_delimiter = ',', default_value = "")]
    only: Vec<String>,
    /// Storms for each program.
    #[arg(long, value_name = "N", default_value_t = 1)]
    storms: u32,
    /// The most milliseconds that a storm's rival has work, and that it has none.
    #[arg(long, value_name = "MS", num_args = 2, default_values_t = [8, 20])]
    storm: Vec<u64>,
    /// For so many seconds after the table, further storms, each with one of the programs that were the same.
    #[arg(long, value_name = "S", default_value_t = 0)]
    soak: u64,
    /// Only that: in place of the table each program runs once, natively, to compare with.
    #[arg(long, requires = "soak")]
    soak_only: bool,
    /// Seconds that a program may take each time.
    #[arg(long, value_name = "S", default_value_t = 120)]
    limit: u64,
    /// Begin no program after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 480)]
    budget: u64,
    /// Print the list of programs.
    #[arg(long)]
    list: bool,
}

/// What a run said, how it ended, how long it took, how often it was suspended.
struct Run {
    output: Vec<String>,
    end: End,
    took: Duration,
    suspensions: u64,
}

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.list {
        CASES.iter().for_each(|case| println!("{}", case.name));
        return Ok(ExitCode::SUCCESS);
    }
    let begun = Instant::now();
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    let (device, ..) = bundle::device(&cu)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    if !options.soak_only {
        println!(
            "| program | native | under XSched | suspended at random | suspensions | seconds native, under XSched, in the storm |"
        );
        println!("|---|---|---|---|--:|---|");
    }
    let machine = Machine::new();
    let mut failures = 0;
    let mut compared = Vec::new();
    let mut gpus = 0;
    // SAFETY: a place for the answer.
    unsafe { (cu.cuDeviceGetCount)(&raw mut gpus) };
    for case in CASES.iter().filter(|case| options.only.iter().any(|only| case.name.contains(only))) {
        if begun.elapsed().as_secs() >= options.budget {
            println!("| {} | not begun: {} s are over | | | | |", case.name, options.budget);
            continue;
        }
        if gpus < case.gpus {
            println!(
                "| {} | skipped: it needs {} GPUs, and there are {gpus} | | | | |",
                case.name, case.gpus
            );
            continue;
        }
        match (case.command)().with_context(|| case.name)? {
            There::Command(command) => {
                let native = row(case, &command, &machine, &device, options)?;
                failures += u32::from(native.is_none());
                compared.extend(native.flatten().map(|native| (case.name, command, native)));
            }
            There::Not(why) => println!("| {} | skipped: {why} | | | | |", case.name),
        }
    }
    failures += soak(&compared, &machine, &device, options)?;
    println!("\n{}", if failures == 0 { "All the same.".into() } else { format!("{failures} differ.") });
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(
    case: &Case,
    command: &[PathBuf],
    machine: &Machine,
    device: &DeviceKey,
    options: &Options,
) -> Result<Option<Option<Run>>> {
    let name = case.name;
    let (program, arguments) = split(command)?;
    let mut native = machine.command(program);
    native.args(&arguments);
    let native = watch(machine, Program::start(native), false, options);
    if native.end != End::Exit(0) {
        println!("| {name} | {:?} by itself: not compared | | | | |", native.end);
        return Ok(Some(None));
    }
    if options.soak_only {
        return Ok(Some(Some(native)));
    }
    let server = machine.server(&[]);
    let under = watch(machine, machine.run(0, program, &arguments), true, options);
    let is_same_under = compare(name, "under XSched", &native, &under);
    let (mut is_same_in_storms, mut suspensions, mut stormy) = (true, 0, Duration::ZERO);
    for seed in 0..options.storms {
        let storm = storm(machine, device, u64::from(seed) + 1, options);
        let run = watch(machine, machine.run(0, program, &arguments), true, options);
        drop(storm);
        is_same_in_storms &= compare(name, "in a storm", &native, &run);
        suspensions += run.suspensions;
        stormy = run.took;
    }
    server.end();
    let word = |is_same| if is_same { "same" } else { "DIFFERENT" };
    println!(
        "| {name} | ends well, {} lines | {} | {} | {suspensions} | {:.1}, {:.1}, {:.1} |",
        native.output.len(),
        word(is_same_under),
        word(is_same_in_storms),
        native.took.as_secs_f64(),
        under.took.as_secs_f64(),
        stormy.as_secs_f64()
    );
    Ok((is_same_under && is_same_in_storms).then_some(Some(native)))
}

/// Further storms, each with one of these programs, in turn. Answers how many were not the same.
fn soak(
    programs: &[(&str, Vec<PathBuf>, Run)],
    machine: &Machine,
    device: &DeviceKey,
    options: &Options,
) -> Result<u32> {
    let begun = Instant::now();
    if options.soak == 0 || programs.is_empty() {
        return Ok(0);
    }
    let server = machine.server(&[]);
    let (mut runs, mut differ, mut suspensions) = (0u64, 0, 0);
    let mut each: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, command, native) in programs.iter().cycle() {
        if begun.elapsed().as_secs() >= options.soak {
            break;
        }
        let (program, arguments) = split(command)?;
        let storm = storm(machine, device, 1000 + runs, options);
        let run = watch(machine, machine.run(0, program, &arguments), true, options);
        drop(storm);
        differ += u32::from(!compare(name, "in a further storm", native, &run));
        (runs, suspensions) = (runs + 1, suspensions + run.suspensions);
        let of_it = each.entry(name).or_default();
        *of_it = (of_it.0 + 1, of_it.1 + run.suspensions);
    }
    server.end();
    println!("\n| program | runs in a storm | suspensions |\n|---|--:|--:|");
    for (name, (runs, suspensions)) in each {
        println!("| {name} | {runs} | {suspensions} |");
    }
    println!(
        "\n{runs} further runs of {} programs in {} s of storms, {suspensions} suspensions: {differ} differ.",
        programs.len(),
        begun.elapsed().as_secs()
    );
    Ok(differ)
}

fn storm(machine: &Machine, device: &DeviceKey, seed: u64, options: &Options) -> Storm {
    let lengths = [0, 1].map(|at| options.storm.get(at).copied().unwrap_or(1).max(1));
    Storm::with(Rival::attach_on(&machine.socket(), 200, device), seed, lengths)
}

fn split(command: &[PathBuf]) -> Result<(&PathBuf, Vec<&str>)> {
    let (program, arguments) = command.split_first().context("a command")?;
    Ok((program, arguments.iter().filter_map(|argument| argument.to_str()).collect()))
}

fn watch(machine: &Machine, program: Program, is_scheduled: bool, options: &Options) -> Run {
    let limit = Duration::from_secs(options.limit);
    let start = Instant::now();
    let mut counted = Counted::default();
    while program.end().is_none() && start.elapsed() < limit {
        if is_scheduled {
            counted.look(machine);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let (took, suspensions) = (start.elapsed(), counted.sum);
    let end = program.end().unwrap_or(End::Signal(0));
    if end == End::Signal(0) {
        let output = vec![format!("no end within {limit:?} after: {}", program.output().join(" / "))];
        return Run { output, end, took, suspensions };
    }
    let output = program.whole_output();
    if end != End::Exit(0) {
        eprintln!("{}\n{}", output.join("\n"), program.errors());
    }
    // Process numbers of the sanitizer's, and nothing else, differ from run to run.
    let output =
        output.into_iter().filter(|line| !line.contains("=========") || line.contains("SUMMARY")).collect();
    Run { output, end, took, suspensions }
}

/// How often the processes that a program consists of were suspended.
#[derive(Default)]
struct Counted {
    sum: u64,
    /// What xserver said last of each. It begins anew when a process has released its last queue.
    last: BTreeMap<u32, u64>,
}

impl Counted {
    fn look(&mut self, machine: &Machine) {
        // The rival of a storm is in this process.
        for client in machine.list().into_iter().filter(|client| client.pid != std::process::id()) {
            let now = client.queues.iter().map(|queue| queue.suspensions).max().unwrap_or(0);
            let last = self.last.insert(client.pid, now).unwrap_or(0);
            self.sum += if now < last { now } else { now - last };
        }
    }
}

fn compare(name: &str, how: &str, native: &Run, other: &Run) -> bool {
    let is_same = native.output == other.output && native.end == other.end;
    if !is_same {
        eprintln!("{name} {how}: {:?} instead of {:?}", other.end, native.end);
        for (at, line) in native.output.iter().enumerate() {
            match other.output.get(at) {
                Some(theirs) if theirs == line => {}
                theirs => eprintln!("- {line}\n+ {}", theirs.map_or("(nothing)", String::as_str)),
            }
        }
    }
    is_same
}
