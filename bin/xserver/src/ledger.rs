//! The ledger: hears what the scheduler is told and decides, and adds up who ran, who waited for whom, and for how long.
//!
//! Nothing is added to a launch: a guest writes what it wrote before. Times begin and end with the edges that the server hears. A queue that nobody waits
//! for tells no idle edge; so at each sign of life the activity words of queues that count as ready are looked at
//! ([`Ledger::audit`]): one that has no work then rests until a later look finds work. So such times are samples, ten in a second.
//!
//! Memory: a queue costs an entry when it first has work, a process on a device when it first has work or is held. Histograms are
//! kept for [`MOST_HISTOGRAMS`] processes at a time, and as a whole; the others have count, sum and maximum. Deliberately absent: the
//! guests' pages, which the caller reads.

use crate::chronicle::Chronicle;
use crate::durations::Durations;
use std::collections::{BTreeMap, BTreeSet};
use xsched_core::account::{Account, HeldBy, Totals, What};
use xsched_core::id::IdMap;
use xsched_core::status::QueueTimes;
use xsched_core::{ClientId, DeviceId, Event, HintKind, Operation, QueueId, Time};
use xsched_sched::Scheduler;

/// Processes whose durations are kept as histograms.
const MOST_HISTOGRAMS: usize = 256;
/// Of those for whom a process waited, so many are remembered.
const MOST_BLAMED: usize = 8;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    queues: IdMap<QueueId, Tally>,
    lines: Lines,
    /// Queues that the scheduler was told to be ready and not yet to be idle.
    watched: BTreeSet<QueueId>,
    /// Processes that run on each device: have work, and are not held.
    running: BTreeSet<(DeviceId, ClientId)>,
    totals: Totals,
    closing: Durations,
    drain: Durations,
    waits: Durations,
    histograms: usize,
    /// The first ready edge since the last decision.
    cause: Option<(ClientId, Time)>,
    /// When the first thing since then was told.
    told_at: Option<Time>,
    /// Suspensions that are decided and not yet in the gates.
    closing_now: Vec<(ClientId, DeviceId, Time)>,
    pub(crate) chronicle: Chronicle,
}

type Lines = BTreeMap<(ClientId, DeviceId), Line>;

/// A queue's times.
#[derive(Debug)]
struct Tally {
    client: ClientId,
    device: DeviceId,
    /// Since when it has work; none: it has none.
    since: Option<Time>,
    /// [`Line::suspended`] then.
    suspended_then: u64,
    running: u64,
    waiting: u64,
}

/// A process on a device.
#[derive(Debug, Default)]
struct Line {
    /// Its queues that have an entry.
    queues: Vec<QueueId>,
    /// How many of them have work.
    ready: u32,
    is_held: bool,
    /// It is in [`Ledger::running`].
    runs: bool,
    /// When one of these of these changed last.
    since: Time,
    running: u64,
    waiting: u64,
    suspended: u64,
    suspensions: u64,
    /// Since when it waits, and for whom.
    waits_since: Option<Time>,
    waits_for: Option<ClientId>,
    /// What it had in flight when it was suspended is not known to be done.
    drains_since: Option<Time>,
    durations: Option<Box<Set>>,
    held_by: Vec<HeldBy>,
}

/// The durations of one process.
#[derive(Debug)]
struct Set {
    closing: Durations,
    drain: Durations,
    waits: Durations,
    is_counted: bool,
}

impl Ledger {
    /// The scheduler is about to be told this.
    pub(crate) fn hear(&mut self, event: &Event, scheduler: &Scheduler, now: Time) {
        self.totals.events += 1;
        match *event {
            Event::QueueReady { queue } => self.ready(queue, scheduler, now),
            Event::QueueIdle { queue } => {
                self.watched.remove(&queue);
                if self.rest(queue, now) {
                    self.drained(queue, 0, now);
                }
            }
            Event::QueueProgress { queue, launched, completed } if completed >= launched => {
                self.drained(queue, 1, now);
            }
            Event::QueueDestroyed { queue } => self.destroy(queue, now),
            Event::ClientJoined { client, .. } => {
                self.totals.attached += 1;
                self.chronicle.note(now, || What::Joined { client });
            }
            Event::ClientLeft { client } => self.leave(client, now),
            Event::QueueHint { queue, hint } => {
                self.hint(None, Some(queue), hint.kind(), Some(hint.value()), now);
            }
            Event::ClientHint { client, hint } => {
                self.hint(Some(client), None, hint.kind(), Some(hint.value()), now);
            }
            Event::ClientUnset { client, kind } => self.hint(Some(client), None, kind, None, now),
            _ => {}
        }
        self.told_at = self.told_at.or(Some(now));
    }

