//! What the functions of the stand-in are when there is nothing to forward to: CUDA's own "no device" and "not supported".
//!
//! Invariant: an answer reads no argument. A function that the real library lacks, because it is older, answers the second one too.

use core::ffi::c_int;

const CUDA_ERROR_NO_DEVICE: c_int = 100;
const CUDA_ERROR_NOT_SUPPORTED: c_int = 801;

/// `cuInit`: programs that can do without a GPU understand this one.
pub(crate) extern "C" fn no_device() -> c_int {
    CUDA_ERROR_NO_DEVICE
}

/// Everything else.
pub(crate) extern "C" fn not_supported() -> c_int {
    CUDA_ERROR_NOT_SUPPORTED
}
