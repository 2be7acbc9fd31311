//! The scheduler's own part of a turn, with the crowd's clients and queues: from an event to what is to be done, without anybody who hears, writes gates or keeps accounts.
//! In CPU time of the thread; the clock that is read for it is in it, and caches are warm.

use crate::crowd::{EVENTS, Event as What, priority};
use crate::inside::cpu;
use anyhow::{Context as _, Result};
use std::time::Duration;
use test_stats::quantile;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hint, HintKind, Hints, QueueId, Time};
use xsched_sched::{PolicyKind, Scheduler, Settings};

const DEVICE: DeviceId = DeviceId(1);
/// Between two events: the grace of the last one is over.
const PAUSE: Duration = Duration::from_millis(1);

/// Prints the table.
pub(crate) fn run(clients: u32, queues: [u16; 2], count: usize) -> Result<()> {
    println!(
        "\n| CPU time of a decision, the scheduler alone, µs | idle queues | samples | p50 | p99 | max |\n|---|--:|--:|--:|--:|--:|"
    );
    for (event, name) in EVENTS {
        for queues in queues {
            let mut crowd = Crowd::new(clients, queues)?;
            let samples = (0..count).map(|n| crowd.measure(event, n)).collect::<Result<Vec<_>>>()?;
            let at = |share| {
                let mut samples = samples.clone();
                samples.sort_unstable_by(f64::total_cmp);
                quantile(&samples, share)
            };
            let (idle, [p50, p99, max]) = (clients * u32::from(queues), [at(0.5), at(0.99), at(1.0)]);
            println!("| {name} | {idle} | {count} | {p50:.1} | {p99:.1} | {max:.1} |");
        }
    }
    Ok(())
}

/// A scheduler with all clients, each a group of its own, on one device.
struct Crowd {
    scheduler: Scheduler,
    clients: u32,
    queues: u16,
    now: Time,
}

impl Crowd {
    fn new(clients: u32, queues: u16) -> Result<Crowd> {
        let mut scheduler = Scheduler::new(PolicyKind::Hpf, Settings::default());
        let now = Time::from_nanos(1);
        for n in 0..clients {
            let client = ClientId(n);
            scheduler.handle(Event::ClientJoined { client, group: GroupId(n + 1) }, now);
            let mut hints = Hints::default();
            hints.set(Hint::new(HintKind::Priority, priority(n as usize)).ok().context("in range")?);
            for queue in 0..queues {
                let queue = number(n, queues, queue);
                scheduler.handle(Event::QueueCreated { queue, client, device: DEVICE, hints }, now);
            }
        }
        let mut crowd = Crowd { scheduler, clients, queues, now };
        // Each has wanted the device: who never did contends with nobody.
        for n in 0..clients {
            crowd.set(n, true);
            crowd.set(n, false);
        }
        Ok(crowd)
    }

    /// µs of what follows from one event; afterwards all are idle again.
    fn measure(&mut self, event: What, n: usize) -> Result<f64> {
        let equal = 3 + u32::try_from(n)? * 7 % (self.clients - 3);
        let (before, then): (&[u32], u32) = match event {
            What::Equal => (&[], equal),
            What::Urgent => (&[1], 2),
            What::Top => (&[], 0),
        };
        before.iter().for_each(|&client| self.set(client, true));
        let (queue, mut out) = (number(then, self.queues, 0), Vec::with_capacity(4096));
        let begun = cpu()?;
        self.scheduler.handle(Event::QueueReady { queue }, self.now);
        self.scheduler.decide(self.now, &mut out);
        let took = cpu()? - begun;
        self.set(then, false);
        before.iter().for_each(|&client| self.set(client, false));
        Ok(took.as_secs_f64() * 1e6)
    }

    /// The first queue of a client is ready, or idle, and the grace is over.
    fn set(&mut self, client: u32, is_ready: bool) {
        let queue = number(client, self.queues, 0);
        let event = if is_ready { Event::QueueReady { queue } } else { Event::QueueIdle { queue } };
        let mut out = Vec::new();
        self.scheduler.handle(event, self.now);
        self.scheduler.decide(self.now, &mut out);
        self.now = self.now + PAUSE;
        self.scheduler.decide(self.now, &mut out);
    }
}

fn number(client: u32, queues: u16, queue: u16) -> QueueId {
    QueueId(u64::from(client) * u64::from(queues) + u64::from(queue))
}
