//! Who may be preempted: groups that want a device, or wanted it a short while ago, while others do that go before them.
//!
//! A process that may be preempted at any time keeps its window small; one that is alone, or that nobody goes before, need not.
//! Lapsed queues count as wanting, because it is not known that they do not.

use crate::running::Running;
use crate::scheduler::Scheduler;
use crate::state::{Device, Leaders, Place};
use crate::timers::Timer;
use std::cmp::Reverse;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{ClientId, DeviceId, GroupId, Time};

/// A group that wants a device, or wanted it within `contended_linger`, as of the last decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Which.
    pub group: GroupId,
    /// How urgent it is, as the policy ranks.
    pub priority: i64,
    /// It counts as ready there.
    pub is_ready: bool,
    /// Nothing of it may be launched there.
    pub is_held: bool,
    /// Some other contender goes before it: may take the device from it, and not the other way round.
    pub yields: bool,
    /// It goes before some other contender.
    pub leads: bool,
    /// What it has to do with turns.
    pub turn: Turn,
    /// Queues of it have made no progress for a lease, and so do not count as ready; they may have something on the device nevertheless.
    pub is_lapsed: bool,
}

/// Whether a group that can be taken off a device has it in turn with others, in which nothing of those who wait is to be on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// It runs beside others, or cannot be taken off.
    #[default]
    None,
    /// The turn is its own. It may be held back nevertheless, by one who goes before it.
    Has,
    /// It waits for its turn.
    Waits,
}

impl Device {
    /// Priority of the most urgent active group but this one.
    pub(crate) fn most_urgent_but(&self, group: GroupId) -> Option<i64> {
        let mut leaders = self.leaders.iter().flatten();
        leaders.find(|(_, leader)| *leader != group).map(|&(Reverse(priority), _)| priority)
    }

    /// The group is active with another priority than before: answers who led until then.
    fn reorder(&mut self, group: GroupId, before: Option<i64>, now: Option<i64>) -> Leaders {
        before.map(|priority| self.active.remove(&(Reverse(priority), group)));
        now.map(|priority| self.active.insert((Reverse(priority), group)));
        let mut active = self.active.iter().copied();
        std::mem::replace(&mut self.leaders, [active.next(), active.next()])
    }
}

