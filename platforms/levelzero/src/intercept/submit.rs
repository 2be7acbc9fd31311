//! Commands: every call that puts something into a queue passes the gate and goes on to the real function, on the same thread.
//!
//! All arguments are integers or pointers (two small structures passed by value fill two words each), so a handler takes and forwards plain
//! machine words: nothing is copied, nothing is looked at but where it goes and what it signals.

use super::{list, queue};
use crate::driver::{ZE_RESULT_ERROR_NOT_AVAILABLE, ZE_RESULT_SUCCESS, ZeResult};
use xsched_runtime::intercept::Real;
use xsched_runtime::{Queue, is_nested, nested};

/// What a handler tells about its call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The command queue or list.
    pub(crate) to: usize,
    /// The fence or event that the device signals when this is complete, or null.
    pub(crate) signal: usize,
}

/// Executes lists on a command queue. `call` gets the address of the real function.
///
/// # Safety
/// `call` is the vendor's function with the program's arguments, and `info` describes them.
#[inline]
pub(crate) unsafe fn execute(real: &Real, info: Call, call: impl FnOnce(usize) -> usize) -> usize {
    let real = real.address() as usize;
    if is_nested() {
        return call(real);
    }
    let Some(queue) = queue::find(info.to) else { return nested(|| call(real)) };
    launch(queue, queue::is_synchronous(queue), info.signal, || call(real))
}

/// Appends to a list: an immediate one launches, any other only records.
///
/// # Safety
/// As for [`execute`].
#[inline]
pub(crate) unsafe fn append(real: &Real, info: Call, call: impl FnOnce(usize) -> usize) -> usize {
    let real = real.address() as usize;
    if is_nested() {
        return call(real);
    }
    let Some(queue) = list::find(info.to) else { return nested(|| call(real)) };
    launch(queue, list::is_synchronous(queue), info.signal, || list::turn(queue).during(|| call(real)))
}

#[inline]
fn launch(queue: &'static Queue, is_synchronous: bool, signal: usize, call: impl FnOnce() -> usize) -> usize {
    // The user asked that nothing runs without xserver, and there is none.
    let Ok((result, launched)) = queue.launch(call) else { return ZE_RESULT_ERROR_NOT_AVAILABLE as usize };
    if result as ZeResult != ZE_RESULT_SUCCESS {
        if launched.was_idle {
            queue.synced(launched.then);
        }
        return result;
    }
    if signal != 0 {
        queue.gave_event(signal, launched);
    }
    if is_synchronous {
        queue.synced(launched.then);
    }
    result
}
