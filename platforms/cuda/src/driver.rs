//! The real `libcuda.so.1` and those of its functions that we call ourselves.
//!
//! Types and values are those of cuda.h. A function that the driver is too old for is `None`; who needs it goes without.

use std::ffi::{c_int, c_uint, c_void};

/// A `CUcontext`, `CUstream` or `CUevent`.
pub(crate) type Handle = *mut c_void;

pub(crate) const CUDA_SUCCESS: c_int = 0;
/// `CUDA_ERROR_DEVICE_UNAVAILABLE`: what launches answer when the user asked for no launch without xserver.
pub(crate) const CUDA_ERROR_DEVICE_UNAVAILABLE: c_int = 46;
pub(crate) const CUDA_ERROR_INVALID_CONTEXT: i64 = 201;
pub(crate) const CUDA_ERROR_NOT_READY: c_int = 600;
/// `CUDA_ERROR_NOT_PERMITTED`: what every call answers in a callback of the driver's.
pub(crate) const CUDA_ERROR_NOT_PERMITTED: c_int = 800;

/// `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD`: the default streams by name.
pub(crate) const CU_STREAM_LEGACY: usize = 1;
pub(crate) const CU_STREAM_PER_THREAD: usize = 2;

xsched_runtime::real_functions! {
    /// The functions that we call ourselves.
    struct Driver {
        cuCtxGetCurrent: unsafe extern "C" fn(*mut Handle) -> c_int;
        cuCtxPushCurrent_v2: unsafe extern "C" fn(Handle) -> c_int;
        cuCtxPopCurrent_v2: unsafe extern "C" fn(*mut Handle) -> c_int;
        cuCtxFromGreenCtx: unsafe extern "C" fn(*mut Handle, Handle) -> c_int;
        cuCtxGetDevice: unsafe extern "C" fn(*mut c_int) -> c_int;
        cuDeviceGet: unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
        cuDeviceGetAttribute: unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
        cuDevicePrimaryCtxGetState: unsafe extern "C" fn(c_int, *mut c_uint, *mut c_int) -> c_int;
        cuDeviceGetUuid: unsafe extern "C" fn(*mut [u8; 16], c_int) -> c_int;
        cuDeviceGetUuid_v2: unsafe extern "C" fn(*mut [u8; 16], c_int) -> c_int;
        cuEventCreate: unsafe extern "C" fn(*mut Handle, c_uint) -> c_int;
        cuEventDestroy_v2: unsafe extern "C" fn(Handle) -> c_int;
        cuEventQuery: unsafe extern "C" fn(Handle) -> c_int;
        cuEventRecord: unsafe extern "C" fn(Handle, Handle) -> c_int;
        cuEventSynchronize: unsafe extern "C" fn(Handle) -> c_int;
        cuStreamGetCtx: unsafe extern "C" fn(Handle, *mut Handle) -> c_int;
        cuStreamIsCapturing: unsafe extern "C" fn(Handle, *mut c_int) -> c_int;
        cuStreamQuery: unsafe extern "C" fn(Handle) -> c_int;
        cuStreamSynchronize: unsafe extern "C" fn(Handle) -> c_int;
        cuThreadExchangeStreamCaptureMode: unsafe extern "C" fn(*mut c_int) -> c_int;
    }
}

xsched_runtime::real_library!(Driver, "libcuda.so.1", "XSCHED_CUDA_LIB", cuda_lib, load);

impl Driver {
    /// The calling thread's context. An error or null (no context, or a callback of the driver's) is `None`.
    #[inline]
    pub(crate) fn current_context(&self) -> Option<Handle> {
        let mut context: Handle = std::ptr::null_mut();
        // SAFETY: a place for the answer.
        let result = unsafe { self.cuCtxGetCurrent?(&raw mut context) };
        (result == CUDA_SUCCESS && !context.is_null()).then_some(context)
    }

    /// Whether this is a thread of the driver's, in a callback of the program's (`cuLaunchHostFunc`, `cuStreamAddCallback`, a host node).
    pub(crate) fn is_in_callback(&self) -> bool {
        let mut context: Handle = std::ptr::null_mut();
        // SAFETY: as above.
        self.cuCtxGetCurrent.is_some_and(|get| unsafe { get(&raw mut context) } == CUDA_ERROR_NOT_PERMITTED)
    }

    /// Runs `work` with this context current to the calling thread; afterwards the thread's own is again. `None` if that cannot be.
    ///
    /// # Safety
    /// The context lives until this returns.
    pub(crate) unsafe fn in_context<R>(&self, context: Handle, work: impl FnOnce() -> R) -> Option<R> {
        if self.current_context() == Some(context) {
            return Some(work());
        }
        let (push, pop) = (self.cuCtxPushCurrent_v2?, self.cuCtxPopCurrent_v2?);
        // SAFETY: by the caller.
        if unsafe { push(context) } != CUDA_SUCCESS {
            return None;
        }
        let result = work();
        let mut popped: Handle = std::ptr::null_mut();
        // SAFETY: takes away what was pushed above.
        unsafe { pop(&raw mut popped) };
        Some(result)
    }
}
