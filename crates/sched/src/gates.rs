//! From verdicts to operations: what each process should be told, compared with what it was told last.
//!
//! Looks only at units that something happened to. Also keeps the accounts of who ran for how long, and forgets units and
//! groups that are gone.

use crate::policy::{HeldIdle, Run};
use crate::scheduler::Scheduler;
use crate::state::{Group, Place, UnitState, Verdict};
use crate::timers::Timer;
use std::cmp::Reverse;
use std::time::Duration;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{DeviceId, GroupId, Operation, Time};

/// Whether the group may not run on the unit's device whatever others do.
pub(crate) fn is_never(group: &Group, unit: &UnitState) -> bool {
    match group.urgent {
        Some(priority) => priority == PRIORITY_NO_EXECUTE,
        None => unit.priority() == PRIORITY_NO_EXECUTE,
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
    /// Opens and closes the gates of a unit and tells its clients what is new to them.
    pub(crate) fn settle(
        &mut self,
        group_id: GroupId,
        device_id: DeviceId,
        now: Time,
        out: &mut Vec<Operation>,
    ) {
        let must_wait = self.policy.takes_turns() && self.waits_for_an_end(group_id);
        let windowed = self.may_be_preempted(group_id, device_id);
        let mut freed = false;
        let Some(device) = self.tables.devices.get_mut(&device_id) else { return };
        let Some(group) = self.tables.groups.get_mut(&group_id) else { return };
        let Some(unit) = group.units.get(&device_id) else { return };
        let is_open_already = unit.running_since.is_some() && !unit.is_draining;
        let closed =
            is_closed(group, unit, device.held_idle) || must_wait && !is_open_already && !group.granted;
        let Some(unit) = group.units.get_mut(&device_id) else { return };
        unit.closed = closed;

        let is_ready = matches!(unit.place, Place::Ready(_));
        let is_open = !closed && is_ready;
        if is_open || !is_ready || !self.policy.takes_turns() {
            unit.in_flight.clear();
        } else if unit.running_since.is_some() && !unit.is_draining {
            unit.in_flight.extend(unit.ready.iter().map(|&(_, queue)| queue));
            device.draining.insert(group_id);
            self.timers.set(Timer::InFlight(group_id, device_id), now + self.settings.handover, now);
        }
        unit.is_draining = !unit.in_flight.is_empty();
        if !unit.is_draining && device.draining.remove(&group_id) {
            self.timers.clear(Timer::InFlight(group_id, device_id));
            freed = device.draining.is_empty();
        }
        let runs = is_open || unit.is_draining;
        let top = unit.ready.first().and_then(|(_, queue)| self.tables.queues.get(queue));
        let is_awaited = device.waiting_since.is_some()
            || top.is_some_and(|queue| self.policy.goes_by_ready_time(&queue.hints));
        let awaited = is_open && is_awaited || unit.is_draining;
        if runs != unit.running_since.is_some() {
            let run = account(unit, runs, now);
            if let Place::Ready(priority) = unit.place
                && let Some(seen) = device.ready.get_mut(&(Reverse(priority), group_id))
            {
                (seen.running_since, seen.ran) = (unit.running_since, unit.ran);
            }
            self.policy.on_run(device_id, group_id, run, now);
        }

        for (&client, gate) in &mut unit.gates {
            let is_there = gate.queues > 0;
            let (suspend, window, wait) = (closed && is_there, windowed && is_there, awaited && is_there);
            if gate.suspended != suspend {
                gate.suspended = suspend;
                gate.suspensions += u64::from(suspend);
                out.push(match suspend {
                    true => Operation::Suspend { client, device: device_id },
                    false => Operation::Resume { client, device: device_id },
                });
            }
            if gate.windowed != window {
                gate.windowed = window;
                out.push(match window {
                    true => Operation::Window { client, device: device_id },
                    false => Operation::Unwindow { client, device: device_id },
                });
            }
            if gate.awaited != wait {
                gate.awaited = wait;
                out.push(match wait {
                    true => Operation::Await { client, device: device_id },
                    false => Operation::Unawait { client, device: device_id },
                });
            }
        }
        unit.gates.retain(|_, gate| gate.queues > 0);
        if freed {
            self.let_next_begin(device_id);
        }
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
            self.changes.units.extend(devices.map(|&device| (id, device)));
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
            .filter_map(|(&device, unit)| unit.queues.is_empty().then_some(device))
            .collect();
        for device_id in gone {
            group.units.remove(&device_id);
            self.timers.clear(Timer::Lapsed(id, device_id));
            self.timers.clear(Timer::InFlight(id, device_id));
            self.policy.on_leave(device_id, id);
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
