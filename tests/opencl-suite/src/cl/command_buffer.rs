//! `cl_khr_command_buffer`, reached as programs reach extensions: by the platform's function addresses.
//!
//! Version 0.9.5 gave the recording of copies an argument more; both signatures are known here.

use super::{After, Code, Device, Event, Kernel, Mem, Nd, Queue, Result, kernel::address, query};
use opencl_sys::{
    CL_COMMAND_BUFFER_REFERENCE_COUNT_KHR, CL_COMMAND_BUFFER_STATE_KHR, cl_command_queue, cl_event, cl_int,
    cl_kernel, cl_mem, cl_uint,
};
use std::ffi::c_void;
use std::ptr;

type Raw = *mut c_void;
type Create = unsafe extern "C" fn(cl_uint, *const cl_command_queue, *const u64, *mut cl_int) -> Raw;
type OnBuffer = unsafe extern "C" fn(Raw) -> cl_int;
type Enqueue = unsafe extern "C" fn(
    cl_uint,
    *mut cl_command_queue,
    Raw,
    cl_uint,
    *const cl_event,
    *mut cl_event,
) -> cl_int;
type Launch = unsafe extern "C" fn(
    Raw,
    cl_command_queue,
    *const u64,
    cl_kernel,
    cl_uint,
    *const usize,
    *const usize,
    *const usize,
    cl_uint,
    *const cl_uint,
    *mut cl_uint,
    *mut Raw,
) -> cl_int;
type PlainCopy = unsafe extern "C" fn(
    Raw,
    cl_command_queue,
    cl_mem,
    cl_mem,
    usize,
    usize,
    usize,
    cl_uint,
    *const cl_uint,
    *mut cl_uint,
    *mut Raw,
) -> cl_int;
type CopyWithProperties = unsafe extern "C" fn(
    Raw,
    cl_command_queue,
    *const u64,
    cl_mem,
    cl_mem,
    usize,
    usize,
    usize,
    cl_uint,
    *const cl_uint,
    *mut cl_uint,
    *mut Raw,
) -> cl_int;
type Info = unsafe extern "C" fn(Raw, cl_uint, usize, *mut c_void, *mut usize) -> cl_int;

/// The extension's functions on one platform.
#[derive(Clone, Copy)]
pub(crate) struct CommandBuffers {
    create: Create,
    finalize: OnBuffer,
    retain: OnBuffer,
    release: OnBuffer,
    enqueue: Enqueue,
    launch: Launch,
    copy: AnyCopy,
    info: Info,
}

/// Recording a copy, before and after the change.
#[derive(Clone, Copy)]
enum AnyCopy {
    Plain(PlainCopy),
    WithProperties(CopyWithProperties),
}

/// One recorded list of commands.
pub(crate) struct CommandBuffer<'a> {
    functions: &'a CommandBuffers,
    raw: Raw,
}

/// The names of the functions that [`CommandBuffers`] uses.
pub(crate) const NAMES: [&str; 8] = [
    "clCreateCommandBufferKHR",
    "clFinalizeCommandBufferKHR",
    "clRetainCommandBufferKHR",
    "clReleaseCommandBufferKHR",
    "clEnqueueCommandBufferKHR",
    "clCommandNDRangeKernelKHR",
    "clCommandCopyBufferKHR",
    "clGetCommandBufferInfoKHR",
];

impl CommandBuffers {
    /// The functions, if the device has the extension in a version that is known here.
    pub(crate) fn of(device: &Device) -> Option<Self> {
        // Major and minor number in 10 bits each, patch number in 12.
        const CHANGED: u32 = 9 << 12 | 5;
        let version = device.extension_version("cl_khr_command_buffer")?;
        let [create, finalize, retain, release, enqueue, launch, copy, info] =
            NAMES.map(|name| device.function(name));
        if [create, finalize, retain, release, enqueue, launch, copy, info].contains(&ptr::null_mut()) {
            return None;
        }
        // SAFETY: none is null, and the device says that it has the version these types are from.
        unsafe {
            Some(Self {
                create: std::mem::transmute::<Raw, Create>(create),
                finalize: std::mem::transmute::<Raw, OnBuffer>(finalize),
                retain: std::mem::transmute::<Raw, OnBuffer>(retain),
                release: std::mem::transmute::<Raw, OnBuffer>(release),
                enqueue: std::mem::transmute::<Raw, Enqueue>(enqueue),
                launch: std::mem::transmute::<Raw, Launch>(launch),
                copy: if version < CHANGED {
                    AnyCopy::Plain(std::mem::transmute::<Raw, PlainCopy>(copy))
                } else {
                    AnyCopy::WithProperties(std::mem::transmute::<Raw, CopyWithProperties>(copy))
                },
                info: std::mem::transmute::<Raw, Info>(info),
            })
        }
    }

