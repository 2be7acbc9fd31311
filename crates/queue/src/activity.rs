//! The activity word of a queue: launches begun, threads inside a launch, and whether the queue has work.
//!
//! One 64-bit word, so that "became idle" and "launched again" are decided by a single compare-and-swap:
//!
//! ```text
//!   63 ........ 20 | 19 .......... 4 | 3 2 |    1     |   0
//!   launches begun | threads inside  |  -  | reported | ready
//! ```
//!
//! *Ready*: there may be work on the device or a thread on its way to launch some. *Reported*: the server knows (or will find a message) that the
//! queue is ready. A queue that alternates launch and wait so switches *ready* without telling anybody; the server takes
//! *reported* back when it believes that the queue is idle, which succeeds only while *ready* is off.
//!
//! SYNC POINTS. Launch against idle, launch against reclaim: one word, one step each. Idle edge against others that wait:
//! [`Activity::try_idle`] clears *ready*, then the client looks whether the gate says *awaited*; the server sets *awaited*,
//! then looks at *ready* ([`Activity::look`]). Both have a sequentially consistent fence in between, so at least one sees the other.

use crate::weakenable;
use xsched_core::sync::{AtomicU64, Ordering, fence};

const READY: u64 = 1 << 0;
const REPORTED: u64 = 1 << 1;
const INSIDE: u64 = 1 << 4;
const INSIDE_MASK: u64 = 0xffff << 4;
const LAUNCH: u64 = 1 << 20;
const LAUNCH_SHIFT: u32 = 20;

weakenable! {
    /// The server's look and the client's idle edge see each other.
    const DEKKER: bool, "activity_dekker"
}
weakenable! {
    /// A queue with a thread inside a launch is not idle.
    const COUNTS_INSIDE: bool, "activity_inside"
}
weakenable! {
    /// What happened before a launch ended happens before whoever finds the queue idle.
    const EDGE: Ordering = AcqRel, "activity_edge"
}

/// What an activity word said at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot(u64);

impl Snapshot {
    /// Launches begun so far; 44 bits, wraps.
    pub fn begun(self) -> u64 {
        self.0 >> LAUNCH_SHIFT
    }

    /// Threads between the begin and the end of a launch: in the driver or waiting at the gate.
    pub fn inside(self) -> u64 {
        (self.0 & INSIDE_MASK) / INSIDE
    }

    /// Launches that have returned from the driver.
    pub fn launched(self) -> u64 {
        self.begun().wrapping_sub(self.inside())
    }

    /// See the module's text.
    pub fn is_ready(self) -> bool {
        self.0 & READY != 0
    }

    /// See the module's text.
    pub fn is_reported(self) -> bool {
        self.0 & REPORTED != 0
    }
}

/// What the beginner of a launch learns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Begun {
    /// The queue was idle: call [`Activity::raise`].
    pub was_idle: bool,
    /// The word as it will be when this launch has ended, if nothing else happens: what [`Activity::try_idle`] needs when the launch
    /// itself waited until all was done (a blocking read, say).
    pub then: Snapshot,
}

/// Activity of one queue. Zeroed memory is an idle queue.
#[repr(transparent)]
#[derive(Debug)]
pub struct Activity(AtomicU64);

impl Default for Activity {
    fn default() -> Activity {
        Activity::new()
    }
}

impl Activity {
    /// An idle queue that never launched.
    pub fn new() -> Activity {
        Activity(AtomicU64::new(0))
    }

    /// A new life for a slot that is used again.
    pub fn reset(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// A thread is about to launch. Pair with [`Activity::end`].
    #[inline]
    pub fn begin(&self) -> Begun {
        let before = self.0.fetch_add(LAUNCH + INSIDE, EDGE);
        Begun { was_idle: before & READY == 0, then: Snapshot(before.wrapping_add(LAUNCH) | READY) }
    }

    /// Marks the queue ready. True if the server does not know it yet and must be told.
    pub fn raise(&self) -> bool {
        self.0.fetch_or(READY | REPORTED, EDGE) & REPORTED == 0
    }

    /// The launch has returned from the driver.
    #[inline]
    pub fn end(&self) {
        self.0.fetch_sub(INSIDE, EDGE);
    }

    /// What it says now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// All that was launched before `then` is known to be done: the queue is idle if nothing was launched since and nobody was
    /// on the way then. The caller looks at the gate next, and tells the server if others wait for it.
    pub fn try_idle(&self, then: Snapshot) -> bool {
        if !then.is_ready() || COUNTS_INSIDE && then.inside() != 0 {
            return false;
        }
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let same = now & !REPORTED == then.0 & !REPORTED
                || !COUNTS_INSIDE && now >> LAUNCH_SHIFT == then.begun();
            if !same {
                return false;
            }
            match self.0.compare_exchange_weak(now, now & !READY, EDGE, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => now = other,
            }
        }
        if DEKKER {
            fence(Ordering::SeqCst);
        }
        true
    }

    /// The server's look, after it changed the gate word.
    pub fn look(&self) -> Snapshot {
        if DEKKER {
            fence(Ordering::SeqCst);
        }
        self.snapshot()
    }

    /// The server believes that the queue is idle: the next launch must tell it. Fails, with the snapshot, if the queue is ready
    /// after all.
    pub fn reclaim(&self) -> Result<(), Snapshot> {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            if now & READY != 0 {
                return Err(Snapshot(now));
            }
            match self.0.compare_exchange_weak(now, now & !REPORTED, EDGE, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => now = other,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_launch_on_an_idle_queue_is_told_once_until_it_is_reclaimed() {
        let a = Activity::new();
        assert!(a.begin().was_idle);
        assert!(a.raise());
        a.end();
        let then = a.snapshot();
        assert!(a.try_idle(then));
        assert!(a.begin().was_idle);
        assert!(!a.raise(), "the server still believes that it is ready");
        assert_eq!(a.reclaim().unwrap_err().begun(), 2);
        a.end();
        assert!(a.try_idle(a.snapshot()));
        a.reclaim().unwrap();
        assert!(a.begin().was_idle);
        assert!(a.raise());
    }

    #[test]
    fn a_queue_is_not_idle_while_a_thread_is_inside_or_after_a_newer_launch() {
        let a = Activity::new();
        let _ = a.begin();
        a.raise();
        assert!(!a.try_idle(a.snapshot()));
        a.end();
        let then = a.snapshot();
        let _ = a.begin();
        assert!(!a.try_idle(then));
        a.end();
        assert!(!a.try_idle(then));
        assert_eq!((a.snapshot().begun(), a.snapshot().inside(), a.snapshot().launched()), (2, 0, 2));
    }

    #[test]
    fn a_launch_that_waited_for_all_makes_the_queue_idle_unless_another_came() {
        let a = Activity::new();
        let begun = a.begin();
        a.raise();
        a.end();
        assert!(a.try_idle(begun.then));
        let (first, second) = (a.begin(), a.begin());
        a.raise();
        a.end();
        a.end();
        assert!(!a.try_idle(first.then) && !a.try_idle(second.then));
    }

    #[test]
    fn the_count_wraps_without_touching_the_flags() {
        let a = Activity(AtomicU64::new(u64::MAX << LAUNCH_SHIFT | READY | REPORTED));
        assert!(!a.begin().was_idle);
        assert_eq!((a.snapshot().begun(), a.snapshot().inside()), (0, 1));
        assert!(a.snapshot().is_ready() && a.snapshot().is_reported());
    }
}
