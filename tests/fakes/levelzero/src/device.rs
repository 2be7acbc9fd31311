//! The device: one at a time executes, across threads and processes, and everybody who waits gets a turn.
//!
//! Two locks on files: who wants the device first takes the turnstile and keeps it until the device is his. So whoever has just used the device
//! comes behind those who wait. The kernel of the system gives up a dead process's locks. A file says who executed, in order: process numbers
//! of four bytes each.

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set by a kernel that faults.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether the device is lost to this process.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::SeqCst)
}

pub(crate) fn lose() {
    LOST.store(true, Ordering::SeqCst);
}

/// One queue's access to the device.
#[derive(Debug)]
pub(crate) enum Access {
    /// Of several processes: the turnstile, the device, and the file of who executed.
    Shared(OwnedFd, OwnedFd, OwnedFd),
    /// Of this process alone.
    Own,
}

static TURNSTILE: Mutex<()> = Mutex::new(());
static DEVICE: Mutex<()> = Mutex::new(());

impl Access {
    pub(crate) fn new() -> Access {
        let shared = std::env::var_os("FAKE_LEVELZERO_DEVICE").and_then(|folder| {
            let file = |name| {
                let path = PathBuf::from(&folder).join(name);
                let flags = OFlags::CREATE | OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
                open(path, flags, Mode::RUSR | Mode::WUSR).ok()
            };
            Some(Access::Shared(file("turnstile")?, file("device")?, file("executed")?))
        });
        shared.unwrap_or(Access::Own)
    }

    /// Executes for so long.
    pub(crate) fn execute(&self, duration: Duration) {
        match self {
            Access::Shared(turnstile, device, executed) => {
                take(turnstile);
                take(device);
                let _ = flock(turnstile, FlockOperation::Unlock);
                let _ = rustix::io::write(executed, &std::process::id().to_le_bytes());
                pass(duration);
                let _ = flock(device, FlockOperation::Unlock);
            }
            Access::Own => {
                let turnstile = TURNSTILE.lock();
                let _device = DEVICE.lock();
                drop(turnstile);
                pass(duration);
            }
        }
    }
}

fn take(lock: &OwnedFd) {
    while let Err(rustix::io::Errno::INTR) = flock(lock, FlockOperation::LockExclusive) {}
}

/// Lets time pass without using the processor: the device is another one.
fn pass(duration: Duration) {
    let end = Instant::now() + duration;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::sleep(left);
    }
}
