//! What stands in front of `ioctl` for the real library: the call itself, and a look at what it made or took away.

use super::controls;
use std::ffi::{c_int, c_ulong, c_void};
use std::os::fd::RawFd;
use xsched_cuda_control::abi;

/// The `ioctl` that the real library gets.
pub(super) unsafe extern "C" fn ioctl(file: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // SAFETY: the library's own call. Whoever stands in front of `ioctl` for the whole process is asked first, as without us.
    let result = unsafe { libc::ioctl(file, request, argument) };
    if result == 0
        && !argument.is_null()
        && let Ok(request) = u32::try_from(request)
        && let Some((number, size)) = abi::parse_request(request)
    {
        let _errno = xsched_runtime::KeepErrno::new();
        // SAFETY: the driver has just read and written the block.
        unsafe { look(file, number, size, argument.cast()) };
    }
    result
}

/// # Safety
/// `block` has this size, or is one that the driver would have refused.
unsafe fn look(file: RawFd, number: u32, size: usize, block: *const u8) {
    // SAFETY: by the caller, and each branch has looked at the size.
    unsafe {
        match number {
            abi::TRANSFER if size == size_of::<abi::TransferBlock>() => {
                let inner = block.cast::<abi::TransferBlock>().read_unaligned();
                let block = inner.block as *const u8;
                if inner.number != abi::TRANSFER && !block.is_null() {
                    look(file, inner.number, inner.size as usize, block);
                }
            }
            abi::ALLOC => {
                let Some(at) = abi::alloc_status_at(size) else { return controls::odd(number, size) };
                if block.add(at).cast::<u32>().read_unaligned() == abi::NV_OK {
                    controls::made(file, &block.cast::<abi::AllocHead>().read_unaligned());
                }
            }
            abi::FREE if size == size_of::<abi::FreeBlock>() => {
                let free = block.cast::<abi::FreeBlock>().read_unaligned();
                if free.status == abi::NV_OK {
                    controls::gone(free.root, free.object);
                }
            }
            abi::FREE | abi::TRANSFER => controls::odd(number, size),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_are_not_the_drivers_pass_with_their_errno() {
        let mut width = 0u64;
        // SAFETY: a bad fd is refused, whatever the request.
        let result = unsafe { ioctl(-1, 0xc020_462b, (&raw mut width).cast()) };
        assert_eq!((result, std::io::Error::last_os_error().raw_os_error()), (-1, Some(libc::EBADF)));
    }
}
