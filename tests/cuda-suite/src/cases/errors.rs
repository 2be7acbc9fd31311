//! The same error at the same call.

use super::in_child;
use crate::work::{LEGACY, Line, NON_BLOCKING, Work};
use cuda_suite::cu::parameters;
use std::ptr::null;

pub(crate) fn arguments(work: &Work) -> Line {
    let (data, stream) = (work.data(100)?, work.stream(NON_BLOCKING)?);
    let change = data.change(1);
    let launch = |grid, block, stream| {
        // SAFETY: the kernel's parameters; the dimensions are wrong on purpose.
        unsafe {
            (work.cu.cuLaunchKernel)(
                work.kernels.add,
                grid,
                1,
                1,
                block,
                1,
                1,
                0,
                stream,
                parameters(&change).as_ptr(),
                null(),
            )
        }
    };
    let codes = [launch(0, 64, stream), launch(1, 0, stream), launch(1, 4096, stream), launch(0, 64, LEGACY)];
    // What was refused has done nothing, and the stream is as before.
    let good = launch(1, 64, stream);
    work.sync(stream)?;
    Ok(format!("codes={codes:?} good={good} data={}", data.hash()?))
}

pub(crate) fn memory(work: &Work) -> Line {
    let mut address = 0;
    // SAFETY: a place for the answer.
    let codes = unsafe {
        [(work.cu.cuMemAlloc_v2)(&raw mut address, 1 << 50), (work.cu.cuMemAlloc_v2)(&raw mut address, 0)]
    };
    Ok(format!("codes={codes:?}"))
}

pub(crate) fn fault(_: &Work) -> Line {
    in_child("fault")
}

/// A kernel that faults: every call says so from then on.
pub(crate) fn fault_child(work: &Work) -> Line {
    let stream = work.stream(NON_BLOCKING)?;
    // SAFETY: a kernel without parameters.
    let launch =
        unsafe { (work.cu.cuLaunchKernel)(work.kernels.fault, 1, 1, 1, 1, 1, 1, 0, stream, null(), null()) };
    // SAFETY: a stream of this case; so below.
    let sync = unsafe { (work.cu.cuStreamSynchronize)(stream) };
    let again = work.spin(1, stream).err();
    // SAFETY: as above.
    let (query, whole) = unsafe { ((work.cu.cuStreamQuery)(stream), (work.cu.cuCtxSynchronize)()) };
    Ok(format!("launch={launch} sync={sync} again={again:?} query={query} whole={whole}"))
}
