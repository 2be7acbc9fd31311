//! Command queues: made, kept, destroyed and waited for.

use super::PLACES;
use crate::driver::{
    Handle, QueueDesc, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS, ZE_RESULT_SUCCESS, ZeResult, driver,
};
use crate::{
    device,
    queue::{Owner, ZeQueue},
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xsched_runtime::{Queue, Registry, guest, handlers, nested};

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

fn created(context: Handle, device: Handle, desc: QueueDesc, handle: Handle) -> Option<()> {
    let (driver, owner) = (driver()?, owner(context, device)?);
    // Lists that a queue executes run in the order of their submission.
    let queue = guest()?.adopt(Arc::new(ZeQueue::of_queue(driver, owner, desc, handle)), true)?;
    queue.note.store(usize::from(desc.mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS), Ordering::Relaxed);
    QUEUES.insert(handle as usize, queue);
    Some(())
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
        if find(handle as usize).is_some() && !QUEUES.remove(handle as usize) {
            // A call of ours is on the queue and does not end. Rather than freed under it, the queue is kept for ever.
            return ZE_RESULT_SUCCESS;
        }
        nested(call)
    };

    synchronize(queue: Handle, timeout: u64) -> ZeResult, SYNCHRONIZE => |call, handle, _| {
        let Some(queue) = find(handle as usize) else { return nested(call) };
        let then = queue.snapshot();
        let result = nested(call);
        if result == ZE_RESULT_SUCCESS {
            queue.synced(then);
        }
        result
    };
}
