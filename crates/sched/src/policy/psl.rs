//! Proportional share with a latency class: shares by utilization as under UP, and who uses the device in short bursts goes first within its share.
//!
//! [Fair shares](super::fair) of groups. A group is of the latency class while its bursts, as [learnt](super::bursts), are no longer than one turn of its own; it
//! then counts as one turn further behind than it is. So it takes the device as soon as it wants it, also from others that are equally far, until it is
//! ahead of its share by about one turn; then it waits like everybody. Nothing is drawn by lot: the same happens in the same situation.
//!
//! Absent: more for the latency class. What it gets earlier it does not get later; shares in the long run are those of UP.

use super::Unit;
use super::bursts::Bursts;
use super::fair::{self, Fair, Terms};
use super::turns::Turns;
use std::time::Duration;

/// Proportional share with a latency class.
pub(super) type Psl = Turns<Fair<Classes>>;

/// Groups by their utilization, short bursts first.
#[derive(Debug, Default)]
pub(super) struct Classes;

impl Terms for Classes {
    const LEARNS: bool = true;

    fn weight(unit: &Unit) -> u32 {
        fair::utilization(unit)
    }

    fn is_favoured(bursts: &Bursts, timeslice: Duration) -> bool {
        bursts.expected().unwrap_or(bursts.so_far()) <= timeslice
    }
}
