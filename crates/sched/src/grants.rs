//! Nobody is held back for longer than `max_suspend` without running for a moment.
//!
//! The clock starts when a group that wants to run is held back, at the later of the two. When it is over, the group is open on
//! all its devices for `grant`, beside those who run anyway, and then waits anew. A group of `PRIORITY_NO_EXECUTE` is due nothing.

use crate::gates::is_never;
use crate::scheduler::Scheduler;
use crate::timers::Timer;
use xsched_core::{GroupId, Time};

impl Scheduler {
    /// Starts or stops the clock of a group whose gates or wishes changed.
    pub(crate) fn update_due(&mut self, id: GroupId, now: Time) {
        let Some(group) = self.tables.groups.get(&id) else { return };
        let waits =
            group.units.values().any(|unit| unit.closed && unit.is_wanting() && !is_never(group, unit));
        if waits {
            self.timers.start(Timer::Due(id), now + self.settings.max_suspend, now);
        } else {
            self.timers.clear(Timer::Due(id));
        }
    }

    pub(crate) fn due(&mut self, id: GroupId, now: Time) {
        self.set_granted(id, true);
        self.timers.set(Timer::Grant(id), now + self.settings.grant, now);
    }

    pub(crate) fn grant_over(&mut self, id: GroupId) {
        self.set_granted(id, false);
    }

    fn set_granted(&mut self, id: GroupId, granted: bool) {
        let Some(group) = self.tables.groups.get_mut(&id) else { return };
        group.granted = granted;
        self.changes.units.extend(group.units.keys().map(|&device| (id, device)));
    }
}
