//! CLOCK_MONOTONIC in nanoseconds: the clock that every process of the machine shares.

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds now.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps until `deadline` nanoseconds; returns at once if it has passed.
pub(crate) fn sleep_until(deadline: u64) {
    let request =
        Timespec { tv_sec: (deadline / 1_000_000_000) as i64, tv_nsec: (deadline % 1_000_000_000) as _ };
    // A signal may end the sleep early; the deadline is absolute, so sleeping again is right.
    while clock_nanosleep_absolute(ClockId::Monotonic, &request).is_err() && now() < deadline {}
}
