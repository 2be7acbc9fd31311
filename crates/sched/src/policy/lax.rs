//! Laxity: a queue lets others go first until it has been ready for its laxity, and then has its critical priority.
//!
//! Highest priority first, where a queue with a laxity hint has its lax priority at first (the lowest if nobody gave one) and its critical
//! priority (its priority hint if nobody gave one) when it has been ready for so long. So it does not disturb others while there is time,
//! and waits no longer than that for anybody less critical. A queue without a laxity is never critical.
//!
//! Gaps within the grace belong to the time that a queue is ready: a program's work may be many commands. The other side of it: a queue
//! that never rests is critical for as long as it does not.

use super::hpf;
use super::{Decision, DeviceView, Policy, Rank, Subject};
use std::time::Duration;
use xsched_core::{HintKind, Hints, Time};

/// Laxity.
#[derive(Debug, Default)]
pub struct Lax;

impl Policy for Lax {
    fn rank(&self, queue: &Subject<'_>, now: Time) -> Rank {
        let hints = queue.hints;
        let Ok(laxity) = u64::try_from(hints.get(HintKind::Laxity)) else {
            return hints.given(HintKind::LaxPriority).unwrap_or(hints.priority()).into();
        };
        // One that is idle is as urgent as it will be when it becomes ready.
        let over = queue.ready_since.unwrap_or(now) + Duration::from_micros(laxity);
        if over <= now {
            hints.given(HintKind::CriticalPriority).unwrap_or(hints.priority()).into()
        } else {
            let until = queue.ready_since.map(|_| over);
            Rank { urgency: hints.get(HintKind::LaxPriority), until }
        }
    }

    fn decide(&self, device: &DeviceView<'_>, _now: Time, decision: &mut Decision) {
        hpf::decide(device, decision);
    }

    fn preempts_at_once(&self, other: i64, own: i64) -> bool {
        other > own
    }

    fn goes_by_ready_time(&self, hints: &Hints) -> bool {
        hints.get(HintKind::Laxity) >= 0
    }
}
