//! From verdicts to operations: what each process should be told, compared with what it was told last.
//!
//! Looks only at units that something happened to. Also keeps the accounts of who ran for how long, and forgets units and
//! groups that are gone.

use crate::policy::{HeldIdle, Policy, Run};
use crate::scheduler::Scheduler;
use crate::state::{Group, Place, Told, UnitState, Verdict};
use crate::timers::Timer;
use std::cmp::Reverse;
use std::time::Duration;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{DeviceId, GroupId, Operation, Time};

/// Whether the group may not run on the unit's device whatever others do.
pub(crate) fn is_never(group: &Group, unit: &UnitState) -> bool {
    match group.urgent {
        Some(priority) => priority == PRIORITY_NO_EXECUTE,
        None => match unit.place {
            Place::Idle(priority) | Place::Ready(priority) => priority == PRIORITY_NO_EXECUTE,
            Place::Nowhere => true,
        },
    }
}

/// Whether nothing of the unit may be launched, on a device where these idle groups may not start.
fn is_closed(group: &Group, unit: &UnitState, held: HeldIdle) -> bool {
    if is_never(group, unit) {
        return true;
    }
    if group.granted {
        return false;
    }
    match group.verdict {
        Verdict::Waits => true,
        Verdict::Runs | Verdict::Idle => match unit.place {
            Place::Idle(priority) => held.holds(priority, unit.active.is_some()),
            Place::Ready(_) | Place::Nowhere => false,
        },
    }
}

impl Scheduler {
    /// Opens and closes the gates of units, all of one group, tells their clients what is new to them, and minds for how long the group has waited.
    pub(crate) fn settle(&mut self, units: &[(GroupId, DeviceId)], now: Time, out: &mut Vec<Operation>) {
        let Some(&(group_id, _)) = units.first() else { return };
        let takes_turns = self.policy.takes_turns();
        let must_wait = takes_turns && self.waits_for_an_end(group_id);
        let rival_anywhere = self.policy.is_machine_wide().then(|| {
            let rivals = self.tables.devices.values().filter_map(|device| device.most_urgent_but(group_id));
            rivals.max()
        });
        let Some(group) = self.tables.groups.get_mut(&group_id) else { return };
        let mut freed = Vec::new();
        for &(_, device_id) in units {
            let Some(device) = self.tables.devices.get_mut(&device_id) else { continue };
            let Some(unit) = group.units.get(device_id) else { continue };
            let is_open_already = unit.running_since.is_some() && !unit.is_draining;
            let closed =
                is_closed(group, unit, device.held_idle) || must_wait && !is_open_already && !group.granted;
            let Some(unit) = group.units.get_mut(device_id) else { continue };
            unit.closed = closed;

            let is_ready = matches!(unit.place, Place::Ready(_));
            let is_open = !closed && is_ready;
            // Who can be taken off the device at any moment is, with what it has in flight.
            if is_open || !is_ready || !takes_turns || unit.is_interruptible {
                if !unit.in_flight.is_empty() {
                    unit.in_flight.clear();
                }
            } else if is_open_already {
                unit.in_flight.extend(unit.ready.iter().map(|&(_, queue)| queue));
                device.draining.insert(group_id);
                let over = now + self.settings.handover;
                self.timers.set(Timer::InFlight(group_id, device_id), over, now);
            }
            unit.is_draining = !unit.in_flight.is_empty();
            if !unit.is_draining && device.draining.remove(&group_id) {
                self.timers.clear(Timer::InFlight(group_id, device_id));
                if device.draining.is_empty() {
                    freed.push(device_id);
                }
            }
            let runs = is_open || unit.is_draining;
            if runs != unit.running_since.is_some() {
                let run = account(unit, runs, now);
                if let Place::Ready(priority) = unit.place
                    && let Some(seen) = device.ready.get_mut(&(Reverse(priority), group_id))
                {
                    (seen.running_since, seen.ran) = (unit.running_since, unit.ran);
                }
                self.policy.on_run(device_id, group_id, run, now);
                self.equals.on_run(device_id, group_id, run, now);
            }

            let is_awaited = || {
                let top = unit.ready.first().and_then(|(_, queue)| self.tables.queues.get(queue));
                device.waiting_since.is_some()
                    || top.is_some_and(|queue| self.policy.goes_by_ready_time(&queue.hints))
            };
            let rival = rival_anywhere.unwrap_or_else(|| device.most_urgent_but(group_id));
            unit.tell(
                device_id,
                Told {
                    suspended: closed,
                    windowed: unit.active.is_some_and(|own| may_be_preempted(&*self.policy, own, rival)),
                    awaited: unit.is_draining || is_open && is_awaited(),
                },
                out,
            );
        }
        group.update_due(group_id, &mut self.timers, now + self.settings.max_suspend, now);
        freed.into_iter().for_each(|device| self.let_next_begin(device));
    }

