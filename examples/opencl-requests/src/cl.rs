//! The few OpenCL calls this program makes, each wrapped so that the rest of it is safe code.
//!
//! The library is an ordinary dependency of the executable (`DT_NEEDED libOpenCL.so.1`), as in any OpenCL program.
//! Deliberately absent: everything the two loops do not use, and any knowledge of XSched.

use std::ffi::{CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};

use anyhow::{Context as _, Result, bail};

type Handle = *mut c_void;

const DEVICE_TYPE_ALL: u64 = 0xFFFF_FFFF;
const PLATFORM_NAME: u32 = 0x0902;
const DEVICE_NAME: u32 = 0x102B;
const DEVICE_MAX_COMPUTE_UNITS: u32 = 0x1002;
const PROGRAM_BUILD_LOG: u32 = 0x1183;
const QUEUE_PROFILING_ENABLE: u64 = 1 << 1;
const MEM_READ_WRITE: u64 = 1;
const MEM_COPY_HOST_PTR: u64 = 1 << 5;
const PROFILING_COMMAND_START: u32 = 0x1282;
const PROFILING_COMMAND_END: u32 = 0x1283;

#[link(name = "libOpenCL.so.1", kind = "dylib", modifiers = "+verbatim")]
unsafe extern "C" {
    fn clGetPlatformIDs(entries: u32, platforms: *mut Handle, count: *mut u32) -> i32;
    fn clGetPlatformInfo(
        platform: Handle,
        name: u32,
        size: usize,
        value: *mut c_void,
        used: *mut usize,
    ) -> i32;
    fn clGetDeviceIDs(
        platform: Handle,
        kind: u64,
        entries: u32,
        devices: *mut Handle,
        count: *mut u32,
    ) -> i32;
    fn clGetDeviceInfo(device: Handle, name: u32, size: usize, value: *mut c_void, used: *mut usize) -> i32;
    fn clCreateContext(
        properties: *const isize,
        count: u32,
        devices: *const Handle,
        notify: *const c_void,
        user: *mut c_void,
        error: *mut i32,
    ) -> Handle;
    fn clCreateCommandQueue(context: Handle, device: Handle, properties: u64, error: *mut i32) -> Handle;
    fn clCreateBuffer(context: Handle, flags: u64, size: usize, host: *mut c_void, error: *mut i32)
    -> Handle;
    fn clCreateProgramWithSource(
        context: Handle,
        count: u32,
        strings: *const *const c_char,
        lengths: *const usize,
        error: *mut i32,
    ) -> Handle;
    fn clBuildProgram(
        program: Handle,
        count: u32,
        devices: *const Handle,
        options: *const c_char,
        notify: *const c_void,
        user: *mut c_void,
    ) -> i32;
    fn clGetProgramBuildInfo(
        program: Handle,
        device: Handle,
        name: u32,
        size: usize,
        value: *mut c_void,
        used: *mut usize,
    ) -> i32;
    fn clCreateKernel(program: Handle, name: *const c_char, error: *mut i32) -> Handle;
    fn clSetKernelArg(kernel: Handle, index: u32, size: usize, value: *const c_void) -> i32;
    fn clEnqueueNDRangeKernel(
        queue: Handle,
        kernel: Handle,
        dimensions: u32,
        offset: *const usize,
        global: *const usize,
        local: *const usize,
        waits: u32,
        wait_list: *const Handle,
        event: *mut Handle,
    ) -> i32;
    fn clEnqueueWriteBuffer(
        queue: Handle,
        buffer: Handle,
        blocking: u32,
        offset: usize,
        size: usize,
        source: *const c_void,
        waits: u32,
        wait_list: *const Handle,
        event: *mut Handle,
    ) -> i32;
    fn clEnqueueReadBuffer(
        queue: Handle,
        buffer: Handle,
        blocking: u32,
        offset: usize,
        size: usize,
        target: *mut c_void,
        waits: u32,
        wait_list: *const Handle,
        event: *mut Handle,
    ) -> i32;
    fn clFlush(queue: Handle) -> i32;
    fn clFinish(queue: Handle) -> i32;
    fn clWaitForEvents(count: u32, events: *const Handle) -> i32;
    fn clGetEventProfilingInfo(
        event: Handle,
        name: u32,
        size: usize,
        value: *mut c_void,
        used: *mut usize,
    ) -> i32;
    fn clReleaseContext(context: Handle) -> i32;
    fn clReleaseCommandQueue(queue: Handle) -> i32;
    fn clReleaseMemObject(buffer: Handle) -> i32;
    fn clReleaseProgram(program: Handle) -> i32;
    fn clReleaseKernel(kernel: Handle) -> i32;
    fn clReleaseEvent(event: Handle) -> i32;
}

