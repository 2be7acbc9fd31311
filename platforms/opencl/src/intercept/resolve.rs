//! Functions that the program asks for by name: extension functions, which the loader does not export.
//!
//! Each platform (a driver of the loader's) has its own address for a name. A program may use several, so a handler stands for one
//! real address, and a name has as many handlers as platforms can be told apart.

use super::table;
use crate::driver::Handle;
use std::ffi::{CStr, c_char, c_void};
use xsched_runtime::intercept::{self, Real};
use xsched_runtime::{is_nested, report};

pub(crate) static EXTENSION: Real = Real::new();
pub(crate) static EXTENSION_FOR_PLATFORM: Real = Real::new();

/// `clGetExtensionFunctionAddress`.
pub(crate) unsafe extern "C" fn extension(name: *const c_char) -> *mut c_void {
    // SAFETY: the vendor's function of that name, and the program's argument.
    let real = unsafe {
        std::mem::transmute::<Handle, unsafe extern "C" fn(*const c_char) -> *mut c_void>(EXTENSION.address())(
            name,
        )
    };
    // SAFETY: the real function has read the name.
    unsafe { ours(name, real) }
}

/// `clGetExtensionFunctionAddressForPlatform`.
pub(crate) unsafe extern "C" fn extension_for_platform(platform: Handle, name: *const c_char) -> *mut c_void {
    type F = unsafe extern "C" fn(Handle, *const c_char) -> *mut c_void;
    // SAFETY: the vendor's function of that name, and the program's arguments.
    let real = unsafe { std::mem::transmute::<Handle, F>(EXTENSION_FOR_PLATFORM.address())(platform, name) };
    // SAFETY: the real function has read the name.
    unsafe { ours(name, real) }
}

/// Our handler for the function that the vendor has at `real`; `real` itself if the table has none.
///
/// # Safety
/// `name` is a C string if `real` is not null.
unsafe fn ours(name: *const c_char, real: *mut c_void) -> *mut c_void {
    if real.is_null() || name.is_null() || is_nested() {
        return real;
    }
    // SAFETY: by the caller.
    let name = unsafe { CStr::from_ptr(name) };
    let Some(row) = intercept::find(table::ROWS, name).filter(|row| row.bypass.is_none()) else {
        return real;
    };
    if let Some(handler) = row.handler_for(real) {
        return handler;
    }
    report::once(&format!(
        "{} of more than {} OpenCL platforms: those beyond run unscheduled",
        name.to_string_lossy(),
        row.handlers.len()
    ));
    real
}
