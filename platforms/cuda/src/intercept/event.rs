//! Events: what the program learns from them about its streams, we learn for nothing.
//!
//! An event that was recorded behind the newest launch of a stream tells, when it is complete, that the stream is. Which stream an event
//! belongs to is remembered in a small table without a lock: a place that another event has taken since costs the news, nothing else.

use crate::capture;
use crate::driver::{CUDA_SUCCESS, Handle, driver};
use crate::stream::{self, Named};
use std::ffi::{c_int, c_uint};
use std::sync::atomic::{AtomicPtr, Ordering};
use xsched_runtime::{Launched, Queue, nested};

xsched_runtime::handlers! {
    record(event: Handle, stream: Handle) -> c_int, RECORD =>
        |call, event, stream| recorded(call, event, Named::plain(stream as usize));
    record_ptsz(event: Handle, stream: Handle) -> c_int, RECORD_PTSZ =>
        |call, event, stream| recorded(call, event, Named::per_thread(stream as usize));
    record_with_flags(event: Handle, stream: Handle, flags: c_uint) -> c_int, RECORD_WITH_FLAGS =>
        |call, event, stream, _| recorded(call, event, Named::plain(stream as usize));
    record_with_flags_ptsz(event: Handle, stream: Handle, flags: c_uint) -> c_int, RECORD_WITH_FLAGS_PTSZ =>
        |call, event, stream, _| recorded(call, event, Named::per_thread(stream as usize));
    synchronize(event: Handle) -> c_int, SYNCHRONIZE => |call, event| learn(call, event);
    query(event: Handle) -> c_int, QUERY => |call, event| learn(call, event);
}

/// Places of the table; a power of two.
const PLACES: usize = 1024;

/// The queue that an event was last recorded in, by the event's handle.
static QUEUES: [AtomicPtr<Queue>; PLACES] = [const { AtomicPtr::new(std::ptr::null_mut()) }; PLACES];

fn place(event: Handle) -> Option<&'static AtomicPtr<Queue>> {
    let handle = event as usize;
    QUEUES.get(((handle >> 4) ^ (handle >> 14)) % PLACES)
}

/// An event gives the device nothing to do, so it passes the gate; where it stands is remembered.
fn recorded(call: &dyn Fn() -> c_int, event: Handle, stream: Named) -> c_int {
    // In a capture it is a node, and says nothing about now.
    let is_captured = capture::is_any() && driver().is_some_and(|driver| stream.is_capturing(driver));
    let Some(queue) = stream::known(stream).filter(|_| !is_captured) else { return nested(call) };
    queue.wait_for_turn();
    let then = queue.snapshot();
    let result = nested(call);
    if result == CUDA_SUCCESS
        && let Some(place) = place(event)
    {
        queue.gave_event(event as usize, Launched { then, was_idle: false });
        place.store(std::ptr::from_ref(queue).cast_mut(), Ordering::Release);
    }
    result
}

/// A call that succeeds when the event is complete.
fn learn(call: &dyn Fn() -> c_int, event: Handle) -> c_int {
    // SAFETY: queues are never freed.
    let queue = || place(event).and_then(|place| unsafe { place.load(Ordering::Acquire).as_ref() });
    let Some(known) = queue().filter(|queue| queue.is_current()) else { return nested(call) };
    let then = known.snapshot();
    let result = nested(call);
    // The event may have been recorded again during the call, behind something newer or in another stream.
    let is_same = known.snapshot() == then && queue().is_some_and(|queue| std::ptr::eq(queue, known));
    if result == CUDA_SUCCESS && is_same {
        known.event_done(event as usize);
    }
    result
}
