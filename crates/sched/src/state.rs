//! The tables: clients, groups, queues, devices, and what is remembered of each.
//!
//! Invariants: a queue stands in `Client::queues` of its client and in `UnitState::queues` of its group on its device, under
//! its current urgency; a unit exists while it has queues, or has yet to be told that it has none. Ordered sets wherever the
//! order of operations depends on it. Absent: rules. This file only puts in and takes out.

use crate::few::Few;
use crate::policy::{HeldIdle, Unit};
use crate::running::Running;
use crate::weights::Weight;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::id::IdMap;
use xsched_core::{ClientId, DeviceId, Facts, GroupId, Hint, HintKind, Hints, QueueId, Time};

/// The ready groups of a device, most urgent first.
pub(crate) type Readies = BTreeMap<(Reverse<i64>, GroupId), Unit>;

/// Orders queues: most urgent first, then by number.
pub(crate) type Urgency = (Reverse<i64>, QueueId);

#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) clients: IdMap<ClientId, Client>,
    pub(crate) groups: IdMap<GroupId, Group>,
    pub(crate) queues: IdMap<QueueId, Queue>,
    pub(crate) devices: IdMap<DeviceId, Device>,
    /// Groups that run or wait on one device and would be more urgent there if they became ready on another one.
    pub(crate) rising: BTreeSet<GroupId>,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) group: GroupId,
    /// Given for the client as a whole; they hold for its queues to come.
    pub(crate) hints: Hints,
    pub(crate) facts: Facts,
    pub(crate) queues: BTreeSet<QueueId>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) client: ClientId,
    pub(crate) group: GroupId,
    pub(crate) device: DeviceId,
    pub(crate) hints: Hints,
    /// How urgent the policy thinks it is (`ranks`).
    pub(crate) urgency: i64,
    /// It is to be asked anew how urgent it is even if nothing changes: a timer may be set.
    pub(crate) is_ranked_for_a_time: bool,
    /// Since when it has counted as ready; `None` while it does not.
    pub(crate) ready_since: Option<Time>,
    /// Its utilization was given to it alone, not to its whole process.
    pub(crate) has_own_utilization: bool,
    pub(crate) phase: Phase,
    /// Commands launched and completed, as last told.
    pub(crate) seen: Option<(u64, u64)>,
    /// Probed, and not answered yet.
    pub(crate) asked: bool,
    /// When it last gave a sign of life: became ready, or its numbers moved.
    pub(crate) moved_at: Time,
    /// How long its group had run there by then. `None` if it has been in another group since.
    pub(crate) ran_by_then: Option<Duration>,
}

/// What the scheduler believes about a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Ready,
    /// Told idle; counts as ready until its grace is over.
    Draining,
    /// Ready, but without progress for a whole lease: counts as idle until it moves.
    Lapsed,
}

impl Phase {
    pub(crate) fn counts_as_ready(self) -> bool {
        matches!(self, Phase::Ready | Phase::Draining)
    }
}

/// Whom a hint was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenTo {
    Queue,
    Process,
}

/// The unit of suspension: one process or several.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) clients: BTreeSet<ClientId>,
    pub(crate) units: Few<DeviceId, UnitState>,
    /// Priority of its most urgent ready queue on any device; `None` while it is idle everywhere.
    pub(crate) urgent: Option<i64>,
    pub(crate) verdict: Verdict,
    /// It may run for a moment because it has waited for `max_suspend`.
    pub(crate) granted: bool,
    /// Its clock runs: `Timer::Due` is set.
    pub(crate) is_due_set: bool,
}

/// What was decided about a group, the same for all its devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ready nowhere: each device's floor says whether it may start there.
    #[default]
    Idle,
    /// May run wherever it is ready.
    Runs,
    /// Held back everywhere.
    Waits,
}

/// A group on one device.
#[derive(Debug, Default)]
pub(crate) struct UnitState {
    /// All its queues there.
    pub(crate) queues: BTreeSet<Urgency>,
    /// Those that count as ready.
    pub(crate) ready: BTreeSet<Urgency>,
    /// The utilizations of those, as the hints of processes and queues have it.
    pub(crate) utilization: u64,
    pub(crate) lapsed: BTreeSet<QueueId>,
    /// Where the next round of probes of lapsed queues begins.
    pub(crate) lapsed_cursor: QueueCursor,
    pub(crate) gates: Few<ClientId, Gate>,
    pub(crate) place: Place,
    /// As of the last decision: nothing of it may be launched.
    pub(crate) closed: bool,
    /// Queues that may have work on the device although nothing more may be launched, and for which the policy keeps the run open.
    pub(crate) in_flight: BTreeSet<QueueId>,
    /// All that its group has on any device can be taken off it at any moment.
    pub(crate) is_interruptible: bool,
    /// As of the last decision: it runs only because of those.
    pub(crate) is_draining: bool,
    pub(crate) ready_since: Option<Time>,
    pub(crate) running_since: Option<Time>,
    pub(crate) ran: Duration,
    /// Its priority in `Device::active`, if it is in there.
    pub(crate) active: Option<i64>,
    /// It is in there only because of what it wanted before: `Timer::Linger` is set.
    pub(crate) lingers: bool,
}

