//! Fences and events: what the program learns from them about its queues, we learn for nothing.
//!
//! A fence says that its queue is done if it belongs to the newest execution. An event says it for a list only if that list runs in order,
//! and if the event belongs to its newest command. Which queue that is, and how much it had launched, is asked before the real call: after
//! it, another thread may have used the fence or event again.

use super::{PLACES, list, queue};
use crate::driver::{Handle, ZE_RESULT_SUCCESS, ZeResult};
use xsched_runtime::{Queue, handlers, nested};

/// A call that succeeds when `signal` is complete.
fn wait(call: &dyn Fn() -> ZeResult, queue: Option<&'static Queue>, signal: Handle) -> ZeResult {
    let ends = queue.and_then(|queue| Some((queue, queue.ends_with(signal as usize)?)));
    let result = nested(call);
    if let (ZE_RESULT_SUCCESS, Some((queue, then))) = (result, ends) {
        queue.synced(then);
    }
    result
}

handlers! {
    places PLACES;

    fence_synchronize(fence: Handle, timeout: u64) -> ZeResult, FENCE_SYNCHRONIZE =>
        |call, fence, _| wait(call, queue::that_ends_with(fence), fence);
    fence_query(fence: Handle) -> ZeResult, FENCE_QUERY =>
        |call, fence| wait(call, queue::that_ends_with(fence), fence);
    event_synchronize(event: Handle, timeout: u64) -> ZeResult, EVENT_SYNCHRONIZE =>
        |call, event, _| wait(call, list::that_ends_with(event), event);
    event_query(event: Handle) -> ZeResult, EVENT_QUERY =>
        |call, event| wait(call, list::that_ends_with(event), event);
}
