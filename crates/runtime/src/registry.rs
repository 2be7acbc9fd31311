//! Which native handle is which queue.
//!
//! A thread finds the queues that it used last without a lock or a shared write: it remembers them together with the registry's
//! version, which changes whenever a handle comes or goes (handles are reused by the vendor). Only what is not
//! remembered takes the lock.

use crate::fork::PerLife;
use crate::queue::Queue;
use crate::thread::{self, Remembered};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// One version for all registries, never 0, so that a remembered queue belongs to one registry only.
static VERSION: AtomicU64 = AtomicU64::new(1);

/// The queues of a platform in this process, by native handle.
#[derive(Debug, Default)]
pub struct Registry {
    /// The child of a fork starts with an empty table.
    table: PerLife<Mutex<BTreeMap<usize, &'static Queue>>>,
}

impl Registry {
    /// An empty registry, for a `static`.
    pub const fn new() -> Registry {
        Registry { table: PerLife::new() }
    }

    /// The queue with this handle.
    #[inline]
    pub fn find(&self, handle: usize) -> Option<&'static Queue> {
        match thread::recall(handle, VERSION.load(Ordering::Acquire)) {
            Some(queue) => queue,
            None => self.find_slowly(handle),
        }
    }

    /// The same, if this thread remembers it: no more than a look into memory of its own.
    #[inline(always)]
    pub fn recall(&self, handle: usize) -> Option<&'static Queue> {
        thread::recall(handle, VERSION.load(Ordering::Acquire)).flatten()
    }

    #[cold]
    fn find_slowly(&self, handle: usize) -> Option<&'static Queue> {
        // The version first: what is remembered is then never newer than what it is remembered for.
        let version = VERSION.load(Ordering::Acquire);
        let queue = self.queues()?.get(&handle).copied();
        thread::remember(Remembered { handle, version, queue });
        queue
    }

    /// A queue of which `is_it` holds.
    pub fn find_where(&self, mut is_it: impl FnMut(&Queue) -> bool) -> Option<&'static Queue> {
        self.queues()?.values().copied().find(|queue| is_it(queue))
    }

    /// The queue with this handle, made and put in if it is not there.
    pub fn find_or_insert(
        &self,
        handle: usize,
        make: impl FnOnce() -> Option<&'static Queue>,
    ) -> Option<&'static Queue> {
        self.find(handle).or_else(|| {
            let fresh = make()?;
            let queue = *self.queues()?.entry(handle).or_insert(fresh);
            VERSION.fetch_add(1, Ordering::AcqRel);
            if !std::ptr::eq(queue, fresh) {
                // Another thread was faster, and launches on its own already.
                let _ = fresh.release();
            }
            Some(queue)
        })
    }

    /// Puts a queue in; whatever had the handle before is gone.
    pub fn insert(&self, handle: usize, queue: &'static Queue) {
        let old = self.queues().and_then(|mut queues| queues.insert(handle, queue));
        VERSION.fetch_add(1, Ordering::AcqRel);
        if let Some(old) = old {
            // Its native queue is gone already: the vendor has given the handle to another.
            let _ = old.release();
        }
    }

    /// Takes a queue out and ends it. False if a call of ours may be using the native queue at this moment: it must outlive that.
    #[must_use]
    pub fn remove(&self, handle: usize) -> bool {
        let queue = self.queues().and_then(|mut queues| queues.remove(&handle));
        VERSION.fetch_add(1, Ordering::AcqRel);
        queue.is_none_or(Queue::release)
    }

    /// Takes a queue out and leaves it to the caller, who releases it later: its native queue goes, but has work left.
    #[must_use]
    pub fn take(&self, handle: usize) -> Option<&'static Queue> {
        let queue = self.queues().and_then(|mut queues| queues.remove(&handle));
        VERSION.fetch_add(1, Ordering::AcqRel);
        queue
    }

    /// Every queue that is in, with its handle.
    pub fn all(&self) -> Vec<(usize, &'static Queue)> {
        self.queues().map(|queues| queues.iter().map(|(h, q)| (*h, *q)).collect()).unwrap_or_default()
    }

    fn queues(&self) -> Option<MutexGuard<'static, BTreeMap<usize, &'static Queue>>> {
        self.table.get().lock().ok()
    }
}

/// What threads remember is void: in the child of a fork.
pub(crate) fn forget_remembered() {
    VERSION.fetch_add(1, Ordering::AcqRel);
}
