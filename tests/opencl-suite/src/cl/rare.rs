//! Functions that few programs call: old ones, ones of later versions, sharing with graphics.

use super::{
    Bytes, Code, Context, Device, Event, Image, Kernel, Mem, Program, Queue, Result, Sampler, call, now,
    query,
};
use opencl_sys::{
    CL_PIPE_PACKET_SIZE, cl_command_queue, cl_context, cl_event, cl_int, cl_mem, cl_program, cl_uint,
};
use std::ffi::{CString, c_char, c_void};
use std::ptr;

/// `clEnqueueAcquireGLObjects` and its like.
type Share = unsafe extern "C" fn(
    cl_command_queue,
    cl_uint,
    *const cl_mem,
    cl_uint,
    *const cl_event,
    *mut cl_event,
) -> cl_int;

// The first is declared without its result in the bindings; the others need features that pull in far more.
#[link(name = "OpenCL")]
unsafe extern "C" {
    fn clGetExtensionFunctionAddress(name: *const c_char) -> *mut c_void;
    fn clEnqueueAcquireGLObjects(
        queue: cl_command_queue,
        count: cl_uint,
        memory: *const cl_mem,
        waits: cl_uint,
        wait_list: *const cl_event,
        event: *mut cl_event,
    ) -> cl_int;
    fn clEnqueueReleaseGLObjects(
        queue: cl_command_queue,
        count: cl_uint,
        memory: *const cl_mem,
        waits: cl_uint,
        wait_list: *const cl_event,
        event: *mut cl_event,
    ) -> cl_int;
    fn clEnqueueAcquireEGLObjectsKHR(
        queue: cl_command_queue,
        count: cl_uint,
        memory: *const cl_mem,
        waits: cl_uint,
        wait_list: *const cl_event,
        event: *mut cl_event,
    ) -> cl_int;
    fn clEnqueueReleaseEGLObjectsKHR(
        queue: cl_command_queue,
        count: cl_uint,
        memory: *const cl_mem,
        waits: cl_uint,
        wait_list: *const cl_event,
        event: *mut cl_event,
    ) -> cl_int;
}

/// The functions that hand memory objects to and from graphics, by name.
pub(crate) const SHARING: [(&str, Share); 4] = [
    ("acquire-gl", clEnqueueAcquireGLObjects),
    ("release-gl", clEnqueueReleaseGLObjects),
    ("acquire-egl", clEnqueueAcquireEGLObjectsKHR),
    ("release-egl", clEnqueueReleaseEGLObjectsKHR),
];

/// What a destructor callback runs.
type Callback = Box<dyn FnOnce() + Send>;

impl Device {
    /// The address of an extension function as OpenCL 1.1 programs ask for it; only whether there is one.
    pub(crate) fn knows_function(name: &str) -> bool {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: a terminated string.
        !unsafe { clGetExtensionFunctionAddress(name.as_ptr()) }.is_null()
    }

    /// The clocks of device and host, in nanoseconds (OpenCL 2.1).
    pub(crate) fn timers(&self) -> Result<(u64, u64)> {
        let (mut device, mut host) = (0, 0);
        Code(call!(clGetDeviceAndHostTimer(self.id, &mut device, &mut host))).ok()?;
        Ok((device, host))
    }

    /// The host's clock, in nanoseconds (OpenCL 2.1).
    pub(crate) fn host_timer(&self) -> Result<u64> {
        let mut host = 0;
        Code(call!(clGetHostTimer(self.id, &mut host))).ok()?;
        Ok(host)
    }

    pub(crate) fn unload_compiler(&self) -> Code {
        Code(call!(clUnloadPlatformCompiler(self.platform)))
    }
}

impl Queue {
    /// Hands no memory object over by one of [`SHARING`].
    pub(crate) fn share(&self, function: Share) -> Result<Event> {
        let queue = self.raw();
        now().enqueue(|count, list, event| {
            // SAFETY: the handle is live or null, and there are no memory objects.
            unsafe { function(queue, 0, ptr::null(), count, list, event) }
        })
    }

    /// Makes this the default queue for the device's own launches (OpenCL 2.1).
    pub(crate) fn make_default(&self, context: &Context, device: &Device) -> Code {
        Code(call!(clSetDefaultDeviceCommandQueue(context.raw(), device.id, self.raw())))
    }
}

impl Mem {
    /// A buffer with an empty property list (OpenCL 3.0).
    pub(crate) fn with_properties(context: &Context, flags: u64, from: Bytes) -> Result<Self> {
        let (mut code, none) = (0, [0_u64]);
        let (context, list, size, at) = (context.raw(), none.as_ptr(), from.len(), from.at());
        let raw = call!(clCreateBufferWithProperties(context, list, flags, size, at, &mut code));
        Self::made(raw, code)
    }

