//! What a decision costs the server, and what the server costs, with a crowd attached; with few idle queues and with many.
//!
//! CPU time of xserver is read before and after one event, once it sleeps again: that is the whole turn, from the return of `epoll_wait` to the
//! next one, system calls included. A turn in which something else fell (a heartbeat, a timer) is seen by how often the server slept, and left
//! out. All members are attached from the beginning; only their numbers of queues differ, and the two crowds are measured in turn.

use crate::member::{Attached, Member, socket};
use crate::watched::Watched;
use anyhow::{Context, Result, ensure};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use test_stats::{Estimate, quantile};

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Processes that are attached.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    clients: usize,
    /// Queues of each of them in the large crowd; one in the small crowd.
    #[arg(long, value_name = "N", default_value_t = 10)]
    queues: u16,
    /// Samples of each event.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    samples: usize,
    /// Which event only, counted from 0; for a profiler.
    #[arg(long, value_name = "N")]
    only: Option<usize>,
    /// The process of xserver.
    #[arg(long, value_name = "PID")]
    server: u32,
}

/// Rounds in which the crowds take turns.
const ROUNDS: usize = 5;
/// How long the server has for a turn; longer than grace, so that timers of the last event are over, and than it takes to close all gates.
const SETTLE: Duration = Duration::from_millis(4);

/// How long a gate may take to be closed.
const LIMIT: Duration = Duration::from_secs(2);

/// What happens.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// One of many equals has work.
    Equal,
    /// It has work while a less urgent one has, which is held for it.
    Urgent,
    /// It has work and all others, which are idle and less urgent, may not begin.
    Top,
}

/// All events, and what to call them.
pub(crate) const EVENTS: [(Event, &str); 3] = [
    (Event::Equal, "one of equals becomes ready, nobody is told anything"),
    (Event::Urgent, "one becomes ready, and a running one is held"),
    (Event::Top, "the most urgent becomes ready, and all others are held"),
];

/// Runs the benchmark.
pub(crate) fn run(args: &Args) -> Result<()> {
    let server = Watched::new(args.server)?;
    raise_limit();
    let socket = socket()?;
    let before = server.holdings()?;
    let mut samples = EVENTS.map(|_| [Vec::new(), Vec::new()]);
    let mut table = Vec::new();
    let crowds = [1, args.queues].map(|queues| {
        let members = (0..args.clients).map(|n| Member::new(priority(n), queues));
        members.collect::<Result<Vec<_>>>().map(|members| (queues, members))
    });
    let crowds = crowds.into_iter().collect::<Result<Vec<_>>>()?;
    for round in 0..ROUNDS {
        for (which, (queues, members)) in crowds.iter().enumerate() {
            let crowd = members.iter().map(|member| member.attach(&socket)).collect::<Result<Vec<_>>>()?;
            let crowd = Crowd { attached: &crowd, members, server };
            std::thread::sleep(Duration::from_millis(300));
            for (number, ((event, _), samples)) in EVENTS.iter().zip(&mut samples).enumerate() {
                if args.only.is_some_and(|only| only != number) {
                    continue;
                }
                crowd.measure(*event, args.samples.div_ceil(ROUNDS), &mut samples[which])?;
            }
            if round == 0 {
                table.push(crowd.costs(*queues)?);
            }
        }
        eprintln!("round {} of {ROUNDS}", round + 1);
    }
    wait_until_left(&server, &before, &socket)?;
    println!(
        "| CPU time of a turn, µs | idle queues | samples | p50 | p99 | max |\n|---|--:|--:|--:|--:|--:|"
    );
    for ((_, name), [few, many]) in EVENTS.iter().zip(&mut samples) {
        if few.is_empty() || many.is_empty() {
            continue;
        }
        for (queues, samples) in [(1, &mut *few), (args.queues, &mut *many)] {
            let idle = args.clients * usize::from(queues);
            samples.sort_unstable_by(f64::total_cmp);
            let at = |share| quantile(samples, share);
            let count = samples.len();
            println!("| {name} | {idle} | {count} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.99), at(1.0));
        }
        let pairs: Vec<_> = shuffled(few).into_iter().zip(shuffled(many)).collect();
        println!("| ratio, with its 95 % interval | | | {:.2} | | |", Estimate::ratio(&pairs, 0.5));
    }
    let bare = bare_wakes(args.samples)?;
    let at = |share| quantile(&bare, share);
    let (count, [p50, p99, max]) = (bare.len(), [at(0.5), at(0.99), at(1.0)]);
    println!(
        "| control: a process wakes, reads a byte and sleeps again | – | {count} | {p50:.1} | {p99:.1} | {max:.1} |"
    );
    crate::decision::run(args.clients.try_into()?, [1, args.queues], args.samples)?;
    println!(
        "\n| with {} processes | memory, MiB | of it own | guests' pages | fds | threads | CPU while all are idle |",
        args.clients
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let row = |name: &str, h: &crate::watched::Holdings, cpu: &str| {
        let (rss, own, shared, fds, threads) = (h.rss, h.anonymous, h.shared, h.fds, h.threads);
        println!("| {name} | {rss:.1} | {own:.1} | {shared:.1} | {fds} | {threads} | {cpu} |");
    };
    row("nobody attached", &before, "–");
    table.iter().for_each(|(name, holdings, cpu)| row(name, holdings, &format!("{:.2} %", cpu * 100.0)));
    row("all gone again", &server.holdings()?, "–");
    Ok(())
}

/// The first one is the most urgent, the second less, the third less; all others are alike, and least urgent.
pub(crate) fn priority(n: usize) -> i64 {
    match n {
        0 => 3,
        1 => 1,
        2 => 2,
        _ => 0,
    }
}

/// A crowd that is attached.
struct Crowd<'a> {
    attached: &'a [Attached<'a>],
    members: &'a [Member],
    server: Watched,
}