    /// An empty command buffer for one queue.
    pub(crate) fn make(&self, queue: &Queue) -> Result<CommandBuffer<'_>> {
        let mut code = 0;
        let raw = queue.raw();
        // SAFETY: one queue, live or null; no property list; a place for the code.
        let raw = unsafe { (self.create)(1, &raw, ptr::null(), &mut code) };
        Code(code).ok()?;
        Ok(CommandBuffer { functions: self, raw })
    }

    /// Enqueues a null command buffer, an error.
    pub(crate) fn enqueue_null(&self, order: After<'_>) -> Result<Event> {
        CommandBuffer { functions: self, raw: ptr::null_mut() }.enqueue_on(None, order)
    }
}

impl CommandBuffer<'_> {
    /// Records a launch; `None` stands for the queue that the buffer was made with.
    pub(crate) fn launch(&self, kernel: &Kernel, range: Nd) -> Code {
        let (none, points) = (ptr::null_mut(), ptr::null());
        let (offset, global, local) = (address(&range.offset), address(&range.global), address(&range.local));
        let (kernel, dimensions, point) = (kernel.raw(), range.dimensions, ptr::null_mut());
        // SAFETY: live handles, lists of four entries, no sync points.
        Code(unsafe {
            (self.functions.launch)(
                self.raw,
                none,
                ptr::null(),
                kernel,
                dimensions,
                offset,
                global,
                local,
                0,
                points,
                point,
                ptr::null_mut(),
            )
        })
    }

    /// Records a copy of the first `size` bytes.
    pub(crate) fn copy(&self, from: &Mem, to: &Mem, size: usize) -> Code {
        let (none, points, point) = (ptr::null_mut(), ptr::null(), ptr::null_mut());
        let (from, to, handle) = (from.raw(), to.raw(), ptr::null_mut());
        // SAFETY: live handles, no properties, no sync points; the signature is the one of the version.
        Code(unsafe {
            match self.functions.copy {
                AnyCopy::Plain(copy) => copy(self.raw, none, from, to, 0, 0, size, 0, points, point, handle),
                AnyCopy::WithProperties(copy) => {
                    copy(self.raw, none, ptr::null(), from, to, 0, 0, size, 0, points, point, handle)
                }
            }
        })
    }

    pub(crate) fn finalize(&self) -> Code {
        // SAFETY: a live handle.
        Code(unsafe { (self.functions.finalize)(self.raw) })
    }

    /// Enqueues on the queue that the buffer was made with.
    pub(crate) fn enqueue(&self, order: After<'_>) -> Result<Event> {
        self.enqueue_on(None, order)
    }

    /// Enqueues on another queue, or, without one, on the buffer's own.
    pub(crate) fn enqueue_on(&self, queue: Option<&Queue>, order: After<'_>) -> Result<Event> {
        let mut raw = queue.map_or(ptr::null_mut(), Queue::raw);
        let (number, list) = if queue.is_some() { (1, &raw mut raw) } else { (0, ptr::null_mut()) };
        order.enqueue(|count, events, event| {
            // SAFETY: `list` has `number` queues, `events` has `count` events, `event` is null or a place.
            unsafe { (self.functions.enqueue)(number, list, self.raw, count, events, event) }
        })
    }

    pub(crate) fn state(&self) -> Result<u32> {
        self.info(CL_COMMAND_BUFFER_STATE_KHR)
    }

    /// The reference count beside one more, which is given back.
    pub(crate) fn references_retained(&self) -> Result<u32> {
        // SAFETY: a live handle, released below.
        Code(unsafe { (self.functions.retain)(self.raw) }).ok()?;
        let count = self.info(CL_COMMAND_BUFFER_REFERENCE_COUNT_KHR);
        // SAFETY: gives back the reference taken above.
        Code(unsafe { (self.functions.release)(self.raw) }).ok()?;
        count
    }

    fn info(&self, parameter: u32) -> Result<u32> {
        // SAFETY: a live handle, and `query` passes a place with its size.
        query(|size, to, need| unsafe { (self.functions.info)(self.raw, parameter, size, to, need) })
    }
}

impl Drop for CommandBuffer<'_> {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: owns one reference.
            unsafe { (self.functions.release)(self.raw) };
        }
    }
}