    /// A pipe (OpenCL 2.0).
    pub(crate) fn pipe(context: &Context, flags: u64, packet: u32, packets: u32) -> Result<Self> {
        let (mut code, none) = (0, ptr::null());
        let raw = call!(clCreatePipe(context.raw(), flags, packet, packets, none, &mut code));
        Self::made(raw, code)
    }

    /// The packet size of a pipe (OpenCL 2.0).
    pub(crate) fn packet_size(&self) -> Result<u32> {
        let parameter = CL_PIPE_PACKET_SIZE;
        query(|size, to, need| call!(clGetPipeInfo(self.raw(), parameter, size, to, need)))
    }
}

impl Image {
    /// Makes the image with an empty property list (OpenCL 3.0).
    pub(crate) fn make_with_properties(&self, context: &Context, flags: u64) -> Result<Mem> {
        let (mut code, none) = (0, [0_u64]);
        let (format, description) = (self.format(), self.description());
        let (context, list, host) = (context.raw(), none.as_ptr(), ptr::null_mut());
        let raw =
            call!(clCreateImageWithProperties(context, list, flags, &format, &description, host, &mut code));
        Mem::made(raw, code)
    }
}

impl Sampler {
    /// A sampler with these properties (OpenCL 2.0), to which the final zero is added.
    pub(crate) fn with_properties(context: &Context, properties: &[u64]) -> Result<Self> {
        let mut code = 0;
        let list: Vec<u64> = properties.iter().copied().chain([0]).collect();
        let raw = call!(clCreateSamplerWithProperties(context.raw(), list.as_ptr(), &mut code));
        Self::made(raw, code)
    }
}

impl Program {
    /// A program of the device's own kernels.
    pub(crate) fn built_in(context: &Context, device: &Device, names: &str) -> Result<Self> {
        let mut code = 0;
        let names = CString::new(names).unwrap_or_default();
        let (context, device, names) = (context.raw(), &device.id, names.as_ptr());
        let raw = call!(clCreateProgramWithBuiltInKernels(context, 1, device, names, &mut code));
        Self::made(raw, code)
    }

    /// A program of intermediate language (OpenCL 2.1).
    pub(crate) fn from_il(context: &Context, il: &[u8]) -> Result<Self> {
        let mut code = 0;
        let raw = call!(clCreateProgramWithIL(context.raw(), il.as_ptr().cast(), il.len(), &mut code));
        Self::made(raw, code)
    }

    /// Sets a constant of intermediate language (OpenCL 2.2).
    pub(crate) fn set_constant(&self, id: u32, value: u32) -> Code {
        let at = (&raw const value).cast();
        Code(call!(clSetProgramSpecializationConstant(self.raw(), id, size_of_val(&value), at)))
    }

    /// Has the driver run `callback` when the program is destroyed (OpenCL 2.2).
    #[allow(deprecated, reason = "still exported and forwarded")]
    pub(crate) fn on_release(&self, callback: impl FnOnce() + Send + 'static) -> Code {
        let callback: Box<Callback> = Box::new(Box::new(callback));
        let data = Box::into_raw(callback);
        let code = Code(call!(clSetProgramReleaseCallback(self.raw(), Some(released), data.cast())));
        reclaim_unless(code, data);
        code
    }
}

impl Context {
    /// Has the driver run `callback` when the context is destroyed (OpenCL 3.0).
    pub(crate) fn on_destroy(&self, callback: impl FnOnce() + Send + 'static) -> Code {
        let callback: Box<Callback> = Box::new(Box::new(callback));
        let data = Box::into_raw(callback);
        let code = Code(call!(clSetContextDestructorCallback(self.raw(), Some(destroyed), data.cast())));
        reclaim_unless(code, data);
        code
    }
}

impl Kernel {
    /// One value about sub-groups (OpenCL 2.1) for groups of `local` work-items.
    pub(crate) fn sub_group_info(&self, device: &Device, parameter: u32, local: usize) -> Result<usize> {
        let (kernel, device, at) = (self.raw(), device.id, (&raw const local).cast());
        let input = size_of_val(&local);
        query(|size, to, need| {
            call!(clGetKernelSubGroupInfo(kernel, device, parameter, input, at, size, to, need))
        })
    }
}

/// Takes a callback back that the driver refused.
fn reclaim_unless(code: Code, data: *mut Callback) {
    if code != Code::SUCCESS {
        // SAFETY: made by `into_raw` by the caller, and a driver that refuses a callback does not call it.
        drop(unsafe { Box::from_raw(data) });
    }
}

unsafe extern "C" fn released(_program: cl_program, data: *mut c_void) {
    // SAFETY: `data` is the box that `Program::on_release` gave away; the driver calls each callback once.
    let callback = unsafe { Box::from_raw(data.cast::<Callback>()) };
    callback();
}

unsafe extern "C" fn destroyed(_context: cl_context, data: *mut c_void) {
    // SAFETY: `data` is the box that `Context::on_destroy` gave away; the driver calls each callback once.
    let callback = unsafe { Box::from_raw(data.cast::<Callback>()) };
    callback();
}
