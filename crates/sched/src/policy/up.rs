//! Utilization partition: the device's time is shared in turns, each group's part as large as its utilization.
//!
//! [Fair shares](super::fair) by weights: the sum of utilizations that a group asks for, see [`Unit::weight`]; 100 if nobody gave a hint.
//!
//! Absent: priorities; they decide nothing here (but a group of `PRIORITY_NO_EXECUTE` does not run). docs/design/0010, 0019

use super::Unit;
use super::fair::{self, Fair, Terms};
use super::turns::Turns;

/// Utilization partition.
pub(super) type Up = Turns<Fair<Groups>>;

/// Groups by their utilization.
#[derive(Debug, Default)]
pub(super) struct Groups;

impl Terms for Groups {
    fn weight(unit: &Unit) -> u32 {
        fair::utilization(unit)
    }
}
