//! Strict process utilization partition: no process gets more of a device than its utilization, even when others leave it idle.
//!
//! [Fair shares](super::fair) under strict terms, by processes as under PUP. A process runs for a turn and then rests until its utilization has earned it
//! the next one: at 25 % and a timeslice of 5 ms, for 15 ms. Utilizations that come to more than 100 are weights, as under UP. What was not used
//! is lost, but for one turn.
//!
//! Absent: work conservation; and strictness against the scheduler's own promise, that nobody waits for longer than `max_suspend`.

use super::Unit;
use super::fair::{self, Fair, Terms};
use super::turns::{Payer, Turns};

/// Strict process utilization partition.
pub(super) type Spup = Turns<Fair<StrictProcesses>>;

/// Processes by their utilization, and no more.
#[derive(Debug, Default)]
pub(super) struct StrictProcesses;

impl Terms for StrictProcesses {
    const IS_STRICT: bool = true;

    fn payer(unit: &Unit) -> Payer {
        Payer::process(unit)
    }

    fn weight(unit: &Unit) -> u32 {
        fair::utilization(unit)
    }
}
