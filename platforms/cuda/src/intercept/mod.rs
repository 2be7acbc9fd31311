//! What stands in front of the functions that reach a stream. [`table`] has a row for each; one topic, one file.

mod capture;
mod context;
mod event;
mod ipc;
mod kernel;
mod resolve;
mod stream;
mod submit;
pub mod table;

use crate::driver;
use std::ffi::CStr;
use std::path::Path;
use std::sync::atomic::AtomicPtr;
use xsched_runtime::intercept;

/// Whether the stand-in is there: whether we hear of what the program does.
pub(crate) fn is_bound() -> bool {
    !stream::DESTROY_V2.address().is_null()
}

/// Fills the stand-in's table: for each name our handler, or the real function itself. Slots of functions that the real library
/// lacks stay as they are. The error says what is missing.
///
/// # Safety
/// Each slot of `table` belongs to the function of that name.
pub unsafe fn bind(stand_in: &Path, table: &[(&CStr, &AtomicPtr<std::ffi::c_void>)]) -> Result<(), String> {
    let driver = driver::load(stand_in)?;
    crate::rm::listen(driver);
    // SAFETY: by the caller; the handlers are made for the signatures in cuda.h.
    unsafe { intercept::fill(table::ROWS, driver.library, table) };
    Ok(())
}