    fn hint(
        &mut self,
        client: Option<ClientId>,
        queue: Option<QueueId>,
        name: HintKind,
        value: Option<i64>,
        now: Time,
    ) {
        self.chronicle.note(now, || What::Hint { client, queue, name, value });
    }

    /// The scheduler wants this done.
    pub(crate) fn decided(&mut self, operations: &[Operation], now: Time) {
        self.totals.decisions += 1;
        let cause = self.cause.take();
        let asked = self.told_at.take().unwrap_or(now);
        for operation in operations {
            match *operation {
                Operation::Suspend { client, device } => {
                    if self.lines.get(&(client, device)).is_some_and(|line| line.is_held) {
                        continue;
                    }
                    self.totals.suspensions += 1;
                    let by = cause.map(|(by, _)| by).filter(|by| *by != client);
                    let asked = cause.map_or(asked, |(_, at)| at);
                    let line = line(&mut self.lines, client, device, now);
                    line.settle(now);
                    line.is_held = true;
                    line.suspensions += 1;
                    line.drains_since = (line.ready > 0).then_some(asked);
                    let took = line.settle_waits((client, device), &mut self.running, self.cause, now);
                    self.closing_now.push((client, device, asked));
                    self.chronicle.note(now, || What::Suspend { client, device, by });
                    self.waited(client, device, took);
                }
                Operation::Resume { client, device } => {
                    let Some(line) = self.lines.get_mut(&(client, device)) else { continue };
                    line.settle(now);
                    line.is_held = false;
                    line.drains_since = None;
                    let took = line.settle_waits((client, device), &mut self.running, self.cause, now);
                    self.chronicle.note(now, || What::Resume { client, device });
                    self.waited(client, device, took);
                }
                _ => {}
            }
        }
    }

    /// Whether gates are to be closed of which [`Ledger::closed`] wants to hear.
    pub(crate) fn is_closing(&self) -> bool {
        !self.closing_now.is_empty()
    }

    /// All gates are as they were decided.
    pub(crate) fn closed(&mut self, now: Time) {
        for (client, device, asked) in std::mem::take(&mut self.closing_now) {
            let took = nanos(asked, now);
            self.closing.add(took);
            if let Some(set) = self.set(client, device) {
                set.closing.add(took);
            }
            self.chronicle.note(now, || What::Closed { client, device, ns: took });
        }
    }

    /// Another policy.
    pub(crate) fn policy(&mut self, name: String, now: Time) {
        self.chronicle.note(now, || What::Policy { name });
    }

    /// Queues whose activity is to be looked at, for [`Ledger::audit`].
    pub(crate) fn watched(&self) -> Vec<QueueId> {
        self.watched.iter().copied().collect()
    }

    /// A look at a watched queue. `is_believed`: the scheduler counts it as ready. `has_work`: its activity word says so.
    pub(crate) fn audit(
        &mut self,
        queue: QueueId,
        is_believed: bool,
        has_work: bool,
        (launched, completed): (u64, u64),
        now: Time,
    ) {
        if !is_believed {
            self.watched.remove(&queue);
        }
        if is_believed && has_work {
            self.chronicle.note(now, || What::Progress { queue, launched, completed });
            self.work(queue, now);
        } else {
            self.rest(queue, now);
        }
    }

    /// As a whole.
    pub(crate) fn totals(&self, now: Time) -> Totals {
        Totals {
            now,
            closing: self.closing.shown(true),
            drain: self.drain.shown(true),
            waits: self.waits.shown(true),
            ..self.totals.clone()
        }
    }

    /// The server starts.
    pub(crate) fn start(&mut self, now: Time) {
        self.totals.started = now;
        for durations in [&mut self.closing, &mut self.drain, &mut self.waits] {
            *durations = Durations::fine();
        }
    }

    /// What was counted of a process, by device.
    pub(crate) fn accounts(&self, client: ClientId, now: Time) -> Vec<Account> {
        let lines = self.lines.range((client, DeviceId(0))..=(client, DeviceId(u32::MAX)));
        lines.map(|((_, device), line)| line.shown(*device, now)).collect()
    }

    /// For how long a queue had work.
    pub(crate) fn times(&self, queue: QueueId, now: Time) -> QueueTimes {
        let Some(tally) = self.queues.get(&queue) else { return QueueTimes::default() };
        let suspended =
            self.lines.get(&(tally.client, tally.device)).map_or(0, |line| line.suspended_at(now));
        let (running_ns, waiting_ns) = tally.at(now, suspended);
        QueueTimes { running_ns, waiting_ns, has_work: tally.since.is_some() }
    }

