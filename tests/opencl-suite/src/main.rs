//! OpenCL correctness suite: prints one line per case, the same natively and under the shim.
//!
//! Every line is a function of the driver alone: error codes, hashes of data, final statuses, orders that the
//! specification fixes. Exit status: 0 when all cases ran (wrong data is said in the line), 1 when a later
//! round differed from the first, 2 when there is no such device or case, 3 when a case hung.

mod cases;
mod child;
mod cl;
mod line;
mod watchdog;
mod work;

use cases::{CASES, Case};
use cl::Device;
use clap::Parser;
use line::Line;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use watchdog::{Watchdog, print_line};
use work::Env;

/// Runs many cases on an OpenCL device and prints a transcript that does not depend on time.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Device to test, by a part of "platform / device"; the first device if not given
    #[arg(long, value_name = "TEXT")]
    device: Option<String>,
    /// Print the names of the cases and end
    #[arg(long)]
    list: bool,
    /// Run only this case; may be given several times
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Run everything N times; rounds after the first are compared with it
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Repeat until this many seconds have passed; rounds after the first are compared with it
    #[arg(long, value_name = "S", conflicts_with = "repeat")]
    seconds: Option<f64>,
    /// Seconds that one case may take
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    timeout: f64,
    /// Print how long each case took, on standard error
    #[arg(long)]
    times: bool,
    /// Run one of the small programs that the process cases start
    #[arg(long, value_name = "NAME", hide = true)]
    child: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(name) = &options.child {
        return child::run(name, options.device);
    }
    if options.list {
        CASES.iter().for_each(|case| print_line(case.name));
        return ExitCode::SUCCESS;
    }
    let Some(chosen) = choose(&options.case) else {
        return ExitCode::from(2);
    };
    let Some(device) = find_device(options.device.as_deref()) else {
        return ExitCode::from(2);
    };
    let env = Env { device, choice: options.device };
    let dog = Watchdog::start(Duration::from_secs_f64(options.timeout));
    let end = Instant::now() + Duration::from_secs_f64(options.seconds.unwrap_or(0.0));
    let mut first = Vec::new();
    let (mut rounds, mut differences) = (0, 0);
    while rounds == 0 || rounds < options.repeat || Instant::now() < end {
        for (index, case) in chosen.iter().enumerate() {
            let started = Instant::now();
            let text = format!("{}: {}", case.name, dog.watch(case.name, || run(case, &env)));
            if options.times {
                eprintln!("{:8.1} ms {}", started.elapsed().as_secs_f64() * 1e3, case.name);
            }
            if rounds == 0 {
                print_line(&text);
                first.push(text);
            } else if first.get(index) != Some(&text) {
                eprintln!("round {}: {text}", rounds + 1);
                differences += 1;
            }
        }
        rounds += 1;
    }
    if rounds > 1 {
        eprintln!("{} cases, {rounds} rounds, {differences} differences", chosen.len());
    }
    // SAFETY: all output is flushed. Without exit handlers, because some drivers abort in them after all went
    // well, which would hide the result; the process cases are about exits.
    unsafe { libc::_exit((differences > 0).into()) }
}

/// The line of one case, without its name.
fn run(case: &Case, env: &Env) -> String {
    let mut line = Line::default();
    let verdict = (case.run)(env, &mut line);
    line.finish(verdict)
}

/// The cases of these names, or all.
fn choose(names: &[String]) -> Option<Vec<&'static Case>> {
    if names.is_empty() {
        return Some(CASES.iter().collect());
    }
    let find = |name: &String| {
        let found = CASES.iter().find(|case| case.name == name);
        if found.is_none() {
            eprintln!("no case is called {name:?}; --list names them");
        }
        found
    };
    names.iter().map(find).collect()
}

/// The first device whose name contains `text`.
fn find_device(text: Option<&str>) -> Option<Device> {
    let devices = Device::all().unwrap_or_default();
    let found = devices.iter().find(|device| text.is_none_or(|text| device.name().contains(text))).copied();
    if found.is_none() {
        eprintln!("no OpenCL device {:?}; there are:", text.unwrap_or_default());
        devices.iter().for_each(|device| eprintln!("  {}", device.name()));
    }
    found
}