    /// Under a policy that takes turns: whether the group is to run, but not before what others launched is done, on whichever of its devices that is.
    fn waits_for_an_end(&self, id: GroupId) -> bool {
        let group = self.tables.groups.get(&id).filter(|group| group.verdict == Verdict::Runs);
        let Some(group) = group else { return false };
        let mut devices = group.ready_devices().filter_map(|device| self.tables.devices.get(&device));
        devices.any(|device| device.draining.iter().any(|&other| other != id))
    }

    /// Nothing is in flight any more that those who are to run on the device have to wait for.
    fn let_next_begin(&mut self, device: DeviceId) {
        let Some(device) = self.tables.devices.get(&device) else { return };
        for id in device.running.groups(&device.ready) {
            let devices = self.tables.groups.get(&id).into_iter().flat_map(|group| group.units.keys());
            self.changes.units.extend(devices.map(|device| (id, device)));
        }
    }

    /// The group has had its time to finish what it had launched: the next ones begin beside it; and after a lease more, it counts no more.
    pub(crate) fn in_flight_over(&mut self, id: GroupId, device_id: DeviceId, now: Time) {
        let Some(device) = self.tables.devices.get_mut(&device_id) else { return };
        if device.draining.remove(&id) {
            self.timers.set(Timer::InFlight(id, device_id), now + self.settings.lease, now);
            return self.let_next_begin(device_id);
        }
        if let Some(unit) = self.tables.unit_mut(id, device_id) {
            unit.in_flight.clear();
            self.changes.units.insert((id, device_id));
        }
    }

    /// Forgets what has no queues and no clients any more. Comes after `settle`, which says the last word to those clients
    /// that stay.
    pub(crate) fn sweep(&mut self, id: GroupId) {
        let Some(group) = self.tables.groups.get_mut(&id) else { return };
        let gone: Vec<DeviceId> = (group.units.iter())
            .filter_map(|(device, unit)| unit.queues.is_empty().then_some(device))
            .collect();
        for device_id in gone {
            group.units.remove(device_id);
            self.timers.clear(Timer::Lapsed(id, device_id));
            self.timers.clear(Timer::InFlight(id, device_id));
            self.policy.on_leave(device_id, id);
            self.equals.on_leave(device_id, id);
            if let Some(device) = self.tables.devices.get_mut(&device_id) {
                device.units = device.units.saturating_sub(1);
                if device.units == 0 {
                    self.timers.clear(Timer::Slice(device_id));
                    self.timers.clear(Timer::Lease(device_id));
                    self.tables.devices.remove(&device_id);
                }
            }
        }
        if group.clients.is_empty() && group.units.is_empty() {
            self.timers.clear(Timer::Grant(id));
            self.tables.rising.remove(&id);
            self.tables.groups.remove(&id);
        }
    }
}

/// Whether an active group of priority `own` may be preempted at any time by the most urgent other one, or may be held back although there is none.
fn may_be_preempted(policy: &dyn Policy, own: i64, rival: Option<i64>) -> bool {
    rival.is_some_and(|rival| policy.preempts(rival, own)) || policy.holds_alone()
}

impl UnitState {
    /// Tells the clients what is new to them; those without queues, for the last time.
    fn tell(&mut self, device: DeviceId, all: Told, out: &mut Vec<Operation>) {
        let mut somebody_left = false;
        for (client, gate) in self.gates.iter_mut() {
            let new = if gate.queues > 0 { all } else { Told::default() };
            let old = std::mem::replace(&mut gate.told, new);
            somebody_left |= gate.queues == 0;
            if old.suspended != new.suspended {
                gate.suspensions += u64::from(new.suspended);
                out.push(match new.suspended {
                    true => Operation::Suspend { client, device },
                    false => Operation::Resume { client, device },
                });
            }
            if old.windowed != new.windowed {
                out.push(match new.windowed {
                    true => Operation::Window { client, device },
                    false => Operation::Unwindow { client, device },
                });
            }
            if old.awaited != new.awaited {
                out.push(match new.awaited {
                    true => Operation::Await { client, device },
                    false => Operation::Unawait { client, device },
                });
            }
        }
        if somebody_left {
            self.gates.retain(|gate| gate.queues > 0);
        }
    }
}

/// Books the beginning or the end of a run.
fn account(unit: &mut UnitState, runs: bool, now: Time) -> Run {
    if runs {
        unit.running_since = Some(now);
        return Run::Began;
    }
    let after = unit.running_since.take().map_or(Duration::ZERO, |since| now.since(since));
    unit.ran += after;
    Run::Stopped { after }
}