    fn ready(&mut self, queue: QueueId, scheduler: &Scheduler, now: Time) {
        if !self.queues.contains_key(&queue) {
            let Some(view) = scheduler.queue(queue) else { return };
            let (client, device) = (view.client, view.device);
            line(&mut self.lines, client, device, now).queues.push(queue);
            let tally = Tally { client, device, since: None, suspended_then: 0, running: 0, waiting: 0 };
            self.queues.insert(queue, tally);
        }
        self.watched.insert(queue);
        if let Some(tally) = self.queues.get(&queue) {
            self.cause = self.cause.or(Some((tally.client, now)));
        }
        self.work(queue, now);
    }

    /// It has work.
    fn work(&mut self, queue: QueueId, now: Time) {
        let Some(tally) = self.queues.get_mut(&queue).filter(|tally| tally.since.is_none()) else { return };
        let (client, device) = (tally.client, tally.device);
        let Some(line) = self.lines.get_mut(&(client, device)) else { return };
        line.settle(now);
        line.ready += 1;
        (tally.since, tally.suspended_then) = (Some(now), line.suspended);
        let took = line.settle_waits((client, device), &mut self.running, self.cause, now);
        self.chronicle.note(now, || What::Ready { queue, client, device });
        self.waited(client, device, took);
    }

    /// It has none. Answers whether its process may drain.
    fn rest(&mut self, queue: QueueId, now: Time) -> bool {
        let Some(tally) = self.queues.get_mut(&queue).filter(|tally| tally.since.is_some()) else {
            return true;
        };
        let (client, device) = (tally.client, tally.device);
        let Some(line) = self.lines.get_mut(&(client, device)) else { return false };
        let drains = line.drains_since.is_some();
        line.settle(now);
        line.ready -= 1;
        (tally.running, tally.waiting) = tally.at(now, line.suspended);
        tally.since = None;
        let took = line.settle_waits((client, device), &mut self.running, self.cause, now);
        self.chronicle.note(now, || What::Idle { queue, client, device });
        self.waited(client, device, took);
        drains
    }

    /// Nothing of it is in flight. If more than `ready` queues of its process have work, others may still run.
    fn drained(&mut self, queue: QueueId, ready: u32, now: Time) {
        let Some(tally) = self.queues.get(&queue) else { return };
        let (client, device) = (tally.client, tally.device);
        let Some(line) = self.lines.get_mut(&(client, device)) else { return };
        if line.ready > ready {
            return;
        }
        let Some(since) = line.drains_since.take() else { return };
        let took = nanos(since, now);
        self.drain.add(took);
        if let Some(set) = self.set(client, device) {
            set.drain.add(took);
        }
    }

    fn destroy(&mut self, queue: QueueId, now: Time) {
        self.watched.remove(&queue);
        self.rest(queue, now);
        if let Some(tally) = self.queues.remove(&queue)
            && let Some(line) = self.lines.get_mut(&(tally.client, tally.device))
        {
            line.queues.retain(|known| *known != queue);
        }
    }

    fn leave(&mut self, client: ClientId, now: Time) {
        let lines: Vec<_> = self
            .lines
            .range((client, DeviceId(0))..=(client, DeviceId(u32::MAX)))
            .map(|(at, _)| *at)
            .collect();
        for (client, device) in lines {
            let Some(line) = self.lines.remove(&(client, device)) else { continue };
            self.running.remove(&(device, client));
            self.histograms -= usize::from(line.durations.is_some_and(|set| set.is_counted));
            for queue in line.queues {
                self.queues.remove(&queue);
                self.watched.remove(&queue);
            }
        }
        self.closing_now.retain(|(who, ..)| *who != client);
        self.chronicle.note(now, || What::Left { client });
    }

    /// It has waited for so long.
    fn waited(&mut self, client: ClientId, device: DeviceId, took: Option<u64>) {
        let Some(took) = took else { return };
        self.waits.add(took);
        if let Some(set) = self.set(client, device) {
            set.waits.add(took);
        }
    }

