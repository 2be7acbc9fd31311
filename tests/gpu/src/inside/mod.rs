//! Two streams of one process ([`player`]), an urgent one that takes a fifth of the device and a greedy closed loop: natively, with the driver's own stream priorities,
//! and under the scheduler inside the process (`XSCHED_SCHEDULER=LCL`), no server.
//!
//! Both streams are in one context, so what stops its channels (Level 3) would stop both, and there is nothing between: what is measured is Level 1.

pub(crate) mod player;

use crate::bundle;
use crate::worker::Worker;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::ffi::OsString;
use std::time::Duration;
use test_stats::quantile;
use test_system::Machine;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Urgent requests for each row.
    #[arg(long, value_name = "N", default_value_t = 120)]
    requests: u64,
    /// Kernels of a request, of 100 µs each; its period is five times as long.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    kernels: u64,
    /// Lengths of the greedy kernels in µs.
    #[arg(long, value_name = "µs", value_delimiter = ',', default_values_t = [100, 1000, 10_000])]
    lengths: Vec<u64>,
}

/// The urgent stream's part of the device, alone.
const LOAD: f64 = 0.2;
/// How long the greedy stream works before anything counts.
const SETTLE: Duration = Duration::from_millis(300);
/// How long it works alone.
const ALONE: Duration = Duration::from_millis(700);
/// How long an answer may take beyond the time that it is about.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the streams share the device: a name, and what the program is told.
const SETTINGS: [(&str, &[&str]); 5] = [
    ("native", &[]),
    ("native, stream priorities", &["--stream-priorities"]),
    ("XSched, local, HPF", &["--queue-priorities"]),
    ("XSched, local, HPF, one greedy kernel in flight", &["--queue-priorities", "--threshold", "1"]),
    ("XSched, local, HPF, stream priorities", &["--queue-priorities", "--stream-priorities"]),
];

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let machine = Machine::new();
    let mut settings = SETTINGS
        .into_iter()
        .map(|(name, flags)| {
            let mut worker = start(&machine, name, flags)?;
            worker.begins("ready")?;
            anyhow::Ok((name, worker))
        })
        .collect::<Result<Vec<_>>>()?;
    let period = Duration::from_secs_f64(options.kernels as f64 * player::KERNEL.as_secs_f64() / LOAD);
    println!(
        "Urgent: {} kernels of {} µs, every {:.1} ms. Greedy: two kernels in flight.\n\n\
         | greedy kernels | setting | urgent ms p50 | p99 | most | p50 × alone | p99 × alone | greedy work of alone | of what is left |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|",
        options.kernels,
        player::KERNEL.as_micros(),
        period.as_secs_f64() * 1e3,
    );
    let mut alone = Vec::new();
    for (name, worker) in &mut settings {
        let times = requests(worker, options, period)?;
        if alone.is_empty() {
            alone.clone_from(&times);
        }
        println!("{}", row("none", name, &times, &alone, None));
    }
    for &length in &options.lengths {
        let (_, native) = settings.first_mut().context("native is always there")?;
        native.tell(&format!("go {length}"))?;
        std::thread::sleep(SETTLE);
        native.tell("count")?;
        std::thread::sleep(ALONE);
        let most = stop(native)?;
        for (name, worker) in &mut settings {
            worker.tell(&format!("go {length}"))?;
            std::thread::sleep(SETTLE);
            worker.tell("count")?;
            let times = requests(worker, options, period)?;
            let kept = stop(worker)? / most;
            println!(
                "{}",
                row(&format!("{:?}", Duration::from_micros(length)), name, &times, &alone, Some(kept))
            );
        }
    }
    Ok(())
}

fn start(machine: &Machine, name: &str, flags: &[&str]) -> Result<Worker> {
    let mut command = machine.command(crate::player::this());
    command.arg("two-streams").args(flags);
    if flags.contains(&"--queue-priorities") {
        let mut path = OsString::from(bundle::stand_in()?.parent().context("it is in a folder")?);
        if let Some(other) = std::env::var_os("LD_LIBRARY_PATH") {
            path.push(":");
            path.push(other);
        }
        command.env("LD_LIBRARY_PATH", path);
        command.env("XSCHED_SCHEDULER", "LCL").env("XSCHED_POLICY", "HPF");
    }
    Ok(Worker::start(name, command, None))
}

/// The times of requests in µs, sorted. The first ones teach whoever learns, and do not count.
fn requests(worker: &mut Worker, options: &Options, period: Duration) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for count in [5, options.requests] {
        let order = format!("run {count} {} {}", options.kernels, period.as_micros());
        // They may take as long as greedy kernels let them.
        let said = worker.ask(&order, "took", PATIENCE + period * u32::try_from(count)? * 10)?;
        times = said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    }
    ensure!(!times.is_empty(), "no request was made");
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn stop(worker: &mut Worker) -> Result<f64> {
    Ok(worker.ask("stop", "did", PATIENCE)?.parse()?)
}

fn row(length: &str, setting: &str, times: &[f64], alone: &[f64], kept: Option<f64>) -> String {
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| quantile(times, share));
    let [times50, times99] = [(p50, 0.5), (p99, 0.99)].map(|(time, share)| time / quantile(alone, share));
    let percent = |part: f64| format!("{:.1} %", part * 100.0);
    let [kept, of_left] =
        [1.0, 1.0 - LOAD].map(|of| kept.map_or_else(|| "–".into(), |kept| percent(kept / of)));
    format!(
        "| {length} | {setting} | {:.2} | {:.2} | {:.2} | {times50:.2} | {times99:.2} | {kept} | {of_left} |",
        p50 / 1e3,
        p99 / 1e3,
        most / 1e3
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_how_much_longer_than_alone_and_what_is_left_to_the_greedy_one() {
        let (alone, times) = (vec![5000.0; 100], vec![5500.0; 100]);
        assert_eq!(
            row("1ms", "native", &times, &alone, Some(0.6)),
            "| 1ms | native | 5.50 | 5.50 | 5.50 | 1.10 | 1.10 | 60.0 % | 75.0 % |"
        );
        assert!(row("none", "native", &alone, &alone, None).ends_with("| 1.00 | 1.00 | – | – |"));
    }
}
