//! Command queues: creation, launches, markers, barriers, flush and finish. Copies are in `transfer`.

use super::kernel::address;
use super::{After, Bytes, Code, Context, Device, Event, Kernel, Mem, Nd, Result, call, handle};
use opencl_sys::{CL_QUEUE_PROPERTIES, CL_QUEUE_REFERENCE_COUNT, cl_command_queue, cl_uint};
use std::ffi::c_void;
use std::ptr;

handle!(
    /// A command queue.
    Queue,
    clRetainCommandQueue,
    clReleaseCommandQueue,
    clGetCommandQueueInfo,
    CL_QUEUE_REFERENCE_COUNT
);

// Missing from the bindings: deprecated since OpenCL 1.1, still exported by every loader.
#[link(name = "OpenCL")]
unsafe extern "C" {
    fn clSetCommandQueueProperty(
        queue: cl_command_queue,
        properties: u64,
        enable: cl_uint,
        old_properties: *mut u64,
    ) -> i32;
}

/// What a native kernel runs, with its memory objects as the driver resolved them.
pub(crate) type Native = Box<dyn FnOnce(&[*mut u8]) + Send>;

/// The block that is copied into the command: the boxed function and the places of the memory objects.
#[repr(C)]
struct NativeBlock {
    run: *mut Native,
    count: usize,
    memory: [*mut c_void; 2],
}

impl Queue {
    /// A queue as programs before OpenCL 2.0 make it.
    #[allow(deprecated, reason = "still what most programs call")]
    pub(crate) fn new(context: &Context, device: &Device, properties: u64) -> Result<Self> {
        let mut code = 0;
        let raw = call!(clCreateCommandQueue(context.raw(), device.id, properties, &mut code));
        Self::made(raw, code)
    }

    /// A queue with a property list, to which the final zero is added (OpenCL 2.0).
    pub(crate) fn with_properties(context: &Context, device: &Device, properties: &[u64]) -> Result<Self> {
        let mut code = 0;
        let list: Vec<u64> = properties.iter().copied().chain([0]).collect();
        let at = if properties.is_empty() { ptr::null() } else { list.as_ptr() };
        let raw = call!(clCreateCommandQueueWithProperties(context.raw(), device.id, at, &mut code));
        Self::made(raw, code)
    }

    /// The long deprecated way to change properties; returns the old ones.
    pub(crate) fn set_property(&self, properties: u64, enable: bool) -> Result<u64> {
        let mut old = 0;
        // SAFETY: the handle is live or null and `old` is a place for the old properties.
        let code = unsafe { clSetCommandQueueProperty(self.raw(), properties, enable.into(), &mut old) };
        Code(code).ok()?;
        Ok(old)
    }

    pub(crate) fn properties(&self) -> Result<u64> {
        self.info(CL_QUEUE_PROPERTIES)
    }

    pub(crate) fn flush(&self) -> Code {
        Code(call!(clFlush(self.raw())))
    }

    pub(crate) fn finish(&self) -> Code {
        Code(call!(clFinish(self.raw())))
    }

    pub(crate) fn launch(&self, kernel: &Kernel, range: Nd, order: After<'_>) -> Result<Event> {
        let (queue, kernel, dimensions) = (self.raw(), kernel.raw(), range.dimensions);
        let (offset, global, local) = (address(&range.offset), address(&range.global), address(&range.local));
        order.enqueue(|count, list, event| {
            call!(clEnqueueNDRangeKernel(
                queue, kernel, dimensions, offset, global, local, count, list, event
            ))
        })
    }

    /// `clEnqueueTask`: one work-item.
    #[allow(deprecated, reason = "programs still call it")]
    pub(crate) fn task(&self, kernel: &Kernel, order: After<'_>) -> Result<Event> {
        let (queue, kernel) = (self.raw(), kernel.raw());
        order.enqueue(|count, list, event| call!(clEnqueueTask(queue, kernel, count, list, event)))
    }

    /// Runs `function` on the device's own thread, with up to two memory objects.
    pub(crate) fn native(&self, memory: &[&Mem], function: Native, order: After<'_>) -> Result<Event> {
        let queue = self.raw();
        let list: Vec<_> = memory.iter().take(2).map(|memory| memory.raw()).collect();
        let run = Box::into_raw(Box::new(function));
        let mut block = NativeBlock { run, count: list.len(), memory: [ptr::null_mut(); 2] };
        for (place, memory) in block.memory.iter_mut().zip(&list) {
            *place = *memory;
        }
        let places: Vec<*const c_void> =
            block.memory.iter().take(list.len()).map(|place| ptr::from_ref(place).cast()).collect();
        let size = size_of::<NativeBlock>();
        let (number, memory, places) = if list.is_empty() {
            (0, ptr::null(), ptr::null())
        } else {
            (list.len() as u32, list.as_ptr(), places.as_ptr())
        };
        let block = (&raw mut block).cast();
        let result = order.enqueue(|count, list, event| {
            call!(clEnqueueNativeKernel(
                queue,
                Some(run_native),
                block,
                size,
                number,
                memory,
                places,
                count,
                list,
                event
            ))
        });
        if result.is_err() {
            // SAFETY: made by `into_raw` above, and a refused command never runs.
            drop(unsafe { Box::from_raw(run) });
        }
        result
    }

