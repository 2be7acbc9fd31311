//! Command buffers (cl_khr_command_buffer): which queue a recorded list of commands goes to.
//!
//! Remembered from their creation: clGetCommandBufferInfoKHR answers nonsense for the queues in PoCL 3.1.

use crate::driver::{CL_SUCCESS, Handle};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Mutex;
use xsched_runtime::intercept::Real;
use xsched_runtime::report;

pub(crate) static CREATE: Real = Real::new();
pub(crate) static RETAIN: Real = Real::new();
pub(crate) static RELEASE: Real = Real::new();

/// Command buffers of the program's, each with its first queue and the program's references.
static BUFFERS: Mutex<Option<BTreeMap<usize, (usize, u32)>>> = Mutex::new(None);

fn buffers<R>(look: impl FnOnce(&mut BTreeMap<usize, (usize, u32)>) -> R) -> Option<R> {
    BUFFERS.lock().ok().map(|mut buffers| look(buffers.get_or_insert_default()))
}

/// `clCreateCommandBufferKHR`.
pub(crate) unsafe extern "C" fn create(
    count: u32,
    queues: *const usize,
    properties: *const u64,
    error: *mut c_int,
) -> Handle {
    type F = unsafe extern "C" fn(u32, *const usize, *const u64, *mut c_int) -> Handle;
    // SAFETY: the vendor's function of that signature (CL/cl_ext.h), with the program's arguments.
    let buffer =
        unsafe { std::mem::transmute::<Handle, F>(CREATE.address())(count, queues, properties, error) };
    if !buffer.is_null() && count != 0 && !queues.is_null() {
        // SAFETY: the real function has read `count` queues there.
        let queue = unsafe { queues.read() };
        buffers(|all| all.insert(buffer as usize, (queue, 1)));
    }
    buffer
}

/// `clRetainCommandBufferKHR`.
pub(crate) unsafe extern "C" fn retain(buffer: Handle) -> c_int {
    // SAFETY: as above.
    let result = unsafe {
        std::mem::transmute::<Handle, unsafe extern "C" fn(Handle) -> c_int>(RETAIN.address())(buffer)
    };
    if result == CL_SUCCESS {
        buffers(|all| all.get_mut(&(buffer as usize)).map(|(_, references)| *references += 1));
    }
    result
}

/// `clReleaseCommandBufferKHR`.
pub(crate) unsafe extern "C" fn release(buffer: Handle) -> c_int {
    buffers(|all| {
        if let Some((_, references)) = all.get_mut(&(buffer as usize)) {
            *references -= 1;
            if *references == 0 {
                all.remove(&(buffer as usize));
            }
        }
    });
    // SAFETY: as above.
    unsafe { std::mem::transmute::<Handle, unsafe extern "C" fn(Handle) -> c_int>(RELEASE.address())(buffer) }
}

/// The queue that `clEnqueueCommandBufferKHR` goes to: the first of those given, else the first that it was recorded for; 0 if
/// that is not known.
///
/// # Safety
/// The arguments are those of `clEnqueueCommandBufferKHR`.
pub(crate) unsafe fn queue(count: usize, queues: usize, buffer: usize) -> usize {
    if count as u32 != 0 && queues != 0 {
        // SAFETY: by the caller, `queues` has `count` queues.
        return unsafe { *(queues as *const usize) };
    }
    let known = buffers(|all| all.get(&buffer).map(|(queue, _)| *queue)).flatten();
    if known.is_none() && buffer != 0 {
        report::once("a command buffer whose queue is not known runs unscheduled");
    }
    known.unwrap_or(0)
}
