//! What the scheduler believes about queues: grace and lease.
//!
//! *Grace*: a queue that was told idle counts as ready for `grace` more, or as long as its gap hint says, so that a program with
//! gaps between its commands is not preempted in each. *Lease*: a ready queue that holds others back must make progress. Every quarter of a lease a few of
//! the most urgent ready queues of each group that holds others back are probed; one that has not moved for a whole lease
//! lapses: it counts as idle until it becomes ready anew or moves. A queue that is held back itself never lapses; what it runs in the turns of equals adds up.

use crate::scheduler::Scheduler;
use crate::state::{Phase, Verdict};
use crate::timers::Timer;
use std::time::Duration;
use xsched_core::{DeviceId, GroupId, HintKind, Operation, QueueId, Time};

/// Probes per group, device and round. A group with more queues that hang lets go of the device in several rounds.
const PROBES: usize = 8;

impl Scheduler {
    pub(crate) fn queue_ready(&mut self, id: QueueId, now: Time) {
        let Some(queue) = self.tables.queues.get_mut(&id) else { return };
        match queue.phase {
            Phase::Ready => {}
            Phase::Idle | Phase::Draining | Phase::Lapsed => {
                queue.asked = false;
                self.is_alive(id, now);
                self.set_phase(id, Phase::Ready);
            }
        }
    }

    pub(crate) fn queue_idle(&mut self, id: QueueId, now: Time) {
        let Some(queue) = self.tables.queues.get(&id) else { return };
        match queue.phase {
            Phase::Idle | Phase::Draining => {}
            Phase::Lapsed => self.set_phase(id, Phase::Idle),
            Phase::Ready => {
                let gap = u64::try_from(queue.hints.get(HintKind::Gap)).ok();
                let grace = gap.map_or(self.settings.grace, Duration::from_micros);
                self.set_phase(id, Phase::Draining);
                self.timers.set(Timer::Grace(id), now + grace, now);
            }
        }
    }

    pub(crate) fn grace_over(&mut self, id: QueueId) {
        if self.tables.queues.get(&id).is_some_and(|queue| queue.phase == Phase::Draining) {
            self.set_phase(id, Phase::Idle);
        }
    }

    pub(crate) fn queue_progress(&mut self, id: QueueId, numbers: (u64, u64), now: Time) {
        let Some(queue) = self.tables.queues.get_mut(&id) else { return };
        // The first numbers say nothing about standing still.
        let moved = queue.seen != Some(numbers);
        queue.seen = Some(numbers);
        queue.asked = false;
        let (group, device) = (queue.group, queue.device);
        let (launched, completed) = numbers;
        if completed >= launched
            && let Some(unit) = self.tables.unit_mut(group, device)
            && unit.in_flight.remove(&id)
            && unit.in_flight.is_empty()
        {
            self.changes.units.insert((group, device));
        }
        if moved {
            self.is_alive(id, now);
            if self.is_in(id, Phase::Lapsed) {
                self.set_phase(id, Phase::Ready);
            }
        } else if self.stands_still(id, now) >= Some(self.settings.lease) {
            self.lapse(id, now);
        }
    }

    /// Probes those who hold others back on the device. Those who did not even answer the last probe lapse here.
    pub(crate) fn lease_tick(&mut self, id: DeviceId, now: Time, out: &mut Vec<Operation>) {
        let Some(device) = self.tables.devices.get(&id) else { return };
        if device.waiting_since.is_none() {
            return;
        }
        let mut round = Vec::new();
        for unit in device.running.groups(&device.ready).filter_map(|group| self.tables.unit(group, id)) {
            let ready = unit.ready.iter().map(|&(_, queue)| queue);
            round.extend(ready.filter(|&queue| self.is_in(queue, Phase::Ready)).take(PROBES));
        }
        self.timers.set(Timer::Lease(id), now + self.probe_period(), now);
        for queue in round {
            let is_over = self.stands_still(queue, now) >= Some(self.settings.lease);
            if is_over && self.tables.queues.get(&queue).is_some_and(|queue| queue.asked) {
                self.lapse(queue, now);
            } else {
                self.probe(queue, out);
            }
        }
    }

