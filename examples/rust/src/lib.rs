//! A device for small programs, by the crate opencl3: streams, a kernel that takes some time, and one by which order can be told. Nothing in this
//! file knows of XSched; it is what such a program has already.

use anyhow::{Context as _, Result, anyhow};
use opencl3::command_queue::{CL_QUEUE_PROFILING_ENABLE, CommandQueue};
use opencl3::context::Context;
use opencl3::device::{CL_DEVICE_TYPE_ALL, Device as ClDevice, get_all_devices};
use opencl3::kernel::{ExecuteKernel, Kernel};
use opencl3::memory::{Buffer, CL_MEM_READ_WRITE};
use opencl3::program::Program;
use opencl3::types::{CL_BLOCKING, cl_int};
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SOURCE: &str = "
kernel void spin(global int *n, int turns) {
    int v = n[0];
    for (int i = 0; i < turns; i++) v = v * 3 + i;
    if (v == 12345) n[1] = v;
}
kernel void add(global int *n) { n[0] += 1; }
";

/// Work items of the kernel that takes time: enough for all cores of a CPU.
const WIDE: usize = 256;

/// The first device that there is.
pub struct Device {
    context: Context,
    program: Program,
    /// Turns of the loop in a microsecond.
    speed: f64,
}

/// An in-order queue of a device with a number of its own. Threads may share it.
pub struct Stream {
    queue: CommandQueue,
    /// Locked from its arguments to its launch, for they are the kernel's.
    spin: Mutex<Kernel>,
    add: Mutex<Kernel>,
    number: Buffer<cl_int>,
    speed: f64,
}

impl Device {
    /// Opens it, and finds out how fast it is.
    pub fn open() -> Result<Device> {
        let devices = get_all_devices(CL_DEVICE_TYPE_ALL).context("looking for OpenCL devices")?;
        let device = ClDevice::new(*devices.first().context("there is no OpenCL device")?);
        let context = Context::from_device(&device)?;
        let program =
            Program::create_and_build_from_source(&context, SOURCE, "").map_err(|log| anyhow!(log))?;
        let mut device = Device { context, program, speed: 0.0 };
        let stream = device.stream_with(CL_QUEUE_PROFILING_ENABLE)?;
        // The fastest: other programs may use the device meanwhile, and the first one warms it up.
        for _ in 0..6 {
            device.speed = stream.turns_in_a_microsecond()?.max(device.speed);
        }
        Ok(device)
    }

    /// A new stream.
    pub fn stream(&self) -> Result<Stream> {
        self.stream_with(0)
    }

    fn stream_with(&self, properties: u64) -> Result<Stream> {
        let queue = CommandQueue::create_default_with_properties(&self.context, properties, 0)?;
        let kernel = |name| Kernel::create(&self.program, name);
        // SAFETY: the memory is OpenCL's own.
        let mut number =
            unsafe { Buffer::create(&self.context, CL_MEM_READ_WRITE, 2, std::ptr::null_mut())? };
        // SAFETY: the buffer has room for two, and the call returns when they are copied.
        unsafe { queue.enqueue_write_buffer(&mut number, CL_BLOCKING, 0, &[0, 0], &[])? };
        let (spin, add) = (Mutex::new(kernel("spin")?), Mutex::new(kernel("add")?));
        Ok(Stream { queue, spin, add, number, speed: self.speed })
    }
}

impl Stream {
    /// The `cl_command_queue`, for XSched.
    pub fn handle(&self) -> *mut c_void {
        self.queue.get()
    }

    /// Launches a kernel that takes about this long on an idle device.
    pub fn spin(&self, time: Duration) -> Result<()> {
        self.launch_spin((time.as_secs_f64() * 1e6 * self.speed) as cl_int)?;
        Ok(self.queue.flush()?)
    }

    /// Launches a kernel after which the stream's number has grown by one.
    pub fn add_one(&self) -> Result<()> {
        let kernel = self.add.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the kernel's only argument is a buffer of numbers.
        unsafe {
            ExecuteKernel::new(&kernel)
                .set_arg(&self.number)
                .set_global_work_size(1)
                .enqueue_nd_range(&self.queue)?
        };
        Ok(self.queue.flush()?)
    }

    /// Waits until all that was launched is done.
    pub fn finish(&self) -> Result<()> {
        Ok(self.queue.finish()?)
    }

    /// The stream's number, when all that was launched is done.
    pub fn number(&self) -> Result<i32> {
        let mut number = [0];
        // SAFETY: the call returns when the number is there.
        unsafe { self.queue.enqueue_read_buffer(&self.number, CL_BLOCKING, 0, &mut number, &[])? };
        Ok(number[0])
    }

    fn launch_spin(&self, turns: cl_int) -> Result<opencl3::event::Event> {
        let kernel = self.spin.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the kernel's arguments are a buffer of two numbers, and a number.
        let event = unsafe {
            ExecuteKernel::new(&kernel)
                .set_arg(&self.number)
                .set_arg(&turns)
                .set_global_work_size(WIDE)
                .enqueue_nd_range(&self.queue)?
        };
        Ok(event)
    }

    /// By the device's own clock.
    fn turns_in_a_microsecond(&self) -> Result<f64> {
        let turns = 100_000;
        let event = self.launch_spin(turns)?;
        event.wait()?;
        let nanoseconds = event.profiling_command_end()? - event.profiling_command_start()?;
        Ok(f64::from(turns) / (nanoseconds.max(1) as f64 / 1e3))
    }
}
