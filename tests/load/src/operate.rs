//! What it costs to have a busy machine in view: many guests, some of which change their state all the time, and an operator who looks.
//!
//! Each of the busy guests has work and has none by turns, at random times. Once nobody waits for them, so that they do not tell; once somebody
//! less urgent does, so that each change is told. CPU time of the server's process is read before and after. Then, with all of it
//! going on, an operator asks for the things that he looks at.

use crate::crowd::raise_limit;
use crate::http::Http;
use crate::member::{Attached, Member, socket};
use crate::watched::Watched;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use test_stats::{Coin, quantile};
use xsched_client::Client;

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Processes that are attached.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    clients: usize,
    /// Queues of each.
    #[arg(long, value_name = "N", default_value_t = 10)]
    queues: u16,
    /// Processes that change their state.
    #[arg(long, value_name = "N", default_value_t = 100)]
    busy: usize,
    /// Changes of each of them in a second.
    #[arg(long, value_name = "N", default_value_t = 100)]
    rate: u32,
    /// Seconds of each measurement.
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// The process of xserver.
    #[arg(long, value_name = "PID")]
    server: u32,
    /// The unix socket on which it speaks HTTP.
    #[arg(long, value_name = "PATH")]
    http: PathBuf,
}

/// Priorities: of those who are busy, and of the others, one of whom waits for them.
const BUSY: i64 = 1;
const OTHERS: i64 = 0;
/// Questions of an operator, and the pause between them.
const QUESTIONS: usize = 40;
const PAUSE: Duration = Duration::from_millis(250);
/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the benchmark.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.busy > 0 && args.busy < args.clients, "some of the clients are busy, and not all of them");
    raise_limit();
    let (server, socket) = (Watched::new(args.server)?, socket()?);
    let priority = |n| if n < args.busy { BUSY } else { OTHERS };
    let members: Vec<_> =
        (0..args.clients).map(|n| Member::new(priority(n), args.queues)).collect::<Result<_>>()?;
    let attached: Vec<_> = members.iter().map(|member| member.attach(&socket)).collect::<Result<_>>()?;
    let (busy, others) = attached.split_at(args.busy);
    let waiting = others.first().context("one who waits")?;
    let mut crowd = Crowd::new(busy, args.queues, args.rate);
    std::thread::sleep(Duration::from_millis(500));

    println!(
        "| {} processes, {} queues; {} of them change | changes/s | server wakes/s | µs for each change | of a core |",
        args.clients,
        args.clients * usize::from(args.queues),
        args.busy
    );
    println!("|---|--:|--:|--:|--:|");
    let seconds = Duration::from_secs(args.seconds);
    row("nothing changes", &server, || {
        std::thread::sleep(seconds);
        Ok(0)
    })?;
    row("nobody waits for them", &server, || crowd.go_on_for(seconds))?;
    waiting.launch(0)?;
    row("somebody waits for them", &server, || crowd.go_on_for(seconds))?;

    println!("\n| an operator asks meanwhile, ms | p50 | p99 | max |\n|---|--:|--:|--:|");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| crowd.go_on(|| !is_over.load(Ordering::Relaxed)));
        let asked = questions(&socket, &args.http);
        is_over.store(true, Ordering::Relaxed);
        changes.join().map_err(|_| anyhow::anyhow!("the thread of the busy ones panicked"))??;
        asked
    })
}

/// Measures the server while something goes on, which answers how many changes it made.
fn row(what: &str, server: &Watched, goes_on: impl FnOnce() -> Result<u64>) -> Result<()> {
    let (cpu, sleeps, begin) = (server.cpu()?, server.sleeps()?, Instant::now());
    let changes = goes_on()?;
    let seconds = begin.elapsed().as_secs_f64();
    let (cpu, sleeps) = ((server.cpu()? - cpu).as_secs_f64(), server.sleeps()? - sleeps);
    let each = if changes > 0 { format!("{:.1}", cpu * 1e6 / changes as f64) } else { "–".into() };
    let (changes, sleeps) = (changes as f64 / seconds, sleeps as f64 / seconds);
    println!("| {what} | {changes:.0} | {sleeps:.0} | {each} | {:.2} % |", cpu / seconds * 100.0);
    Ok(())
}

/// Those who are busy.
struct Crowd<'a> {
    members: &'a [Attached<'a>],
    queues: u16,
    /// Of all together, between two changes, on average.
    between: Duration,
    coin: Coin,
    /// The queue of each that has work, and otherwise the next one that will.
    states: Vec<(u16, bool)>,
}

impl<'a> Crowd<'a> {
    fn new(members: &'a [Attached<'a>], queues: u16, rate: u32) -> Crowd<'a> {
        let between = Duration::from_secs(1) / (members.len() as u32 * rate.max(1));
        Crowd { members, queues, between, coin: Coin::new(), states: vec![(0, false); members.len()] }
    }

    fn go_on_for(&mut self, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        self.go_on(|| Instant::now() < end)
    }

    /// Lets them change, each now and then; answers how often they did.
    fn go_on(&mut self, goes_on: impl Fn() -> bool) -> Result<u64> {
        let _ = rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN));
        let (mut due, mut changes) = (Instant::now(), 0);
        while goes_on() {
            // Twice the mean at most: of those times, all are equally likely.
            due += self.between * self.coin.below(2_001) as u32 / 1_000;
            // Who is late does not catch up in one go, which would be a burst that is nobody's.
            let now = Instant::now();
            match due.checked_duration_since(now) {
                Some(ahead) => std::thread::sleep(ahead),
                None if now - due > 10 * self.between => due = now,
                None => {}
            }
            self.change()?;
            changes += 1;
        }
        Ok(changes)
    }

    fn change(&mut self) -> Result<()> {
        let which = self.coin.below(self.members.len());
        let (member, state) = (self.members.get(which), self.states.get_mut(which));
        let ((slot, is_ready), member) = state.zip(member).context("one of them")?;
        *is_ready = !*is_ready;
        if *is_ready {
            return member.launch(*slot).map(drop);
        }
        member.finish(*slot)?;
        *slot = (*slot + 1) % self.queues;
        Ok(())
    }
}

/// Asks what an operator asks, again and again.
fn questions(socket: &Path, http: &Path) -> Result<()> {
    let mut client = Client::connect(&[socket.into()], PATIENCE).context("connecting as xcli does")?;
    let mut all = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..QUESTIONS {
        std::thread::sleep(PAUSE);
        let [refresh, metrics, processes, queues] = &mut all;
        refresh.push(timed(|| {
            client.status()?;
            client.list()?;
            Ok(())
        })?);
        for (path, times) in [("/metrics", metrics), ("/v1/processes", processes), ("/v1/queues", queues)] {
            std::thread::sleep(PAUSE);
            times.push(timed(|| Http::connect(http)?.get(path).map(drop))?);
        }
    }
    let names = ["what `xcli top` asks for at a refresh", "`/metrics`", "`/v1/processes`", "`/v1/queues`"];
    for (name, times) in names.iter().zip(&mut all) {
        times.sort_unstable_by(f64::total_cmp);
        let at = |share| quantile(times, share);
        println!("| {name} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.99), at(1.0));
    }
    Ok(())
}

/// Milliseconds.
fn timed(what: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begin = Instant::now();
    what()?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}
