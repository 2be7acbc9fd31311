//! To be preloaded (`LD_PRELOAD`): a file of `fake-rm` is the control device of NVIDIA's driver to this process, every other file is what it is.

use std::os::fd::RawFd;
use xsched_cuda_control::abi::{self, ControlBlock, FreeBlock};

/// In place of the C library's.
///
/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(
    file: RawFd,
    path: *const libc::c_char,
    flags: libc::c_int,
    mask: libc::c_uint,
    about: *mut libc::statx,
) -> libc::c_int {
    // SAFETY: handed on as it is.
    let result = unsafe { libc::syscall(libc::SYS_statx, file, path, flags, mask, about) as libc::c_int };
    // SAFETY: a C string, for the kernel has read it, or null.
    let is_file_itself = result == 0 && (path.is_null() || unsafe { *path } == 0);
    if is_file_itself && fake_rm::is_control_device(file) {
        // SAFETY: the caller's place for the answer, which the kernel has just written.
        let about = unsafe { &mut *about };
        about.stx_mode = (libc::S_IFCHR | 0o666) as u16;
        (about.stx_rdev_major, about.stx_rdev_minor) = abi::CONTROL_DEVICE;
    }
    result
}

/// In place of the C library's, which takes its third argument in the same register.
///
/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(file: RawFd, request: libc::c_ulong, block: *mut libc::c_void) -> libc::c_int {
    match abi::parse_request(request as u32) {
        Some((abi::CONTROL, size)) if size == size_of::<ControlBlock>() => {
            // SAFETY: the block that the request says, and its parameters.
            unsafe {
                let control = &mut *block.cast::<ControlBlock>();
                if let Some(status) = fake_rm::control(file, *control) {
                    control.status = status;
                    return 0;
                }
            }
        }
        Some((abi::ALLOC, size)) if fake_rm::is_control_device(file) => {
            if let Some(at) = abi::alloc_status_at(size) {
                // SAFETY: within the block that the request says.
                unsafe { block.byte_add(at).cast::<u32>().write_unaligned(abi::NV_OK) };
            }
            return 0;
        }
        Some((abi::FREE, size)) if size == size_of::<FreeBlock>() && fake_rm::is_control_device(file) => {
            // SAFETY: the block that the request says.
            unsafe { (*block.cast::<FreeBlock>()).status = abi::NV_OK };
            return 0;
        }
        _ => {}
    }
    // SAFETY: handed on as it is.
    unsafe { libc::syscall(libc::SYS_ioctl, file, request, block) as libc::c_int }
}
