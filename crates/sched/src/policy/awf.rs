//! Active window first: programs of the window that the user works in run before all others, which get what is left.
//!
//! A program is of that window if the window is its process's, or that of a process that it descends from: what is started in a terminal
//! is active with the terminal. Among the active, and among the others, priority hints decide as under HPF. Where nothing is known of
//! windows, nobody is active, and this is HPF. Absent: how windows are found out; it comes as a fact. docs/design/0016

use super::hpf;
use super::{Decision, DeviceView, Policy, Rank, Subject};
use xsched_core::Time;

/// More than any two priorities are apart.
const ABOVE_ALL: i64 = 1_024;

/// Active window first.
#[derive(Debug, Default)]
pub struct Awf;

impl Policy for Awf {
    fn rank(&self, queue: &Subject<'_>, _now: Time) -> Rank {
        let lift = if queue.facts.has_active_window { ABOVE_ALL } else { 0 };
        (queue.hints.priority() + lift).into()
    }

    fn decide(&self, device: &DeviceView<'_>, _now: Time, decision: &mut Decision) {
        hpf::decide(device, decision);
    }

    fn preempts(&self, other: i64, own: i64) -> bool {
        other > own
    }

    fn preempts_at_once(&self, other: i64, own: i64) -> bool {
        other > own
    }

    fn goes_by_priority_alone(&self) -> bool {
        true
    }
}
