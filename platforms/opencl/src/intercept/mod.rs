//! What stands in front of the functions that reach a queue. [`table`] has a row for each; one topic, one file.

mod callback;
mod command_buffer;
mod event;
mod queue;
mod resolve;
mod submit;
pub mod table;

use crate::driver::{self, Handle};
use crate::queue::ClQueue;
use std::ffi::{CStr, c_void};
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};
use xsched_core::config::Scheduler;
use xsched_core::{DeviceKey, Level};
use xsched_hal::HwQueue;
use xsched_runtime::config::config;

/// A function of OpenCL's as the table knows it: the real one behind it, filled in when the stand-in binds.
#[derive(Debug)]
pub(crate) struct Real(AtomicPtr<c_void>);

impl Real {
    pub(crate) const fn new() -> Real {
        Real(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The address; a handler is handed out only after it is known.
    #[inline]
    pub(crate) fn address(&self) -> *mut c_void {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, address: *mut c_void) {
        self.0.store(address, Ordering::Release);
    }
}

/// How far a command queue that the program has made can be preempted; `None` if it is not scheduled.
pub(crate) fn level_of(queue: Handle) -> Option<Level> {
    queue::known(queue)?;
    let hw = ClQueue::new(driver::driver()?, queue, DeviceKey::cpu(0));
    Some(hw.level().min(config().auto_xqueue_level))
}

/// Fills the stand-in's table: for each name our handler, or the real function itself. Slots of functions that the real library
/// lacks stay as they are. The error says what is missing.
///
/// # Safety
/// Each slot of `table` belongs to the function of that name.
pub unsafe fn bind(stand_in: &Path, table: &[(&CStr, &AtomicPtr<c_void>)]) -> Result<(), String> {
    let driver = driver::load(stand_in)?;
    let config = config();
    let transparent = config.scheduler == Scheduler::Global && config.auto_xqueue;
    // Every handler finds its real function before the first handler can be called.
    for row in table::ROWS {
        if let (Some(real), Some(address)) = (row.real, driver.function(row.name)) {
            real.set(address);
        }
    }
    for (name, slot) in table {
        let Some(real) = driver.function(name) else { continue };
        let handler = table::find(name).and_then(|row| row.handler).filter(|_| transparent);
        slot.store(handler.map_or(real, |handler| handler.0.cast_mut()), Ordering::Release);
    }
    Ok(())
}
