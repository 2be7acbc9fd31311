//! K earliest deadlines first: the k ready queues whose deadlines come first run; others get what is left.
//!
//! A queue's deadline is the time when it became ready and its deadline hint. Of a group, the earliest deadline of its ready queues counts.
//! k is the `kdeadline` hint, the largest one that any group with queues on the device has given; 1 if none has. Groups without a
//! deadline run if there are fewer than k that can meet one: those of the highest priority, side by side.
//!
//! Who is still ready when his deadline comes has missed it, and nothing mends that: until he has rested he goes behind those who can still
//! meet theirs, and shares with others that missed theirs. So one miss does not make the next ones, and who never rests keeps nobody from
//! his deadline. Absent: any promise. Who promises is EDF.

use super::{Decision, DeviceView, HeldIdle, Policy, Rank, Subject, Unit};
use std::collections::BTreeMap;
use std::time::Duration;
use xsched_core::{DeviceId, GroupId, HintKind, Hints, Time};

/// K earliest deadlines first.
#[derive(Debug, Default)]
pub struct Kedf {
    /// What groups have given for k, by device.
    given: BTreeMap<DeviceId, BTreeMap<GroupId, usize>>,
}

/// Ranks of queues that can meet their deadlines are above this, ...
const IN_TIME: i64 = i64::MAX / 2;
/// ... those that missed theirs have this one, and those of others are below.
const MISSED: i64 = IN_TIME;

impl Policy for Kedf {
    fn rank(&self, queue: &Subject<'_>, now: Time) -> Rank {
        let (Some(length), Some(ready_since)) = (length(queue.hints), queue.ready_since) else {
            return queue.hints.priority().into();
        };
        let deadline = ready_since + length;
        if deadline <= now {
            return MISSED.into();
        }
        let nanos = i64::try_from(deadline.as_nanos()).unwrap_or(i64::MAX);
        // The earlier, the sooner; times of a century fit in the half above `IN_TIME`.
        Rank { urgency: i64::MAX - nanos.min(IN_TIME), until: Some(deadline) }
    }

    fn decide(&self, device: &DeviceView<'_>, _now: Time, decision: &mut Decision) {
        let k = self.k(device.device());
        let mut ready = device.ready().peekable();
        while decision.run.named().len() < k
            && let Some(unit) = ready.next_if(|unit| unit.priority > IN_TIME)
        {
            decision.run.push(unit.group);
        }
        if decision.run.named().len() == k {
            decision.held_idle = HeldIdle::Recent;
        } else if let Some(top) = ready.peek().map(|unit| unit.priority) {
            decision.run.all_of(top);
        }
    }

    fn on_ready(&mut self, device: DeviceId, unit: &Unit, _now: Time) {
        let given = unit.hints.given(HintKind::Kdeadline).and_then(|k| usize::try_from(k).ok());
        match given {
            Some(k) => drop(self.given.entry(device).or_default().insert(unit.group, k)),
            None => self.on_leave(device, unit.group),
        }
    }

    fn on_leave(&mut self, device: DeviceId, group: GroupId) {
        if let Some(given) = self.given.get_mut(&device) {
            given.remove(&group);
            if given.is_empty() {
                self.given.remove(&device);
            }
        }
    }

    fn goes_by_ready_time(&self, hints: &Hints) -> bool {
        hints.get(HintKind::Deadline) >= 0
    }
}

impl Kedf {
    fn k(&self, device: DeviceId) -> usize {
        self.given.get(&device).and_then(|given| given.values().max()).copied().unwrap_or(1)
    }
}

/// Time from ready to done, if the hints say one.
fn length(hints: &Hints) -> Option<Duration> {
    let micros = u64::try_from(hints.get(HintKind::Deadline)).ok()?;
    Some(Duration::from_micros(micros.max(1)))
}
