//! Copies and sets, those that are waited for and those in a stream's order.

use crate::work::{LEGACY, Line, NON_BLOCKING, Work, hash};
use cuda_suite::cu::done;

pub(crate) fn waited_for(work: &Work) -> Line {
    let (data, other) = (work.data(4096)?, work.data(4096)?);
    let mut host: Vec<u32> = (0..4096).collect();
    let mut said = String::new();
    for step in 0..10 {
        // SAFETY: both sides have as many bytes; so below.
        unsafe {
            done((work.cu.cuMemcpyHtoD_v2)(data.address, host.as_ptr().cast(), 16384))?;
            work.spin(300, LEGACY)?;
            work.add(&data, step, LEGACY)?;
            done((work.cu.cuMemcpyDtoD_v2)(other.address, data.address, 16384))?;
            work.scale(&other, 3, LEGACY)?;
            done((work.cu.cuMemcpyDtoH_v2)(host.as_mut_ptr().cast(), other.address, 16384))?;
        }
        said = hash(&host);
    }
    Ok(format!("data={said}"))
}

pub(crate) fn in_order(work: &Work) -> Line {
    let (data, other, stream) = (work.data(4096)?, work.data(4096)?, work.stream(NON_BLOCKING)?);
    let from: Vec<u32> = (0..4096).map(|n| n * 7).collect();
    let mut to = vec![0u32; 4096];
    // SAFETY: what is copied lives until the stream is waited for, and both sides have as many bytes.
    unsafe {
        done((work.cu.cuMemcpyHtoDAsync_v2)(data.address, from.as_ptr().cast(), 16384, stream))?;
        for step in 0..30 {
            work.add(&data, step, stream)?;
            done((work.cu.cuMemcpyDtoDAsync_v2)(other.address, data.address, 16384, stream))?;
            work.scale(&other, 3, stream)?;
            done((work.cu.cuMemcpyDtoDAsync_v2)(data.address, other.address, 16384, stream))?;
        }
        done((work.cu.cuMemcpyDtoHAsync_v2)(to.as_mut_ptr().cast(), data.address, 16384, stream))?;
    }
    work.sync(stream)?;
    Ok(format!("data={}", hash(&to)))
}

pub(crate) fn sets(work: &Work) -> Line {
    let (data, stream) = (work.data(4096)?, work.stream(0)?);
    // SAFETY: as many elements as the data has.
    unsafe {
        for step in 0..20 {
            done((work.cu.cuMemsetD32Async)(data.address, step, 2048, stream))?;
            work.add(&data, 5, stream)?;
            done((work.cu.cuMemsetD8Async)(data.address + 4096, 3, 1000, stream))?;
            work.scale(&data, 3, stream)?;
            done((work.cu.cuMemsetD32_v2)(data.address + 12000, step * 9, 100))?;
        }
    }
    work.sync(stream)?;
    Ok(format!("data={}", data.hash()?))
}

/// Memory that is allocated and freed in a stream's order.
pub(crate) fn pool(work: &Work) -> Line {
    let stream = work.stream(NON_BLOCKING)?;
    let mut host = vec![0u32; 256];
    let mut said = String::new();
    for step in 0..20 {
        let mut memory = 0;
        // SAFETY: the memory is used before it is freed, in the stream's order.
        unsafe {
            done((work.cu.cuMemAllocAsync)(&raw mut memory, 1024, stream))?;
            done((work.cu.cuMemsetD32Async)(memory, step, 256, stream))?;
            let change = cuda_suite::cu::Change { data: memory, count: 256, value: 11 };
            done(work.cu.change(work.kernels.scale, change, stream))?;
            done((work.cu.cuMemcpyDtoHAsync_v2)(host.as_mut_ptr().cast(), memory, 1024, stream))?;
            done((work.cu.cuMemFreeAsync)(memory, stream))?;
        }
        work.sync(stream)?;
        said = hash(&host);
    }
    Ok(format!("data={said}"))
}
