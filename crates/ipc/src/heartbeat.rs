//! The server's sign of life: one word in a page that it writes and all its guests may read.
//!
//! The word holds the time of the server's last turn. A guest that finds it old knows that the server is dead or frozen without
//! asking it. Only the server can write: the memory is sealed against any further writable mapping before it is handed out.

use crate::error::Error;
use crate::memory::Mapping;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::SealFlags;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xsched_core::Time;

/// The server writes at least this often while any guest is attached.
pub const EVERY: Duration = Duration::from_millis(100);
/// ... and this often while something of a guest's may be stopped on a device. By the thread that decides, because it alone lets go again: a server of which only
/// another thread lives is a frozen one.
pub const CLOSELY: Duration = Duration::from_millis(20);
/// A guest that sees no beat for so long parts from the server.
pub const STALE_AFTER: Duration = Duration::from_millis(500);

/// `CLOCK_MONOTONIC`.
pub fn now() -> Time {
    let t = clock_gettime(ClockId::Monotonic);
    let (s, ns) = (u64::try_from(t.tv_sec).unwrap_or(0), u64::try_from(t.tv_nsec).unwrap_or(0));
    Time::from_nanos(s.saturating_mul(1_000_000_000).saturating_add(ns))
}

/// Guest: the server's sign of life.
#[derive(Debug)]
pub struct Heartbeat {
    word: Mapping<AtomicU64>,
    /// The word as it was last seen, and when it was first seen so, by our clock: the server's may be another (time namespaces).
    seen: AtomicU64,
    seen_since: AtomicU64,
}

/// Server: where the sign is given.
#[derive(Debug)]
pub struct Pulse {
    word: Mapping<AtomicU64>,
    fd: OwnedFd,
}

impl Heartbeat {
    /// Maps what the server sent.
    pub(crate) fn map(fd: BorrowedFd<'_>) -> Result<Heartbeat, Error> {
        crate::memory::check(fd, LENGTH, SealFlags::SHRINK)?;
        let word = Mapping::shared(fd, LENGTH, false)?;
        Ok(Heartbeat { word, seen: AtomicU64::new(0), seen_since: AtomicU64::new(now().as_nanos()) })
    }

    /// When the server last took a turn.
    pub fn last(&self) -> Time {
        Time::from_nanos(self.word.get().load(Ordering::Relaxed))
    }

    /// Whether the server took no turn for so long that it counts as gone. To be asked again and again: it is known only from the second time on.
    pub fn is_stale(&self, now: Time) -> bool {
        let word = self.last().as_nanos();
        // Two threads that ask at once may both find news; that only makes the server younger.
        if self.seen.swap(word, Ordering::Relaxed) != word {
            self.seen_since.store(now.as_nanos(), Ordering::Relaxed);
        }
        now.since(Time::from_nanos(self.seen_since.load(Ordering::Relaxed))) > STALE_AFTER
    }
}

impl Pulse {
    /// A new word, beating now.
    pub fn create() -> Result<Pulse, Error> {
        let fd = crate::memory::create(c"xsched-heartbeat", LENGTH, SealFlags::empty())?;
        let word: Mapping<AtomicU64> = Mapping::shared(fd.as_fd(), LENGTH, true)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&fd, seals).map_err(Error::system("fcntl(F_ADD_SEALS)"))?;
        let pulse = Pulse { word, fd };
        pulse.beat(now());
        Ok(pulse)
    }

    /// The server takes a turn.
    pub fn beat(&self, now: Time) {
        self.word.get().store(now.as_nanos(), Ordering::Relaxed);
    }

    /// To hand out.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const LENGTH: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_reads_the_beat_and_cannot_map_it_writable() {
        let pulse = Pulse::create().unwrap();
        let heartbeat = Heartbeat::map(pulse.fd()).unwrap();
        pulse.beat(Time::from_nanos(7));
        assert_eq!(heartbeat.last(), Time::from_nanos(7));
        assert!(Mapping::<AtomicU64>::shared(pulse.fd(), LENGTH, true).is_err());
    }

    #[test]
    fn a_server_is_stale_when_its_beat_does_not_change_for_a_while_of_our_own_clock() {
        let pulse = Pulse::create().unwrap();
        let heartbeat = Heartbeat::map(pulse.fd()).unwrap();
        // The server's clock is far behind, or far ahead: another time namespace.
        for theirs in [7, u64::MAX - 7] {
            pulse.beat(Time::from_nanos(theirs));
            let ours = Time::from_nanos(1_000_000_000_000);
            assert!(!heartbeat.is_stale(ours));
            assert!(!heartbeat.is_stale(ours + STALE_AFTER));
            assert!(heartbeat.is_stale(ours + STALE_AFTER + Duration::from_nanos(1)));
            pulse.beat(Time::from_nanos(theirs - 1));
            assert!(!heartbeat.is_stale(ours + STALE_AFTER * 2));
        }
    }
}
