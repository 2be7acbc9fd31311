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
use std::ffi::c_void;
use std::sync::OnceLock;
use xsched_core::{DeviceKey, Level};
use xsched_runtime::config::config;

/// Why nothing is learnt; empty if it is.
static DEAF: OnceLock<String> = OnceLock::new();

/// Listens to the real library from now on, unless the user wants no more than Level 2. Call it once, before the library is initialized.
pub(crate) fn listen(driver: &'static Driver) {
    match try_to_listen(driver) {
        Ok(()) => xsched_runtime::offer(&Controls),
        Err(why) => drop(DEAF.set(why)),
    }
}

fn try_to_listen(driver: &'static Driver) -> Result<(), String> {
    let config = config();
    if config.auto_xqueue_level < Level::Interrupt {
        return Err("XSCHED_AUTO_XQUEUE_LEVEL does not allow it".into());
    }
    if !config.device_control {
        return Err("XSCHED_DEVICE_CONTROL is off".into());
    }
    if let Some(tool) = controls::tool().filter(|_| !config.control_under_tools) {
        return Err(format!(
            "{tool} is loaded, which looks into the device itself (XSCHED_CONTROL_UNDER_TOOLS=on allows it nevertheless)"
        ));
    }
    let slot = driver.library.function(c"cuInit").and_then(|function| Slot::find(function, c"ioctl"));
    let slot = slot.ok_or("the real library does not call ioctl in the way that is known")?;
    // SAFETY: `observe::ioctl` does what `ioctl` does.
    let is_set = unsafe { slot.set(observe::ioctl as *mut c_void) };
    is_set.then_some(()).ok_or_else(|| "the real library's table of functions cannot be changed".into())
}

/// What the real library has asked the driver for, for whoever looks at one that is not known yet.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Why nobody listens, if so.
    pub deaf: Option<String>,
    /// Classes of objects, and how many of each were made.
    pub classes: Vec<(u32, u32)>,
    /// Requests that make or free objects, and whose block has a size that is not known: their numbers and these sizes.
    pub odd: Vec<(u32, usize)>,
}

/// See [`Seen`].
pub fn seen() -> Seen {
    Seen { deaf: DEAF.get().cloned(), ..controls::seen() }
}

/// Whether what this process runs on a device can be interrupted; the error says why not. Asks the driver.
pub(crate) fn can_interrupt(device: &DeviceKey) -> Result<(), String> {
    match DEAF.get() {
        Some(why) => Err(why.clone()),
        None => xsched_hal::Controls::can_interrupt(&Controls, device),
    }
}