/// One OpenCL device with a context and an in-order, profiling queue on it.
pub(crate) struct Device {
    /// Platform and device name, as `--device` matches them.
    pub(crate) name: String,
    /// `CL_DEVICE_MAX_COMPUTE_UNITS`, at least 1.
    pub(crate) compute_units: usize,
    device: Handle,
    queue: Owned,
    context: Owned,
}

/// A device buffer of `len` values of type `T`.
pub(crate) struct Buffer<T> {
    memory: Owned,
    len: usize,
    element: PhantomData<T>,
}

/// A built kernel. Arguments stick until they are set again.
pub(crate) struct Kernel {
    kernel: Owned,
    _program: Owned,
}

/// The completion of one kernel.
pub(crate) struct Event(Owned);

impl Device {
    /// Opens the first device whose "platform / device" name contains `text`, ignoring case (empty: the first of all).
    pub(crate) fn open(text: &str) -> Result<Self> {
        let mut seen = Vec::new();
        for platform in platforms()? {
            let platform_name = info("clGetPlatformInfo", |size, value, used| {
                // SAFETY: `platform` came from clGetPlatformIDs; `value` has room for `size` bytes or is null.
                unsafe { clGetPlatformInfo(platform, PLATFORM_NAME, size, value, used) }
            })?;
            for device in devices(platform) {
                let device_name = info("clGetDeviceInfo", |size, value, used| {
                    // SAFETY: `device` came from clGetDeviceIDs; `value` has room for `size` bytes or is null.
                    unsafe { clGetDeviceInfo(device, DEVICE_NAME, size, value, used) }
                })?;
                let name = format!("{} / {}", text_of(&platform_name), text_of(&device_name));
                if name.to_lowercase().contains(&text.to_lowercase()) {
                    return Self::new(name, device);
                }
                seen.push(name);
            }
        }
        if seen.is_empty() {
            bail!("no OpenCL device on this machine (Debian: apt-get install pocl-opencl-icd)");
        }
        bail!("no OpenCL device matches {text:?}; there are: {}", seen.join(", "));
    }

    fn new(name: String, device: Handle) -> Result<Self> {
        let mut units = 0u32;
        let mut error = 0;
        // SAFETY: `device` is valid; a compute-unit count is one cl_uint.
        check("clGetDeviceInfo", unsafe {
            clGetDeviceInfo(device, DEVICE_MAX_COMPUTE_UNITS, 4, (&raw mut units).cast(), null_mut())
        })?;
        // SAFETY: one valid device, no properties, no callback.
        let context = unsafe { clCreateContext(null(), 1, &device, null(), null_mut(), &mut error) };
        let context = Owned::new("clCreateContext", context, error, clReleaseContext)?;
        // SAFETY: context and device belong together.
        let queue =
            unsafe { clCreateCommandQueue(context.handle, device, QUEUE_PROFILING_ENABLE, &mut error) };
        let queue = Owned::new("clCreateCommandQueue", queue, error, clReleaseCommandQueue)?;
        Ok(Self { name, compute_units: units.max(1) as usize, device, queue, context })
    }

    /// A buffer that starts with a copy of `data`.
    pub(crate) fn buffer<T: Copy>(&self, data: &[T]) -> Result<Buffer<T>> {
        let mut error = 0;
        let host = data.as_ptr().cast_mut().cast();
        // SAFETY: `host` has the stated number of bytes; COPY_HOST_PTR only reads it, during the call.
        let memory = unsafe {
            clCreateBuffer(
                self.context.handle,
                MEM_READ_WRITE | MEM_COPY_HOST_PTR,
                size_of_val(data),
                host,
                &mut error,
            )
        };
        let memory = Owned::new("clCreateBuffer", memory, error, clReleaseMemObject)?;
        Ok(Buffer { memory, len: data.len(), element: PhantomData })
    }

