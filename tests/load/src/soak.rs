//! Guests come, work and go, very many times: nothing may grow, neither in the server nor in a guest that stays.
//!
//! Four kinds of life: attachments as cheap as can be (a connection and a page that is used again, half of them ending in the middle
//! of their work), changes of state in a crowd that comes and goes, whole processes, and queues of one process that stays. After each tenth everybody is gone, and what is held then
//! is a row of the table. It fails if fds or threads are more at the end than at the beginning, or memory more than after the first tenth.

use crate::crowd::raise_limit;
use crate::endless::EndlessQueue;
use crate::member::{Attached, Member, socket};
use crate::watched::{Holdings, Watched};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use xsched_runtime::Registry;

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Attachments: connect, work, go.
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    cycles: usize,
    /// Changes of a queue's state, in a crowd that comes and goes.
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    changes: usize,
    /// Lives of whole processes.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    lives: usize,
    /// The process of xserver.
    #[arg(long, value_name = "PID")]
    server: u32,
    /// What such a process is, with its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    life: Vec<String>,
}

/// Rows of a table.
const ROWS: usize = 10;
/// Who come and go at the same time.
const WORKERS: usize = 4;
/// Attachments with one page; then a new one.
const PAGE_LASTS: usize = 1_000;
/// How many there are in the crowd whose states change, ...
const CROWD: usize = 200;
/// ... how many changes each of them lives for, ...
const CHANGES_LAST: usize = 200;
/// ... and the time from one of its changes to the next: longer than the server takes to believe that it is idle, so that all are news.
const BETWEEN: Duration = Duration::from_millis(6);
/// Memory, in MiB, that is no growth: what an allocator keeps here or there.
const NO_GROWTH: f64 = 1.0;
/// How long the server may take to notice that somebody is gone.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs the soak.
pub(crate) fn run(args: &Args) -> Result<()> {
    raise_limit();
    let (server, socket) = (Watched::new(args.server)?, socket()?);
    let before = server.holdings()?;
    let cycles = |count| many(count, WORKERS, |worker, count| attachments(&socket, worker, count));
    soak("attachments", "xserver", &server, &before, args.cycles, cycles)?;
    let told = AtomicUsize::new(0);
    let states = |count| {
        // Somebody less urgent waits for them all the time: they tell each change.
        let member = Member::new(0, 1)?;
        let waiting = member.attach(&socket)?;
        waiting.launch(0)?;
        many(count, WORKERS, |_, count| changes(&socket, count, &told))
    };
    soak("changes of state", "xserver", &server, &before, args.changes, states)?;
    let told = told.load(Ordering::Relaxed);
    println!(
        "Of {} changes of state, xserver was told {told}; the others were over before it looked.\n",
        args.changes
    );
    if let Some((program, arguments)) = args.life.split_first() {
        let lives = |count| many(count, 2, |_, count| (0..count).try_for_each(|_| life(program, arguments)));
        soak("lives of processes", "xserver", &server, &before, args.lives, lives)?;
    }
    let own = Watched::new(std::process::id())?;
    // The first queue makes this process a guest, with all that belongs to it.
    queues(1)?;
    soak("lives of queues", "their process", &own, &own.holdings()?, args.cycles / 10, queues)
}

/// A table of what `watched` holds after each tenth of `count` lives.
fn soak(
    what: &str,
    whose: &str,
    watched: &Watched,
    before: &Holdings,
    count: usize,
    mut live: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    println!(
        "| {what} | {whose}: memory, MiB | of it own | fds | threads | CPU, µs for each |\n|--:|--:|--:|--:|--:|--:|"
    );
    let mut rows: Vec<Holdings> = Vec::new();
    for row in 0..ROWS {
        let now = count * (row + 1) / ROWS - count * row / ROWS;
        let cpu = watched.cpu()?;
        live(now)?;
        let cpu = (watched.cpu()? - cpu).as_secs_f64() * 1e6 / now.max(1) as f64;
        let held = settled(watched, before)?;
        let Holdings { rss, anonymous, fds, threads, .. } = held;
        println!(
            "| {} | {rss:.2} | {anonymous:.2} | {fds} | {threads} | {cpu:.0} |",
            count * (row + 1) / ROWS
        );
        rows.push(held);
    }
    println!();
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { bail!("no rows") };
    ensure!(
        last.fds <= before.fds && last.threads <= before.threads,
        "{whose} held {before:?} and then {last:?}"
    );
    ensure!(last.rss <= first.rss + NO_GROWTH, "memory of {whose} grew: {first:?} and then {last:?}");
    Ok(())
}

