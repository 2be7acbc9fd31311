//! What a thread is doing: whether it is inside a vendor's call or callback, and which queues it used last.
//!
//! Plain cells without destructors, so that threads pay nothing to begin or end.

use crate::queue::Queue;
use std::cell::Cell;

/// Queues that a thread remembers; a power of two.
const REMEMBERED: usize = 8;

#[derive(Clone, Copy)]
pub(crate) struct Remembered {
    pub(crate) handle: usize,
    pub(crate) version: u64,
    pub(crate) queue: Option<&'static Queue>,
}

struct Thread {
    /// Nested vendor calls that this thread is inside of.
    depth: Cell<u32>,
    /// Callbacks of the vendor's that this thread is inside of.
    callbacks: Cell<u32>,
    /// It is a worker of ours.
    is_ours: Cell<bool>,
    remembered: [Cell<Remembered>; REMEMBERED],
}

thread_local! {
    static THREAD: Thread = const { Thread {
        depth: Cell::new(0),
        callbacks: Cell::new(0),
        is_ours: Cell::new(false),
        remembered: [const { Cell::new(Remembered { handle: 0, version: 0, queue: None }) }; REMEMBERED],
    } };
}

/// Counts a cell up as long as it lives.
struct Inside<'a>(&'a Cell<u32>);

impl<'a> Inside<'a> {
    fn new(cell: &'a Cell<u32>) -> Inside<'a> {
        cell.set(cell.get().wrapping_add(1));
        Inside(cell)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().wrapping_sub(1));
    }
}

/// Whether this thread is inside a vendor's call already: what the vendor's library does through our exports is its own matter.
#[inline(always)]
pub fn is_nested() -> bool {
    THREAD.with(|t| t.depth.get() != 0)
}

/// Makes a vendor's call: what it calls of ours passes untouched.
#[inline]
pub fn nested<R>(call: impl FnOnce() -> R) -> R {
    THREAD.with(|t| {
        let _inside = Inside::new(&t.depth);
        call()
    })
}

/// Runs a callback of the program's on a vendor's thread (or inside a vendor's call): its launches are counted but never wait,
/// because the vendor may need this thread for what they would wait for.
pub fn in_callback<R>(call: impl FnOnce() -> R) -> R {
    THREAD.with(|t| {
        let _inside = Inside::new(&t.callbacks);
        let depth = t.depth.replace(0);
        let result = call();
        t.depth.set(depth);
        result
    })
}

/// Whether this thread may wait at a gate, or for a queue: it is in no callback.
pub fn may_wait() -> bool {
    THREAD.with(|t| t.callbacks.get() == 0 && t.depth.get() == 0)
}

/// This thread is a worker of ours.
pub(crate) fn this_is_ours() {
    THREAD.with(|t| t.is_ours.set(true));
}

/// Whether it is.
pub(crate) fn is_ours() -> bool {
    THREAD.with(|t| t.is_ours.get())
}

/// The remembered queue of this handle, if the registry is still at `version`.
#[inline(always)]
pub(crate) fn recall(handle: usize, version: u64) -> Option<Option<&'static Queue>> {
    THREAD.with(|t| {
        let seen = cell(t, handle)?.get();
        (seen.handle == handle && seen.version == version).then_some(seen.queue)
    })
}

pub(crate) fn remember(seen: Remembered) {
    THREAD.with(|t| {
        if let Some(cell) = cell(t, seen.handle) {
            cell.set(seen);
        }
    });
}

#[inline(always)]
fn cell(t: &Thread, handle: usize) -> Option<&Cell<Remembered>> {
    // Handles are mostly addresses of heap objects: the low bits are zero.
    t.remembered.get(((handle >> 4) ^ (handle >> 9)) % REMEMBERED)
}
