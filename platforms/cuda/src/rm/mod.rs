//! Learning what a context has in the kernel driver's resource manager (RM), so that its work can be stopped there (`xsched_cuda_control`).
//!
//! The real library asks the RM for everything by `ioctl`. [`slot`] puts [`observe`] in front of that one function, for that one library,
//! before the library's first call; it passes each call on as it is and notes which objects came and went ([`objects`]). [`controls`] makes
//! channel groups of them, and is what the runtime's agent hands to xserver.
//!
//! Nothing here is on the way of a launch: launches make no `ioctl`. A library that is not as expected is left alone, and its streams stay
//! at Level 1.

mod controls;
mod objects;
mod observe;
mod slot;

pub(crate) use controls::{Controls, met};
pub(crate) use slot::Slot;

use crate::driver::Driver;
use xsched_core::Level;
use xsched_runtime::config::config;

/// Listens to the real library from now on, unless the user wants no more than Level 1. Call it once, before the library is initialized.
pub(crate) fn listen(driver: &'static Driver) {
    if config().auto_xqueue_level == Level::Block || !controls::is_wanted() {
        return;
    }
    if let Some(slot) = driver.library.function(c"cuInit").and_then(|function| Slot::find(function, c"ioctl"))
    {
        // SAFETY: `observe::ioctl` does what `ioctl` does.
        if unsafe { slot.set(observe::ioctl as *mut std::ffi::c_void) } {
            xsched_runtime::offer(&Controls);
        }
    }
}
