//! K earliest deadlines first: the k ready queues whose deadlines come first run; others get what is left.
//!
//! A queue's deadline is the time when it became ready and its deadline hint. Of a group, the earliest deadline of its ready queues counts.
//! k is the `kdeadline` hint, the largest one that any group with queues on the device has given; 1 if none has. Groups without a
//! deadline run if there are fewer than k with one: those of the highest priority, side by side.
//!
//! Who is still ready when his deadline comes has missed it, and nothing mends that: he gets another one, as far off again, so that the
//! others meet theirs, and one that never rests shares the device with them. Absent: any promise. Who promises is EDF.

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

/// Ranks of queues with a deadline are above this, those of others below.
const WITH_DEADLINE: i64 = i64::MAX / 2;

impl Policy for Kedf {
    fn rank(&self, queue: &Subject<'_>, now: Time) -> Rank {
        let (Some(length), Some(ready_since)) = (length(queue.hints), queue.ready_since) else {
            return queue.hints.priority().into();
        };
        let missed = now.since(ready_since).as_nanos() / length.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        let deadline = ready_since + length.saturating_mul(missed).saturating_add(length);
        let nanos = i64::try_from(deadline.as_nanos()).unwrap_or(i64::MAX);
        // The earlier, the sooner; times of centuries fit in the half above `WITH_DEADLINE`.
        Rank { urgency: i64::MAX - nanos.min(WITH_DEADLINE - 1), until: Some(deadline) }
    }

    fn decide(&self, device: &DeviceView<'_>, _now: Time, decision: &mut Decision) {
        let k = self.k(device.device());
        let mut ready = device.ready().peekable();
        while decision.run.len() < k
            && let Some(unit) = ready.next_if(|unit| unit.priority > WITH_DEADLINE)
        {
            decision.run.push(unit.group);
        }
        if decision.run.len() == k {
            decision.held_idle = HeldIdle::Recent;
        } else if let Some(top) = ready.peek().map(|unit| unit.priority) {
            decision.run.extend(ready.take_while(|unit| unit.priority == top).map(|unit| unit.group));
        }
    }

    fn on_ready(&mut self, device: DeviceId, unit: &Unit, _now: Time) {
        let given = unit.hints.given(HintKind::Kdeadline).and_then(|k| usize::try_from(k).ok());
        if let Some(k) = given {
            self.given.entry(device).or_default().insert(unit.group, k);
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

    fn goes_by_ready_times(&self) -> bool {
        true
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
