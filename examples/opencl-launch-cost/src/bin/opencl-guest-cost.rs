//! What one OpenCL program costs: how long it takes until it can work, and what it holds then. It says so in one line of JSON.
//!
//! `cargo xtask bench guest` runs it with the native library and with the stand-in, alternately: one process is one sample,
//! for a library is loaded once in a process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use opencl_launch_cost::cl::{Api, check};
use rustix::time::{ClockId, clock_gettime};

/// Measure what a small OpenCL program costs with a library.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The library; without a slash: wherever the loader finds it.
    #[arg(value_name = "FILE")]
    library: PathBuf,
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    device: String,
    /// Launch for so long before looking what is held, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    work_ms: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (start, cpu) = (Instant::now(), cpu_time());
    let api = Api::open(&options.library)?;
    let opened = start.elapsed();
    ensure!(api.platforms()? > 0, "there is no OpenCL platform");
    let called = start.elapsed();
    let on = api.launcher(&options.device)?;
    let (ready, cpu) = (start.elapsed(), cpu_time() - cpu);
    let end = Instant::now() + Duration::from_millis(options.work_ms);
    while Instant::now() < end {
        check("clEnqueueNDRangeKernel", api.launch(&on))?;
        check("clFinish", api.finish(&on))?;
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = read("/proc/self/status")?;
    let rollup = read("/proc/self/smaps_rollup")?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mib = |key| number(&rollup, key).map(|kib| kib as f64 / 1024.0);
    println!(
        "{{\"opened\": {}, \"called\": {}, \"ready\": {}, \"cpu\": {}, \"rss\": {}, \"pss\": {}, \"private\": {}, \"threads\": {}}}",
        ms(opened),
        ms(called),
        ms(ready),
        ms(cpu),
        mib("Rss:")?,
        mib("Pss:")?,
        mib("Private_Dirty:")?,
        number(&status, "Threads:")?
    );
    Ok(())
}

/// CPU time of all threads so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {path}"))
}

fn number(text: &str, key: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok());
    value.with_context(|| format!("there is no {key}"))
}