    /// `clEnqueueNativeKernel` with arguments that no driver may accept: a missing function when `function`
    /// is false, else an argument block of `size` bytes without an address.
    pub(crate) fn bad_native(&self, function: bool, size: usize) -> Result<Event> {
        let queue = self.raw();
        let function = function.then_some(run_nothing as unsafe extern "C" fn(*mut c_void));
        super::now().enqueue(|count, list, event| {
            let none = ptr::null_mut();
            call!(clEnqueueNativeKernel(
                queue,
                function,
                none,
                size,
                0,
                ptr::null(),
                ptr::null(),
                count,
                list,
                event
            ))
        })
    }

    pub(crate) fn marker(&self, order: After<'_>) -> Result<Event> {
        let queue = self.raw();
        order.enqueue(|count, list, event| call!(clEnqueueMarkerWithWaitList(queue, count, list, event)))
    }

    pub(crate) fn barrier(&self, order: After<'_>) -> Result<Event> {
        let queue = self.raw();
        order.enqueue(|count, list, event| call!(clEnqueueBarrierWithWaitList(queue, count, list, event)))
    }

    /// `clEnqueueMarker` of OpenCL 1.0.
    #[allow(deprecated, reason = "programs still call it")]
    pub(crate) fn old_marker(&self) -> Result<Event> {
        let mut event = ptr::null_mut();
        Code(call!(clEnqueueMarker(self.raw(), &mut event))).ok()?;
        Ok(Event::own(event))
    }

    /// `clEnqueueMarker` without a place for the event, an error.
    #[allow(deprecated, reason = "programs still call it")]
    pub(crate) fn old_marker_without_event(&self) -> Code {
        Code(call!(clEnqueueMarker(self.raw(), ptr::null_mut())))
    }

    /// `clEnqueueBarrier` of OpenCL 1.0.
    #[allow(deprecated, reason = "programs still call it")]
    pub(crate) fn old_barrier(&self) -> Code {
        Code(call!(clEnqueueBarrier(self.raw())))
    }

    /// `clEnqueueWaitForEvents` of OpenCL 1.0.
    #[allow(deprecated, reason = "programs still call it")]
    pub(crate) fn old_wait(&self, events: &[&Event]) -> Code {
        let mut list: Vec<_> = events.iter().map(|event| event.raw()).collect();
        let at = if list.is_empty() { ptr::null_mut() } else { list.as_mut_ptr() };
        Code(call!(clEnqueueWaitForEvents(self.raw(), list.len() as u32, at)))
    }

    pub(crate) fn migrate(&self, memory: &[&Mem], flags: u64, order: After<'_>) -> Result<Event> {
        let queue = self.raw();
        let list: Vec<_> = memory.iter().map(|memory| memory.raw()).collect();
        let at = if list.is_empty() { ptr::null() } else { list.as_ptr() };
        let number = list.len() as u32;
        order.enqueue(|count, list, event| {
            call!(clEnqueueMigrateMemObjects(queue, number, at, flags, count, list, event))
        })
    }

    /// Moves shared memory (OpenCL 2.1); sizes are the whole allocations.
    pub(crate) fn migrate_svm(&self, memory: &[Bytes], flags: u64, order: After<'_>) -> Result<Event> {
        let queue = self.raw();
        let list: Vec<_> = memory.iter().map(|bytes| bytes.at().cast_const()).collect();
        let sizes: Vec<_> = memory.iter().map(Bytes::len).collect();
        let at = if list.is_empty() { ptr::null() } else { list.as_ptr() };
        let (number, sizes) = (list.len() as u32, sizes.as_ptr());
        order.enqueue(|count, list, event| {
            call!(clEnqueueSVMMigrateMem(queue, number, at, sizes, flags, count, list, event))
        })
    }
}

unsafe extern "C" fn run_native(block: *mut c_void) {
    // SAFETY: the driver passes its copy of the block that `Queue::native` enqueued, aligned for any type.
    let block = unsafe { &*block.cast::<NativeBlock>() };
    // SAFETY: the box that `Queue::native` gave away; a command runs once.
    let function = unsafe { Box::from_raw(block.run) };
    let memory: Vec<*mut u8> = block.memory.iter().take(block.count).map(|place| place.cast()).collect();
    function(&memory);
}

unsafe extern "C" fn run_nothing(_block: *mut c_void) {}
