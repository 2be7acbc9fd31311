//! What processes hand to each other: handles of events and memory. Who has one may wait, on the device, for the process that it is from, so
//! both are suspended as one ([`xsched_runtime::share`]). Both name it by the handle's own bytes.
//!
//! Absent: memory that is handed over as a file descriptor (`cuMemExportToShareableHandle`), which has no name that both know.

use crate::driver::{CUDA_SUCCESS, Handle};
use std::ffi::{c_int, c_uint};
use xsched_runtime::{nested, share};

/// `CUipcEventHandle` and `CUipcMemHandle`: both are 64 bytes, which mean something to the driver alone.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct IpcHandle {
    reserved: [u8; 64],
}

xsched_runtime::handlers! {
    get_event(place: *mut IpcHandle, event: Handle) -> c_int, GET_EVENT => |call, place, _| exported(call, "cuda event", place);
    get_memory(place: *mut IpcHandle, memory: usize) -> c_int, GET_MEMORY => |call, place, _| exported(call, "cuda memory", place);
    open_event(event: *mut Handle, handle: IpcHandle) -> c_int, OPEN_EVENT =>
        |call, _, handle| opened(call, "cuda event", &handle);
    open_memory(memory: *mut usize, handle: IpcHandle, flags: c_uint) -> c_int, OPEN_MEMORY =>
        |call, _, handle, _| opened(call, "cuda memory", &handle);
    open_memory_v2(memory: *mut usize, handle: IpcHandle, flags: c_uint) -> c_int, OPEN_MEMORY_V2 =>
        |call, _, handle, _| opened(call, "cuda memory", &handle);
}

fn exported(call: &dyn Fn() -> c_int, kind: &str, place: *const IpcHandle) -> c_int {
    let result = nested(call);
    if result == CUDA_SUCCESS {
        // SAFETY: the driver has just written the handle there.
        share(kind, unsafe { &(*place).reserved });
    }
    result
}

fn opened(call: &dyn Fn() -> c_int, kind: &str, handle: &IpcHandle) -> c_int {
    let result = nested(call);
    if result == CUDA_SUCCESS {
        share(kind, &handle.reserved);
    }
    result
}
