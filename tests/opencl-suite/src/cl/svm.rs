//! Shared virtual memory (OpenCL 2.0): allocation and the commands on it.

use super::{After, Bytes, Context, Event, Queue, Result, call};
use opencl_sys::cl_command_queue;
use std::ffi::c_void;
use std::ptr;

/// One allocation, freed with its context still alive.
pub(crate) struct Svm<'a> {
    context: &'a Context,
    pub(crate) bytes: Bytes,
}

impl<'a> Svm<'a> {
    /// `size` bytes; none when the driver refuses, which has no error code.
    pub(crate) fn new(context: &'a Context, flags: u64, size: usize) -> Option<Self> {
        let at = call!(clSVMAlloc(context.raw(), flags, size, 0));
        (!at.is_null()).then(|| Self { context, bytes: Bytes::view(at, size) })
    }

    /// Leaves the freeing to a command.
    pub(crate) fn give_away(self) -> Bytes {
        std::mem::ManuallyDrop::new(self).bytes
    }
}

impl Drop for Svm<'_> {
    fn drop(&mut self) {
        call!(clSVMFree(self.context.raw(), self.bytes.at()));
    }
}

/// What a freeing command runs instead of freeing: it gets the number of pointers.
type Freeing = Box<dyn FnOnce(u32) + Send>;

impl Queue {
    pub(crate) fn svm_copy(&self, blocking: bool, to: Bytes, from: Bytes, order: After<'_>) -> Result<Event> {
        let (queue, blocking, size) = (self.raw(), blocking.into(), to.len().min(from.len()));
        let (to, from) = (to.at(), from.at());
        order.enqueue(|count, list, event| {
            call!(clEnqueueSVMMemcpy(queue, blocking, to, from, size, count, list, event))
        })
    }

    pub(crate) fn svm_fill(&self, to: Bytes, pattern: &[u8], order: After<'_>) -> Result<Event> {
        let (queue, size, length) = (self.raw(), to.len(), pattern.len());
        let (to, pattern) = (to.at(), pattern.as_ptr().cast());
        order.enqueue(|count, list, event| {
            call!(clEnqueueSVMMemFill(queue, to, pattern, length, size, count, list, event))
        })
    }

    pub(crate) fn svm_map(
        &self,
        blocking: bool,
        flags: u64,
        memory: Bytes,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, blocking, at, size) = (self.raw(), blocking.into(), memory.at(), memory.len());
        order.enqueue(|count, list, event| {
            call!(clEnqueueSVMMap(queue, blocking, flags, at, size, count, list, event))
        })
    }

    pub(crate) fn svm_unmap(&self, memory: Bytes, order: After<'_>) -> Result<Event> {
        let (queue, at) = (self.raw(), memory.at());
        order.enqueue(|count, list, event| call!(clEnqueueSVMUnmap(queue, at, count, list, event)))
    }

    /// Frees the allocations when the command runs.
    pub(crate) fn svm_free(&self, memory: &[Bytes], order: After<'_>) -> Result<Event> {
        let queue = self.raw();
        let pointers: Vec<_> = memory.iter().map(|bytes| bytes.at().cast_const()).collect();
        let at = if pointers.is_empty() { ptr::null() } else { pointers.as_ptr() };
        let (number, none) = (pointers.len() as u32, ptr::null_mut());
        order.enqueue(|count, list, event| {
            call!(clEnqueueSVMFree(queue, number, at, None, none, count, list, event))
        })
    }

    /// Runs `function` when the command runs; the allocations stay the caller's.
    pub(crate) fn svm_free_with(
        &self,
        memory: &[Bytes],
        function: impl FnOnce(u32) + Send + 'static,
        order: After<'_>,
    ) -> Result<Event> {
        let queue = self.raw();
        let pointers: Vec<_> = memory.iter().map(|bytes| bytes.at().cast_const()).collect();
        let (number, at) = (pointers.len() as u32, pointers.as_ptr());
        let function: Box<Freeing> = Box::new(Box::new(function));
        let data = Box::into_raw(function);
        let result = order.enqueue(|count, list, event| {
            call!(clEnqueueSVMFree(queue, number, at, Some(free), data.cast(), count, list, event))
        });
        if result.is_err() {
            // SAFETY: made by `into_raw` above, and a refused command never runs.
            drop(unsafe { Box::from_raw(data) });
        }
        result
    }
}

unsafe extern "C" fn free(_queue: cl_command_queue, count: u32, _list: *mut *mut c_void, data: *mut c_void) {
    // SAFETY: `data` is the box that `svm_free_with` gave away; a command runs once.
    let function = unsafe { Box::from_raw(data.cast::<Freeing>()) };
    function(count);
}
