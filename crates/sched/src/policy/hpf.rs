//! Highest priority first: per device, only the ready groups of the highest priority run.
//!
//! Groups of the same priority share the device as the driver lets them. Nothing is remembered between decisions.

use super::{Decision, DeviceView, HeldIdle, Policy};
use xsched_core::Time;

/// Highest priority first.
#[derive(Debug, Default)]
pub struct Hpf;

impl Policy for Hpf {
    fn decide(&self, device: &DeviceView<'_>, _now: Time, decision: &mut Decision) {
        decide(device, decision);
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

/// The ready groups of the highest priority run, and no idle one that is less urgent may start.
pub(super) fn decide(device: &DeviceView<'_>, decision: &mut Decision) {
    let Some(top) = device.top() else { return };
    decision.run.all_of(top);
    decision.held_idle = HeldIdle::Below(top);
}
