//! An urgent program beside a greedy one: the urgent one's latency and the greedy one's rate, alone, natively together, and under XSched with HPF.

use crate::bundle;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::process::Command;
use test_system::{Machine, Program, Server};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests of the urgent program in each setting.
    #[arg(long, value_name = "N", default_value_t = 200)]
    requests: u32,
    /// Milliseconds between two requests.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    period: u32,
    /// Images in a request (ResNet-152, half precision, eager).
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: u32,
}

/// Latencies in milliseconds and the greedy program's steps per second meanwhile.
struct Seen {
    p50: f64,
    p99: f64,
    rate: Option<f64>,
}

/// Runs all settings and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    println!(
        "Urgent: ResNet-152, batch {}, half precision, eager, a request each {} ms, {} requests. Greedy: ResNet-50 training, batch 128, half precision.\n",
        options.batch, options.period, options.requests
    );
    println!("| setting | urgent p50 ms | p99 ms | greedy steps/s |\n|---|--:|--:|--:|");
    let machine = Machine::new();
    let greedy_alone = {
        let greedy = start(&machine, None, "greedy.py", &[])?;
        std::thread::sleep(std::time::Duration::from_secs(10));
        rate(&greedy, || std::thread::sleep(std::time::Duration::from_secs(8)))
    };
    println!("| greedy alone | | | {greedy_alone:.1} |");
    setting(&machine, "urgent alone", None, None, options)?;
    setting(&machine, "together, native", None, Some(None), options)?;
    let server = machine.server(&[]);
    setting(&machine, "urgent alone under XSched", Some(10), None, options)?;
    setting(&machine, "together under XSched, HPF", Some(10), Some(Some(0)), options)?;
    Server::end(server);
    Ok(())
}

/// Starts a program of the bundle: natively, or under XSched with a priority.
fn start(machine: &Machine, priority: Option<i32>, file: &str, arguments: &[String]) -> Result<Program> {
    let path = bundle::file(format!("programs/{file}"))?;
    let mut command: Command = match priority {
        Some(priority) => machine.run_command(priority, "python3", &[]),
        None => machine.command("python3"),
    };
    command.arg(path).args(arguments);
    let mut program = Program::start(command);
    program.hears("ready");
    Ok(program)
}

fn setting(
    machine: &Machine,
    name: &str,
    urgent: Option<i32>,
    greedy: Option<Option<i32>>,
    options: &Options,
) -> Result<()> {
    let other = greedy.map(|priority| start(machine, priority, "greedy.py", &[])).transpose()?;
    let arguments = [options.batch, options.period, options.requests].map(|number| number.to_string());
    let urgent = start(machine, urgent, "urgent.py", &arguments)?;
    let wait = || {
        urgent.wait_for_end_within(std::time::Duration::from_secs(180));
    };
    let rate = match &other {
        Some(other) => Some(rate(other, wait)),
        None => {
            wait();
            None
        }
    };
    let mut times: Vec<f64> =
        urgent.whole_output().iter().filter_map(|line| line.strip_prefix("took ")?.parse().ok()).collect();
    ensure!(
        times.len() == options.requests as usize,
        "{} of {} requests: {}",
        times.len(),
        options.requests,
        urgent.errors()
    );
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share).round() as usize).copied();
    let seen = Seen { p50: at(0.5).context("requests")?, p99: at(0.99).context("requests")?, rate };
    let rate = seen.rate.map_or(String::new(), |rate| format!("{rate:.1}"));
    println!("| {name} | {:.2} | {:.2} | {rate} |", seen.p50, seen.p99);
    Ok(())
}

/// Steps per second of a program while something else happens.
fn rate(program: &Program, meanwhile: impl FnOnce()) -> f64 {
    let (start, before) = (std::time::Instant::now(), program.steps());
    meanwhile();
    (program.steps() - before) as f64 / start.elapsed().as_secs_f64()
}
