//! Heterogeneous highest priority first: over all devices together, only the ready groups of the highest priority run.
//!
//! For devices that get in each other's way, as those do that share one memory: an urgent task on the NPU also holds back the less
//! urgent ones on the GPU, which would fight for its bandwidth. Groups of the same priority run side by side, on one device or on several.
//! Absent: which devices get in each other's way. All of the machine are taken to. docs/design/0018

use super::hpf;
use super::{Decision, DeviceView, Policy};
use xsched_core::Time;

/// Highest priority first, over all devices of the machine.
#[derive(Debug, Default)]
pub struct Hhpf;

impl Policy for Hhpf {
    fn decide(&self, device: &DeviceView<'_>, _now: Time, decision: &mut Decision) {
        hpf::decide(device, decision);
    }

    fn is_machine_wide(&self) -> bool {
        true
    }

    fn preempts(&self, other: i64, own: i64) -> bool {
        other > own
    }

    fn preempts_at_once(&self, other: i64, own: i64) -> bool {
        other > own
    }
}
