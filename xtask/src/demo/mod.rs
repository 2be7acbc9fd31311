//! The demo: an urgent request loop beside a greedy third-party program on one OpenCL device.
//!
//! Three situations are measured in turn, several times over, so that a machine that grows slower or faster meanwhile
//! does so for all of them: the urgent program alone, both natively, both under XSched with an xserver of the demo's
//! own on a private socket. All files, caches and sockets lie in one temporary folder that goes with the demo, and
//! all programs end with it; what stays is `target/demo/`, the picture and the numbers.

pub(crate) mod greedy;
pub(crate) mod process;
mod report;
pub(crate) mod server;
mod svg;
mod urgent;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{setup, stage};
use greedy::{Backend, Greedy};
use report::{Results, Together};
use server::Server;
use urgent::Request;

/// Measure an urgent OpenCL program beside a greedy one: alone, together natively, together under XSched.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use the first OpenCL device whose "platform / device" name contains this text.
    #[arg(long, value_name = "TEXT", default_value = POCL_PLATFORM)]
    device: String,
    /// Times that each situation is measured.
    #[arg(long, value_name = "N", default_value_t = 4)]
    rounds: usize,
    /// Leave out XSched: alone and together natively only.
    #[arg(long)]
    native_only: bool,
    /// Never install a package, only say which are missing.
    #[arg(long)]
    no_install: bool,
}

pub(crate) const POCL_PLATFORM: &str = "Portable Computing Language";
/// Time between requests.
const PERIOD_MS: f64 = 100.0;
/// Time that one request takes on the idle device: a fifth of the period, so that most of the device is left.
const REQUEST_MS: f64 = 20.0;
/// Requests per situation and round.
const REQUESTS: usize = 60;
/// How long hashcat is watched by itself before the urgent program comes.
const GREEDY_ALONE: Duration = Duration::from_secs(4);

/// The share of the machine's time that others may use before the demo says so.
const BUSY: f64 = 0.1;

/// Runs the demo, prints its table, writes its picture.
pub(crate) fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    process::catch_interrupts()?;
    let mut needs = vec![setup::OPENCL_LOADER, setup::HASHCAT];
    if args.device == POCL_PLATFORM {
        needs.push(setup::POCL);
    }
    setup::ensure(&needs, !args.no_install)?;

    eprintln!("building …");
    let release = stage::build(&["opencl-requests"])?;
    let stage = if args.native_only { None } else { Some(stage::stage()?) };
    let built = Instant::now();

    let busy = busy_share()?;
    if busy > BUSY {
        eprintln!(
            "note: something else already keeps {:.0} % of this machine busy; expect noise",
            busy * 100.0
        );
    }

    let folder =
        tempfile::Builder::new().prefix("xsched-demo-").tempdir().context("creating a temporary folder")?;
    let bench = Bench::prepare(args, folder.path(), release.join("opencl-requests"), stage)?;
    let results = bench.measure(args.rounds)?;
    drop(folder);

    let target = stage::target_dir()?.join("demo");
    std::fs::create_dir_all(&target).with_context(|| format!("creating {}", target.display()))?;
    let summary = report::Summary::of(&results);
    for (name, content) in
        [("latency.svg", svg::draw(&results, &summary)), ("demo.json", report::json(&results)?)]
    {
        let path = target.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{}", report::table(&results, &summary));
    println!("picture: {}", target.join("latency.svg").display());
    println!("numbers: {}", target.join("demo.json").display());
    let (set_up, measured) = (built - begun, built.elapsed());
    eprintln!(
        "set-up and build took {:.0} s, the rest {:.0} s",
        set_up.as_secs_f64(),
        measured.as_secs_f64()
    );
    Ok(())
}

/// Everything that the measurements share.
struct Bench<'a> {
    folder: &'a Path,
    /// The program `opencl-requests`.
    urgent: PathBuf,
    /// The staged xserver, xcli and libraries.
    stage: Option<PathBuf>,
    device: &'a str,
    backend: Backend,
    work: usize,
}

impl<'a> Bench<'a> {
    /// Finds the device, settles the size of a request and fills the kernel caches of both programs.
    fn prepare(args: &'a Args, folder: &'a Path, urgent: PathBuf, stage: Option<PathBuf>) -> Result<Self> {
        let device = args.device.as_str();
        let calibration = in_private(Command::new(&urgent), folder);
        let work = urgent::calibrate(calibration, device, REQUEST_MS, folder)?;
        let backend = Backend::find(device, in_private(Command::new("hashcat"), folder))?;
        eprintln!("compiling hashcat's kernels (half a minute) …");
        drop(Greedy::start(in_private(Command::new("hashcat"), folder), &backend, folder)?);
        Ok(Self { folder, urgent, stage, device, backend, work })
    }

