//! Puts a group that changed in its place on each of its devices.
//!
//! Afterwards the indexes of the devices (`ready`, `idle`, `spanning`, `active`) and `Tables::rising` agree with the group's queues, and the devices
//! that have to decide anew are marked. Cost: the group's devices, not its queues.

use crate::policy::Unit;
use crate::scheduler::Scheduler;
use crate::state::{Device, Place, UnitState};
use smallvec::SmallVec;
use std::cmp::Reverse;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{ClientId, DeviceId, GroupId, Hints, Time};

impl Scheduler {
    pub(crate) fn place(&mut self, id: GroupId, now: Time) {
        let Some(group) = self.tables.groups.get_mut(&id) else { return };
        group.urgent = group.units.values().filter_map(|unit| unit.ready_priority()).max();
        let mut clients =
            group.clients.iter().filter_map(|client| self.tables.clients.get(client)).peekable();
        let is_interruptible =
            clients.peek().is_some() && clients.all(|is| is.queues.is_empty() || is.facts.is_interruptible);
        let mut changed = false;
        for (device_id, unit) in group.units.iter_mut() {
            let device = self.tables.devices.entry(device_id).or_default();
            let place = place_of(unit, group.urgent);
            unit.is_interruptible = is_interruptible;
            if place != unit.place {
                if leave(device, id, unit.place) {
                    changed = true;
                    self.changes.devices.insert(device_id);
                    if !matches!(place, Place::Ready(_)) {
                        self.policy.on_idle(device_id, id, now);
                        self.equals.on_idle(device_id, id, now);
                    }
                }
                if unit.place == Place::Nowhere && self.policy.is_machine_wide() {
                    // Who runs elsewhere may hold it back, and nobody was asked about this device yet.
                    self.changes.devices.insert(device_id);
                }
                if let Place::Idle(priority) = place {
                    device.idle.insert((priority, id));
                }
                unit.place = place;
            }
            if let Place::Ready(priority) = place {
                unit.ready_since.get_or_insert(now);
                let top = unit.ready.first().and_then(|(_, queue)| self.tables.queues.get(queue));
                let process = unit.process().filter(|_| !self.is_of_one_process).unwrap_or(ClientId(0));
                let hints = top.map_or_else(Hints::default, |queue| queue.hints);
                let seen = view(id, process, unit, priority, hints, now);
                let key = (Reverse(priority), id);
                if device.ready.get(&key) != Some(&seen) {
                    changed = true;
                    self.policy.on_ready(device_id, &seen, now);
                    self.equals.on_ready(device_id, &seen, now);
                    device.ready.insert(key, seen);
                }
            } else {
                unit.ready_since = None;
            }
        }
        let may_rise =
            |urgent: i64| group.units.values().any(|unit| unit.ready.is_empty() && unit.priority() > urgent);
        if group.urgent.is_some_and(may_rise) {
            self.tables.rising.insert(id);
        } else {
            self.tables.rising.remove(&id);
        }
        let spans = group.ready_devices().nth(1).is_some();
        for (device_id, unit) in group.units.iter() {
            let Some(device) = self.tables.devices.get_mut(&device_id) else { continue };
            let is_ready = matches!(unit.place, Place::Ready(_));
            if is_ready && spans {
                device.spanning.insert(id);
            } else {
                device.spanning.remove(&id);
            }
            // Whether it runs here depends on all devices where it is ready.
            if is_ready && changed {
                self.changes.devices.insert(device_id);
            }
        }
        let devices: SmallVec<[DeviceId; 4]> = group.units.keys().collect();
        devices.into_iter().for_each(|device| self.update_contention(id, device, now));
    }
}

/// Where the unit belongs, when its group's most urgent ready queue anywhere has priority `urgent`.
fn place_of(unit: &UnitState, urgent: Option<i64>) -> Place {
    match urgent {
        _ if unit.queues.is_empty() => Place::Nowhere,
        Some(urgent) if !unit.ready.is_empty() && urgent > PRIORITY_NO_EXECUTE => Place::Ready(urgent),
        // Should it become ready here, it would be as urgent as it is elsewhere.
        _ => Place::Idle(unit.priority().max(urgent.unwrap_or(PRIORITY_NO_EXECUTE))),
    }
}

/// Takes the group out of the device's index; whether the policy saw it there.
fn leave(device: &mut Device, id: GroupId, place: Place) -> bool {
    match place {
        Place::Nowhere => false,
        Place::Idle(priority) => {
            device.idle.remove(&(priority, id));
            false
        }
        Place::Ready(priority) => device.ready.remove(&(Reverse(priority), id)).is_some(),
    }
}

fn view(group: GroupId, process: ClientId, unit: &UnitState, priority: i64, hints: Hints, now: Time) -> Unit {
    Unit {
        group,
        process,
        is_interruptible: unit.is_interruptible,
        priority,
        hints,
        weight: unit.weight(),
        ready_since: unit.ready_since.unwrap_or(now),
        running_since: unit.running_since,
        ran: unit.ran,
    }
}
