//! Commands: every call that puts something into a queue passes the gate and goes on to the real function, on the same thread.
//!
//! All arguments of OpenCL functions are integers or pointers, so a handler takes and forwards plain machine words: nothing is
//! copied, nothing is looked at but the queue, the blocking flag and the place for the event.

use super::queue::find;
use crate::driver::{CL_DEVICE_NOT_AVAILABLE, CL_SUCCESS, Handle};
use std::ffi::c_int;
use xsched_runtime::intercept::Real;
use xsched_runtime::{is_nested, nested};

/// What a handler tells about its call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The command queue.
    pub(crate) queue: usize,
    /// `cl_bool`: the call returns when its command is complete. The upper half of the word is undefined.
    pub(crate) blocking: usize,
    /// Where the program wants the event, or null.
    pub(crate) event: usize,
    /// Functions that return a pointer report their error here; null with others, or if the program does not care.
    pub(crate) error: Option<usize>,
}

/// Sends a command through the gate. `call` gets the address of the real function.
///
/// # Safety
/// `call` is the vendor's function with the program's arguments, and `info` describes them.
#[inline]
pub(crate) unsafe fn submit(real: &Real, info: Call, call: impl FnOnce(usize) -> usize) -> usize {
    let real = real.address() as usize;
    if is_nested() {
        return call(real);
    }
    let Some(queue) = find(info.queue as Handle) else { return nested(|| call(real)) };
    let Ok((result, launched)) = queue.launch(|| call(real)) else {
        // SAFETY: as by the caller.
        return unsafe { refuse(info) };
    };
    let succeeded = match info.error {
        None => result as c_int == CL_SUCCESS,
        Some(_) => result != 0,
    };
    if !succeeded {
        if launched.was_idle {
            queue.synced(launched.then);
        }
        return result;
    }
    if info.event != 0 {
        // SAFETY: the program's own place for the event, which the real function has just written.
        queue.gave_event(unsafe { *(info.event as *const usize) }, launched);
    }
    if info.blocking as u32 != 0 && queue.is_in_order() {
        queue.synced(launched.then);
    }
    result
}

/// The user asked that nothing runs without xserver.
#[cold]
unsafe fn refuse(info: Call) -> usize {
    match info.error {
        None => CL_DEVICE_NOT_AVAILABLE as usize,
        Some(place) => {
            if place != 0 {
                // SAFETY: the program's `errcode_ret`.
                unsafe { (place as *mut c_int).write(CL_DEVICE_NOT_AVAILABLE) };
            }
            0
        }
    }
}
