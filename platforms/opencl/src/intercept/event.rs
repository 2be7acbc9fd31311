//! Events: what the program learns from them about its queues, we learn for nothing.

use super::Real;
use super::queue::known;
use crate::driver::{CL_COMPLETE, CL_SUCCESS, Handle, driver, handle_info};
use std::ffi::{c_int, c_void};
use xsched_runtime::{is_nested, nested};

const CL_EVENT_COMMAND_QUEUE: u32 = 0x11D0;
const CL_EVENT_COMMAND_EXECUTION_STATUS: u32 = 0x11D3;

type Wait = unsafe extern "C" fn(u32, *const Handle) -> c_int;
type GetInfo = unsafe extern "C" fn(Handle, u32, usize, *mut c_void, *mut usize) -> c_int;

pub(crate) static WAIT: Real = Real::new();
pub(crate) static GET_INFO: Real = Real::new();

/// `clWaitForEvents`.
pub(crate) unsafe extern "C" fn wait(count: u32, events: *const Handle) -> c_int {
    // SAFETY: the vendor's function of that name; so below.
    let real = unsafe { std::mem::transmute::<Handle, Wait>(WAIT.address()) };
    if is_nested() {
        // SAFETY: the caller's arguments.
        return unsafe { real(count, events) };
    }
    // SAFETY: the program's arguments.
    let result = nested(|| unsafe { real(count, events) });
    if result == CL_SUCCESS {
        for i in 0..count as usize {
            // SAFETY: the real function has read `count` events there and found them valid.
            unsafe { is_done(*events.add(i)) };
        }
    }
    result
}

/// `clGetEventInfo`: programs poll the status of their commands with it.
pub(crate) unsafe extern "C" fn get_info(
    event: Handle,
    name: u32,
    size: usize,
    value: *mut c_void,
    size_ret: *mut usize,
) -> c_int {
    // SAFETY: the vendor's function of that name; so below.
    let real = unsafe { std::mem::transmute::<Handle, GetInfo>(GET_INFO.address()) };
    // SAFETY: the program's arguments.
    let result = unsafe { real(event, name, size, value, size_ret) };
    if name == CL_EVENT_COMMAND_EXECUTION_STATUS && result == CL_SUCCESS && !value.is_null() && !is_nested() {
        // SAFETY: the real function has just written the status there, a cl_int.
        if unsafe { value.cast::<c_int>().read_unaligned() } == CL_COMPLETE {
            // SAFETY: a valid event.
            unsafe { is_done(event) };
        }
    }
    result
}

/// The program knows that this event is complete.
///
/// # Safety
/// A valid event.
unsafe fn is_done(event: Handle) {
    let Some(driver) = driver() else { return };
    // SAFETY: by the caller. A user event has no queue.
    let queue = nested(|| unsafe { handle_info(driver.clGetEventInfo, event, CL_EVENT_COMMAND_QUEUE) });
    if let Some(queue) = queue.and_then(known) {
        queue.event_done(event as usize);
    }
}
