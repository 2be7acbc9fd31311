//! Events: what the program learns from them about its queues, we learn for nothing.

use super::queue::known;
use crate::driver::{CL_COMPLETE, CL_SUCCESS, Handle, driver, handle_info, info};
use crate::user_event;
use std::ffi::{c_int, c_void};
use xsched_runtime::intercept::Real;
use xsched_runtime::{Queue, is_nested, nested};

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
    // Whose they are is asked before: once an event is complete, a callback or another thread may release it for the last time.
    let mut awaited = [None; MOST];
    if !events.is_null() {
        for (i, place) in awaited.iter_mut().enumerate().take(count as usize) {
            // SAFETY: the program says that there are `count` events.
            let event = unsafe { *events.add(i) };
            // SAFETY: an event of the program's; one that is none would not fare better with the real function.
            *place = unsafe { queue_of(event) }.map(|queue| (event, queue));
        }
    }
    // SAFETY: the program's arguments.
    let result = nested(|| unsafe { real(count, events) });
    if result == CL_SUCCESS {
        for (event, queue) in awaited.into_iter().flatten() {
            queue.event_done(event as usize);
        }
    }
    result
}

/// Events of one wait that we look at.
const MOST: usize = 16;

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
            // SAFETY: a valid event: the thread that asks for its status has a reference.
            if let Some(queue) = unsafe { queue_of(event) } {
                queue.event_done(event as usize);
            }
        }
    }
    result
}

xsched_runtime::handlers! {
    make_user(context: Handle, error: *mut c_int) -> Handle, MAKE_USER => |call, _, _| {
        let event = nested(call);
        if !event.is_null() {
            user_event::made(event as usize);
        }
        event
    };
    set_user(event: Handle, status: c_int) -> c_int, SET_USER => |call, event, _| {
        // Before: what waits for it may be done, and the event be another one, before the call returns. One that cannot be set has been.
        user_event::settled(event as usize);
        nested(call)
    };
    release(event: Handle) -> c_int, RELEASE => |call, event| {
        if user_event::is_any() && is_last_reference(event) {
            user_event::settled(event as usize);
        }
        nested(call)
    };
}

/// Whether nobody else holds the event, as far as the driver says.
fn is_last_reference(event: Handle) -> bool {
    const CL_EVENT_REFERENCE_COUNT: u32 = 0x11D2;
    let get = driver().and_then(|driver| driver.clGetEventInfo);
    // SAFETY: an event of the program's, which is about to give its reference back; null is refused.
    nested(|| unsafe { info::<u32>(get, event, CL_EVENT_REFERENCE_COUNT) }) == Some(1)
}

/// The queue that an event is of, if the program has it. A user event has none.
///
/// # Safety
/// A valid event, or null.
unsafe fn queue_of(event: Handle) -> Option<&'static Queue> {
    let get = driver()?.clGetEventInfo;
    if event.is_null() {
        return None;
    }
    // SAFETY: by the caller.
    nested(|| unsafe { handle_info(get, event, CL_EVENT_COMMAND_QUEUE) }).and_then(known)
}