    /// Its durations, which begin with the first one.
    fn set(&mut self, client: ClientId, device: DeviceId) -> Option<&mut Set> {
        let line = self.lines.get_mut(&(client, device))?;
        if line.durations.is_none() {
            let is_counted = self.histograms < MOST_HISTOGRAMS;
            self.histograms += usize::from(is_counted);
            let new = || if is_counted { Durations::coarse() } else { Durations::default() };
            line.durations = Some(Box::new(Set { closing: new(), drain: new(), waits: new(), is_counted }));
        }
        line.durations.as_deref_mut()
    }
}

impl Tally {
    /// Running and waiting, if its process had been suspended for so long at `now`.
    fn at(&self, now: Time, suspended: u64) -> (u64, u64) {
        let Some(since) = self.since else { return (self.running, self.waiting) };
        let waited = suspended.saturating_sub(self.suspended_then);
        (self.running + nanos(since, now).saturating_sub(waited), self.waiting + waited)
    }
}

impl Line {
    /// Time has passed.
    fn settle(&mut self, now: Time) {
        let passed = nanos(self.since, now);
        match (self.ready > 0, self.is_held) {
            (true, false) => self.running += passed,
            (true, true) => self.waiting += passed,
            _ => {}
        }
        if self.is_held {
            self.suspended += passed;
        }
        self.since = self.since.max(now);
    }

    /// Whether the process runs, and whether it waits, or waits no more: answers for how long it has waited then. `cause` is who may have brought it about.
    fn settle_waits(
        &mut self,
        (client, device): (ClientId, DeviceId),
        running: &mut BTreeSet<(DeviceId, ClientId)>,
        cause: Option<(ClientId, Time)>,
        now: Time,
    ) -> Option<u64> {
        let runs = self.ready > 0 && !self.is_held;
        if runs != self.runs {
            self.runs = runs;
            let _ = if runs { running.insert((device, client)) } else { running.remove(&(device, client)) };
        }
        let waits = self.ready > 0 && self.is_held;
        match self.waits_since {
            None if waits => {
                self.waits_since = Some(now);
                let cause = cause.map(|(by, _)| by).filter(|by| running.contains(&(device, *by)));
                let first = || running.range((device, ClientId(0))..=(device, ClientId(u32::MAX))).next();
                self.waits_for = cause.or_else(|| first().map(|(_, by)| *by)).filter(|by| *by != client);
                None
            }
            Some(since) if !waits => {
                self.waits_since = None;
                let took = nanos(since, now);
                if let Some(by) = self.waits_for.take() {
                    self.blame(by, took);
                }
                Some(took)
            }
            _ => None,
        }
    }

    fn suspended_at(&self, now: Time) -> u64 {
        self.suspended + if self.is_held { nanos(self.since, now) } else { 0 }
    }

    fn blame(&mut self, client: ClientId, ns: u64) {
        match self.held_by.iter_mut().find(|held| held.client == client) {
            Some(held) => held.ns += ns,
            None => {
                if self.held_by.len() == MOST_BLAMED {
                    self.held_by.sort_by_key(|held| std::cmp::Reverse(held.ns));
                    self.held_by.pop();
                }
                self.held_by.push(HeldBy { client, ns });
            }
        }
    }

    fn shown(&self, device_id: DeviceId, now: Time) -> Account {
        let passed = nanos(self.since, now);
        let in_state = |is_held| if self.ready > 0 && self.is_held == is_held { passed } else { 0 };
        let mut held_by = self.held_by.clone();
        if let Some((by, since)) = self.waits_for.zip(self.waits_since) {
            match held_by.iter_mut().find(|held| held.client == by) {
                Some(held) => held.ns += nanos(since, now),
                None => held_by.push(HeldBy { client: by, ns: nanos(since, now) }),
            }
        }
        held_by.sort_by_key(|held| std::cmp::Reverse(held.ns));
        let durations = |of: fn(&Set) -> &Durations| {
            self.durations.as_deref().map(|set| of(set).shown(false)).unwrap_or_default()
        };
        Account {
            device_id,
            running_ns: self.running + in_state(false),
            waiting_ns: self.waiting + in_state(true),
            suspended_ns: self.suspended_at(now),
            suspensions: self.suspensions,
            closing: durations(|set| &set.closing),
            drain: durations(|set| &set.drain),
            waits: durations(|set| &set.waits),
            held_by,
        }
    }
}

/// The line of a process, which begins now if there is none.
fn line(lines: &mut Lines, client: ClientId, device: DeviceId, now: Time) -> &mut Line {
    lines.entry((client, device)).or_insert_with(|| Line { since: now, ..Line::default() })
}

fn nanos(from: Time, to: Time) -> u64 {
    to.as_nanos().saturating_sub(from.as_nanos())
}

#[cfg(test)]
mod tests;