/// What is held when those who went are noticed to be gone.
fn settled(watched: &Watched, before: &Holdings) -> Result<Holdings> {
    let start = Instant::now();
    loop {
        let held = watched.holdings()?;
        if held.fds <= before.fds && held.threads <= before.threads || start.elapsed() > LIMIT {
            return Ok(held);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Shares `count` lives among some threads.
fn many(count: usize, workers: usize, live: impl Fn(usize, usize) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let share = |worker| count * (worker + 1) / workers - count * worker / workers;
        let live = &live;
        let all: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || live(worker, share(worker)))).collect();
        all.into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
    })
}

fn attachments(socket: &Path, worker: usize, count: usize) -> Result<()> {
    for first in (0..count).step_by(PAGE_LASTS) {
        let member = Member::new(worker as i64, 2)?;
        for n in first..count.min(first + PAGE_LASTS) {
            let attached = member.attach(socket)?;
            attached.launch(0)?;
            attached.replace(1)?;
            attached.launch(1)?;
            if n % 2 == 0 {
                attached.finish(0)?;
                attached.finish(1)?;
            }
            drop(attached);
            member.forget_work();
        }
    }
    Ok(())
}

/// So many changes of state, of this worker's part of the crowd.
fn changes(socket: &Path, count: usize, told: &AtomicUsize) -> Result<()> {
    const PART: usize = CROWD / WORKERS;
    let members = (0..PART).map(|_| Member::new(1, 2)).collect::<Result<Vec<_>>>()?;
    let mut crowd: Vec<Option<Attached<'_>>> =
        members.iter().map(|member| member.attach(socket).map(Some)).collect::<Result<_>>()?;
    for first in (0..count).step_by(PART) {
        let begin = Instant::now();
        let round = first / PART;
        for (n, (attached, member)) in crowd.iter_mut().zip(&members).enumerate().take(count - first) {
            // They go one by one, every other one in the middle of its work.
            let age = (round + 2 * n) % (CHANGES_LAST + n % 2);
            if round > 0 && age == 0 {
                drop(attached.take());
                member.forget_work();
                *attached = Some(member.attach(socket)?);
            }
            let attached = attached.as_ref().context("it is attached")?;
            let is_news = if age.is_multiple_of(2) { attached.launch(0)? } else { attached.finish(0)? };
            told.fetch_add(usize::from(is_news), Ordering::Relaxed);
        }
        std::thread::sleep(BETWEEN.saturating_sub(begin.elapsed()));
    }
    Ok(())
}

fn life(program: &str, arguments: &[String]) -> Result<()> {
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} ended with {}: {}", output.status, said.trim());
    Ok(())
}

/// Queues come and go, in the real runtime.
fn queues(count: usize) -> Result<()> {
    static QUEUES: Registry = Registry::new();
    static HANDLE: AtomicUsize = AtomicUsize::new(0x5000);
    let guest = xsched_runtime::guest().context("the runtime makes no guest")?;
    for _ in 0..count {
        let handle = HANDLE.fetch_add(0x10, Ordering::Relaxed);
        let queue =
            guest.adopt(Arc::<EndlessQueue>::default(), true).context("the runtime makes no queue")?;
        QUEUES.insert(handle, queue);
        let launched = QUEUES.find(handle).context("the queue is found")?.launch(|| ());
        ensure!(launched.is_ok_and(|(_, launched)| launched.was_idle), "it is a new queue");
        queue.synced(queue.snapshot());
        ensure!(QUEUES.remove(handle), "nobody else uses it");
    }
    Ok(())
}
