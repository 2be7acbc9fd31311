//! Kernel launches whose stream is not an argument but in a struct that an argument points to.

/// The stream in a `CUlaunchConfig`: seven numbers of 32 bits, then the handle. Without a struct, the default stream; the real function
/// says what is wrong.
#[inline]
pub(crate) fn stream_of_config(config: usize) -> usize {
    // SAFETY: the program passes a `CUlaunchConfig`.
    unsafe { word_at(config, 32) }
}

/// The stream of the first of several launches (`CUDA_LAUNCH_PARAMS`: the function, then seven numbers of 32 bits, then the handle), which
/// are made as one.
#[inline]
pub(crate) fn stream_of_first(params: usize) -> usize {
    // SAFETY: the program passes `CUDA_LAUNCH_PARAMS`.
    unsafe { word_at(params, 40) }
}

/// # Safety
/// `address` is null, or there is a struct of the program's that has a pointer at `offset`.
unsafe fn word_at(address: usize, offset: usize) -> usize {
    match address {
        0 => 0,
        // SAFETY: by the caller; a pointer in a struct is aligned, but programs have been seen to pack theirs.
        _ => unsafe { ((address + offset) as *const usize).read_unaligned() },
    }
}