    fn measure(&self, rounds: usize) -> Result<Results> {
        let mut results = Results {
            device: self.device.to_owned(),
            period_ms: PERIOD_MS,
            work: self.work,
            alone: Vec::new(),
            native: Vec::new(),
            scheduled: Vec::new(),
        };
        for round in 0..rounds.max(1) {
            // Each round begins with another situation, so that none of them always follows the same one.
            for step in 0..3 {
                match (round + step) % 3 {
                    0 => results.alone.push(self.alone(round)?),
                    1 => results.native.push(self.natively(round)?),
                    _ if self.stage.is_some() => results.scheduled.push(self.scheduled(round)?),
                    _ => {}
                }
            }
        }
        Ok(results)
    }

    fn alone(&self, round: usize) -> Result<Vec<Request>> {
        eprintln!("round {}: the urgent program alone …", round + 1);
        self.requests(None)
    }

    fn natively(&self, round: usize) -> Result<Together> {
        eprintln!("round {}: together, natively …", round + 1);
        self.together(None)
    }

    fn scheduled(&self, round: usize) -> Result<Together> {
        eprintln!("round {}: together, under XSched …", round + 1);
        let stage = self.stage.as_ref().context("XSched was not built")?;
        let server = Server::start(stage, |command| in_private(command, self.folder), self.folder)?;
        self.together(Some(&server))
    }

    /// Both programs: hashcat first by itself, then with the urgent one.
    fn together(&self, server: Option<&Server>) -> Result<Together> {
        let hashcat = self.program(server, Path::new("hashcat"), 0);
        let mut greedy = Greedy::start(hashcat, &self.backend, self.folder)?;
        let from = greedy.reported_at();
        let to = from + GREEDY_ALONE.as_nanos() as u64;
        greedy.watch(to)?;
        let requests = self.requests(server)?;
        let suspensions = server.map(|server| server.suspensions_of(greedy.pid())).transpose()?;
        let begun = requests.first().map_or(0, |request| request.due);
        let ended = requests.last().map_or(0, |request| request.finished);
        greedy.watch(ended)?;
        Ok(Together {
            requests,
            suspensions,
            greedy_alone: greedy.rate(from, to)?,
            greedy: greedy.rate(begun, ended)?,
            kernel_ms: greedy.kernel_times(from, to),
        })
    }

    fn requests(&self, server: Option<&Server>) -> Result<Vec<Request>> {
        let command = self.program(server, &self.urgent, 10);
        let options = [("--device", self.device.to_owned()), ("--period", PERIOD_MS.to_string())];
        let options = options.into_iter().chain([("--work", self.work.to_string())]);
        let arguments: Vec<String> = options.flat_map(|(name, value)| [name.to_owned(), value]).collect();
        urgent::run(command, &arguments, REQUESTS, self.folder)
    }

    /// `program` as a user would start it: by itself, or by `xcli run`.
    fn program(&self, server: Option<&Server>, program: &Path, priority: i32) -> Command {
        let command = server
            .map_or_else(|| Command::new(program), |server| server.program(program, "priority", priority));
        in_private(command, self.folder)
    }
}

/// Lets `command` see the temporary folder as its home, with the same settings in every situation.
pub(crate) fn in_private(mut command: Command, folder: &Path) -> Command {
    for (key, _) in std::env::vars_os() {
        if key.to_str().is_some_and(|key| key.starts_with("XSCHED_") || key.starts_with("XDG_")) {
            command.env_remove(key);
        }
    }
    command.current_dir(folder).env("HOME", folder).env("POCL_CACHE_DIR", folder.join("kernels"));
    if all_cores_allowed() {
        // Left to itself, Linux often wakes both of PoCL's threads on one core of two, and the same kernel takes twice
        // as long, or not, for seconds. One thread per core makes every situation comparable.
        command.env("POCL_AFFINITY", "1");
    }
    command
}

/// Whether this process may use all cores; PoCL can only pin its threads to cores counted from the first.
fn all_cores_allowed() -> bool {
    let cores = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed.is_some_and(|allowed| allowed.trim() == cores.trim())
}

/// The share of all cores' time that is used, over a second: 0 to 1.
fn busy_share() -> Result<f64> {
    // The first line of /proc/stat: user, nice, system, idle, iowait, … since the start, in ticks.
    let ticks = || -> Result<(f64, f64)> {
        let stat = std::fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let fields: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
        Ok((fields.iter().sum(), fields.iter().skip(3).take(2).sum()))
    };
    let (all, idle) = ticks()?;
    process::pause(Duration::from_secs(1))?;
    let (all_later, idle_later) = ticks()?;
    Ok(1.0 - (idle_later - idle) / (all_later - all).max(1.0))
}
