//! An ordinary OpenCL program with two faces: small requests at a fixed period, each time-stamped, or (`--greedy`)
//! kernels back to back. `cargo xtask demo` uses the first as its urgent program; tests use both.
//!
//! It knows nothing of XSched: it links the system's `libOpenCL.so.1` like any other program.

mod cl;
mod clock;
mod greedy;
mod requests;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Make small OpenCL requests at a fixed period and report the latency of each.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    device: String,
    /// Time from one request to the next, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100.0)]
    period: f64,
    /// Size of a request: layers of 512 x 512 through which a batch of 64 goes.
    #[arg(long, value_name = "LAYERS", default_value_t = 20)]
    work: usize,
    /// Number of requests to report.
    #[arg(long, value_name = "N", default_value_t = 100)]
    requests: usize,
    /// Report requests for this long, or end --greedy after it (default: never).
    #[arg(long, value_name = "S", conflicts_with = "requests")]
    seconds: Option<f64>,
    /// Requests before the first reported one.
    #[arg(long, value_name = "N", default_value_t = 5)]
    warm_up: usize,
    /// Write due, start and finish of every request (CLOCK_MONOTONIC, nanoseconds) to this file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Only print the --work with which a request takes this long on the idle device, in milliseconds.
    #[arg(long, value_name = "MS")]
    calibrate: Option<f64>,
    /// Run kernels back to back instead, and print time, kernels so far and rate every second.
    #[arg(long, conflicts_with_all = ["calibrate", "csv", "requests"])]
    greedy: bool,
    /// Device time of one kernel of --greedy, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1.0)]
    kernel_ms: f64,
    /// Rounds of the loop in each kernel of --greedy, instead of --kernel-ms: for kernels that are the same in each run.
    #[arg(long, value_name = "N", conflicts_with = "kernel_ms")]
    rounds: Option<u32>,
    /// Kernels in flight with --greedy.
    #[arg(long, value_name = "N", default_value_t = 1)]
    in_flight: usize,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let device = cl::Device::open(&options.device)?;
    let nanos = |ms: f64| (ms.max(0.0) * 1e6) as u64;
    if let Some(ms) = options.calibrate {
        println!("{}", requests::layers_for(&device, nanos(ms))?);
        return Ok(());
    }
    eprintln!("device: {}", device.name);
    if options.greedy {
        let length =
            options.rounds.map_or(greedy::Length::Time(nanos(options.kernel_ms)), greedy::Length::Rounds);
        return greedy::run(&device, length, options.in_flight, options.seconds);
    }
    let period = nanos(options.period).max(1);
    let count = options.seconds.map_or(options.requests, |s| (s * 1e9 / period as f64).ceil() as usize);
    let (layers, warm_up, csv) = (options.work, options.warm_up, options.csv);
    requests::run(&device, &requests::Plan { period, layers, warm_up, count, csv })
}
