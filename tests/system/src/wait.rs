//! Waiting for things, with bounds that a busy machine does not reach.

use std::time::{Duration, Instant};

/// Longer than anything takes that has no bound of its own.
pub const PATIENCE: Duration = Duration::from_secs(20);

const LOOK: Duration = Duration::from_millis(5);

/// Waits until it is so, and fails when it is not after `bound`.
pub fn eventually(what: &str, bound: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < bound, "not so after {bound:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// It is so, and stays so for a while.
pub fn stays(what: &str, time: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < time {
        assert!(is_so(), "no longer so after {:?}: {what}", start.elapsed());
        std::thread::sleep(LOOK);
    }
}

/// Seconds, for bounds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Milliseconds, for bounds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
