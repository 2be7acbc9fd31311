//! What a launch costs more because xserver keeps accounts: of a program that it knows, against one that it does not.
//!
//! Three processes launch the same empty command in turn, on one core, a batch at a time: two to which no server is known, one against the other as a control, and
//! one that is attached. Of the last one the ledger looks at the activity word with each sign of life, and somebody follows what happens,
//! as `xcli trace` does. All that xserver's being there costs such a launch is in the difference, accounts and more.

use crate::endless::EndlessQueue;
use crate::member::socket;
use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use test_stats::{Coin, Estimate};
use xsched_client::Client;
use xsched_runtime::Registry;

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Batches of each kind.
    #[arg(long, value_name = "N", default_value_t = 300)]
    pairs: usize,
}

/// Launches in a batch: long enough that the ledger looks during every tenth or so.
const BATCH: u32 = 500_000;
/// How long the server may take to answer, or to know a program.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the benchmark.
pub(crate) fn run(args: &Args) -> Result<()> {
    let socket = socket()?;
    let nowhere = socket.with_extension("nowhere");
    let mut known = Launcher::start(&socket)?;
    let (mut unknown, mut control) = (Launcher::start(&nowhere)?, Launcher::start(&nowhere)?);
    let mut client =
        Client::connect(std::slice::from_ref(&socket), PATIENCE).context("connecting as xcli does")?;
    let begin = Instant::now();
    while !client.list()?.iter().any(|status| status.pid == known.child.id()) {
        ensure!(begin.elapsed() < PATIENCE, "xserver does not know the launching process after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| follow(client, &is_over));
        let measured = measure(args.pairs, [&mut unknown, &mut control, &mut known]);
        is_over.store(true, Ordering::Relaxed);
        let followed = follower.join().map_err(|_| anyhow::anyhow!("the thread that follows panicked"))?;
        print(&measured?);
        followed
    })
}

/// Nanoseconds of a launch, of each kind in each round.
fn measure(rounds: usize, mut kinds: [&mut Launcher; 3]) -> Result<Vec<[f64; 3]>> {
    let mut coin = Coin::new();
    (0..rounds)
        .map(|_| {
            let (mut round, first, step) = ([0.0; 3], coin.below(3), 1 + coin.below(2));
            for n in 0..3 {
                let which = (first + n * step) % 3;
                let (kind, ns) = (kinds.get_mut(which), round.get_mut(which));
                *ns.context("a kind")? = kind.context("a kind")?.batch()?;
            }
            Ok(round)
        })
        .collect()
}

fn print(rounds: &[[f64; 3]]) {
    let of = |what: &dyn Fn(&[f64; 3]) -> f64| Estimate::median(rounds.iter().map(what).collect());
    println!(
        "| a launch, ns, with 95 % intervals | of a launch | more than one of a program that no server knows |\n|---|--:|--:|"
    );
    println!("| no server knows the program | {:.2} | – |", of(&|[unknown, ..]| *unknown));
    let row = |name: &str, ns: Estimate, more: Estimate| println!("| {name} | {ns:.2} | {more:.2} |");
    row("control: another such program", of(&|r| r[1]), of(&|[unknown, control, _]| control - unknown));
    row(
        "xserver keeps its accounts, and somebody follows them",
        of(&|r| r[2]),
        of(&|[unknown, _, known]| known - unknown),
    );
}

/// Has the server keep its chronicle.
fn follow(mut client: Client, is_over: &AtomicBool) -> Result<()> {
    let mut from = None;
    while !is_over.load(Ordering::Relaxed) {
        let (_, next, _) = client.follow(from)?;
        from = Some(next);
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A process that launches when it is told to.
struct Launcher {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Launcher {
    fn start(socket: &Path) -> Result<Launcher> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        command.arg("accounted-launcher").env("XSCHED_SOCKET", socket);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("starting a launching process")?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).context("both are piped")?;
        let mut launcher = Launcher { child, input, output: BufReader::new(output) };
        // The first one warms up, and makes the process a guest.
        launcher.batch().map(|_| launcher)
    }

    /// Nanoseconds of a launch.
    fn batch(&mut self) -> Result<f64> {
        let mut line = String::new();
        self.input.write_all(b"\n").context("telling a process to launch")?;
        self.output.read_line(&mut line).context("reading what a process measured")?;
        line.trim().parse().with_context(|| format!("the launching process says {line:?}"))
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The launching process: for each line that it gets it says what one launch of a batch took.
pub(crate) fn launcher() -> Result<()> {
    const HANDLE: usize = 0x5000;
    static QUEUES: Registry = Registry::new();
    let allowed = sched_getaffinity(None).context("asking for the cores")?;
    let mut first = CpuSet::new();
    (0..CpuSet::MAX_CPU).find(|&cpu| allowed.is_set(cpu)).into_iter().for_each(|cpu| first.set(cpu));
    sched_setaffinity(None, &first).context("staying on one core")?;
    let guest = xsched_runtime::guest().context("the runtime makes no guest")?;
    QUEUES.insert(
        HANDLE,
        guest.adopt(Arc::<EndlessQueue>::default(), true).context("the runtime makes no queue")?,
    );
    let launch =
        || QUEUES.find(black_box(HANDLE)).is_some_and(|queue| queue.launch(|| black_box(())).is_ok());
    for line in std::io::stdin().lines() {
        line.context("reading when to launch")?;
        let begin = Instant::now();
        let launched = (0..BATCH).filter(|_| launch()).count();
        let took = begin.elapsed();
        if launched != BATCH as usize {
            bail!("{launched} of {BATCH} launches went through");
        }
        println!("{}", took.as_secs_f64() * 1e9 / f64::from(BATCH));
    }
    Ok(())
}
