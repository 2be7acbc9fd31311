//! Commands: every call that gives the device something to do passes the gate and goes on to the real function, on the same thread.
//!
//! All arguments of these functions are integers, pointers, or structs of one word, so a handler takes and forwards plain machine words:
//! nothing is copied, nothing is looked at but the stream.

use crate::driver::{CUDA_ERROR_DEVICE_UNAVAILABLE, CUDA_SUCCESS};
use crate::stream::{Named, find, known};
use std::ffi::c_int;
use xsched_runtime::intercept::Real;
use xsched_runtime::{is_nested, nested};

/// Sends a command through the gate of its stream. `call` gets the address of the real function.
///
/// # Safety
/// `call` is the vendor's function with the program's arguments, and `stream` is what it means by them.
#[inline]
pub(crate) unsafe fn launch(real: &Real, stream: Named, call: impl FnOnce(usize) -> usize) -> usize {
    submit(real, stream, false, call)
}

/// The same for a command that is complete when the call returns, with all that was in its stream before.
///
/// # Safety
/// As for [`launch`].
#[inline]
pub(crate) unsafe fn complete(real: &Real, stream: Named, call: impl FnOnce(usize) -> usize) -> usize {
    submit(real, stream, true, call)
}

/// The same for what gives the device nothing to do, and so is not held back: it only comes behind what was submitted through the API.
///
/// # Safety
/// As for [`launch`].
#[inline]
pub(crate) unsafe fn behind(real: &Real, stream: Named, call: impl FnOnce(usize) -> usize) -> usize {
    let real = real.address() as usize;
    if is_nested() {
        return call(real);
    }
    known(stream).inspect(|queue| queue.wait_for_turn());
    nested(|| call(real))
}

#[inline]
fn submit(real: &Real, stream: Named, is_complete: bool, call: impl FnOnce(usize) -> usize) -> usize {
    let real = real.address() as usize;
    if is_nested() {
        return call(real);
    }
    let Some(queue) = find(stream) else { return nested(|| call(real)) };
    let Ok((result, launched)) = queue.launch(|| call(real)) else {
        return CUDA_ERROR_DEVICE_UNAVAILABLE as usize;
    };
    // A call that failed has launched nothing.
    let is_done = if result as c_int == CUDA_SUCCESS { is_complete } else { launched.was_idle };
    if is_done {
        queue.synced(launched.then);
    }
    result
}
