//! Who shares a device: several groups that want it, or wanted it a short while ago.
//!
//! A contended process keeps its window small and tells its idle edges at once; one that is alone need not. Lapsed queues count
//! as wanting, because it is not known that they do not.

use crate::scheduler::Scheduler;
use crate::state::Device;
use crate::timers::Timer;
use xsched_core::{DeviceId, GroupId, Time};

impl Device {
    /// Whether the group wants the device together with others.
    pub(crate) fn is_contended_for(&self, group: GroupId) -> bool {
        self.active.len() > 1 && self.active.contains(&group)
    }
}

impl Scheduler {
    /// Brings `Device::active` in line with what the group wants of the device now.
    pub(crate) fn update_contention(&mut self, group: GroupId, device: DeviceId, now: Time) {
        let Some(unit) = self.tables.unit(group, device) else { return };
        let timer = Timer::Linger(group, device);
        if unit.is_wanting() {
            self.timers.clear(timer);
            self.set_active(group, device, true);
        } else if unit.queues.is_empty() {
            self.timers.clear(timer);
            self.set_active(group, device, false);
        } else if self.tables.devices.get(&device).is_some_and(|device| device.active.contains(&group)) {
            self.timers.start(timer, now + self.settings.contended_linger, now);
        }
    }

    /// The group has not wanted the device for `contended_linger`.
    pub(crate) fn linger_over(&mut self, group: GroupId, device: DeviceId) {
        self.set_active(group, device, false);
    }

    fn set_active(&mut self, group: GroupId, id: DeviceId, active: bool) {
        let Some(device) = self.tables.devices.get_mut(&id) else { return };
        let (changed, at_the_edge) = if active {
            (device.active.insert(group), device.active.len() == 2)
        } else {
            (device.active.remove(&group), device.active.len() == 1)
        };
        if changed {
            self.changes.units.insert((group, id));
            if at_the_edge {
                // The other one was alone so far, or is from now on.
                self.changes.units.extend(device.active.iter().map(|&other| (other, id)));
            }
        }
    }
}
