//! Commands that move bytes: read, write, copy, fill, rectangles, map and unmap.

use super::{After, Bytes, Event, Mem, Queue, Result, call};
use std::ptr;

/// A rectangle in a buffer and one in host memory (or in a second buffer).
#[derive(Clone, Copy)]
pub(crate) struct Rect {
    pub(crate) buffer_origin: [usize; 3],
    pub(crate) host_origin: [usize; 3],
    pub(crate) region: [usize; 3],
    /// Bytes from row to row and from slice to slice; 0 means tightly packed.
    pub(crate) buffer_pitch: [usize; 2],
    pub(crate) host_pitch: [usize; 2],
}

/// The address of host memory, checked to be long enough for `size` bytes.
fn place(host: Option<Bytes>, size: usize) -> *mut std::ffi::c_void {
    host.map_or(ptr::null_mut(), |host| {
        assert!(size <= host.len(), "{size} bytes do not fit in {}", host.len());
        host.at()
    })
}

impl Queue {
    pub(crate) fn read(
        &self,
        memory: &Mem,
        blocking: bool,
        offset: usize,
        size: usize,
        to: Option<Bytes>,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, memory, to) = (self.raw(), memory.raw(), place(to, size));
        order.enqueue(|count, list, event| {
            call!(clEnqueueReadBuffer(queue, memory, blocking.into(), offset, size, to, count, list, event))
        })
    }

    pub(crate) fn write(
        &self,
        memory: &Mem,
        blocking: bool,
        offset: usize,
        size: usize,
        from: Option<Bytes>,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, memory, from) = (self.raw(), memory.raw(), place(from, size));
        order.enqueue(|count, list, event| {
            call!(clEnqueueWriteBuffer(
                queue,
                memory,
                blocking.into(),
                offset,
                size,
                from,
                count,
                list,
                event
            ))
        })
    }

    /// Copies `size` bytes from one buffer and offset to another.
    pub(crate) fn copy(
        &self,
        from: (&Mem, usize),
        to: (&Mem, usize),
        size: usize,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, source, target) = (self.raw(), from.0.raw(), to.0.raw());
        order.enqueue(|count, list, event| {
            call!(clEnqueueCopyBuffer(queue, source, target, from.1, to.1, size, count, list, event))
        })
    }

    /// Repeats `pattern` over `size` bytes.
    pub(crate) fn fill(
        &self,
        memory: &Mem,
        pattern: &[u8],
        offset: usize,
        size: usize,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, memory, length) = (self.raw(), memory.raw(), pattern.len());
        let pattern = pattern.as_ptr().cast();
        order.enqueue(|count, list, event| {
            call!(clEnqueueFillBuffer(queue, memory, pattern, length, offset, size, count, list, event))
        })
    }

    pub(crate) fn read_rect(
        &self,
        memory: &Mem,
        blocking: bool,
        rect: &Rect,
        to: Bytes,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, memory) = (self.raw(), memory.raw());
        let (from, into, region) =
            (rect.buffer_origin.as_ptr(), rect.host_origin.as_ptr(), rect.region.as_ptr());
        let ([row, slice], [host_row, host_slice]) = (rect.buffer_pitch, rect.host_pitch);
        let (blocking, at) = (blocking.into(), to.at());
        order.enqueue(|count, list, event| {
            call!(clEnqueueReadBufferRect(
                queue, memory, blocking, from, into, region, row, slice, host_row, host_slice, at, count,
                list, event
            ))
        })
    }

    pub(crate) fn write_rect(
        &self,
        memory: &Mem,
        blocking: bool,
        rect: &Rect,
        from: Bytes,
        order: After<'_>,
    ) -> Result<Event> {
        let (queue, memory) = (self.raw(), memory.raw());
        let (into, source, region) =
            (rect.buffer_origin.as_ptr(), rect.host_origin.as_ptr(), rect.region.as_ptr());
        let ([row, slice], [host_row, host_slice]) = (rect.buffer_pitch, rect.host_pitch);
        let (blocking, at) = (blocking.into(), from.at());
        order.enqueue(|count, list, event| {
            call!(clEnqueueWriteBufferRect(
                queue, memory, blocking, into, source, region, row, slice, host_row, host_slice, at, count,
                list, event
            ))
        })
    }

    /// Copies a rectangle between buffers: `buffer_…` of `rect` is the source, `host_…` the target.
    pub(crate) fn copy_rect(&self, from: &Mem, to: &Mem, rect: &Rect, order: After<'_>) -> Result<Event> {
        let (queue, from, to) = (self.raw(), from.raw(), to.raw());
        let (source, target, region) =
            (rect.buffer_origin.as_ptr(), rect.host_origin.as_ptr(), rect.region.as_ptr());
        let ([row, slice], [to_row, to_slice]) = (rect.buffer_pitch, rect.host_pitch);
        order.enqueue(|count, list, event| {
            call!(clEnqueueCopyBufferRect(
                queue, from, to, source, target, region, row, slice, to_row, to_slice, count, list, event
            ))
        })
    }

    /// Maps `size` bytes; the view is valid until it is unmapped.
    pub(crate) fn map(
        &self,
        memory: &Mem,
        blocking: bool,
        flags: u64,
        offset: usize,
        size: usize,
        order: After<'_>,
    ) -> Result<(Bytes, Event)> {
        let (queue, memory, blocking) = (self.raw(), memory.raw(), blocking.into());
        let mut at = ptr::null_mut();
        let event = order.enqueue(|count, list, event| {
            let mut code = 0;
            at = call!(clEnqueueMapBuffer(
                queue, memory, blocking, flags, offset, size, count, list, event, &mut code
            ));
            code
        })?;
        Ok((Bytes::view(at, size), event))
    }

    pub(crate) fn unmap(&self, memory: &Mem, view: Bytes, order: After<'_>) -> Result<Event> {
        let (queue, memory, at) = (self.raw(), memory.raw(), view.at());
        order.enqueue(|count, list, event| {
            call!(clEnqueueUnmapMemObject(queue, memory, at, count, list, event))
        })
    }
}
