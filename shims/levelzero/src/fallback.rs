//! What the functions of the stand-in are when libxsched.so cannot be had, or when the real loader is older than a function: Level Zero's
//! own "nothing there". None reads an argument.
//!
//! `symbols.rs` names one of them for each function.

use core::ffi::{c_uint, c_void};

const ZE_RESULT_ERROR_UNINITIALIZED: c_uint = 0x7800_0001;
const ZE_RESULT_ERROR_UNSUPPORTED_FEATURE: c_uint = 0x7800_0003;

/// Functions that a program begins with: what the loader says when it finds no driver.
pub(crate) extern "C" fn no_driver() -> c_uint {
    ZE_RESULT_ERROR_UNINITIALIZED
}

/// All others that return a result.
pub(crate) extern "C" fn unsupported() -> c_uint {
    ZE_RESULT_ERROR_UNSUPPORTED_FEATURE
}

/// Functions that return a handle, or nothing.
pub(crate) extern "C" fn null() -> *mut c_void {
    core::ptr::null_mut()
}
