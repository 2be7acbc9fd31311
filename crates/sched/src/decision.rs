//! Asks the policy about the devices where something changed, and makes its answers fit together.
//!
//! A policy that looks at the whole machine is asked about all devices then.
//!
//! A group that is ready on several devices runs on all of them or on none. So devices that share such groups are decided
//! together: where the policy's answers tear a group apart, it is held back everywhere, and its devices are decided again
//! without it; the most urgent such group first. That ends, because each round leaves out one group more; and as long as
//! the policy lets somebody run on each device, somebody runs in the end, because the last group left cannot be torn.

use crate::policy::{Decision, DeviceView, HeldIdle};
use crate::scheduler::Scheduler;
use crate::state::{Place, Verdict};
use crate::timers::Timer;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use xsched_core::{DeviceId, GroupId, Time};

type Decisions = BTreeMap<DeviceId, Decision>;

impl Scheduler {
    /// Decides all devices that changed, and those that hang together with them.
    pub(crate) fn decide_devices(&mut self, now: Time) {
        let is_machine_wide = self.policy.is_machine_wide();
        let mut decided = BTreeSet::new();
        for first in self.changes.devices.take() {
            if decided.contains(&first) {
                continue;
            }
            // Most of the time nothing else hangs together with it.
            if !is_machine_wide && self.spanning_on(first).next().is_none() {
                self.pass_time(first, now);
                let decision = self.ask(first, &BTreeSet::new(), now);
                let somebody_waits = self.leaves_waiting(first, &decision);
                self.adopt(first, decision, somebody_waits, now);
                continue;
            }
            let together = match is_machine_wide {
                true => self.tables.devices.keys().copied().collect(),
                false => self.hanging_together(first),
            };
            together.iter().for_each(|&device| self.pass_time(device, now));
            let decisions = self.ask_together(&together, now);
            let somewhere = is_machine_wide && decisions.iter().any(|(&id, d)| self.leaves_waiting(id, d));
            for (device, decision) in decisions {
                let somebody_waits = somewhere || self.leaves_waiting(device, &decision);
                self.adopt(device, decision, somebody_waits, now);
            }
            decided.extend(together);
        }
    }

    /// Takes over for a group what was decided about its devices.
    pub(crate) fn judge(&mut self, id: GroupId) {
        let Some(group) = self.tables.groups.get_mut(&id) else { return };
        // It runs on all devices where it is ready or on none, so the first one tells.
        let runs = group.ready_units().next().is_some_and(|(device, priority)| {
            self.tables.devices.get(&device).is_some_and(|device| device.running.has(id, priority))
        });
        let before = group.verdict;
        group.verdict = match group.urgent {
            None => Verdict::Idle,
            Some(_) if runs => Verdict::Runs,
            Some(_) => Verdict::Waits,
        };
        if group.granted && before != Verdict::Runs && group.verdict == Verdict::Runs {
            group.granted = false;
            self.timers.clear(Timer::Grant(id));
        }
        self.changes.units.extend(group.units.keys().map(|device| (id, device)));
    }

    /// The devices that are connected with this one by groups that are ready on several.
    fn hanging_together(&self, first: DeviceId) -> BTreeSet<DeviceId> {
        let mut found = BTreeSet::from([first]);
        let mut todo = vec![first];
        while let Some(device) = todo.pop() {
            for group in self.spanning_on(device) {
                todo.extend(self.ready_devices(group).filter(|&device| found.insert(device)));
            }
        }
        found
    }

    fn ask_together(&self, devices: &BTreeSet<DeviceId>, now: Time) -> Decisions {
        let mut without = BTreeSet::new();
        let mut decisions: Decisions =
            devices.iter().map(|&device| (device, self.ask(device, &without, now))).collect();
        let spanning: BTreeSet<_> = (devices.iter().flat_map(|&device| self.spanning_on(device)))
            .map(|group| (Reverse(self.tables.groups.get(&group).and_then(|group| group.urgent)), group))
            .collect();
        loop {
            let before = without.len();
            for &(_, group) in &spanning {
                if !without.contains(&group) && self.is_torn(group, &decisions) {
                    without.insert(group);
                    for device in self.ready_devices(group) {
                        decisions.insert(device, self.ask(device, &without, now));
                    }
                }
            }
            if without.len() == before {
                return decisions;
            }
        }
    }

