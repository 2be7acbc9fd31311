//! Highest CPU priority first: as HPF, with the nice values of the processes in the place of priority hints.
//!
//! What `nice`, `renice` and `chrt` say about a process holds for the device too: the lower its nice value the sooner it runs, and real-time
//! processes come before all others. Of a group, the most urgent ready process counts. Hints decide nothing here (but a queue of
//! `PRIORITY_NO_EXECUTE` does not run). Absent: how nice values are found out; they come as facts. docs/design/0016

use super::hpf;
use super::{Decision, DeviceView, Policy, Rank, Subject};
use xsched_core::Time;

/// Highest CPU priority first.
#[derive(Debug, Default)]
pub struct Chpf;

impl Policy for Chpf {
    fn rank(&self, queue: &Subject<'_>, _now: Time) -> Rank {
        i64::from(queue.facts.cpu_priority).into()
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