impl Crowd<'_> {
    /// Lets an event happen again and again, and adds the CPU time of the turns, in microseconds.
    fn measure(&self, event: Event, count: usize, samples: &mut Vec<f64>) -> Result<()> {
        let member = |n: usize| self.attached.get(n).context("a member");
        // One of the many: held as soon as anybody else has work.
        let last = self.members.last().context("a member")?;
        let (mut taken, mut tries) = (0, 0);
        while taken < count && tries < 4 * count {
            tries += 1;
            let (greedy, subject, held) = match event {
                // Another one each time, so that nothing of it is warm.
                Event::Equal => (None, 3 + tries * 7 % (self.attached.len() - 3), None),
                Event::Urgent => (Some(member(1)?), 2, self.members.get(1)),
                Event::Top => (None, 0, Some(last)),
            };
            if let Some(greedy) = greedy {
                greedy.launch(0)?;
                wait_until(last, Gate::Closed)?;
            }
            std::thread::sleep(SETTLE);
            let (sleeps, cpu) = (self.server.sleeps()?, self.server.cpu()?);
            member(subject)?.launch(0)?;
            held.map(|held| wait_until(held, Gate::Closed)).transpose()?;
            std::thread::sleep(SETTLE);
            let (cpu, sleeps) = (self.server.cpu()? - cpu, self.server.sleeps()? - sleeps);
            if sleeps == 1 {
                samples.push(cpu.as_nanos() as f64 / 1e3);
                taken += 1;
            }
            member(subject)?.finish(0)?;
            greedy.map(|greedy| greedy.finish(0)).transpose()?;
            // To whom nobody waits for, nobody listens: somebody who does has the server look who is done.
            let waiting = self.attached.last().context("a member")?;
            waiting.launch(0)?;
            wait_until(last, Gate::Open)?;
            waiting.finish(0)?;
            std::thread::sleep(SETTLE);
        }
        Ok(())
    }

    /// Memory and the like, and the share of a core that is used while nothing happens.
    fn costs(&self, queues: u16) -> Result<(String, crate::watched::Holdings, f64)> {
        const WHILE: Duration = Duration::from_secs(3);
        let before = self.server.cpu()?;
        std::thread::sleep(WHILE);
        let share = (self.server.cpu()? - before).as_secs_f64() / WHILE.as_secs_f64();
        let name = format!("{} queues", self.attached.len() * usize::from(queues));
        Ok((name, self.server.holdings()?, share))
    }
}

/// What it costs to wake at all, measured as the turns are: sorted, in microseconds.
fn bare_wakes(count: usize) -> Result<Vec<f64>> {
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    let mut child =
        command.arg("sleeper").stdin(Stdio::piped()).spawn().context("starting one who sleeps")?;
    let mut input = child.stdin.take().context("its input is piped")?;
    let sleeper = Watched::new(child.id())?;
    let samples = (0..count).map(|_| {
        std::thread::sleep(SETTLE);
        let before = sleeper.cpu()?;
        input.write_all(b"\n").context("waking one who sleeps")?;
        std::thread::sleep(SETTLE);
        Ok((sleeper.cpu()? - before).as_nanos() as f64 / 1e3)
    });
    let samples: Result<Vec<f64>> = samples.collect();
    // It ends with its input.
    drop(input);
    child.wait().context("waiting for one who sleeps")?;
    let mut samples = samples?;
    samples.sort_unstable_by(f64::total_cmp);
    Ok(samples)
}

/// Who is woken by each byte of its input, and does nothing else.
pub(crate) fn sleeper() -> Result<()> {
    let mut byte = [0];
    while rustix::io::read(std::io::stdin(), &mut byte).context("reading a byte")? > 0 {}
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    Open,
    Closed,
}

/// The server opens or closes the gate, which takes longer if it does not get the CPU.
fn wait_until(member: &Member, wanted: Gate) -> Result<()> {
    let (start, gate) = (Instant::now(), member.gate()?);
    while gate.state().is_open() != (wanted == Gate::Open) {
        ensure!(start.elapsed() < LIMIT, "a gate was not {wanted:?} within {LIMIT:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// The members are gone; the server notices that within a moment.
fn wait_until_left(server: &Watched, before: &crate::watched::Holdings, socket: &Path) -> Result<()> {
    for _ in 0..200 {
        if server.holdings()?.fds <= before.fds {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("the server on {} still holds fds of members that are gone", socket.display())
}

/// Sorted values are no pairs: in an order that has nothing to do with their size.
fn shuffled(values: &[f64]) -> Vec<f64> {
    let mut coin = test_stats::Coin::new();
    let mut values = values.to_vec();
    for end in (1..values.len()).rev() {
        values.swap(end, coin.below(end + 1));
    }
    values
}

/// A crowd needs more fds than a program has by default.
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
