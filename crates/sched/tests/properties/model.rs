//! What should come out, computed from scratch at each decision in the plainest way. Only the lapsing of leases is taken from the
//! scheduler, and must not happen to queues that make progress.

use crate::world::settings;
use std::collections::{BTreeMap, BTreeSet};
use xsched_core::{ClientId, DeviceId, Event, Facts, GroupId, HintKind, QueueId, Time};
use xsched_sched::{PolicyKind, Scheduler, Turn};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Idle,
    Ready,
    Draining(Time),
    Lapsed,
}

#[derive(Debug)]
struct Queue {
    client: ClientId,
    device: DeviceId,
    priority: i64,
    phase: Phase,
}

/// How urgent a queue of this priority is whose process has these facts.
type Urgency = fn(i64, Facts) -> i64;

/// The policies under which only the most urgent run.
pub(crate) fn urgency_under(policy: Option<PolicyKind>) -> Option<Urgency> {
    match policy? {
        PolicyKind::Hpf | PolicyKind::Hhpf => Some(|priority, _| priority),
        PolicyKind::Chpf => Some(|_, facts| facts.cpu_priority.into()),
        PolicyKind::Awf => Some(|priority, facts| priority + 10_000 * i64::from(facts.has_active_window)),
        _ => None,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    urgency: Option<Urgency>,
    /// Whether all devices count as one, as under HHPF.
    is_machine_wide: bool,
    clients: BTreeMap<ClientId, (GroupId, Option<i64>)>,
    facts: BTreeMap<ClientId, Facts>,
    queues: BTreeMap<QueueId, Queue>,
    /// Groups that run by the policy.
    running: BTreeSet<GroupId>,
    closed: BTreeMap<(GroupId, DeviceId), bool>,
    waiting_since: BTreeMap<GroupId, Time>,
    granted_until: BTreeMap<GroupId, Time>,
    /// Groups that share a device, and until when if they do not want it any more.
    active: BTreeMap<(GroupId, DeviceId), Option<Time>>,
    /// Groups that have work on a device, and how often each has come to an end of it.
    busy: BTreeSet<(GroupId, DeviceId)>,
    rests: BTreeMap<(GroupId, DeviceId), usize>,
}

impl Model {
    pub(crate) fn event(&mut self, event: Event, now: Time) {
        match event {
            Event::ClientJoined { client, group } => {
                self.clients.entry(client).or_insert((group, None));
            }
            Event::ClientMoved { client, group } => {
                self.clients.entry(client).and_modify(|(before, _)| *before = group);
            }
            Event::ClientLeft { client } => {
                self.clients.remove(&client);
                self.facts.remove(&client);
                self.queues.retain(|_, queue| queue.client != client);
            }
            Event::QueueCreated { queue, client, device, hints } => {
                if let Some(&(_, priority)) = self.clients.get(&client) {
                    let priority = priority.unwrap_or(hints.get(HintKind::Priority));
                    self.queues.entry(queue).or_insert(Queue {
                        client,
                        device,
                        priority,
                        phase: Phase::Idle,
                    });
                }
            }
            Event::QueueDestroyed { queue } => drop(self.queues.remove(&queue)),
            Event::QueueReady { queue } => {
                self.queues.entry(queue).and_modify(|queue| queue.phase = Phase::Ready);
            }
            Event::QueueIdle { queue } => {
                self.queues.entry(queue).and_modify(|queue| {
                    queue.phase = match queue.phase {
                        Phase::Ready => Phase::Draining(now + settings().grace),
                        Phase::Lapsed => Phase::Idle,
                        other => other,
                    }
                });
            }
            Event::QueueHint { hint, .. } | Event::ClientHint { hint, .. }
                if hint.kind() != HintKind::Priority => {}
            Event::QueueHint { queue, hint } => {
                self.queues.entry(queue).and_modify(|queue| queue.priority = hint.value());
            }
            Event::ClientHint { client, hint } => {
                self.clients.entry(client).and_modify(|(_, priority)| *priority = Some(hint.value()));
                self.queues
                    .values_mut()
                    .filter(|q| q.client == client)
                    .for_each(|q| q.priority = hint.value());
            }
            Event::ClientUnset { kind, .. } if kind != HintKind::Priority => {}
            Event::ClientUnset { client, kind } => {
                self.clients.entry(client).and_modify(|(_, priority)| *priority = None);
                let queues = self.queues.values_mut().filter(|queue| queue.client == client);
                queues.for_each(|queue| queue.priority = kind.info().default);
            }
            Event::QueueProgress { .. } => {}
            Event::ClientFact { client, fact } => {
                if self.clients.contains_key(&client) {
                    self.facts.entry(client).or_default().set(fact);
                }
            }
        }
    }

    /// Computes anew what does not depend on the policy: who is ready, who shares a device.
    pub(crate) fn settle(&mut self, scheduler: &Scheduler, hung: &BTreeSet<QueueId>, now: Time) {
        self.urgency = urgency_under(scheduler.policy());
        self.is_machine_wide = scheduler.policy() == Some(PolicyKind::Hhpf);
        self.settle_phases(scheduler, hung, now);
        self.settle_contention(now);
    }

    /// Computes anew who runs where only the most urgent do.
    pub(crate) fn settle_running(&mut self, scheduler: &Scheduler, now: Time) {
        self.granted_until.retain(|_, until| *until > now);
        for (&group, &since) in &self.waiting_since {
            if since + settings().max_suspend <= now {
                self.granted_until.insert(group, now + settings().grant);
            }
        }
        self.waiting_since.retain(|_, since| *since + settings().max_suspend > now);
        let mut runs = self.who_runs();
        self.leave_one_of_equals(scheduler, &mut runs);
        let ran = std::mem::replace(&mut self.running, runs);
        self.granted_until.retain(|group, _| ran.contains(group) || !self.running.contains(group));
        let groups: BTreeSet<GroupId> = self.clients.values().map(|&(group, _)| group).collect();
        self.granted_until.retain(|group, _| groups.contains(group));

        self.closed = self.units().into_iter().map(|unit| (unit, self.is_closed(unit))).collect();
        for group in groups {
            let waits = self.units().into_iter().any(|unit| {
                unit.0 == group && self.closed[&unit] && !self.is_never(unit) && self.is_wanting(unit)
            });
            if waits {
                self.waiting_since.entry(group).or_insert(now);
            } else {
                self.waiting_since.remove(&group);
            }
        }
        self.waiting_since.retain(|group, _| self.clients.values().any(|(other, _)| other == group));
    }

    /// The scheduler wakes up at the latest when something is over.
    pub(crate) fn check_wake(&self, wake: Option<Time>) {
        let grace = self.queues.values().filter_map(|queue| match queue.phase {
            Phase::Draining(until) => Some(until),
            _ => None,
        });
        let due = self.waiting_since.values().map(|&since| since + settings().max_suspend);
        let times = grace.chain(due).chain(self.active.values().copied().flatten());
        if let Some(first) = times.chain(self.granted_until.values().copied()).min() {
            assert!(
                wake.is_some_and(|wake| wake <= first),
                "wakes at {wake:?}, something is over at {first}"
            );
        }
    }

    /// Windows as the scheduler told them.
    pub(crate) fn check_windows(&self, scheduler: &Scheduler) {
        for queue in self.queues.values() {
            let unit = (self.clients[&queue.client].0, queue.device);
            let as_active = |unit: (GroupId, DeviceId)| self.priority(unit).max(self.urgent(unit.0));
            let own = as_active(unit);
            let mut others = (self.active.keys())
                .filter(|other| (other.1 == unit.1 || self.is_machine_wide) && other.0 != unit.0);
            let by_priority = self.urgency.is_some();
            let may_be_preempted = self.active.contains_key(&unit)
                && others.any(|other| !by_priority || as_active(*other) > own);
            let may_be_preempted = may_be_preempted
                || scheduler.policy() == Some(PolicyKind::Spup) && self.active.contains_key(&unit);
            let windowed = scheduler.is_windowed(queue.client, queue.device);
            assert_eq!(windowed, may_be_preempted, "{unit:?}: {self:#?}");
        }
    }

    pub(crate) fn check_gates(&self, scheduler: &Scheduler) {
        for queue in self.queues.values() {
            let unit = (self.clients[&queue.client].0, queue.device);
            let suspended = scheduler.is_suspended(queue.client, queue.device);
            assert_eq!(suspended, self.closed[&unit], "{} on {}: {self:#?}", queue.client, queue.device);
            let waits = |group: GroupId| {
                self.urgent(group) > Some(-256)
                    && !self.running.contains(&group)
                    && self.meets(group, queue.device)
            };
            let runs = !suspended && self.ready_devices(unit.0).contains(&queue.device);
            let awaited = scheduler.is_awaited(queue.client, queue.device);
            assert_eq!(awaited, runs && self.groups().any(waits), "{unit:?}: {self:#?}");
        }
        for &(group, _) in self.clients.values() {
            assert_eq!(scheduler.is_granted(group), self.granted_until.contains_key(&group), "{group}");
        }
    }

    fn settle_phases(&mut self, scheduler: &Scheduler, hung: &BTreeSet<QueueId>, now: Time) {
        for (&id, queue) in &mut self.queues {
            let ready = scheduler.is_ready(id);
            queue.phase = match queue.phase {
                Phase::Draining(until) if until <= now => Phase::Idle,
                Phase::Ready if !ready => {
                    assert!(hung.contains(&id), "{id} lapsed although it makes progress");
                    Phase::Lapsed
                }
                Phase::Lapsed if ready => Phase::Ready,
                other => other,
            };
            let counts = matches!(queue.phase, Phase::Ready | Phase::Draining(_));
            assert_eq!(ready, counts, "{id} is {:?}", queue.phase);
        }
    }

    fn settle_contention(&mut self, now: Time) {
        let groups: Vec<GroupId> = self.groups().collect();
        let on_devices = |group| self.ready_devices(group).into_iter().map(move |device| (group, device));
        let busy = groups.into_iter().flat_map(on_devices).collect();
        let before = std::mem::replace(&mut self.busy, busy);
        before.difference(&self.busy).for_each(|&unit| *self.rests.entry(unit).or_default() += 1);
        self.active.retain(|_, until| until.is_none_or(|until| until > now));
        let units = self.units();
        self.active.retain(|unit, _| units.contains(unit));
        for unit in units {
            if self.is_wanting(unit) {
                self.active.insert(unit, None);
            } else {
                self.active.entry(unit).and_modify(|until| {
                    until.get_or_insert(now + settings().contended_linger);
                });
            }
        }
    }

    /// Whether the group, which is ready, holds others back on this device.
    fn meets(&self, group: GroupId, device: DeviceId) -> bool {
        self.is_machine_wide || self.ready_devices(group).contains(&device)
    }

    /// Over all devices: the most urgent group first, unless one that is more urgent runs on one of its devices.
    fn who_runs(&self) -> BTreeSet<GroupId> {
        let mut order: Vec<(i64, GroupId)> =
            self.groups().filter_map(|group| Some((self.urgent(group)?, group))).collect();
        order.sort();
        let mut runs = BTreeSet::new();
        for &(urgent, group) in order.iter().rev().filter(|(urgent, _)| *urgent > -256) {
            let denied = self.ready_devices(group).into_iter().any(|device| {
                runs.iter().any(|&other| self.urgent(other) > Some(urgent) && self.meets(other, device))
            });
            if !denied {
                runs.insert(group);
            }
        }
        runs
    }

    /// Of equals that can be taken off a device, while somebody goes before them there, one runs; which, the scheduler says. Not where a group is ready on several devices.
    fn leave_one_of_equals(&self, scheduler: &Scheduler, runs: &mut BTreeSet<GroupId>) {
        let devices: BTreeSet<DeviceId> = self.queues.values().map(|queue| queue.device).collect();
        for device in devices.into_iter().filter(|_| !self.is_machine_wide) {
            let ready = || self.groups().filter(move |&group| self.ready_devices(group).contains(&device));
            let yields = |urgent| {
                let active = self.active.keys().filter(|unit| unit.1 == device);
                active.map(|&unit| self.priority(unit).max(self.urgent(unit.0))).any(|other| other > urgent)
            };
            let equals: Vec<GroupId> = ready()
                .filter(|group| runs.contains(group))
                .filter(|&group| self.is_interruptible(group) && yields(self.urgent(group)))
                .collect();
            if equals.is_empty() || ready().any(|group| self.ready_devices(group).len() > 1) {
                continue;
            }
            let which = |turn| {
                let them = scheduler.contenders(device).filter(move |is| is.turn == turn).map(|is| is.group);
                them.filter(|group| equals.contains(group)).collect::<Vec<GroupId>>()
            };
            let [has, waits, beside] = [Turn::Has, Turn::Waits, Turn::None].map(which);
            let takes_turns = has.len() + waits.len() > 0;
            assert_eq!(has.len(), usize::from(takes_turns), "{equals:?} on {device}: {self:#?}");
            // Those who rest all the time have none.
            let rests = |group| self.rests.get(&(group, device)).copied().unwrap_or(0);
            assert!(beside.iter().all(|&group| rests(group) >= 4), "{beside:?} on {device}: {self:#?}");
            runs.retain(|group| !waits.contains(group));
        }
    }

    fn is_interruptible(&self, group: GroupId) -> bool {
        let has_queues = |client: &ClientId| self.queues.values().any(|queue| queue.client == *client);
        let clients = self.clients.iter().filter(|(client, (of, _))| *of == group && has_queues(client));
        clients.fold(None, |all, (client, _)| {
            let is = self.facts.get(client).is_some_and(|facts| facts.is_interruptible);
            Some(all.unwrap_or(true) && is)
        }) == Some(true)
    }

    fn is_closed(&self, unit: (GroupId, DeviceId)) -> bool {
        let (group, device) = unit;
        if self.is_never(unit) {
            return true;
        }
        if self.granted_until.contains_key(&group) {
            return false;
        }
        let urgent = self.urgent(group);
        if urgent.is_some() && !self.running.contains(&group) {
            return true;
        }
        let tops = self.running.iter().filter(|&&other| self.meets(other, device));
        let top = tops.filter_map(|&other| self.urgent(other)).max();
        !self.ready_devices(group).contains(&device) && self.priority(unit).max(urgent) < top
    }

    fn is_never(&self, unit: (GroupId, DeviceId)) -> bool {
        self.urgent(unit.0).or(self.priority(unit)) == Some(-256)
    }

    fn is_wanting(&self, unit: (GroupId, DeviceId)) -> bool {
        self.of_unit(unit).any(|queue| queue.phase != Phase::Idle)
    }

    /// Priority of the most urgent queue of the group on the device.
    fn priority(&self, unit: (GroupId, DeviceId)) -> Option<i64> {
        self.of_unit(unit).map(|queue| self.urgency_of(queue)).max()
    }

    /// Priority of the group's most urgent ready queue anywhere.
    fn urgent(&self, group: GroupId) -> Option<i64> {
        self.ready(group).map(|queue| self.urgency_of(queue)).max()
    }

    fn urgency_of(&self, queue: &Queue) -> i64 {
        let facts = self.facts.get(&queue.client).copied().unwrap_or_default();
        match self.urgency {
            Some(urgency) if queue.priority > -256 => urgency(queue.priority, facts),
            _ => queue.priority,
        }
    }

    fn ready_devices(&self, group: GroupId) -> BTreeSet<DeviceId> {
        self.ready(group).map(|queue| queue.device).collect()
    }

    fn ready(&self, group: GroupId) -> impl Iterator<Item = &Queue> {
        let of_group = self.queues.values().filter(move |queue| self.clients[&queue.client].0 == group);
        of_group.filter(|queue| matches!(queue.phase, Phase::Ready | Phase::Draining(_)))
    }

    fn of_unit(&self, (group, device): (GroupId, DeviceId)) -> impl Iterator<Item = &Queue> {
        let on_device = self.queues.values().filter(move |queue| queue.device == device);
        on_device.filter(move |queue| self.clients[&queue.client].0 == group)
    }

    fn units(&self) -> BTreeSet<(GroupId, DeviceId)> {
        self.queues.values().map(|queue| (self.clients[&queue.client].0, queue.device)).collect()
    }

    fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.clients.values().map(|&(group, _)| group).collect::<BTreeSet<_>>().into_iter()
    }
}
