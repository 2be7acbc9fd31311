//! What the functions of the stand-in are when libxsched.so cannot be had: OpenCL's own "nothing there".
//!
//! Invariant: an answer reads no argument but the one that it stores its error or count through.
//! `symbols.rs` names one of them for each function, by the function's prototype. Every argument of an OpenCL function
//! is an integer or a pointer, so the position alone says where the error pointer is.

use core::ffi::{c_int, c_void};

const CL_INVALID_OPERATION: c_int = -59;
const CL_PLATFORM_NOT_FOUND_KHR: c_int = -1001;

/// `clGetPlatformIDs`. The count says it too, to those who do not look at the result.
pub(crate) unsafe extern "C" fn no_platforms(_: usize, _: usize, count: *mut u32) -> c_int {
    if !count.is_null() {
        // SAFETY: num_platforms is null or points to a cl_uint.
        unsafe { count.write(0) };
    }
    CL_PLATFORM_NOT_FOUND_KHR
}

/// Functions that return an error code.
pub(crate) extern "C" fn error() -> c_int {
    CL_INVALID_OPERATION
}

/// Functions that return a pointer and report no error, and functions that return nothing.
pub(crate) extern "C" fn null() -> *mut c_void {
    core::ptr::null_mut()
}

/// Functions that return a pointer, and report their error through the argument behind so many others.
macro_rules! null_at {
    ($($name:ident: $($before:ty)*;)*) => { $(
        pub(crate) unsafe extern "C" fn $name($(_: $before,)* error: *mut c_int) -> *mut c_void {
            if !error.is_null() {
                // SAFETY: the function's errcode_ret, which is at this position, is null or points to a cl_int.
                unsafe { error.write(CL_INVALID_OPERATION) };
            }
            core::ptr::null_mut()
        }
    )* };
}

null_at! {
    null_at_1: usize;
    null_at_2: usize usize;
    null_at_3: usize usize usize;
    null_at_4: usize usize usize usize;
    null_at_5: usize usize usize usize usize;
    null_at_6: usize usize usize usize usize usize;
    null_at_7: usize usize usize usize usize usize usize;
    null_at_8: usize usize usize usize usize usize usize usize;
    null_at_9: usize usize usize usize usize usize usize usize usize;
    null_at_11: usize usize usize usize usize usize usize usize usize usize usize;
}
