//! What stands in front of the functions that reach a queue. [`table`] has a row for each; one topic, one file.

mod fence;
mod list;
mod made;
mod queue;
mod resolve;
mod submit;
pub mod table;

pub use list::claim as claim_list;
pub use queue::claim as claim_queue;

use crate::driver;
use std::ffi::{CStr, c_void};
use std::path::Path;
use std::sync::atomic::AtomicPtr;
use xsched_core::Level;
use xsched_runtime::config::config;
use xsched_runtime::intercept;

/// How far a command queue that the program has made can be preempted; `None` if it is not scheduled.
pub(crate) fn level_of(queue: driver::Handle) -> Option<Level> {
    queue::find(queue as usize).map(|_| Level::Block.min(config().auto_xqueue_level))
}

/// A function has an address as an export of the loader's, one in the tables that the loader hands out, and one by name; layers add
/// others. So many can be told apart.
const PLACES: usize = 4;

/// Fills the stand-in's table: for each name our handler, or the real function itself. Slots of functions that the real library
/// lacks stay as they are. The error says what is missing.
///
/// # Safety
/// Each slot of `table` belongs to the function of that name.
pub unsafe fn bind(stand_in: &Path, table: &[(&CStr, &AtomicPtr<c_void>)]) -> Result<(), String> {
    let driver = driver::load(stand_in)?;
    // SAFETY: by the caller; the handlers are made for the signatures in level_zero/ze_api.h.
    unsafe { intercept::fill(table::ROWS, driver.library, table) };
    Ok(())
}
