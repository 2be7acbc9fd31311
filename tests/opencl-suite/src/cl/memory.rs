//! Host memory for commands, buffers and sub-buffers.

use super::{Code, Context, Result, call, handle, query};
use opencl_sys::{CL_BUFFER_CREATE_TYPE_REGION, CL_MEM_REFERENCE_COUNT, cl_buffer_region, cl_mem};
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ffi::c_void;
use std::ptr;

/// Memory that commands read and write: host memory that is never freed (a driver may touch it as late as it
/// likes), or a view of mapped or shared memory, which a case must not use after it gave it back.
#[derive(Clone, Copy)]
pub(crate) struct Bytes {
    at: *mut u8,
    size: usize,
}

// SAFETY: a plain address; the cases order their accesses by events.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

impl Bytes {
    /// Zeroed host memory, aligned for every OpenCL type.
    pub(crate) fn new(size: usize) -> Self {
        let layout = Layout::from_size_align(size.max(1), 128).expect("sizes of cases are small");
        // SAFETY: the layout has a size above zero.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            handle_alloc_error(layout);
        }
        Self { at, size }
    }

    /// Host memory that begins as a copy of `data`.
    pub(crate) fn from(data: &[u8]) -> Self {
        let bytes = Self::new(data.len());
        bytes.set(0, data);
        bytes
    }

    /// A view of memory that a driver handed out.
    pub(crate) fn view(at: *mut c_void, size: usize) -> Self {
        Self { at: at.cast(), size }
    }

    pub(crate) fn at(&self) -> *mut c_void {
        self.at.cast()
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// The part from `offset` on.
    pub(crate) fn skip(&self, offset: usize) -> Self {
        assert!(offset <= self.size, "offset {offset} in {} bytes", self.size);
        // SAFETY: still inside the memory or one past its end.
        Self { at: unsafe { self.at.add(offset) }, size: self.size - offset }
    }

    /// A copy of the contents.
    pub(crate) fn get(&self) -> Vec<u8> {
        let mut copy = vec![0; self.size];
        // SAFETY: `at` is valid for `size` bytes until given back, and `copy` has that size.
        unsafe { ptr::copy_nonoverlapping(self.at, copy.as_mut_ptr(), self.size) };
        copy
    }

    /// Overwrites the contents from `offset` on.
    pub(crate) fn set(&self, offset: usize, data: &[u8]) {
        assert!(offset + data.len() <= self.size, "{} bytes at {offset} in {}", data.len(), self.size);
        // SAFETY: in bounds, checked above; `at` is valid for `size` bytes until given back.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), self.at.add(offset), data.len()) };
    }
}

handle!(
    /// A buffer, sub-buffer or image.
    Mem,
    clRetainMemObject,
    clReleaseMemObject,
    clGetMemObjectInfo,
    CL_MEM_REFERENCE_COUNT
);

impl Mem {
    /// A buffer of `size` bytes; `host` goes with the flags for host pointers.
    pub(crate) fn buffer(context: &Context, flags: u64, size: usize, host: Option<Bytes>) -> Result<Self> {
        let mut code = 0;
        let host = host.map_or(ptr::null_mut(), |host| host.at());
        let raw = call!(clCreateBuffer(context.raw(), flags, size, host, &mut code));
        Self::made(raw, code)
    }

    /// A part of this buffer.
    pub(crate) fn sub_buffer(&self, flags: u64, origin: usize, size: usize) -> Result<Self> {
        let mut code = 0;
        let region = cl_buffer_region { origin, size };
        let at = (&raw const region).cast();
        let raw = call!(clCreateSubBuffer(self.raw(), flags, CL_BUFFER_CREATE_TYPE_REGION, at, &mut code));
        Self::made(raw, code)
    }

    /// One value of an image's information.
    pub(crate) fn image_info(&self, parameter: u32) -> Result<usize> {
        query(|size, to, need| call!(clGetImageInfo(self.raw(), parameter, size, to, need)))
    }

    /// Has the driver run `callback` when the object is destroyed.
    pub(crate) fn on_destroy(&self, callback: impl FnOnce() + Send + 'static) -> Code {
        let callback: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(callback));
        let data = Box::into_raw(callback).cast();
        Code(call!(clSetMemObjectDestructorCallback(self.raw(), Some(destroyed), data)))
    }
}

unsafe extern "C" fn destroyed(_memory: cl_mem, data: *mut c_void) {
    // SAFETY: `data` is the box that `Mem::on_destroy` gave away, and the driver calls each callback once.
    let callback = unsafe { Box::from_raw(data.cast::<Box<dyn FnOnce() + Send>>()) };
    callback();
}