    fn ask(&self, id: DeviceId, without: &BTreeSet<GroupId>, now: Time) -> Decision {
        let mut decision = Decision::default();
        if let Some(device) = self.tables.devices.get(&id) {
            let top = match self.policy.is_machine_wide() {
                true => self.tables.devices.values().filter_map(|device| device.top(without)).max(),
                false => device.top(without),
            };
            let view = DeviceView::new(id, &device.ready, without, top);
            self.policy.decide(&view, now, &mut decision);
            match decision.run.rule().and_then(|rank| Some((rank, self.alternating(id, rank)?))) {
                None => decision.run.settle(&device.ready, without),
                Some((rank, equals)) => {
                    let one = self.equals.decide(&view, rank, now);
                    let others = equals.filter(|group| !one.run.named().contains(group));
                    let left_out = others.chain(without.iter().copied()).collect();
                    // Also if nobody is left out: whose turn it is, is told by name.
                    decision.run.name(&device.ready, &left_out);
                    decision.run.settle(&device.ready, &left_out);
                    decision.again = decision.again.into_iter().chain(one.again).min();
                }
            }
        }
        decision
    }

    fn pass_time(&mut self, id: DeviceId, now: Time) {
        self.policy.on_time(id, now);
        self.equals.on_time(id, now);
    }

    /// Whether somebody is ready on the device and does not run by this decision.
    fn leaves_waiting(&self, id: DeviceId, decision: &Decision) -> bool {
        self.tables.devices.get(&id).is_some_and(|device| decision.run.leaves_waiting(&device.ready))
    }

    /// Whether the group would run on some of its devices only.
    fn is_torn(&self, group: GroupId, decisions: &Decisions) -> bool {
        let runs = |(device, priority)| {
            decisions.get(&device).is_some_and(|decision| decision.run.has(group, priority))
        };
        let mut units = self.ready_units(group).map(runs);
        let first = units.next();
        units.any(|other| Some(other) != first)
    }

    /// Makes the decision the one in force and marks the groups and units that it changes something for.
    fn adopt(&mut self, id: DeviceId, decision: Decision, somebody_waits: bool, now: Time) {
        self.policy.on_decision(id, &decision, now);
        let rank = self.top_of(&decision.run, id);
        if let Some(rank) = rank.filter(|&rank| self.alternating(id, rank).is_some()) {
            self.equals.on_decision(id, rank, &decision.run, now);
        }
        let Some(device) = self.tables.devices.get_mut(&id) else { return };
        let Decision { run, held_idle, again } = decision;
        self.changes.groups.extend(run.in_one_only(&device.running, &device.ready));
        device.running = run;
        let before = std::mem::replace(&mut device.held_idle, held_idle);
        let (low, high) = (held_idle.floor().min(before.floor()), held_idle.floor().max(before.floor()));
        let between = device.idle.range((low, GroupId(0))..(high, GroupId(0)));
        self.changes.units.extend(between.map(|&(_, group)| (group, id)));
        if (before == HeldIdle::Recent) != (held_idle == HeldIdle::Recent) {
            // To those that are ready it is all the same, and they may be many.
            let groups = &self.tables.groups;
            let unit = |group: &GroupId| groups.get(group).and_then(|group| group.units.get(id));
            let is_idle =
                |group: &GroupId| unit(group).is_some_and(|unit| matches!(unit.place, Place::Idle(_)));
            let idle = device.active.iter().map(|&(_, group)| group).filter(is_idle);
            self.changes.units.extend(idle.map(|group| (group, id)));
        }

        match again {
            Some(at) => self.timers.set(Timer::Slice(id), at, now),
            None => self.timers.clear(Timer::Slice(id)),
        }
        if somebody_waits != device.waiting_since.is_some() {
            self.changes.units.extend(device.running.groups(&device.ready).map(|group| (group, id)));
        }
        if somebody_waits && device.waiting_since.is_none() {
            device.waiting_since = Some(now);
            self.timers.set(Timer::Lease(id), now + self.probe_period(), now);
        } else if !somebody_waits && device.waiting_since.take().is_some() {
            self.timers.clear(Timer::Lease(id));
        }
    }

    fn spanning_on(&self, device: DeviceId) -> impl Iterator<Item = GroupId> + '_ {
        self.tables.devices.get(&device).into_iter().flat_map(|device| device.spanning.iter().copied())
    }

    fn ready_devices(&self, group: GroupId) -> impl Iterator<Item = DeviceId> + '_ {
        self.ready_units(group).map(|(device, _)| device)
    }

    /// The devices on which the policy sees the group, and with which priority.
    fn ready_units(&self, group: GroupId) -> impl Iterator<Item = (DeviceId, i64)> + '_ {
        self.tables.groups.get(&group).into_iter().flat_map(|group| group.ready_units())
    }
}
