//! `cl_intel_unified_shared_memory`, reached by the platform's function addresses.

use super::{After, Bytes, Code, Context, Device, Event, Kernel, Queue, Result};
use opencl_sys::{cl_bool, cl_command_queue, cl_context, cl_event, cl_int, cl_kernel, cl_uint};
use std::ffi::c_void;
use std::ptr;

type Allocate = unsafe extern "C" fn(cl_context, *const u64, usize, cl_uint, *mut cl_int) -> *mut c_void;
type Free = unsafe extern "C" fn(cl_context, *mut c_void) -> cl_int;
type SetArgument = unsafe extern "C" fn(cl_kernel, cl_uint, *const c_void) -> cl_int;
type CopyBytes = unsafe extern "C" fn(
    cl_command_queue,
    cl_bool,
    *mut c_void,
    *const c_void,
    usize,
    cl_uint,
    *const cl_event,
    *mut cl_event,
) -> cl_int;
type Fill = unsafe extern "C" fn(
    cl_command_queue,
    *mut c_void,
    *const c_void,
    usize,
    usize,
    cl_uint,
    *const cl_event,
    *mut cl_event,
) -> cl_int;

/// The extension's functions on one platform.
pub(crate) struct Usm {
    allocate: Allocate,
    free: Free,
    set_argument: SetArgument,
    copy: CopyBytes,
    fill: Fill,
}

impl Usm {
    /// The functions, if the platform knows them all.
    pub(crate) fn of(device: &Device) -> Option<Self> {
        let [allocate, free, set_argument, copy, fill] = [
            "clHostMemAllocINTEL",
            "clMemBlockingFreeINTEL",
            "clSetKernelArgMemPointerINTEL",
            "clEnqueueMemcpyINTEL",
            "clEnqueueMemFillINTEL",
        ]
        .map(|name| device.function(name));
        if [allocate, free, set_argument, copy, fill].contains(&ptr::null_mut()) {
            return None;
        }
        // SAFETY: none is null, and the extension fixes the types of the functions of these names.
        unsafe {
            Some(Self {
                allocate: std::mem::transmute::<*mut c_void, Allocate>(allocate),
                free: std::mem::transmute::<*mut c_void, Free>(free),
                set_argument: std::mem::transmute::<*mut c_void, SetArgument>(set_argument),
                copy: std::mem::transmute::<*mut c_void, CopyBytes>(copy),
                fill: std::mem::transmute::<*mut c_void, Fill>(fill),
            })
        }
    }

    /// Memory of the host that the device reaches; free it with [`Usm::free`].
    pub(crate) fn allocate(&self, context: &Context, size: usize) -> Result<Bytes> {
        let mut code = 0;
        // SAFETY: a live context, no properties, a place for the code.
        let at = unsafe { (self.allocate)(context.raw(), ptr::null(), size, 0, &mut code) };
        Code(code).ok()?;
        Ok(Bytes::view(at, size))
    }

    /// Waits for the commands that use the memory, and frees it.
    pub(crate) fn free(&self, context: &Context, memory: Bytes) -> Code {
        // SAFETY: memory of `allocate`; the cases do not use it after this.
        Code(unsafe { (self.free)(context.raw(), memory.at()) })
    }

    pub(crate) fn set_argument(&self, kernel: &mut Kernel, index: u32, memory: Bytes) -> Code {
        // SAFETY: a live kernel and memory of `allocate`.
        Code(unsafe { (self.set_argument)(kernel.raw(), index, memory.at()) })
    }

    pub(crate) fn copy(
        &self,
        queue: &Queue,
        blocking: bool,
        to: Bytes,
        from: Bytes,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, blocking, size) = (queue.raw(), blocking.into(), to.len().min(from.len()));
        order.enqueue(|count, list, event| {
            // SAFETY: a live or null queue, both memories have `size` bytes.
            unsafe { (self.copy)(queue, blocking, to.at(), from.at(), size, count, list, event) }
        })
    }

    pub(crate) fn fill(&self, queue: &Queue, to: Bytes, pattern: &[u8], order: After<'_>) -> Result<Event> {
        let (queue, length, size) = (queue.raw(), pattern.len(), to.len());
        let pattern = pattern.as_ptr().cast();
        order.enqueue(|count, list, event| {
            // SAFETY: a live or null queue, a pattern of `length` bytes, memory of `size` bytes.
            unsafe { (self.fill)(queue, to.at(), pattern, length, size, count, list, event) }
        })
    }
}
