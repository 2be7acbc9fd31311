//! What scheduling inside a process costs: to submit a command, to launch it by a worker, and to decide among the queues of the process.
//!
//! Costs of one thread are its CPU time. The device launches at once and completes at once, so that nothing of it is measured.

use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_stats::quantile;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hint, HintKind, Hints, Level, QueueId, Time};
use xsched_hal::noop::NoopQueue;
use xsched_hal::{Callback, HwQueue};
use xsched_queue::deferred::Deferred;
use xsched_sched::{PolicyKind, Scheduler, Settings};

/// Commands of a burst, and bursts.
const BURST: u32 = 1_000;
const BURSTS: u32 = 2_000;
/// Queues of a process, and decisions among them.
const QUEUES: u32 = 64;
const DECISIONS: u32 = 200_000;

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    println!("| what | p50 | p99 |\n|---|--:|--:|");
    let (mut submits, rate) = deferred()?;
    row("a command is submitted to a queue with a worker, ns of the thread", &mut submits, 1.0);
    for policy in [PolicyKind::Hpf, PolicyKind::Up] {
        let mut decisions = decisions(policy)?;
        row(
            &format!("{policy}: one of {QUEUES} queues changes and the process decides, µs"),
            &mut decisions,
            1e-3,
        );
    }
    println!("\nCommands a second, from the first submit until all are complete: {:.2} million.", rate / 1e6);
    Ok(())
}

fn row(what: &str, nanoseconds: &mut [f64], unit: f64) {
    nanoseconds.sort_unstable_by(f64::total_cmp);
    let at = |share| quantile(nanoseconds, share) * unit;
    println!("| {what} | {:.2} | {:.2} |", at(0.5), at(0.99));
}

/// Nanoseconds of a submit, the mean of each burst; and commands a second.
fn deferred() -> Result<(Vec<f64>, f64)> {
    let deferred = Deferred::new(Arc::new(NoopQueue::default()), Level::Block)?;
    let mut samples = Vec::new();
    let begin = Instant::now();
    for _ in 0..BURSTS {
        let before = cpu()?;
        for _ in 0..BURST {
            deferred.submit(Box::new(Callback::new(|_: &dyn HwQueue| Ok(()))));
        }
        samples.push((cpu()? - before).as_nanos() as f64 / f64::from(BURST));
    }
    deferred.wait_all()?;
    let rate = f64::from(BURST) * f64::from(BURSTS) / begin.elapsed().as_secs_f64();
    Ok((samples, rate))
}

/// Nanoseconds of a decision, as a scheduler inside a process makes it: each queue is a group of its own.
fn decisions(policy: PolicyKind) -> Result<Vec<f64>> {
    let mut scheduler = Scheduler::new(policy, Settings::default());
    let (client, device) = (ClientId(1), DeviceId(1));
    let mut now = Time::from_nanos(1);
    let mut out = Vec::new();
    for n in 0..QUEUES {
        let mut hints = Hints::default();
        hints.set(Hint::new(HintKind::Priority, i64::from(n % 4)).ok().context("in range")?);
        let client = ClientId(client.0 + n);
        scheduler.handle(Event::ClientJoined { client, group: GroupId(n + 1) }, now);
        scheduler.handle(Event::QueueCreated { queue: QueueId(u64::from(n)), client, device, hints }, now);
    }
    scheduler.decide(now, &mut out);
    let mut samples = Vec::new();
    let mut is_ready = [false; QUEUES as usize];
    for n in 0..DECISIONS {
        // Another one each time, in an order without a pattern.
        let which = n.wrapping_mul(2_654_435_761) >> 26;
        let queue = QueueId(u64::from(which));
        let is_ready = is_ready.get_mut(which as usize).context("one of them")?;
        *is_ready = !*is_ready;
        now = now + Duration::from_micros(50);
        let before = cpu()?;
        let event = if *is_ready { Event::QueueReady { queue } } else { Event::QueueIdle { queue } };
        scheduler.handle(event, now);
        scheduler.decide(now, &mut out);
        samples.push((cpu()? - before).as_nanos() as f64);
        out.clear();
    }
    Ok(samples)
}

/// CPU time of this thread.
pub(crate) fn cpu() -> Result<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Ok(Duration::new(time.tv_sec.try_into().context("time")?, time.tv_nsec.try_into().context("time")?))
}
