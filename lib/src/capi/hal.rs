//! The platforms' parts: `xsched/<platform>/hal.h`. The only file here that knows a vendor.

use super::handles::{self, Asked};
use super::types::{HwQueueHandle, XResult};
use super::{Answer, exports, place};
use std::ffi::c_void;
use xsched_runtime::claim::{Claim, Error};

/// `cl_command_queue`, `CUstream`, `ze_device_handle_t`, `ze_command_queue_handle_t`, `ze_command_list_handle_t`.
type ClQueue = *mut c_void;
type CuStream = *mut c_void;
type ZeDevice = *mut c_void;
type ZeQueue = *mut c_void;
type ZeList = *mut c_void;

exports! {
    /// Makes an OpenCL command queue known.
    fn OclQueueCreate(hwq: *mut HwQueueHandle, queue: ClQueue) = opencl;
    /// Makes a CUDA stream known.
    fn CudaQueueCreate(hwq: *mut HwQueueHandle, stream: CuStream) = cuda;
    /// Looks up the hardware queue of a CUDA stream.
    fn CudaQueueGet(hwq: *mut HwQueueHandle, stream: CuStream) = cuda_known;
    /// Makes a Level Zero command queue known.
    fn ZeQueueCreate(hwq: *mut HwQueueHandle, device: ZeDevice, queue: ZeQueue) = levelzero;
    /// Makes a Level Zero immediate command list known.
    fn ZeListreate(hwq: *mut HwQueueHandle, device: ZeDevice, list: ZeList) = levelzero_list;
}

/// # Safety
/// As for `place`.
unsafe fn add(hwq: *mut HwQueueHandle, asked: Asked, claim: impl FnOnce() -> Result<Claim, Error>) -> Answer {
    // SAFETY: by the caller.
    let place = unsafe { place(hwq) }?;
    *place = handles::add_hw_queue(claim()?, asked)?;
    Ok(())
}

/// A handle of the vendor's that may not be null.
fn there(handle: *mut c_void) -> Result<(), XResult> {
    if handle.is_null() { Err(XResult::INVALID_VALUE) } else { Ok(()) }
}

unsafe fn opencl(hwq: *mut HwQueueHandle, queue: ClQueue) -> Answer {
    there(queue)?;
    // SAFETY: by the caller; so below.
    unsafe { add(hwq, Asked::Created, || xsched_platform_opencl::claim(queue)) }
}

unsafe fn cuda(hwq: *mut HwQueueHandle, stream: CuStream) -> Answer {
    // SAFETY: as above.
    unsafe { add(hwq, Asked::Created, || xsched_platform_cuda::claim(stream)) }
}

unsafe fn cuda_known(hwq: *mut HwQueueHandle, stream: CuStream) -> Answer {
    // SAFETY: as above.
    unsafe { add(hwq, Asked::LookedUp, || xsched_platform_cuda::claim_known(stream)) }
}

unsafe fn levelzero(hwq: *mut HwQueueHandle, _device: ZeDevice, queue: ZeQueue) -> Answer {
    there(queue)?;
    // SAFETY: as above.
    unsafe { add(hwq, Asked::Created, || xsched_platform_levelzero::claim_queue(queue)) }
}

unsafe fn levelzero_list(hwq: *mut HwQueueHandle, _device: ZeDevice, list: ZeList) -> Answer {
    there(list)?;
    // SAFETY: as above.
    unsafe { add(hwq, Asked::Created, || xsched_platform_levelzero::claim_list(list)) }
}