    /// Builds `source` and takes the kernel `name` from it.
    pub(crate) fn kernel(&self, source: &str, name: &str) -> Result<Kernel> {
        let mut error = 0;
        let text = CString::new(source).context("kernel source holds a zero byte")?;
        // SAFETY: one zero-terminated string; no lengths.
        let program =
            unsafe { clCreateProgramWithSource(self.context.handle, 1, &text.as_ptr(), null(), &mut error) };
        let program = Owned::new("clCreateProgramWithSource", program, error, clReleaseProgram)?;
        // SAFETY: the program and the device are of this context; no options, no callback.
        let built = unsafe { clBuildProgram(program.handle, 1, &self.device, null(), null(), null_mut()) };
        if built != 0 {
            let log = info("clGetProgramBuildInfo", |size, value, used| {
                // SAFETY: `value` has room for `size` bytes or is null.
                unsafe {
                    clGetProgramBuildInfo(program.handle, self.device, PROGRAM_BUILD_LOG, size, value, used)
                }
            })?;
            bail!("clBuildProgram answered {built}: {}", text_of(&log));
        }
        let name = CString::new(name).context("kernel name holds a zero byte")?;
        // SAFETY: a built program and a zero-terminated name.
        let kernel = unsafe { clCreateKernel(program.handle, name.as_ptr(), &mut error) };
        let kernel = Owned::new("clCreateKernel", kernel, error, clReleaseKernel)?;
        Ok(Kernel { kernel, _program: program })
    }

    /// Starts copying `data` into `buffer`; `data` must stay untouched until [`Device::read`] or
    /// [`Device::finish`] has returned, which its `'static` lifetime grants.
    pub(crate) fn write<T: Copy>(&self, buffer: &Buffer<T>, data: &'static [T]) -> Result<()> {
        if data.len() > buffer.len {
            bail!("writing {} values into a buffer of {}", data.len(), buffer.len);
        }
        // SAFETY: the range lies inside the buffer; `data` lives for ever and is never written.
        check("clEnqueueWriteBuffer", unsafe {
            let (size, source) = (size_of_val(data), data.as_ptr().cast());
            clEnqueueWriteBuffer(
                self.queue.handle,
                buffer.memory.handle,
                0,
                0,
                size,
                source,
                0,
                null(),
                null_mut(),
            )
        })
    }

    /// Waits for everything before it and copies the start of `buffer` into `data`.
    pub(crate) fn read<T: Copy>(&self, buffer: &Buffer<T>, data: &mut [T]) -> Result<()> {
        if data.len() > buffer.len {
            bail!("reading {} values from a buffer of {}", data.len(), buffer.len);
        }
        // SAFETY: the range lies inside the buffer; the call blocks, so `data` is borrowed long enough, and T is
        // plain data written by the same type's kernel arguments.
        check("clEnqueueReadBuffer", unsafe {
            let (size, target) = (size_of_val(data), data.as_mut_ptr().cast());
            clEnqueueReadBuffer(
                self.queue.handle,
                buffer.memory.handle,
                1,
                0,
                size,
                target,
                0,
                null(),
                null_mut(),
            )
        })
    }

    /// Enqueues `kernel` over `global` work-items in groups of `local`.
    pub(crate) fn launch(&self, kernel: &Kernel, global: [usize; 2], local: [usize; 2]) -> Result<()> {
        self.enqueue(kernel, global, local, null_mut())
    }

    /// Like [`Device::launch`], with an event to wait for; flushes, so that the kernel starts by itself.
    pub(crate) fn launch_with_event(
        &self,
        kernel: &Kernel,
        global: [usize; 2],
        local: [usize; 2],
    ) -> Result<Event> {
        let mut event = null_mut();
        self.enqueue(kernel, global, local, &mut event)?;
        let event = Owned::new("clEnqueueNDRangeKernel", event, 0, clReleaseEvent)?;
        // SAFETY: the queue lives as long as `self`.
        check("clFlush", unsafe { clFlush(self.queue.handle) })?;
        Ok(Event(event))
    }

    /// Waits until the queue is empty.
    pub(crate) fn finish(&self) -> Result<()> {
        // SAFETY: the queue lives as long as `self`.
        check("clFinish", unsafe { clFinish(self.queue.handle) })
    }