/// A queue number to go on from.
pub(crate) type QueueCursor = u64;

/// One process of a group on one device.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Its queues there. A gate without queues goes away once its client was told that all is over.
    pub(crate) queues: usize,
    /// Its part of `UnitState::utilization`.
    pub(crate) weight: Weight,
    pub(crate) told: Told,
    /// Times it was suspended.
    pub(crate) suspensions: u64,
}

/// What a process was last told about a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) suspended: bool,
    pub(crate) windowed: bool,
    pub(crate) awaited: bool,
}

/// In which index of its device a unit stands, and at which priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Nowhere,
    /// Not for the policy: idle, or never to run.
    Idle(i64),
    Ready(i64),
}

#[derive(Debug)]
pub(crate) struct Device {
    /// Units that exist.
    pub(crate) units: usize,
    /// Those the policy sees.
    pub(crate) ready: Readies,
    /// Those it does not see, by priority.
    pub(crate) idle: BTreeSet<(i64, GroupId)>,
    /// Groups of `ready` that are ready on other devices too.
    pub(crate) spanning: BTreeSet<GroupId>,
    /// The last decision: who runs ...
    pub(crate) running: Running,
    /// ... and which idle groups may not start.
    pub(crate) held_idle: HeldIdle,
    /// Groups that the next ones wait for: what they launched before their gates were closed may not be done.
    pub(crate) draining: BTreeSet<GroupId>,
    /// Since when somebody has been waiting for those who run.
    pub(crate) waiting_since: Option<Time>,
    /// Groups that are, or were within `contended_linger`, ready or lapsed; most urgent first.
    pub(crate) active: BTreeSet<(Reverse<i64>, GroupId)>,
    /// The first two of these.
    pub(crate) leaders: Leaders,
}

/// The two most urgent active groups of a device: who they are decides about the windows of all others.
pub(crate) type Leaders = [Option<(Reverse<i64>, GroupId)>; 2];

impl Default for Device {
    fn default() -> Device {
        Device {
            units: 0,
            ready: Readies::new(),
            idle: BTreeSet::new(),
            spanning: BTreeSet::new(),
            running: Running::default(),
            held_idle: HeldIdle::Nobody,
            draining: BTreeSet::new(),
            waiting_since: None,
            active: BTreeSet::new(),
            leaders: [None; 2],
        }
    }
}

impl Tables {
    pub(crate) fn unit(&self, group: GroupId, device: DeviceId) -> Option<&UnitState> {
        self.groups.get(&group)?.units.get(device)
    }

    pub(crate) fn unit_mut(&mut self, group: GroupId, device: DeviceId) -> Option<&mut UnitState> {
        self.groups.get_mut(&group)?.units.get_mut(device)
    }

    pub(crate) fn gate(&self, client: ClientId, device: DeviceId) -> Option<&Gate> {
        self.unit(self.clients.get(&client)?.group, device)?.gates.get(client)
    }

    pub(crate) fn add_client(&mut self, id: ClientId, group: GroupId) {
        self.clients.entry(id).or_insert_with(|| {
            self.groups.entry(group).or_default().clients.insert(id);
            Client { group, hints: Hints::default(), facts: Facts::default(), queues: BTreeSet::new() }
        });
    }

    /// Takes out the client with its queues; answers them, and its group.
    pub(crate) fn remove_client(&mut self, id: ClientId) -> Option<(GroupId, BTreeSet<QueueId>)> {
        let client = self.clients.remove(&id)?;
        for &queue in &client.queues {
            self.remove_queue(queue);
        }
        if let Some(group) = self.groups.get_mut(&client.group) {
            group.clients.remove(&id);
            for unit in group.units.values_mut() {
                unit.gates.remove(id);
            }
        }
        Some((client.group, client.queues))
    }

