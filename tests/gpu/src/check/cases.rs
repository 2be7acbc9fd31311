//! The programs whose results are compared.

use crate::bundle;
use anyhow::Result;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program under test.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) command: fn() -> Result<There>,
    /// GPUs that it needs.
    pub(super) gpus: i32,
}

/// Whether this machine has what a program needs.
pub(super) enum There {
    /// The command.
    Command(Vec<PathBuf>),
    /// Why not.
    Not(String),
}

const fn case(name: &'static str, command: fn() -> Result<There>) -> Case {
    Case { name, command, gpus: 1 }
}

const fn on_two(name: &'static str, command: fn() -> Result<There>) -> Case {
    Case { name, command, gpus: 2 }
}

pub(super) const CASES: &[Case] = &[
    case("driver API: launches", || suite(&["launch"])),
    case("driver API: order, waits on words, host functions that wait", || suite(&["order"])),
    case("driver API: copies", || suite(&["copies"])),
    case("driver API: captures, also beside other threads", || suite(&["capture"])),
    case("driver API: lives of streams, threads, contexts, forks", || suite(&["lives"])),
    case("driver API: symbols found by the program", || suite(&["resolve"])),
    case("driver API: a kernel that faults, no memory, bad launches", || suite(&["errors"])),
    case("CUDA runtime, linked statically", compiled),
    case("PyTorch: networks, training, graphs, streams, copies", || python("torch_results.py", &[], "torch")),
    case("PyTorch: errors, each at its call", || python("torch_errors.py", &[], "torch")),
    case("PyTorch: DataLoader workers, fork and spawn", || python("torch_workers.py", &[], "torch")),
    case("PyTorch: decoder, eager and as a graph", || python("llm_decode.py", &[], "torch")),
    case("PyTorch: two programs with events and memory by handle", || python("torch_ipc.py", &[], "torch")),
    on_two("PyTorch: DDP over NCCL", || python("torch_ddp.py", &[], "torch")),
    on_two("PyTorch: one thread, NCCL on two GPUs in turn", || python("torch_nccl.py", &[], "torch")),
    case("CuPy", || python("other_libraries.py", &["cupy"], "cupy")),
    case("JAX", || python("other_libraries.py", &["jax"], "jax")),
    case("Triton", || python("other_libraries.py", &["triton"], "triton torch")),
    case("numba.cuda", || python("other_libraries.py", &["numba"], "numba.cuda")),
    case("cuda-bindings", || python("other_libraries.py", &["bindings"], "cuda.bindings")),
    case("compute-sanitizer memcheck", || sanitizer("memcheck")),
    case("compute-sanitizer racecheck", || sanitizer("racecheck")),
    case("compute-sanitizer memcheck, Level 3 forced", || forced(sanitizer("memcheck")?)),
    case("compute-sanitizer racecheck, Level 3 forced", || forced(sanitizer("racecheck")?)),
];

/// Cases of the suite whose names contain one of these.
fn suite(cases: &[&str]) -> Result<There> {
    let mut command = vec![bundle::file("cuda-suite")?];
    command.extend(cases.iter().flat_map(|case| ["--case", case]).map(PathBuf::from));
    Ok(There::Command(command))
}

/// A Python program of the bundle, if its modules can be imported.
fn python(file: &str, arguments: &[&str], modules: &str) -> Result<There> {
    for module in modules.split(' ') {
        let output = Command::new("python3").args(["-c", &format!("import {module}")]).output();
        let output = match output {
            Ok(output) => output,
            Err(why) => return Ok(There::Not(format!("python3: {why}"))),
        };
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let why = errors.lines().last().unwrap_or("it says nothing");
            return Ok(There::Not(format!("`import {module}`: {why}")));
        }
    }
    let mut command = vec![PathBuf::from("python3"), bundle::file(format!("programs/{file}"))?];
    command.extend(arguments.iter().map(PathBuf::from));
    Ok(There::Command(command))
}

/// A program of the CUDA runtime, if there is a compiler.
fn compiled() -> Result<There> {
    let program = std::env::temp_dir().join(format!("xsched-static-{}", std::process::id()));
    let source = bundle::file("programs/static_runtime.cu")?;
    let mut command = Command::new("nvcc");
    command.args(["-cudart", "static", "-arch=native", "-o"]).arg(&program).arg(source);
    Ok(match command.stdout(Stdio::null()).output() {
        Ok(output) if output.status.success() => There::Command(vec![program]),
        Ok(output) => There::Not(format!("nvcc: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(why) => There::Not(format!("nvcc: {why}")),
    })
}

/// Interrupted in spite of the tool that it runs under.
fn forced(there: There) -> Result<There> {
    Ok(match there {
        There::Command(command) => {
            let mut forced = ["env", "XSCHED_CONTROL_UNDER_TOOLS=on"].map(PathBuf::from).to_vec();
            forced.extend(command);
            There::Command(forced)
        }
        not => not,
    })
}

fn sanitizer(tool: &str) -> Result<There> {
    let there = Command::new("compute-sanitizer").arg("--version").stdout(Stdio::null()).status();
    if let Err(why) = there {
        return Ok(There::Not(format!("compute-sanitizer: {why}")));
    }
    let mut command: Vec<PathBuf> =
        ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9"].map(PathBuf::from).into();
    let cases = ["launch-made", "launch-legacy", "order-in", "copies", "capture-relaxed"];
    if let There::Command(suite) = suite(&cases)? {
        command.extend(suite);
    }
    Ok(There::Command(command))
}
