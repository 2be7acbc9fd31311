//! Process utilization partition: the device's time is shared in turns, each process' part as large as its utilization.
//!
//! [Fair shares](super::fair), as under UP, with two differences. The accounts are those of processes, also where each queue is a group of its own
//! (under a local scheduler): the turn is the process', all its ready queues run in it, and it asks for the most that one of them does. And what a
//! process did not use while it was idle carries over, as a credit of time, which decays: of an idle time it keeps what its utilization was worth
//! in it, but the longer that was the smaller the part, [`KEPT`] at most.
//!
//! Absent: hoarding. A process that slept for an hour comes back with hardly more than one that slept for a second.

use super::Unit;
use super::fair::{self, Fair, Terms};
use super::turns::{Payer, Turns};
use std::time::Duration;

/// No more carries over than what the utilization is worth in this time; of an idle time of this length, the half.
const KEPT: Duration = Duration::from_millis(100);

/// Process utilization partition.
pub(super) type Pup = Turns<Fair<Processes>>;

/// Processes by their utilization, with what they did not use.
#[derive(Debug, Default)]
pub(super) struct Processes;

impl Terms for Processes {
    fn payer(unit: &Unit) -> Payer {
        Payer::process(unit)
    }

    fn weight(unit: &Unit) -> u32 {
        fair::utilization(unit)
    }

    fn keeps(idle: Duration) -> Duration {
        // Virtual time: what the utilization is worth in real time of the same length.
        KEPT.mul_f64(idle.as_secs_f64() / (idle + KEPT).as_secs_f64())
    }
}