    fn enqueue(
        &self,
        kernel: &Kernel,
        global: [usize; 2],
        local: [usize; 2],
        event: *mut Handle,
    ) -> Result<()> {
        let (global, local) = (global.as_ptr(), local.as_ptr());
        // SAFETY: two dimensions in both arrays; `event` is null or points to a live handle-sized place.
        check("clEnqueueNDRangeKernel", unsafe {
            let (queue, kernel) = (self.queue.handle, kernel.kernel.handle);
            clEnqueueNDRangeKernel(queue, kernel, 2, null(), global, local, 0, null(), event)
        })
    }
}

impl Kernel {
    /// Sets argument `index` to a buffer.
    pub(crate) fn set_buffer<T>(&self, index: u32, buffer: &Buffer<T>) -> Result<()> {
        self.set(index, &buffer.memory.handle)
    }

    /// Sets argument `index` to a 32-bit number.
    pub(crate) fn set_u32(&self, index: u32, value: u32) -> Result<()> {
        self.set(index, &value)
    }

    fn set<V>(&self, index: u32, value: &V) -> Result<()> {
        // SAFETY: the driver copies `size_of::<V>()` bytes of a live value.
        check("clSetKernelArg", unsafe {
            clSetKernelArg(self.kernel.handle, index, size_of::<V>(), (&raw const *value).cast())
        })
    }
}

impl Event {
    /// Waits for the kernel and returns the device time it took, in nanoseconds.
    pub(crate) fn wait(self) -> Result<u64> {
        let (mut start, mut end) = (0u64, 0u64);
        // SAFETY: one live event.
        check("clWaitForEvents", unsafe { clWaitForEvents(1, &self.0.handle) })?;
        for (name, value) in [(PROFILING_COMMAND_START, &mut start), (PROFILING_COMMAND_END, &mut end)] {
            // SAFETY: a completed event of a profiling queue; the answer is one cl_ulong.
            check("clGetEventProfilingInfo", unsafe {
                clGetEventProfilingInfo(self.0.handle, name, 8, (&raw mut *value).cast(), null_mut())
            })?;
        }
        Ok(end.saturating_sub(start))
    }
}

/// A handle that is released when dropped.
struct Owned {
    handle: Handle,
    release: unsafe extern "C" fn(Handle) -> i32,
}

impl Owned {
    fn new(
        call: &str,
        handle: Handle,
        error: i32,
        release: unsafe extern "C" fn(Handle) -> i32,
    ) -> Result<Self> {
        check(call, error)?;
        if handle.is_null() {
            bail!("{call} answered no handle");
        }
        Ok(Self { handle, release })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, of the kind `release` takes, and released once.
        unsafe { (self.release)(self.handle) };
    }
}

fn platforms() -> Result<Vec<Handle>> {
    let mut count = 0;
    // SAFETY: only the count is asked for. The ICD loader answers CL_PLATFORM_NOT_FOUND_KHR where there is none.
    if unsafe { clGetPlatformIDs(0, null_mut(), &mut count) } != 0 {
        return Ok(Vec::new());
    }
    let mut platforms = vec![null_mut(); count as usize];
    // SAFETY: room for `count` handles.
    check("clGetPlatformIDs", unsafe { clGetPlatformIDs(count, platforms.as_mut_ptr(), null_mut()) })?;
    Ok(platforms)
}

/// The devices of a platform; none where it has none (which OpenCL calls an error).
fn devices(platform: Handle) -> Vec<Handle> {
    let mut count = 0;
    // SAFETY: only the count is asked for.
    if unsafe { clGetDeviceIDs(platform, DEVICE_TYPE_ALL, 0, null_mut(), &mut count) } != 0 {
        return Vec::new();
    }
    let mut devices = vec![null_mut(); count as usize];
    // SAFETY: room for `count` handles.
    match unsafe { clGetDeviceIDs(platform, DEVICE_TYPE_ALL, count, devices.as_mut_ptr(), null_mut()) } {
        0 => devices,
        _ => Vec::new(),
    }
}

/// Asks twice, for the size and then for the bytes, as every `clGet…Info` wants it.
fn info(call: &str, ask: impl Fn(usize, *mut c_void, *mut usize) -> i32) -> Result<Vec<u8>> {
    let mut size = 0;
    check(call, ask(0, null_mut(), &mut size))?;
    let mut bytes = vec![0u8; size];
    check(call, ask(size, bytes.as_mut_ptr().cast(), null_mut()))?;
    Ok(bytes)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').trim().to_owned()
}

fn check(call: &str, code: i32) -> Result<()> {
    if code == 0 { Ok(()) } else { bail!("{call} answered {code}") }
}
