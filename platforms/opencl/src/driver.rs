//! The real `libOpenCL.so.1` (an ICD loader, or one vendor's library) and those of its functions that we call ourselves.

use std::ffi::{c_int, c_void};
use xsched_runtime::library::Library;

/// Any OpenCL object.
pub(crate) type Handle = *mut c_void;

pub(crate) const CL_SUCCESS: c_int = 0;
/// `CL_DEVICE_NOT_AVAILABLE`: what launches answer when the user asked for no launch without xserver.
pub(crate) const CL_DEVICE_NOT_AVAILABLE: c_int = -2;
pub(crate) const CL_COMPLETE: c_int = 0;

/// `clGet*Info(object, name, size, value, size_ret)`.
pub(crate) type GetInfo = unsafe extern "C" fn(Handle, u32, usize, *mut c_void, *mut usize) -> c_int;

xsched_runtime::real_functions! {
    /// The functions that we call ourselves.
    struct Driver {
        clGetCommandQueueInfo: GetInfo;
        clGetDeviceInfo: GetInfo;
        clGetDeviceIDs: unsafe extern "C" fn(Handle, u64, u32, *mut Handle, *mut u32) -> c_int;
        clGetPlatformInfo: GetInfo;
        clGetEventInfo: GetInfo;
        clFlush: unsafe extern "C" fn(Handle) -> c_int;
        clFinish: unsafe extern "C" fn(Handle) -> c_int;
        clEnqueueMarker: unsafe extern "C" fn(Handle, *mut Handle) -> c_int;
        clEnqueueMarkerWithWaitList: unsafe extern "C" fn(Handle, u32, *const Handle, *mut Handle) -> c_int;
        clRetainCommandQueue: unsafe extern "C" fn(Handle) -> c_int;
        clReleaseCommandQueue: unsafe extern "C" fn(Handle) -> c_int;
        clReleaseEvent: unsafe extern "C" fn(Handle) -> c_int;
        clWaitForEvents: unsafe extern "C" fn(u32, *const Handle) -> c_int;
    }
}

xsched_runtime::real_library!(Driver, "libOpenCL.so.1", "XSCHED_OPENCL_LIB", opencl_lib);

/// Settles what the real functions are, for the life of the process: these, unless somebody was first. Returns what they are, and whether it
/// is this call that decided.
pub(crate) fn settle(library: Library) -> (Library, bool) {
    let mut is_ours = false;
    // Asked for before: others wait for what is done inside.
    let loaded = Driver::load(library);
    let settled = DRIVER.get_or_init(|| {
        is_ours = true;
        loaded
    });
    (settled.library, is_ours)
}

/// One value out of `clGet*Info`; `None` if the call fails or answers another size.
///
/// # Safety
/// `object` is of the kind that `get` takes, or null.
pub(crate) unsafe fn info<T: Copy + Default>(get: Option<GetInfo>, object: Handle, name: u32) -> Option<T> {
    let mut value = T::default();
    let mut size = 0;
    // SAFETY: by the caller; `value` and `size` are ours, and the size is told.
    let result = unsafe { get?(object, name, size_of::<T>(), (&raw mut value).cast(), &raw mut size) };
    (result == CL_SUCCESS && size == size_of::<T>()).then_some(value)
}

/// A handle out of `clGet*Info`, as a number.
///
/// # Safety
/// As for [`info`].
pub(crate) unsafe fn handle_info(get: Option<GetInfo>, object: Handle, name: u32) -> Option<Handle> {
    // SAFETY: as by the caller.
    unsafe { info::<usize>(get, object, name) }.filter(|h| *h != 0).map(|h| h as Handle)
}
