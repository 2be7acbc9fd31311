//! Points in time at which the scheduler has something to do.
//!
//! At most one time per [`Timer`], so the size is bounded by the queues, groups and devices that exist. Absent: a clock.

use std::collections::BTreeSet;
use std::time::Duration;
use xsched_core::id::IdMap;
use xsched_core::{DeviceId, GroupId, QueueId, Time};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The queue was told idle and its grace is over.
    Grace(QueueId),
    /// Look whether those who hold others back on the device make progress.
    Lease(DeviceId),
    /// Look whether lapsed queues came back.
    Lapsed(GroupId, DeviceId),
    /// What the group had launched before it was held back is long done, or does not get on.
    InFlight(GroupId, DeviceId),
    /// The group has waited for `max_suspend`.
    Due(GroupId),
    /// The group has had what it was due.
    Grant(GroupId),
    /// The group has not been ready for `contended_linger`.
    Linger(GroupId, DeviceId),
    /// The policy may think otherwise of the queue from now on.
    Rank(QueueId),
    /// The policy wants to be asked again.
    Slice(DeviceId),
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    at: IdMap<Timer, Time>,
    order: BTreeSet<(Time, Timer)>,
}

/// No wake-up is nearer than this, so that a setting or a policy of zero cannot make the caller spin.
const NEAREST: Duration = Duration::from_micros(1);

impl Timers {
    /// Sets the timer, in place of an earlier time.
    // Once in memory, as all that many steps of a turn share: a turn runs with a cold cache.
    #[inline(never)]
    pub(crate) fn set(&mut self, timer: Timer, at: Time, now: Time) {
        let at = at.max(now + NEAREST);
        match self.at.insert(timer, at) {
            Some(old) if old == at => return,
            Some(old) => self.order.remove(&(old, timer)),
            None => false,
        };
        self.order.insert((at, timer));
    }

    /// Sets the timer if it is not set.
    pub(crate) fn start(&mut self, timer: Timer, at: Time, now: Time) {
        if !self.at.contains_key(&timer) {
            self.set(timer, at, now);
        }
    }

    #[inline(never)]
    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// Takes one that is over.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Timer> {
        let &(at, timer) = self.order.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }

    /// The nearest time that is set.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|&(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_order_and_each_has_one_time() {
        let mut timers = Timers::default();
        let (a, b) = (Timer::Due(GroupId(1)), Timer::Due(GroupId(2)));
        timers.set(a, Time::from_nanos(9_000), Time::ZERO);
        timers.set(b, Time::from_nanos(5_000), Time::ZERO);
        timers.start(b, Time::from_nanos(7_000), Time::ZERO);
        timers.set(a, Time::from_nanos(3_000), Time::ZERO);
        assert_eq!(timers.next(), Some(Time::from_nanos(3_000)));
        assert_eq!(timers.pop(Time::from_nanos(2_000)), None);
        assert_eq!(timers.pop(Time::from_nanos(8_000)), Some(a));
        assert_eq!(timers.pop(Time::from_nanos(8_000)), Some(b));
        assert_eq!((timers.pop(Time::from_nanos(80_000)), timers.next()), (None, None));
    }

    #[test]
    fn a_time_that_is_past_is_moved_behind_now() {
        let mut timers = Timers::default();
        timers.set(Timer::Due(GroupId(1)), Time::ZERO, Time::from_nanos(10));
        assert!(timers.next() > Some(Time::from_nanos(10)));
    }
}
