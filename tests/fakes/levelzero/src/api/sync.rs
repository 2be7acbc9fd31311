//! Events and fences.

use super::{timeout, waited};
use crate::engine::Flag;
use crate::ffi::{
    EventDesc, EventPoolDesc, FENCE_FLAG_SIGNALED, FenceDesc, Handle, INVALID_ARGUMENT, INVALID_SIZE,
    SUCCESS, ZeResult,
};
use crate::objects::{EventPool, Signal, destroy, handle, object};
use std::sync::Arc;

pub(crate) unsafe extern "C" fn create_pool(
    _context: Handle,
    desc: *const EventPoolDesc,
    _devices: u32,
    _list: *const Handle,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: the program's places, as Level Zero demands; so everywhere below.
    let count = unsafe { (*desc).count };
    if count == 0 {
        return INVALID_SIZE;
    }
    // SAFETY: as above.
    unsafe { to.write(handle(EventPool { count })) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy_pool(pool: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy::<EventPool>(pool) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn create_event(
    pool: Handle,
    desc: *const EventDesc,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: as above.
    let (index, count) = unsafe { ((*desc).index, object::<EventPool>(pool).count) };
    if index >= count {
        return INVALID_ARGUMENT;
    }
    let event: Signal = Arc::new(Flag::new(false));
    // SAFETY: as above.
    unsafe { to.write(handle(event)) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn create_fence(
    _queue: Handle,
    desc: *const FenceDesc,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: as above.
    let is_signaled = unsafe { (*desc).flags } & FENCE_FLAG_SIGNALED != 0;
    let fence: Signal = Arc::new(Flag::new(is_signaled));
    // SAFETY: as above.
    unsafe { to.write(handle(fence)) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy_flag(flag: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy::<Signal>(flag) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn signal(flag: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { object::<Signal>(flag) }.set(true);
    SUCCESS
}

pub(crate) unsafe extern "C" fn reset(flag: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { object::<Signal>(flag) }.set(false);
    SUCCESS
}

pub(crate) unsafe extern "C" fn wait(flag: Handle, nanoseconds: u64) -> ZeResult {
    // SAFETY: as above.
    waited(unsafe { object::<Signal>(flag) }.wait(timeout(nanoseconds)))
}

pub(crate) unsafe extern "C" fn query(flag: Handle) -> ZeResult {
    // SAFETY: as above.
    waited(unsafe { object::<Signal>(flag) }.is_set())
}
