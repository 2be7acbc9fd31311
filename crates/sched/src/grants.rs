//! Nobody is held back for longer than `max_suspend` without running for a moment.
//!
//! The clock starts when a group that wants to run is held back, at the later of the two. When it is over, the group is open on
//! all its devices for `grant`, beside those who run anyway, and then waits anew. A group of `PRIORITY_NO_EXECUTE` is due nothing.

use crate::gates::is_never;
use crate::scheduler::Scheduler;
use crate::state::Group;
use crate::timers::{Timer, Timers};
use xsched_core::{GroupId, Time};

impl Group {
    /// Starts or stops the clock after the group's gates or wishes changed.
    pub(crate) fn update_due(&mut self, id: GroupId, timers: &mut Timers, due: Time, now: Time) {
        let waits = self.units.values().any(|unit| unit.closed && unit.is_wanting() && !is_never(self, unit));
        // Most of the time it is as it was, and a look at the timers is one at cold memory.
        if waits != self.is_due_set {
            self.is_due_set = waits;
            match waits {
                true => timers.set(Timer::Due(id), due, now),
                false => timers.clear(Timer::Due(id)),
            }
        }
    }
}

impl Scheduler {
    pub(crate) fn due(&mut self, id: GroupId, now: Time) {
        if let Some(group) = self.tables.groups.get_mut(&id) {
            group.is_due_set = false;
        }
        self.set_granted(id, true);
        self.timers.set(Timer::Grant(id), now + self.settings.grant, now);
    }

    pub(crate) fn grant_over(&mut self, id: GroupId) {
        self.set_granted(id, false);
    }

    fn set_granted(&mut self, id: GroupId, granted: bool) {
        let Some(group) = self.tables.groups.get_mut(&id) else { return };
        group.granted = granted;
        self.changes.units.extend(group.units.keys().map(|device| (id, device)));
    }
}
