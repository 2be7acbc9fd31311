//! How long a group uses the device between two moments of idleness, learnt from its own runs.
//!
//! Half of what is expected is what was seen last, a quarter what was seen before, and so on: a program that changes its ways is known anew after a
//! few bursts. Absent: wishes. Nobody can say that his bursts are short; they have to be.

use std::time::Duration;

/// What was learnt of one account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bursts {
    learnt: Option<Duration>,
    /// How much of the present one has passed.
    so_far: Duration,
}

impl Bursts {
    /// It had this much of the device.
    pub(super) fn run(&mut self, ran: Duration) {
        self.so_far += ran;
    }

    /// It is idle.
    pub(super) fn end(&mut self) {
        let seen = std::mem::take(&mut self.so_far);
        if !seen.is_zero() {
            self.learnt = Some(self.learnt.map_or(seen, |learnt| (learnt + seen) / 2));
        }
    }

    /// How long the present burst is likely to be in all; `None` if nothing is known, or if it has lasted for longer already.
    pub(super) fn expected(&self) -> Option<Duration> {
        self.learnt.filter(|&learnt| learnt >= self.so_far)
    }

    /// How much of the present burst has passed.
    pub(super) fn so_far(&self) -> Duration {
        self.so_far
    }
}
