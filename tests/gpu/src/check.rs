//! Programs nobody here wrote, and the suite: same output and same end natively, under XSched, and in a storm of suspensions.

use crate::bundle;
use anyhow::{Context, Result};
use cuda_suite::cu::Api;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use test_system::{End, Machine, Program, Rival, Storm};
use xsched_core::DeviceKey;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only programs whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Storms for each program.
    #[arg(long, value_name = "N", default_value_t = 1)]
    storms: u32,
}

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(240);

/// A program under test.
struct Case {
    name: &'static str,
    command: fn() -> Result<Option<Vec<PathBuf>>>,
}

/// A Python program of the bundle, if its modules are there.
fn python(file: &str, arguments: &[&str], modules: &str) -> Result<Option<Vec<PathBuf>>> {
    let has = Command::new("python3").args(["-c", &format!("import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in '{modules}'.split()))")]).status();
    if !has.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut command = vec![PathBuf::from("python3"), bundle::file(format!("programs/{file}"))?];
    command.extend(arguments.iter().map(PathBuf::from));
    Ok(Some(command))
}

/// A program of the CUDA runtime, if there is a compiler.
fn compiled() -> Result<Option<Vec<PathBuf>>> {
    let program = std::env::temp_dir().join(format!("xsched-static-{}", std::process::id()));
    let source = bundle::file("programs/static_runtime.cu")?;
    let built = Command::new("nvcc")
        .args(["-cudart", "static", "-arch=native", "-o"])
        .arg(&program)
        .arg(source)
        .status();
    Ok(built.is_ok_and(|status| status.success()).then(|| vec![program]))
}

fn sanitizer(tool: &str) -> Result<Option<Vec<PathBuf>>> {
    if !Command::new("compute-sanitizer").arg("--version").output().is_ok_and(|o| o.status.success()) {
        return Ok(None);
    }
    let suite = bundle::file("cuda-suite")?;
    let mut command: Vec<PathBuf> =
        ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9"].map(PathBuf::from).into();
    command.push(suite);
    command.extend(
        [
            "--case",
            "launch-made",
            "--case",
            "launch-legacy",
            "--case",
            "order-in",
            "--case",
            "copies",
            "--case",
            "capture-relaxed",
        ]
        .map(PathBuf::from),
    );
    Ok(Some(command))
}

const CASES: &[Case] = &[
    Case { name: "driver API suite", command: || Ok(Some(vec![bundle::file("cuda-suite")?])) },
    Case { name: "CUDA runtime, linked statically", command: compiled },
    Case {
        name: "PyTorch: networks, training, graphs, streams, copies",
        command: || python("torch_results.py", &[], "torch"),
    },
    Case {
        name: "PyTorch: DataLoader workers, fork and spawn",
        command: || python("torch_workers.py", &[], "torch"),
    },
    Case {
        name: "PyTorch: decoder, eager and as a graph",
        command: || python("llm_decode.py", &[], "torch"),
    },
    Case { name: "CuPy", command: || python("other_libraries.py", &["cupy"], "cupy") },
    Case { name: "JAX", command: || python("other_libraries.py", &["jax"], "jax") },
    Case { name: "Triton", command: || python("other_libraries.py", &["triton"], "triton torch") },
    Case { name: "numba.cuda", command: || python("other_libraries.py", &["numba"], "numba") },
    Case { name: "compute-sanitizer memcheck", command: || sanitizer("memcheck") },
    Case { name: "compute-sanitizer racecheck", command: || sanitizer("racecheck") },
];

/// What a run said, how it ended, how long it took, how often it was suspended.
struct Run {
    output: Vec<String>,
    end: End,
    took: Duration,
    suspensions: u64,
}

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    let (device, ..) = bundle::device(&cu)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    println!(
        "| program | native | under XSched | suspended at random | suspensions | seconds native, under XSched, in the storm |"
    );
    println!("|---|---|---|---|--:|---|");
    let machine = Machine::new();
    let mut failures = 0;
    for case in CASES.iter().filter(|case| case.name.contains(&options.only)) {
        let Some(command) = (case.command)().with_context(|| case.name)? else {
            println!("| {} | not there | | | | |", case.name);
            continue;
        };
        failures += u32::from(!row(case.name, &command, &machine, &device, options)?);
    }
    println!("\n{}", if failures == 0 { "All the same.".into() } else { format!("{failures} differ.") });
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(
    name: &str,
    command: &[PathBuf],
    machine: &Machine,
    device: &DeviceKey,
    options: &Options,
) -> Result<bool> {
    let (program, arguments) = command.split_first().context("a command")?;
    let arguments: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let mut native = machine.command(program);
    native.args(&arguments);
    let native = watch(machine, Program::start(native), false);
    if native.end != End::Exit(0) {
        println!("| {name} | {:?} by itself: not compared | | | | |", native.end);
        return Ok(true);
    }
    let server = machine.server(&[]);
    let under = watch(machine, machine.run(0, program, &arguments), true);
    let is_same_under = compare(name, "under XSched", &native, &under);
    let (mut is_same_in_storms, mut suspensions, mut stormy) = (true, 0, Duration::ZERO);
    for seed in 0..options.storms {
        let storm = Storm::of(Rival::attach_on(&machine.socket(), 200, device), u64::from(seed) + 1);
        let run = watch(machine, machine.run(0, program, &arguments), true);
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
    Ok(is_same_under && is_same_in_storms)
}

fn watch(machine: &Machine, program: Program, is_scheduled: bool) -> Run {
    let start = Instant::now();
    let (mut suspensions, mut last) = (0, 0);
    while program.end().is_none() && start.elapsed() < LIMIT {
        if is_scheduled {
            let now = machine.suspensions(program.pid());
            suspensions += if now < last { now } else { now - last };
            last = now;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let took = start.elapsed();
    let end = program.end().unwrap_or(End::Signal(0));
    if end == End::Signal(0) {
        return Run { output: vec![format!("no end within {LIMIT:?}")], end, took, suspensions };
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
