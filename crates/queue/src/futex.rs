//! Waiting on a word that may be shared with another process (futex(2), not private), or loom's model of it.
//!
//! Raw system calls: the caller's errno stays as it was. Every wait has a bound; the caller looks again.

use std::time::Duration;

/// A 32-bit word that threads can wait on. In shared memory it is exactly the word.
#[repr(transparent)]
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub struct FutexWord(std::sync::atomic::AtomicU32);

#[cfg(not(loom))]
impl FutexWord {
    /// A word with this value.
    pub const fn new(value: u32) -> FutexWord {
        FutexWord(std::sync::atomic::AtomicU32::new(value))
    }

    /// The word.
    #[inline]
    pub fn word(&self) -> &std::sync::atomic::AtomicU32 {
        &self.0
    }

    /// Sleeps while the word is `expected`, at most for `bound`; may return early for no reason.
    pub fn wait(&self, expected: u32, bound: Duration) {
        // The interpreter takes rustix's call for one with an argument of a wrong type. A wait may return early.
        if cfg!(miri) {
            return std::thread::yield_now();
        }
        let timeout = rustix::thread::futex::Timespec {
            tv_sec: i64::try_from(bound.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(bound.subsec_nanos()),
        };
        // Every outcome (woken, changed before, signal, time is up) means the same: look again.
        let _ = rustix::thread::futex::wait(
            &self.0,
            rustix::thread::futex::Flags::empty(),
            expected,
            Some(&timeout),
        );
    }

    /// Wakes all threads of all processes that sleep on the word.
    pub fn wake_all(&self) {
        if cfg!(miri) {
            return;
        }
        let _ = rustix::thread::futex::wake(&self.0, rustix::thread::futex::Flags::empty(), i32::MAX as u32);
    }
}

/// Loom's model: the kernel compares the word and goes to sleep under the lock that wake takes.
#[cfg(loom)]
#[derive(Debug)]
pub struct FutexWord {
    word: loom::sync::atomic::AtomicU32,
    bucket: loom::sync::Mutex<()>,
    wakes: loom::sync::Condvar,
}

#[cfg(loom)]
impl FutexWord {
    /// A word with this value.
    pub fn new(value: u32) -> FutexWord {
        FutexWord {
            word: loom::sync::atomic::AtomicU32::new(value),
            bucket: loom::sync::Mutex::new(()),
            wakes: loom::sync::Condvar::new(),
        }
    }

    /// The word.
    pub fn word(&self) -> &loom::sync::atomic::AtomicU32 {
        &self.word
    }

    /// Sleeps while the word is `expected`. Never times out: under loom a lost wake-up is a deadlock, and found.
    pub fn wait(&self, expected: u32, _bound: Duration) {
        let Ok(bucket) = self.bucket.lock() else { return };
        if self.word.load(std::sync::atomic::Ordering::SeqCst) == expected {
            drop(self.wakes.wait(bucket));
        }
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        let bucket = self.bucket.lock();
        self.wakes.notify_all();
        drop(bucket);
    }
}