impl Scheduler {
    /// Who wants the device, most urgent first. Costs some steps for each.
    pub fn contenders(&self, id: DeviceId) -> impl Iterator<Item = Contender> + '_ {
        let device = self.tables.devices.get(&id);
        let active = device.into_iter().flat_map(|device| device.active.iter());
        let least = device.and_then(|device| device.active.last()).map(|&(Reverse(priority), _)| priority);
        let most = device.and_then(|device| device.active.first()).map(|&(Reverse(priority), _)| priority);
        // Who waits for a device waits on all that it has, and is off all of them.
        let is_shared = |group| {
            let mut devices = self.devices_of(group).filter_map(|device| self.tables.devices.get(&device));
            devices.any(|device| device.active.len() > 1)
        };
        active.filter_map(move |&(Reverse(priority), group)| {
            let unit = self.tables.unit(group, id)?;
            let has_turn = match self.policy.takes_turns() {
                true => (unit.is_interruptible && is_shared(group)).then_some(!unit.closed),
                false => self
                    .equals
                    .has_turn(id, group)
                    .and_then(|(rank, has)| self.alternating(id, rank).map(|_| has)),
            };
            Some(Contender {
                group,
                priority,
                is_ready: !unit.ready.is_empty(),
                is_held: unit.closed,
                yields: most.is_some_and(|most| self.goes_before(most, priority)),
                leads: least.is_some_and(|least| self.goes_before(priority, least)),
                is_lapsed: !unit.lapsed.is_empty(),
                turn: has_turn.map_or(Turn::None, |has| if has { Turn::Has } else { Turn::Waits }),
            })
        })
    }

    /// Whether a group of the first priority takes a device from one of the second, and not the other way round: those that take turns do both.
    pub fn goes_before(&self, one: i64, other: i64) -> bool {
        self.policy.preempts(one, other) && !self.policy.preempts(other, one)
    }

    /// The ready ones of this rank that can be taken off the device, if they have it one at a time: while somebody goes before them, so that he need not wait for a round of theirs. Not
    /// where some group runs on several devices at once or on none.
    pub(crate) fn alternating(&self, id: DeviceId, rank: i64) -> Option<impl Iterator<Item = GroupId> + '_> {
        let ready = self.equals.ready(id, rank)?;
        let device = self.tables.devices.get(&id).filter(|device| device.spanning.is_empty())?;
        let &(Reverse(most), _) = device.active.first()?;
        (self.policy.goes_by_priority_alone() && self.goes_before(most, rank)).then_some(ready)
    }

    /// The rank of the first of those who run.
    pub(crate) fn top_of(&self, run: &Running, id: DeviceId) -> Option<i64> {
        let &group = run.named().first()?;
        match self.tables.unit(group, id)?.place {
            Place::Ready(rank) => Some(rank),
            Place::Idle(_) | Place::Nowhere => None,
        }
    }

    /// Whether somebody of those who contend for a device goes before another one.
    pub fn is_ordered(&self, device: DeviceId) -> bool {
        let active = self.tables.devices.get(&device).map(|device| &device.active);
        let most_and_least = active.and_then(|active| active.first().zip(active.last()));
        most_and_least
            .is_some_and(|(&(Reverse(most), _), &(Reverse(least), _))| self.goes_before(most, least))
    }

    /// The clients of a group that have queues on the device.
    pub fn clients_on(&self, group: GroupId, device: DeviceId) -> impl Iterator<Item = ClientId> + '_ {
        let gates = self.tables.unit(group, device).into_iter().flat_map(|unit| unit.gates.iter());
        gates.filter(|(_, gate)| gate.queues > 0).map(|(client, _)| client)
    }

    /// The devices on which anybody has queues.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.tables.devices.keys().copied()
    }

    /// The devices on which a group has queues.
    pub fn devices_of(&self, group: GroupId) -> impl Iterator<Item = DeviceId> + '_ {
        self.tables.groups.get(&group).into_iter().flat_map(|group| group.units.keys())
    }

    /// Brings `Device::active` in line with what the group wants of the device now.
    pub(crate) fn update_contention(&mut self, id: GroupId, device: DeviceId, now: Time) {
        let Some(group) = self.tables.groups.get_mut(&id) else { return };
        let urgent = group.urgent.unwrap_or(PRIORITY_NO_EXECUTE);
        let Some(unit) = group.units.get_mut(device) else { return };
        let is_active = unit.is_wanting() || unit.active.is_some() && !unit.queues.is_empty();
        let lingers = is_active && !unit.is_wanting();
        let priority = is_active.then(|| unit.priority().max(urgent));
        if lingers != unit.lingers {
            unit.lingers = lingers;
            let timer = Timer::Linger(id, device);
            match lingers {
                true => self.timers.set(timer, now + self.settings.contended_linger, now),
                false => self.timers.clear(timer),
            }
        }
        self.set_active(id, device, priority);
    }

    /// The group has not wanted the device for `contended_linger`.
    pub(crate) fn linger_over(&mut self, group: GroupId, device: DeviceId) {
        self.tables.unit_mut(group, device).into_iter().for_each(|unit| unit.lingers = false);
        self.set_active(group, device, None);
    }

    fn set_active(&mut self, group: GroupId, id: DeviceId, priority: Option<i64>) {
        let Some(unit) = self.tables.groups.get_mut(&group).and_then(|g| g.units.get_mut(id)) else {
            return;
        };
        let Some(device) = self.tables.devices.get_mut(&id) else { return };
        let before = std::mem::replace(&mut unit.active, priority);
        if before == priority {
            return;
        }
        let leaders = device.reorder(group, before, priority);
        self.changes.units.insert((group, id));
        let now_leading = device.leaders;
        if now_leading == leaders {
            return;
        }
        // Whether equals take turns depends on whether somebody goes before them.
        if !self.equals.is_empty() {
            self.changes.devices.insert(id);
        }
        if self.policy.is_machine_wide() {
            for (&id, device) in &self.tables.devices {
                self.changes.units.extend(device.active.iter().map(|&(_, other)| (other, id)));
            }
            return;
        }
        self.changes
            .units
            .extend(leaders.into_iter().chain(now_leading).flatten().map(|(_, other)| (other, id)));
        if let ([Some((a, _)), _], [Some((b, _)), _]) = (leaders, now_leading)
            && a != b
        {
            // For those above both, or below both, the order has not changed.
            let between = (a.min(b), GroupId(0))..=(a.max(b), GroupId(u32::MAX));
            self.changes.units.extend(device.active.range(between).map(|&(_, other)| (other, id)));
        }
    }
}
