//! Modules, which are all the same, and kernels.

use crate::ffi::{Handle, INVALID_KERNEL_NAME, KernelDesc, SUCCESS, ZeResult};
use crate::kernel::Kernel;
use crate::objects::{destroy as destroy_object, handle, object};
use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, PoisonError};

/// A kernel and its name.
pub(crate) struct Named {
    pub(crate) kernel: Mutex<Kernel>,
    name: Vec<u8>,
}

impl Named {
    pub(crate) fn snapshot(&self) -> Kernel {
        self.kernel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) unsafe extern "C" fn create(
    _context: Handle,
    _device: Handle,
    _desc: *const c_void,
    to: *mut Handle,
    log: *mut Handle,
) -> ZeResult {
    // SAFETY: the program's places, as Level Zero demands; so everywhere below. The log may be null, and there is none.
    unsafe {
        to.write(handle(0_u64));
        if !log.is_null() {
            log.write(std::ptr::null_mut());
        }
    }
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy(module: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy_object::<u64>(module) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn create_kernel(
    _module: Handle,
    desc: *const KernelDesc,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: as above.
    let name = unsafe { CStr::from_ptr((*desc).name) };
    let Some(kernel) = name.to_str().ok().and_then(Kernel::named) else { return INVALID_KERNEL_NAME };
    let named = Named { kernel: Mutex::new(kernel), name: name.to_bytes_with_nul().to_vec() };
    // SAFETY: as above.
    unsafe { to.write(handle(named)) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy_kernel(kernel: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy_object::<Named>(kernel) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn set_group_size(_kernel: Handle, _x: u32, _y: u32, _z: u32) -> ZeResult {
    SUCCESS
}

pub(crate) unsafe extern "C" fn suggest_group_size(
    _kernel: Handle,
    _x: u32,
    _y: u32,
    _z: u32,
    to_x: *mut u32,
    to_y: *mut u32,
    to_z: *mut u32,
) -> ZeResult {
    // SAFETY: as above.
    unsafe {
        to_x.write(1);
        to_y.write(1);
        to_z.write(1);
    }
    SUCCESS
}

pub(crate) unsafe extern "C" fn set_argument(
    kernel: Handle,
    index: u32,
    size: usize,
    value: *const c_void,
) -> ZeResult {
    // SAFETY: as above; a value of null is one of zeroes.
    let (named, bytes) = unsafe {
        let bytes = if value.is_null() {
            vec![0; size]
        } else {
            std::slice::from_raw_parts(value.cast::<u8>(), size).to_vec()
        };
        (object::<Named>(kernel), bytes)
    };
    named.kernel.lock().unwrap_or_else(PoisonError::into_inner).set(index as usize, &bytes)
}

pub(crate) unsafe extern "C" fn kernel_name(kernel: Handle, size: *mut usize, to: *mut c_char) -> ZeResult {
    // SAFETY: as above.
    unsafe {
        let name = &object::<Named>(kernel).name;
        if *size >= name.len() && !to.is_null() {
            std::ptr::copy_nonoverlapping(name.as_ptr().cast(), to, name.len());
        }
        size.write(name.len());
    }
    SUCCESS
}
