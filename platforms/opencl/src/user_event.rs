//! User events that the program has not set yet: while there is one, nothing is flushed on the program's behalf.
//!
//! A driver may run what it flushes before it returns (Oclgrind does): if something of it waits for a user event, the thread that
//! would set it never comes back. The program itself knows when it may flush; we do not. What we flush is for our own knowledge only, so leaving it out
//! costs no more than that.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use xsched_runtime::PerLife;

/// Those of this process, and how many they are.
#[derive(Default)]
struct Unset {
    events: Mutex<BTreeSet<usize>>,
    count: AtomicUsize,
}

static UNSET: PerLife<Unset> = PerLife::new();

/// Whether there is one.
pub(crate) fn is_any() -> bool {
    UNSET.get().count.load(Ordering::Acquire) > 0
}

/// The program has made one.
pub(crate) fn made(event: usize) {
    change(|events| {
        events.insert(event);
    });
}

/// It has set it, or given it up.
pub(crate) fn settled(event: usize) {
    if is_any() {
        change(|events| {
            events.remove(&event);
        });
    }
}

fn change(change: impl FnOnce(&mut BTreeSet<usize>)) {
    let unset = UNSET.get();
    if let Ok(mut events) = unset.events.lock() {
        change(&mut events);
        unset.count.store(events.len(), Ordering::Release);
    }
}
