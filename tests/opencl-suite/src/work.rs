//! What nearly every case starts from: a context, a queue, the suite's kernels, and data to work on.

use crate::cl::{Bytes, Code, Context, Device, Kernel, Mem, Nd, Program, Queue, Result, now};
use crate::line::{Line, Stop};
use opencl_sys::CL_MEM_READ_WRITE;
use std::cell::OnceCell;

/// The device under test, and how a case starts another copy of the suite on it.
pub(crate) struct Env {
    pub(crate) device: Device,
    /// What was given to `--device`.
    pub(crate) choice: Option<String>,
}

impl Env {
    /// Stops the case unless the device has at least this version (120 is 1.2).
    pub(crate) fn need_version(&self, version: u32) -> std::result::Result<(), Stop> {
        if self.device.version() >= version { Ok(()) } else { Err(Stop::Unsupported) }
    }

    /// Stops the case unless `condition` holds.
    pub(crate) fn need(&self, condition: bool) -> std::result::Result<(), Stop> {
        if condition { Ok(()) } else { Err(Stop::Unsupported) }
    }
}

/// A context and an in-order queue on the device under test. Fields are dropped in order: queue before context.
pub(crate) struct Work<'a> {
    pub(crate) device: &'a Device,
    program: OnceCell<Program>,
    pub(crate) queue: Queue,
    pub(crate) context: Context,
}

impl<'a> Work<'a> {
    /// With an in-order queue without properties.
    pub(crate) fn new(env: &'a Env) -> Result<Self> {
        Self::with_queue(env, 0)
    }

    /// With a queue of these properties.
    pub(crate) fn with_queue(env: &'a Env, properties: u64) -> Result<Self> {
        let context = Context::new(&env.device)?;
        let queue = Queue::new(&context, &env.device, properties)?;
        Ok(Self { device: &env.device, program: OnceCell::new(), queue, context })
    }

    /// A second queue of the same context.
    pub(crate) fn another_queue(&self) -> Result<Queue> {
        Queue::new(&self.context, self.device, 0)
    }

    /// A second queue that may run commands in any order.
    pub(crate) fn free_queue(&self) -> std::result::Result<Queue, Stop> {
        match Queue::new(&self.context, self.device, opencl_sys::CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) {
            Ok(queue) => Ok(queue),
            Err(Code(opencl_sys::CL_INVALID_QUEUE_PROPERTIES)) => Err(Stop::Unsupported),
            Err(code) => Err(code.into()),
        }
    }

    /// The suite's program, built at the first use.
    pub(crate) fn program(&self) -> Result<&Program> {
        if let Some(program) = self.program.get() {
            return Ok(program);
        }
        let program = build(&self.context, self.device)?;
        Ok(self.program.get_or_init(|| program))
    }

    pub(crate) fn kernel(&self, name: &str) -> Result<Kernel> {
        Kernel::new(self.program()?, name)
    }

    /// The kernel `affine` on `memory`: every element becomes `element * factor + addend`, so that the order
    /// of several steps shows in the result.
    pub(crate) fn step(&self, memory: &Mem, factor: u32, addend: u32) -> Result<Kernel> {
        let mut kernel = self.kernel("affine")?;
        kernel.set_mem(0, memory).ok()?;
        set_step(&mut kernel, factor, addend)?;
        Ok(kernel)
    }

    /// A buffer of `size` bytes without contents.
    pub(crate) fn buffer(&self, size: usize) -> Result<Mem> {
        Mem::buffer(&self.context, CL_MEM_READ_WRITE, size, None)
    }

    /// A buffer that holds `data`, written by the queue.
    pub(crate) fn buffer_of(&self, data: &[u8]) -> Result<Mem> {
        let buffer = self.buffer(data.len())?;
        self.queue.write(&buffer, true, 0, data.len(), Some(Bytes::from(data)), now().quiet())?;
        Ok(buffer)
    }

    /// Reads the whole buffer with the queue, waits, and puts its hash and whether it is right.
    pub(crate) fn put_buffer(&self, line: &mut Line, key: &str, memory: &Mem, expected: &[u8]) -> Result<()> {
        let to = Bytes::new(expected.len());
        self.queue.read(memory, true, 0, expected.len(), Some(to), now().quiet())?;
        line.data(key, to, expected);
        Ok(())
    }
}

/// Changes what an `affine` kernel computes.
pub(crate) fn set_step(kernel: &mut Kernel, factor: u32, addend: u32) -> Result<()> {
    kernel.set_u32(1, factor).ok()?;
    kernel.set_u32(2, addend).ok()
}

/// Builds the suite's program in a context.
pub(crate) fn build(context: &Context, device: &Device) -> Result<Program> {
    let program = Program::from_source(context, include_str!("kernels.cl"))?;
    program.build(device, "").ok()?;
    Ok(program)
}

/// Work-items of the launches of most cases: one per element of a buffer of 4 KiB.
pub(crate) const COUNT: usize = 1024;

/// The range of the launches of most cases.
pub(crate) fn range() -> Nd {
    Nd::one(COUNT)
}

/// `size` bytes that look random and depend on `seed` alone.
pub(crate) fn pattern(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

/// Numbers as the device stores them (OpenCL devices here are little-endian).
pub(crate) fn bytes_of(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// What the kernel `affine` makes of `bytes`.
pub(crate) fn stepped(bytes: &[u8], factor: u32, addend: u32) -> Vec<u8> {
    bytes_of(numbers_of(bytes).map(|number| number.wrapping_mul(factor).wrapping_add(addend)))
}

/// The numbers in a buffer.
pub(crate) fn numbers_of(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}
