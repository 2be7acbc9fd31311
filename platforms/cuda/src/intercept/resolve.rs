//! Functions that the program asks for by name: `cuGetProcAddress`, which the CUDA runtime and most libraries use for everything.
//!
//! The answer for a name depends on version and flags, and base names have been given to new signatures, but it is always the address of
//! an export. So the real function is asked, and its answer is looked up by address: no table of versions is needed.

use crate::driver::{CUDA_SUCCESS, Handle};
use crate::intercept::table::ROWS;
use std::ffi::{c_char, c_int, c_void};
use xsched_runtime::{intercept, nested};

xsched_runtime::handlers! {
    get_proc_address(symbol: *const c_char, function: *mut Handle, version: c_int, flags: u64) -> c_int, GET_PROC_ADDRESS =>
        |call, _, function, _, _| resolved(call, function);
    get_proc_address_v2(symbol: *const c_char, function: *mut Handle, version: c_int, flags: u64, status: *mut c_void) -> c_int, GET_PROC_ADDRESS_V2 =>
        |call, _, function, _, _, _| resolved(call, function);
}

fn resolved(call: &dyn Fn() -> c_int, function: *mut Handle) -> c_int {
    let result = nested(call);
    if result == CUDA_SUCCESS && !function.is_null() {
        // SAFETY: the program's place for the address, which the real function has just written.
        let real = unsafe { *function };
        if !real.is_null()
            && let Some(handler) = intercept::handler_at(ROWS, real)
        {
            // SAFETY: as above.
            unsafe { *function = handler };
        }
    }
    result
}
