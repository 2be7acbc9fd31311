//! A Julia set that moves; all pictures are the same work, whatever is to be seen. The device always has the next picture to compute while the last one is shown.

use anyhow::{Context as _, Result, anyhow};
use opencl3::command_queue::CommandQueue;
use opencl3::context::Context;
use opencl3::device::{CL_DEVICE_TYPE_ALL, Device, get_all_devices};
use opencl3::kernel::{ExecuteKernel, Kernel};
use opencl3::memory::{Buffer, CL_MEM_WRITE_ONLY};
use opencl3::program::Program;
use opencl3::types::CL_NON_BLOCKING;

const SOURCE: &str = "
kernel void julia(global uint *pixels, float2 c) {
    int x = get_global_id(0), y = get_global_id(1), width = get_global_size(0), height = get_global_size(1);
    float2 z = (float2)(3.0f * x / width - 1.5f, 2.2f * y / height - 1.1f);
    int turns = 0;
    for (int i = 0; i < 400; i++) {
        float2 next = (float2)(z.x * z.x - z.y * z.y, 2.0f * z.x * z.y) + c;
        bool is_in = dot(z, z) < 4.0f;
        z = is_in ? next : z;
        turns += is_in;
    }
    uint shade = turns == 400 ? 0 : min(turns * 6, 255);
    pixels[y * width + x] = shade << 16 | shade / 2 << 8 | (255 - shade) / 3;
}
";

/// Computes pictures one after the other.
pub(crate) struct Painter {
    queue: CommandQueue,
    kernel: Kernel,
    pixels: Buffer<u32>,
    size: [u16; 2],
    angle: f32,
}

impl Painter {
    /// On the first device; the first picture is being computed.
    pub(crate) fn start(size: [u16; 2]) -> Result<Painter> {
        let devices = get_all_devices(CL_DEVICE_TYPE_ALL).context("looking for OpenCL devices")?;
        let device = Device::new(*devices.first().context("there is no OpenCL device")?);
        let context = Context::from_device(&device)?;
        let program =
            Program::create_and_build_from_source(&context, SOURCE, "").map_err(|log| anyhow!(log))?;
        let kernel = Kernel::create(&program, "julia")?;
        let queue = CommandQueue::create_default_with_properties(&context, 0, 0)?;
        let [width, height] = size.map(usize::from);
        // SAFETY: the memory is OpenCL's own.
        let pixels =
            unsafe { Buffer::create(&context, CL_MEM_WRITE_ONLY, width * height, std::ptr::null_mut())? };
        let mut painter = Painter { queue, kernel, pixels, size, angle: 0.0 };
        painter.begin()?;
        Ok(painter)
    }

    /// Room for a picture: 0x00RRGGBB, line by line.
    pub(crate) fn image(&self) -> Vec<u32> {
        vec![0; self.size.map(usize::from).iter().product()]
    }

    /// Waits for the picture that is being computed; the next one is begun.
    pub(crate) fn next(&mut self, image: &mut [u32]) -> Result<()> {
        assert_eq!(image.len(), self.image().len(), "an image is as large as the pictures");
        // SAFETY: there is room for all of it, and nobody touches it until the event is complete, below.
        let event = unsafe { self.queue.enqueue_read_buffer(&self.pixels, CL_NON_BLOCKING, 0, image, &[])? };
        // The queue is in order: this changes what was read.
        let begun = self.begin();
        event.wait()?;
        begun
    }

    fn begin(&mut self) -> Result<()> {
        self.angle += 0.02;
        let c = [0.7885 * self.angle.cos(), 0.7885 * self.angle.sin()];
        let mut launch = ExecuteKernel::new(&self.kernel);
        // SAFETY: the arguments are a buffer with a number for each work item, and two floats.
        unsafe {
            launch.set_arg(&self.pixels).set_arg(&c).set_global_work_sizes(&self.size.map(usize::from));
            launch.enqueue_nd_range(&self.queue)?;
        }
        Ok(self.queue.flush()?)
    }
}
