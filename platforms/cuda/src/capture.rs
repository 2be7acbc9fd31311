//! Stream capture: what a program records into a graph must hold what the program did, and nothing of ours.
//!
//! Three rules. A launch into a capturing stream reaches no device: it is neither gated nor counted. No call of ours touches a capturing stream:
//! it would become a node, or end the capture with an error. And our own calls run in *relaxed* mode, because some of them (a query, making
//! an event) are forbidden to all threads while one captures in global mode.
//!
//! A capture begins with a call that we see, and spreads to other streams only after that. So as long as no capture is on, no stream
//! captures; [`asking`] keeps it so while a thread that launches nothing asks about streams.

use crate::driver::{CUDA_SUCCESS, Driver, Handle};
use std::collections::BTreeSet;
use std::ffi::c_int;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use xsched_runtime::PerLife;

const CU_STREAM_CAPTURE_STATUS_NONE: c_int = 0;
const CU_STREAM_CAPTURE_MODE_RELAXED: c_int = 2;

/// How many captures are on. Only read without the lock, to ask no further where there is none.
static ON: AtomicUsize = AtomicUsize::new(0);

/// The streams with which captures began. Held while a capture begins or ends, and while somebody asks about streams.
static CAPTURES: PerLife<Mutex<BTreeSet<usize>>> = PerLife::new();

/// Whether any capture may be on in this process.
#[inline]
pub(crate) fn is_any() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

/// Whether nothing of ours may touch this stream, as it is seen by this thread: it captures, or it is a default stream beside one that does.
#[inline]
pub(crate) fn is_capturing(driver: &Driver, stream: Handle) -> bool {
    let Some(ask) = driver.cuStreamIsCapturing else { return false };
    let mut status = CU_STREAM_CAPTURE_STATUS_NONE;
    // SAFETY: a stream of the program's, which is alive: it is in a call with it, or we hold its queue's lock.
    let result = unsafe { ask(stream, &raw mut status) };
    result != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE
}

/// A capture begins with `call` on this stream (named as the driver would be asked for it); the call's result is returned.
pub(crate) fn begin(stream: usize, call: impl FnOnce() -> c_int) -> c_int {
    change(|captures| {
        captures.insert(stream);
    });
    let result = call();
    if result != CUDA_SUCCESS {
        end(stream);
    }
    result
}

/// The capture that began with this stream is over.
pub(crate) fn end(stream: usize) {
    change(|captures| {
        captures.remove(&stream);
    });
}

fn change(change: impl FnOnce(&mut BTreeSet<usize>)) {
    if let Ok(mut captures) = CAPTURES.get().lock() {
        change(&mut captures);
        ON.store(captures.len(), Ordering::Relaxed);
    }
}

/// Asks the driver about streams on a thread that launches nothing on them. `None` while a capture is on; none begins meanwhile.
pub(crate) fn asking<R>(ask: impl FnOnce() -> R) -> Option<R> {
    let captures = CAPTURES.get().lock().ok()?;
    captures.is_empty().then(ask)
}

/// As long as it lives, this thread's calls break nobody's capture.
pub(crate) struct Relaxed<'a> {
    driver: &'a Driver,
    before: Option<c_int>,
}

impl<'a> Relaxed<'a> {
    pub(crate) fn new(driver: &'a Driver) -> Relaxed<'a> {
        Relaxed { driver, before: exchange(driver, CU_STREAM_CAPTURE_MODE_RELAXED) }
    }
}

impl Drop for Relaxed<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            exchange(self.driver, before);
        }
    }
}

fn exchange(driver: &Driver, mut mode: c_int) -> Option<c_int> {
    // SAFETY: takes a mode and gives the old one.
    let result = unsafe { driver.cuThreadExchangeStreamCaptureMode?(&raw mut mode) };
    (result == CUDA_SUCCESS).then_some(mode)
}
