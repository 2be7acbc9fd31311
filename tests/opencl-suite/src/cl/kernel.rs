//! Kernels, their arguments, and the range that a launch covers.

use super::{Bytes, Code, Device, Mem, Program, Result, Sampler, call, handle, query};
use opencl_sys::CL_KERNEL_REFERENCE_COUNT;
use std::ffi::CString;
use std::ptr;

handle!(
    /// A kernel with its arguments.
    Kernel,
    clRetainKernel,
    clReleaseKernel,
    clGetKernelInfo,
    CL_KERNEL_REFERENCE_COUNT
);

impl Kernel {
    /// The kernel called `name`.
    pub(crate) fn new(program: &Program, name: &str) -> Result<Self> {
        let mut code = 0;
        let name = CString::new(name).unwrap_or_default();
        let raw = call!(clCreateKernel(program.raw(), name.as_ptr(), &mut code));
        Self::made(raw, code)
    }

    /// A copy with the same arguments (OpenCL 2.1).
    pub(crate) fn copy(&self) -> Result<Self> {
        let mut code = 0;
        let raw = call!(clCloneKernel(self.raw(), &mut code));
        Self::made(raw, code)
    }

    pub(crate) fn set_mem(&mut self, index: u32, memory: &Mem) -> Code {
        let raw = memory.raw();
        Code(call!(clSetKernelArg(self.raw(), index, size_of_val(&raw), (&raw const raw).cast())))
    }

    pub(crate) fn set_sampler(&mut self, index: u32, sampler: &Sampler) -> Code {
        let raw = sampler.raw();
        Code(call!(clSetKernelArg(self.raw(), index, size_of_val(&raw), (&raw const raw).cast())))
    }

    pub(crate) fn set_u32(&mut self, index: u32, value: u32) -> Code {
        self.set_bytes(index, &value.to_ne_bytes())
    }

    pub(crate) fn set_bytes(&mut self, index: u32, value: &[u8]) -> Code {
        Code(call!(clSetKernelArg(self.raw(), index, value.len(), value.as_ptr().cast())))
    }

    /// Local memory of `size` bytes, or, for other kinds of argument, a missing value.
    pub(crate) fn set_local(&mut self, index: u32, size: usize) -> Code {
        Code(call!(clSetKernelArg(self.raw(), index, size, ptr::null())))
    }

    /// Shared virtual memory (OpenCL 2.0).
    pub(crate) fn set_svm(&mut self, index: u32, memory: Bytes) -> Code {
        Code(call!(clSetKernelArgSVMPointer(self.raw(), index, memory.at())))
    }

    /// `clSetKernelExecInfo` with a list of pointers (OpenCL 2.0).
    pub(crate) fn set_svm_list(&mut self, parameter: u32, memory: &[Bytes]) -> Code {
        let list: Vec<_> = memory.iter().map(|bytes| bytes.at()).collect();
        let size = size_of_val(list.as_slice());
        Code(call!(clSetKernelExecInfo(self.raw(), parameter, size, list.as_ptr().cast())))
    }

    /// One value of the kernel's information for `device`.
    pub(crate) fn group_info<T: super::Plain>(&self, device: &Device, parameter: u32) -> Result<T> {
        let (kernel, device) = (self.raw(), device.id);
        query(|size, to, need| call!(clGetKernelWorkGroupInfo(kernel, device, parameter, size, to, need)))
    }

    /// One value of the information about an argument.
    pub(crate) fn argument_info<T: super::Plain>(&self, index: u32, parameter: u32) -> Result<T> {
        query(|size, to, need| call!(clGetKernelArgInfo(self.raw(), index, parameter, size, to, need)))
    }
}

/// The range of a launch, right or wrong. Four entries, so that a driver that reads one too many stays inside.
#[derive(Clone, Copy)]
pub(crate) struct Nd {
    pub(crate) dimensions: u32,
    pub(crate) offset: Option<[usize; 4]>,
    pub(crate) global: Option<[usize; 4]>,
    pub(crate) local: Option<[usize; 4]>,
}

impl Nd {
    /// `count` work-items in one dimension; the driver picks the groups.
    pub(crate) fn one(count: usize) -> Self {
        Self { dimensions: 1, offset: None, global: Some([count, 1, 1, 1]), local: None }
    }

    /// Two dimensions.
    pub(crate) fn two(width: usize, height: usize) -> Self {
        Self { dimensions: 2, offset: None, global: Some([width, height, 1, 1]), local: None }
    }

    /// Three dimensions.
    pub(crate) fn three(width: usize, height: usize, depth: usize) -> Self {
        Self { dimensions: 3, offset: None, global: Some([width, height, depth, 1]), local: None }
    }

    pub(crate) fn local(mut self, local: [usize; 3]) -> Self {
        self.local = Some([local[0], local[1], local[2], 1]);
        self
    }

    pub(crate) fn offset(mut self, offset: [usize; 3]) -> Self {
        self.offset = Some([offset[0], offset[1], offset[2], 0]);
        self
    }

    pub(crate) fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = dimensions;
        self
    }
}

/// The address of an optional list.
pub(crate) fn address(list: &Option<[usize; 4]>) -> *const usize {
    list.as_ref().map_or(ptr::null(), |list| list.as_ptr())
}