    /// Puts the client with its queues, as they are, into another group; answers the one it was in, if that is news. What it was last told
    /// stays known; what it has in flight after a turn is not waited for.
    pub(crate) fn move_client(&mut self, id: ClientId, to: GroupId) -> Option<GroupId> {
        let client = self.clients.get_mut(&id).filter(|client| client.group != to)?;
        let from = std::mem::replace(&mut client.group, to);
        let queues = client.queues.clone();
        self.groups.entry(to).or_default().clients.insert(id);
        let mut before = self.groups.remove(&from)?;
        before.clients.remove(&id);
        for (device, unit) in before.units.iter_mut() {
            let Some(gate) = unit.take_gate(id) else { continue };
            let units = &mut self.groups.entry(to).or_default().units;
            let new = units.get_or_insert_with(device, || {
                self.devices.entry(device).or_default().units += 1;
                UnitState::default()
            });
            new.put_gate(id, gate);
            for &number in &queues {
                let Some(queue) = self.queues.get_mut(&number).filter(|queue| queue.device == device) else {
                    continue;
                };
                queue.group = to;
                queue.ran_by_then = None;
                let urgency = queue.urgency(number);
                let moved = [(&mut unit.queues, &mut new.queues), (&mut unit.ready, &mut new.ready)];
                for (old, new) in moved {
                    if old.remove(&urgency) {
                        new.insert(urgency);
                    }
                }
                if unit.lapsed.remove(&number) {
                    new.lapsed.insert(number);
                }
                unit.in_flight.remove(&number);
            }
        }
        self.groups.insert(from, before);
        Some(from)
    }

    /// Puts in an idle queue; answers its group, or `None` if its client is unknown or the queue is not new.
    pub(crate) fn add_queue(
        &mut self,
        id: QueueId,
        client_id: ClientId,
        device: DeviceId,
        mut hints: Hints,
        now: Time,
    ) -> Option<GroupId> {
        let client = self.clients.get_mut(&client_id)?;
        if self.queues.contains_key(&id) {
            return None;
        }
        let has_own_utilization = hints.given(HintKind::Utilization).is_some()
            && client.hints.given(HintKind::Utilization).is_none();
        client.hints.iter().for_each(|hint| hints.set(hint));
        client.queues.insert(id);
        let (group, utilization) = (client.group, client.hints.get(HintKind::Utilization));
        let unit = self.groups.get_mut(&group)?.units.get_or_insert_with(device, || {
            self.devices.entry(device).or_default().units += 1;
            UnitState::default()
        });
        let gate = unit.gates.get_or_insert_with(client_id, Gate::default);
        gate.queues += 1;
        gate.weight.set_process(utilization);
        let queue = Queue {
            client: client_id,
            group,
            device,
            hints,
            urgency: hints.priority(),
            is_ranked_for_a_time: false,
            ready_since: None,
            has_own_utilization,
            phase: Phase::Idle,
            seen: None,
            asked: false,
            moved_at: now,
            ran_by_then: None,
        };
        unit.queues.insert(queue.urgency(id));
        self.queues.insert(id, queue);
        Some(group)
    }

    /// Takes out the queue; answers its group.
    pub(crate) fn remove_queue(&mut self, id: QueueId) -> Option<GroupId> {
        let queue = self.queues.remove(&id)?;
        if let Some(client) = self.clients.get_mut(&queue.client) {
            client.queues.remove(&id);
        }
        if let Some(unit) = self.unit_mut(queue.group, queue.device) {
            unit.queues.remove(&queue.urgency(id));
            if unit.ready.remove(&queue.urgency(id)) {
                unit.reweigh(queue.client, |weight| weight.take(queue.share()));
            }
            unit.lapsed.remove(&id);
            unit.in_flight.remove(&id);
            if let Some(gate) = unit.gates.get_mut(queue.client) {
                gate.queues = gate.queues.saturating_sub(1);
            }
        }
        Some(queue.group)
    }

    /// Puts the queue where its urgency says; answers its group if that has changed.
    pub(crate) fn set_urgency(&mut self, id: QueueId, urgency: i64) -> Option<GroupId> {
        let queue = self.queues.get_mut(&id)?;
        let before = queue.urgency(id);
        if queue.urgency == urgency {
            return None;
        }
        queue.urgency = urgency;
        let (after, group, device) = (queue.urgency(id), queue.group, queue.device);
        if let Some(unit) = self.unit_mut(group, device) {
            for set in [&mut unit.queues, &mut unit.ready] {
                if set.remove(&before) {
                    set.insert(after);
                }
            }
        }
        Some(group)
    }

