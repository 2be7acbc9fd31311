//! Handles: numbers that stand for hardware queues, XQueues and commands.
//!
//! The upper byte of a handle says what it is, the rest counts up and is never used again, so that a stale handle is not mistaken for another.
//! One life of a queue has at most one handle of each kind; to create it again answers the one there is, and counts. The child of a fork begins
//! with an empty table. The lock is held for moments only, and what is taken out is dropped outside of it.

use super::types::{HwCommandHandle, HwQueueHandle, XQueueHandle, XResult};
use super::{Data, Failure};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use xsched_runtime::PerLife;
use xsched_runtime::claim::{Claim, Submitted};

/// Kinds, in the upper byte.
const HW_QUEUE: u64 = 1 << 56;
const QUEUE: u64 = 2 << 56;
const COMMAND: u64 = 3 << 56;

/// A queue under one of its handles.
pub(super) struct Held<T> {
    pub(super) claim: Arc<Claim>,
    pub(super) more: T,
    /// How often it was created; 0 if it was only looked up.
    opens: u64,
}

/// What an XQueue has besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct XQueue {
    /// For the commands' callbacks.
    pub(super) hw_queue: HwQueueHandle,
    pub(super) is_blocking: bool,
}

/// A command.
pub(super) struct Command {
    pub(super) launch: unsafe extern "C" fn(HwQueueHandle, *mut c_void) -> XResult,
    pub(super) data: Data,
    /// Where it was submitted last.
    pub(super) latest: Mutex<Option<(XQueueHandle, Submitted)>>,
}

type Identity = (usize, u32);

/// What the lock protects.
#[derive(Default)]
struct Tables {
    hw_queues: Table<()>,
    queues: Table<XQueue>,
    commands: HashMap<HwCommandHandle, Arc<Command>>,
}

struct Table<T> {
    all: HashMap<u64, Held<T>>,
    by_identity: HashMap<Identity, u64>,
}

static TABLES: PerLife<RwLock<Tables>> = PerLife::new();

fn next(kind: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    kind | NEXT.fetch_add(1, Ordering::Relaxed)
}

fn read<R>(look: impl FnOnce(&Tables) -> Option<R>) -> Result<R, Failure> {
    let tables = TABLES.get().read().map_err(|_| XResult::UNKNOWN)?;
    look(&tables).ok_or(XResult::NOT_FOUND.into())
}

fn write<R>(change: impl FnOnce(&mut Tables) -> R) -> Result<R, Failure> {
    Ok(change(&mut *TABLES.get().write().map_err(|_| XResult::UNKNOWN)?))
}

/// How a handle comes to be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is created, and wants to be destroyed as often.
    Created,
    /// It is looked up.
    LookedUp,
}

/// The hardware queue that this is a claim on.
pub(super) fn add_hw_queue(claim: Claim, asked: Asked) -> Result<HwQueueHandle, Failure> {
    // What the table does not take is dropped outside of the lock: it calls the vendor.
    let claim = Arc::new(claim);
    write(|tables| tables.hw_queues.add(HW_QUEUE, &claim, (), asked))
}

/// The claim behind a hardware queue.
pub(super) fn hw_queue(handle: HwQueueHandle) -> Result<Arc<Claim>, Failure> {
    read(|tables| tables.hw_queues.all.get(&handle).map(|held| Arc::clone(&held.claim)))
}

/// Gives a hardware queue up.
pub(super) fn remove_hw_queue(handle: HwQueueHandle) -> Result<(), Failure> {
    let removed = write(|tables| tables.hw_queues.remove(handle))?;
    removed.map(drop).ok_or(XResult::NOT_FOUND.into())
}

/// The XQueue of the hardware queue, made if it has none.
pub(super) fn add_queue(claim: &Arc<Claim>, more: XQueue, asked: Asked) -> Result<XQueueHandle, Failure> {
    write(|tables| tables.queues.add(QUEUE, claim, more, asked))
}

/// The XQueue that there is on the same queue.
pub(super) fn queue_of(claim: &Claim) -> Result<XQueueHandle, Failure> {
    read(|tables| tables.queues.by_identity.get(&claim.identity()).copied())
}

/// An XQueue.
pub(super) fn queue(handle: XQueueHandle) -> Result<(Arc<Claim>, XQueue), Failure> {
    read(|tables| tables.queues.all.get(&handle).map(|held| (Arc::clone(&held.claim), held.more)))
}

/// Gives an XQueue up; answers its claim if that was the last time.
pub(super) fn remove_queue(handle: XQueueHandle) -> Result<Option<Arc<Claim>>, Failure> {
    write(|tables| tables.queues.remove(handle))?.ok_or(XResult::NOT_FOUND.into())
}

pub(super) fn add_command(command: Command) -> Result<HwCommandHandle, Failure> {
    let handle = next(COMMAND);
    write(|tables| drop(tables.commands.insert(handle, Arc::new(command))))?;
    Ok(handle)
}

pub(super) fn command(handle: HwCommandHandle) -> Result<Arc<Command>, Failure> {
    read(|tables| tables.commands.get(&handle).cloned())
}

pub(super) fn remove_command(handle: HwCommandHandle) -> Result<(), Failure> {
    let removed = write(|tables| tables.commands.remove(&handle))?;
    removed.map(drop).ok_or(XResult::NOT_FOUND.into())
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { all: HashMap::new(), by_identity: HashMap::new() }
    }
}

impl<T> Table<T> {
    fn add(&mut self, kind: u64, claim: &Arc<Claim>, more: T, asked: Asked) -> u64 {
        let opens = u64::from(asked == Asked::Created);
        if let Some(handle) = self.by_identity.get(&claim.identity()).copied()
            && let Some(held) = self.all.get_mut(&handle)
        {
            held.opens += opens;
            return handle;
        }
        let handle = next(kind);
        self.by_identity.insert(claim.identity(), handle);
        self.all.insert(handle, Held { claim: Arc::clone(claim), more, opens });
        handle
    }

    /// `None` if there is no such handle; the claim is in it if the handle is gone now.
    #[allow(clippy::option_option, reason = "two questions, two answers")]
    fn remove(&mut self, handle: u64) -> Option<Option<Arc<Claim>>> {
        let held = self.all.get_mut(&handle)?;
        held.opens = held.opens.saturating_sub(1);
        if held.opens > 0 {
            return Some(None);
        }
        let held = self.all.remove(&handle)?;
        self.by_identity.remove(&held.claim.identity());
        Some(Some(held.claim))
    }
}