    /// Probes lapsed queues, a few at a time in turn.
    pub(crate) fn lapsed_tick(
        &mut self,
        group: GroupId,
        device: DeviceId,
        now: Time,
        out: &mut Vec<Operation>,
    ) {
        let Some(unit) = self.tables.unit_mut(group, device) else { return };
        let from = QueueId(unit.lapsed_cursor);
        let round: Vec<QueueId> =
            unit.lapsed.range(from..).chain(unit.lapsed.range(..from)).take(PROBES).copied().collect();
        let Some(&last) = round.last() else { return };
        unit.lapsed_cursor = last.0.saturating_add(1);
        round.into_iter().for_each(|queue| self.probe(queue, out));
        self.timers.set(Timer::Lapsed(group, device), now + self.settings.lease, now);
    }

    pub(crate) fn probe_period(&self) -> Duration {
        self.settings.lease / 4
    }

    fn probe(&mut self, id: QueueId, out: &mut Vec<Operation>) {
        if let Some(queue) = self.tables.queues.get_mut(&id) {
            queue.asked = true;
            out.push(Operation::Probe { queue: id });
        }
    }

    /// For how long the queue has held others back without a sign of life; `None` if it holds nobody back.
    fn stands_still(&self, id: QueueId, now: Time) -> Option<Duration> {
        let queue = self.tables.queues.get(&id)?;
        let group = self.tables.groups.get(&queue.group)?;
        let unit = group.units.get(queue.device)?;
        let waiting_since = self.tables.devices.get(&queue.device)?.waiting_since?;
        if queue.phase != Phase::Ready || group.verdict != Verdict::Runs {
            return None;
        }
        let runs = now.since(unit.running_since?);
        // Equals that take turns: in all of these together, or else one whose turns are shorter than a lease has them for ever. Under a policy of turns these are no matter of leases, 0015.
        let before = queue.ran_by_then.filter(|_| !self.policy.takes_turns());
        let ran = before.map_or(runs, |before| (unit.ran + runs).saturating_sub(before));
        Some(ran.min(now.since(waiting_since.max(queue.moved_at))))
    }

    /// The queue has given a sign of life.
    fn is_alive(&mut self, id: QueueId, now: Time) {
        let Some((group, device)) = self.tables.queues.get(&id).map(|queue| (queue.group, queue.device))
        else {
            return;
        };
        let unit = self.tables.unit(group, device);
        let ran =
            unit.map(|unit| unit.ran + unit.running_since.map_or(Duration::ZERO, |since| now.since(since)));
        if let Some(queue) = self.tables.queues.get_mut(&id) {
            (queue.moved_at, queue.ran_by_then) = (now, ran);
        }
    }

    fn lapse(&mut self, id: QueueId, now: Time) {
        let Some(queue) = self.tables.queues.get(&id) else { return };
        let (group, device) = (queue.group, queue.device);
        self.set_phase(id, Phase::Lapsed);
        self.timers.start(Timer::Lapsed(group, device), now + self.settings.lease, now);
    }

    fn is_in(&self, id: QueueId, phase: Phase) -> bool {
        self.tables.queues.get(&id).is_some_and(|queue| queue.phase == phase)
    }

    fn set_phase(&mut self, id: QueueId, phase: Phase) {
        let Some(queue) = self.tables.queues.get(&id) else { return };
        let (before, counted) = (queue.phase, queue.counts_as_ready());
        if before == Phase::Draining && phase != Phase::Draining {
            self.timers.clear(Timer::Grace(id));
        }
        self.changes.groups.extend(self.tables.set_phase(id, phase, self.now()));
        // Of a phase, a rank may go by since when the queue counts as ready.
        if phase.counts_as_ready() != counted && !self.policy.goes_by_priority_alone() {
            self.rank(id, self.now());
        }
    }
}
