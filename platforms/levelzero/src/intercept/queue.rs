//! Command queues: made, kept, destroyed and waited for.

use super::PLACES;
use super::made::Made;
use crate::driver::{
    Handle, QueueDesc, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS, ZE_RESULT_NOT_READY, ZE_RESULT_SUCCESS, ZeResult,
    driver,
};
use crate::{
    device,
    queue::{Owner, ZeQueue},
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use xsched_runtime::claim::{self, Claim};
use xsched_runtime::{Queue, Registry, guest, handlers, is_automatic, nested};

/// The program's command queues. A queue's note says whether it executes synchronously.
static QUEUES: Registry = Registry::new();

/// The queue with this handle.
#[inline]
pub(crate) fn find(handle: usize) -> Option<&'static Queue> {
    QUEUES.find(handle)
}

/// Whether execution waits inside until the device is done.
#[inline]
pub(crate) fn is_synchronous(queue: &Queue) -> bool {
    queue.note.load(Ordering::Relaxed) != 0
}

/// The queue whose newest execution signals this fence.
pub(super) fn that_ends_with(fence: Handle) -> Option<&'static Queue> {
    QUEUES.find_where(|queue| queue.ends_with(fence as usize).is_some())
}

/// Whose a queue or list that is being made will be.
pub(super) fn owner(context: Handle, device: Handle) -> Option<Owner> {
    let driver = driver()?;
    // SAFETY: the real function has just made something on this device.
    let key = nested(|| unsafe { device::key(driver, device) });
    Some(Owner { context: context as usize, device: device as usize, key })
}

/// Those that are not known as queues yet.
static MADE: Made = Made::new();

fn created(context: Handle, device: Handle, desc: QueueDesc, handle: Handle) -> Option<()> {
    if is_automatic() {
        return adopt(context, device, desc, handle);
    }
    MADE.keep(context, device, desc, handle);
    None
}

/// Makes a command queue known to the program that names it through the API. [`claim::Error::Gone`] if we did not see it being made.
pub fn claim(handle: Handle) -> Result<Claim, claim::Error> {
    MADE.take(handle).and_then(|(context, device, desc)| adopt(context, device, desc, handle));
    let handle = handle as usize;
    Claim::new(move || find(handle), true, |_| ())
}

fn adopt(context: Handle, device: Handle, desc: QueueDesc, handle: Handle) -> Option<()> {
    let (driver, owner) = (driver()?, owner(context, device)?);
    // Lists that a queue executes run in the order of their submission.
    let queue = guest()?.adopt(Arc::new(ZeQueue::of_queue(driver, owner, desc, handle)), true)?;
    queue.note.store(usize::from(desc.mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS), Ordering::Relaxed);
    QUEUES.insert(handle as usize, queue);
    Some(())
}

/// Waits until what was submitted through the API is launched, at most so many nanoseconds. Returns whether it is.
pub(super) fn comes_behind(queue: &'static Queue, timeout: u64) -> bool {
    if timeout == u64::MAX {
        queue.wait_for_turn();
        return true;
    }
    let since = Instant::now();
    while queue.has_unlaunched() {
        if since.elapsed() >= Duration::from_nanos(timeout) {
            return false;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    true
}

handlers! {
    places PLACES;

    create(context: Handle, device: Handle, desc: *const QueueDesc, queue: *mut Handle) -> ZeResult, CREATE =>
        |call, context, device, desc, queue| {
            let result = nested(call);
            if result == ZE_RESULT_SUCCESS && !desc.is_null() && !queue.is_null() {
                // SAFETY: the real function has read the one and written the other.
                let (desc, handle) = unsafe { (desc.read(), queue.read()) };
                created(context, device, desc, handle);
            }
            result
        };

    /// Nothing of ours may touch the queue once the real function has it.
    destroy(queue: Handle) -> ZeResult, DESTROY => |call, handle| {
        MADE.take(handle);
        if find(handle as usize).is_some() && !QUEUES.remove(handle as usize) {
            // A call of ours is on the queue and does not end. Rather than freed under it, the queue is kept for ever.
            return ZE_RESULT_SUCCESS;
        }
        nested(call)
    };

    synchronize(queue: Handle, timeout: u64) -> ZeResult, SYNCHRONIZE => |call, handle, timeout| {
        let Some(queue) = find(handle as usize) else { return nested(call) };
        if !comes_behind(queue, timeout) {
            return ZE_RESULT_NOT_READY;
        }
        let then = queue.snapshot();
        let result = nested(call);
        if result == ZE_RESULT_SUCCESS {
            queue.synced(then);
        }
        result
    };
}
