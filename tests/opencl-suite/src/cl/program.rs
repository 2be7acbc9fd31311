//! Programs: source, build, compile and link, binaries.

use super::{Code, Context, Device, Result, call, handle, query, query_bytes, text};
use opencl_sys::{
    CL_PROGRAM_BINARIES, CL_PROGRAM_BINARY_SIZES, CL_PROGRAM_BUILD_LOG, CL_PROGRAM_BUILD_STATUS,
    CL_PROGRAM_REFERENCE_COUNT, cl_program,
};
use std::ffi::{CString, c_void};
use std::ptr;

handle!(
    /// A program, built or not.
    Program,
    clRetainProgram,
    clReleaseProgram,
    clGetProgramInfo,
    CL_PROGRAM_REFERENCE_COUNT
);

impl Program {
    /// A program of OpenCL C that is not built yet.
    pub(crate) fn from_source(context: &Context, source: &str) -> Result<Self> {
        let mut code = 0;
        let (text, length) = (source.as_ptr().cast(), source.len());
        let raw = call!(clCreateProgramWithSource(context.raw(), 1, &text, &length, &mut code));
        Self::made(raw, code)
    }

    /// A program of the device's own binary.
    pub(crate) fn from_binary(context: &Context, device: &Device, binary: &[u8]) -> Result<Self> {
        let (mut code, mut status) = (0, 0);
        let (length, bytes) = (binary.len(), binary.as_ptr());
        let context = context.raw();
        let raw =
            call!(clCreateProgramWithBinary(context, 1, &device.id, &length, &bytes, &mut status, &mut code));
        Self::made(raw, code)
    }

    /// Builds for `device` and waits for it.
    pub(crate) fn build(&self, device: &Device, options: &str) -> Code {
        let options = CString::new(options).unwrap_or_default();
        let at = options.as_ptr();
        Code(call!(clBuildProgram(self.raw(), 1, &device.id, at, None, ptr::null_mut())))
    }

    /// Builds for `device` and has the driver run `callback` at the end.
    pub(crate) fn build_then(&self, device: &Device, callback: impl FnOnce() + Send + 'static) -> Code {
        let callback: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(callback));
        let data = Box::into_raw(callback).cast();
        Code(call!(clBuildProgram(self.raw(), 1, &device.id, ptr::null(), Some(built), data)))
    }

    /// Compiles without linking.
    pub(crate) fn compile(&self, device: &Device) -> Code {
        let (none, data) = (ptr::null(), ptr::null_mut());
        Code(call!(clCompileProgram(
            self.raw(),
            1,
            &device.id,
            none,
            0,
            ptr::null(),
            ptr::null(),
            None,
            data
        )))
    }

    /// Links compiled programs.
    pub(crate) fn link(context: &Context, device: &Device, parts: &[&Self]) -> Result<Self> {
        let mut code = 0;
        let list: Vec<_> = parts.iter().map(|part| part.raw()).collect();
        let (count, list, data) = (list.len() as u32, list.as_ptr(), ptr::null_mut());
        let (context, device) = (context.raw(), &device.id);
        let raw = call!(clLinkProgram(context, 1, device, ptr::null(), count, list, None, data, &mut code));
        Self::made(raw, code)
    }

    /// The device's binary of a built program.
    pub(crate) fn binary(&self) -> Result<Vec<u8>> {
        let mut binary = vec![0_u8; self.info::<usize>(CL_PROGRAM_BINARY_SIZES)?];
        let mut at = binary.as_mut_ptr();
        let to = (&raw mut at).cast();
        let size = size_of::<*mut u8>();
        Code(call!(clGetProgramInfo(self.raw(), CL_PROGRAM_BINARIES, size, to, ptr::null_mut()))).ok()?;
        Ok(binary)
    }

    /// The state of the build for `device`.
    pub(crate) fn build_status(&self, device: &Device) -> Result<i32> {
        let (program, device) = (self.raw(), device.id);
        query(|size, to, need| {
            call!(clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_STATUS, size, to, need))
        })
    }

    /// What the compiler said.
    pub(crate) fn build_log(&self, device: &Device) -> Result<String> {
        let (program, device) = (self.raw(), device.id);
        query_bytes(|size, to, need| {
            call!(clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, to, need))
        })
        .map(text)
    }

    /// How many kernels the program has, by asking for them.
    pub(crate) fn kernel_count(&self) -> Result<u32> {
        let mut count = 0;
        Code(call!(clCreateKernelsInProgram(self.raw(), 0, ptr::null_mut(), &mut count))).ok()?;
        Ok(count)
    }
}

unsafe extern "C" fn built(_program: cl_program, data: *mut c_void) {
    // SAFETY: `data` is the box that `Program::build_then` gave away, and the driver calls each callback once.
    let callback = unsafe { Box::from_raw(data.cast::<Box<dyn FnOnce() + Send>>()) };
    callback();
}
