//! What stands in front of the functions that reach a queue. [`table`] has a row for each; one topic, one file.

mod callback;
mod command_buffer;
mod event;
mod queue;
mod resolve;
mod submit;
pub mod table;

pub use queue::claim;

use crate::driver::{self, Handle};
use crate::layer;
use crate::queue::ClQueue;
use std::ffi::{CStr, c_void};
use std::path::Path;
use std::sync::atomic::AtomicPtr;
use xsched_core::{DeviceKey, Level};
use xsched_hal::HwQueue;
use xsched_runtime::config::config;
use xsched_runtime::intercept;
use xsched_runtime::library::Library;

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
    let library = Library::open(driver::wanted(stand_in))?;
    layer::let_it_come(library);
    let (settled, _) = driver::settle(library);
    if settled.is_of_functions() {
        layer::warn_of_a_second_loader(settled, library);
        intercept::pass(library, table);
    } else {
        // SAFETY: by the caller; the handlers are made for the signatures in CL/cl.h.
        unsafe { intercept::fill(table::ROWS, library, table) };
    }
    Ok(())
}
