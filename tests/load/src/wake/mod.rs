//! From an urgent program's first launch to the greedy program's gate word, against a bare eventfd wake in the same run.
//!
//! Three processes: this one is urgent, [`greedy`] is held by xserver each time this one launches after a pause, and [`echo`] does
//! nothing but sleep in epoll on an eventfd. Both kinds of sample are alternated in an order that is tossed for, under the same
//! circumstances: this thread acts and then sleeps on the first core, the greedy program's thread spins on the last one, and
//! who is to be woken has slept for milliseconds and runs where the kernel likes.

pub(crate) mod board;
pub(crate) mod echo;
pub(crate) mod greedy;

use crate::endless::EndlessQueue;
use anyhow::{Context, Result, bail, ensure};
use board::{Board, Shared};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use test_stats::{Coin, Estimate, quantile};
use xsched_ipc::heartbeat::now;
use xsched_runtime::Queue;

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pairs of samples.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pairs: usize,
    /// The process of xserver.
    #[arg(long, value_name = "PID")]
    server: i32,
}

/// Samples before those that count.
const WARM_UP: usize = 20;
/// How long nothing happens before each sample: much longer than grace, so that each launch is a first one.
const PAUSE: Duration = Duration::from_millis(4);
/// How long a sample may take.
const LIMIT: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_micros(200);

/// Runs the benchmark.
pub(crate) fn run(args: &Args) -> Result<()> {
    let cores = Cores::allowed()?;
    ensure!(cores.first != cores.last, "this needs two cores: on one a thread spins");
    let shared = Shared::create()?;
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("XSCHED_AUTO_XQUEUE_PRIORITY", "0") };
    let echo = Program::start("wake-echo", &shared)?;
    let _greedy = Program::start("wake-greedy", &shared)?;
    cores.keep_off_the_last(Pid::from_raw(args.server))?;
    cores.keep_off_the_last(Pid::from_raw(echo.0.id().cast_signed()))?;
    // SAFETY: as above.
    unsafe { std::env::set_var("XSCHED_AUTO_XQUEUE_PRIORITY", "10") };
    let queue = xsched_runtime::guest().and_then(|guest| guest.adopt(Arc::<EndlessQueue>::default(), true));
    let mut urgent = Urgent { queue: queue.context("the runtime makes no queue")?, shared, sample: 0 };
    eventually("the bare waiter waits", || urgent.board().is_waiting.load(Ordering::Acquire) != 0)?;
    pin(cores.first)?;

    let mut coin = Coin::new();
    let mut pairs = Vec::with_capacity(args.pairs);
    for _ in 0..WARM_UP + args.pairs {
        pairs.push(if coin.toss() {
            let bare = urgent.bare()?;
            (bare, urgent.launch()?)
        } else {
            let launch = urgent.launch()?;
            (urgent.bare()?, launch)
        });
    }
    print(&pairs[WARM_UP..]);
    Ok(())
}

fn print(pairs: &[(f64, f64)]) {
    let (mut bare, mut launch): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    bare.sort_unstable_by(f64::total_cmp);
    launch.sort_unstable_by(f64::total_cmp);
    println!("| {} pairs, µs | p50 | p90 | p99 | max |\n|---|--:|--:|--:|--:|", pairs.len());
    let row = |name: &str, sorted: &[f64]| {
        let at = |share| quantile(sorted, share);
        println!("| {name} | {:.1} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.9), at(0.99), at(1.0));
    };
    row("eventfd written → the waiter is awake", &bare);
    row("first launch → the greedy program's gate is closed", &launch);
    let ratio = |share| Estimate::ratio(pairs, share);
    println!("| ratio, with its 95 % interval | {:.2} | | {:.2} | |", ratio(0.5), ratio(0.99));
    println!("| goal | 2.5 | | 5 | |");
}

/// The urgent program.
struct Urgent {
    queue: &'static Queue,
    shared: Shared,
    sample: u32,
}

impl Urgent {
    fn board(&self) -> &'static Board {
        self.shared.board
    }

    /// A bare wake, in microseconds.
    fn bare(&mut self) -> Result<f64> {
        self.prepare()?;
        let before = now().as_nanos();
        board::ring(&self.shared.bell)?;
        std::thread::sleep(PAUSE);
        eventually("the bare waiter wakes", || Board::time(&self.board().awake_at).is_some())?;
        let after = self.board().awake_at.load(Ordering::Acquire);
        ensure!(Board::time(&self.board().closed_at).is_none(), "the gate was closed and nobody launched");
        self.end()?;
        Ok((after - before) as f64 / 1e3)
    }

    /// A first launch, in microseconds.
    fn launch(&mut self) -> Result<f64> {
        self.prepare()?;
        let before = now().as_nanos();
        let launched = self.queue.launch(|| ());
        std::thread::sleep(PAUSE);
        ensure!(launched.is_ok_and(|(_, launched)| launched.was_idle), "that was not a first launch");
        eventually("the gate is closed", || Board::time(&self.board().closed_at).is_some())?;
        let after = self.board().closed_at.load(Ordering::Acquire);
        self.queue.synced(self.queue.snapshot());
        self.end()?;
        Ok((after - before) as f64 / 1e3)
    }

    /// Lets the greedy program's thread spin, and then everything come to rest.
    fn prepare(&mut self) -> Result<()> {
        self.sample += 1;
        self.board().closed_at.store(0, Ordering::Release);
        self.board().awake_at.store(0, Ordering::Release);
        board::ring(&self.shared.prepare)?;
        eventually("the gate is watched", || self.board().watched.load(Ordering::Acquire) == self.sample)?;
        std::thread::sleep(PAUSE);
        Ok(())
    }

    /// Ends the sample and waits until the gate is open.
    fn end(&self) -> Result<()> {
        self.board().over.store(self.sample, Ordering::Release);
        eventually("the gate is open", || self.board().open.load(Ordering::Acquire) == self.sample)
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > LIMIT {
            bail!("not so after {LIMIT:?}: {what}");
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The first and the last core that this process may use.
pub(crate) struct Cores {
    first: usize,
    last: usize,
    set: CpuSet,
}

impl Cores {
    fn allowed() -> Result<Cores> {
        let set = sched_getaffinity(None).context("sched_getaffinity")?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core));
        let first = allowed.next().context("no core is allowed")?;
        Ok(Cores { first, last: allowed.next_back().unwrap_or(first), set })
    }

    /// Keeps a process with one thread off the core where a thread spins.
    fn keep_off_the_last(&self, process: Option<Pid>) -> Result<()> {
        let mut others = self.set;
        others.unset(self.last);
        sched_setaffinity(process, &others).context("sched_setaffinity")
    }
}

/// Keeps this thread on one core.
fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).context("sched_setaffinity")
}

/// A child, killed when dropped.
struct Program(Child);

impl Program {
    fn start(task: &str, shared: &Shared) -> Result<Program> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        command.arg(task).stdin(Stdio::null());
        shared.pass_to(&mut command);
        Ok(Program(command.spawn().with_context(|| format!("starting {task}"))?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