    /// Sets the hint of one queue, given to it alone or to its whole process; answers its group.
    pub(crate) fn set_hint(&mut self, id: QueueId, hint: Hint, to: GivenTo) -> Option<GroupId> {
        let queue = self.queues.get_mut(&id)?;
        let share_before = queue.share();
        queue.hints.set(hint);
        if hint.kind() == HintKind::Utilization {
            queue.has_own_utilization = to == GivenTo::Queue;
        }
        let (urgency, share, client) = (queue.urgency(id), queue.share(), queue.client);
        let (group, device) = (queue.group, queue.device);
        if let Some(unit) = self.unit_mut(group, device) {
            let is_ready = unit.ready.contains(&urgency);
            unit.reweigh(client, |weight| {
                if is_ready {
                    weight.take(share_before);
                    weight.add(share);
                }
                if hint.kind() == HintKind::Utilization && to == GivenTo::Process {
                    weight.set_process(hint.value());
                }
            });
        }
        Some(group)
    }

    /// Takes a hint back from one queue, which had it from whomever; answers its group.
    pub(crate) fn unset_hint(&mut self, id: QueueId, kind: HintKind) -> Option<GroupId> {
        let default = Hint::new(kind, kind.info().default).ok()?;
        let group = self.set_hint(id, default, GivenTo::Process);
        self.queues.get_mut(&id)?.hints.unset(kind);
        group
    }

    /// Sets the phase of one queue and keeps the indexes in order; answers its group if that is anything to it.
    pub(crate) fn set_phase(&mut self, id: QueueId, phase: Phase, now: Time) -> Option<GroupId> {
        let queue = self.queues.get_mut(&id)?;
        queue.phase = phase;
        match phase {
            Phase::Ready | Phase::Draining => drop(queue.ready_since.get_or_insert(now)),
            Phase::Idle | Phase::Lapsed => queue.ready_since = None,
        }
        let (urgency, group, device) = (queue.urgency(id), queue.group, queue.device);
        let (client, share) = (queue.client, queue.share());
        let unit = self.unit_mut(group, device)?;
        let is_counted = match phase.counts_as_ready() {
            true => unit.ready.insert(urgency),
            false => unit.ready.remove(&urgency),
        };
        if is_counted {
            unit.reweigh(client, |weight| match phase.counts_as_ready() {
                true => weight.add(share),
                false => weight.take(share),
            });
        }
        let is_done = phase != Phase::Ready && unit.in_flight.remove(&id);
        let is_lapse = match phase {
            Phase::Lapsed => unit.lapsed.insert(id),
            Phase::Idle | Phase::Ready | Phase::Draining => unit.lapsed.remove(&id),
        };
        // In its grace it counts as before, and nothing has to be decided.
        (is_counted || is_done || is_lapse).then_some(group)
    }
}

impl Queue {
    /// Whether the scheduler believes that it has something to run.
    pub(crate) fn counts_as_ready(&self) -> bool {
        self.phase.counts_as_ready()
    }

    pub(crate) fn urgency(&self, id: QueueId) -> Urgency {
        (Reverse(self.urgency), id)
    }
}

impl Device {
    /// Priority of its most urgent ready group, some left out.
    pub(crate) fn top(&self, without: &BTreeSet<GroupId>) -> Option<i64> {
        self.ready.values().find(|unit| !without.contains(&unit.group)).map(|unit| unit.priority)
    }
}

impl Group {
    /// Devices on which the policy sees the group.
    pub(crate) fn ready_devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.ready_units().map(|(device, _)| device)
    }

    /// The same, with the priority that it sees.
    pub(crate) fn ready_units(&self) -> impl Iterator<Item = (DeviceId, i64)> + '_ {
        self.units.iter().filter_map(|(device, unit)| match unit.place {
            Place::Ready(priority) => Some((device, priority)),
            Place::Idle(_) | Place::Nowhere => None,
        })
    }
}

impl UnitState {
    /// Urgency of the most urgent ready queue.
    pub(crate) fn ready_priority(&self) -> Option<i64> {
        self.ready.first().map(|&(Reverse(priority), _)| priority)
    }

    /// Urgency of the most urgent queue.
    pub(crate) fn priority(&self) -> i64 {
        self.queues.first().map_or(PRIORITY_NO_EXECUTE, |&(Reverse(priority), _)| priority)
    }

    /// The first process that has queues there.
    pub(crate) fn process(&self) -> Option<ClientId> {
        self.gates.iter().find(|(_, gate)| gate.queues > 0).map(|(client, _)| client)
    }

    /// Whether it wants the device: has ready queues, or such as were ready when last heard of.
    pub(crate) fn is_wanting(&self) -> bool {
        !self.ready.is_empty() || !self.lapsed.is_empty()
    }
}
