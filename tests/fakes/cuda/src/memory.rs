//! Memory: the process's own. Copies and sets wait for their turn in a stream.

use crate::context::current;
use crate::engine::Work;
use crate::function::*;
use crate::stream::find;
use std::collections::HashMap;
use std::ffi::{c_uint, c_void};
use std::sync::{Arc, LazyLock, Mutex};

/// More than this is refused, as by a device that has no more.
const MOST: usize = 1 << 34;

static SIZES: LazyLock<Mutex<HashMap<usize, Box<[u64]>>>> = LazyLock::new(Mutex::default);

fn allocate(place: *mut usize, size: usize) -> Outcome {
    current()?;
    if size == 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    if size > MOST {
        return Err(CUDA_ERROR_OUT_OF_MEMORY);
    }
    let mut memory = vec![0u64; size.div_ceil(8)].into_boxed_slice();
    let address = memory.as_mut_ptr() as usize;
    SIZES.lock().unwrap().insert(address, memory);
    answer(place, address)
}

fn free(address: usize) -> Outcome {
    if address == 0 {
        return Ok(());
    }
    SIZES.lock().unwrap().remove(&address).map(drop).ok_or(CUDA_ERROR_INVALID_VALUE)
}

fn copy(to: usize, from: usize, size: usize) -> Work {
    Arc::new(move || {
        // SAFETY: the program says that there are `size` bytes on both sides.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, size) }
    })
}

fn set8(to: usize, value: u8, count: usize) -> Work {
    Arc::new(move || {
        // SAFETY: the program says that there are `count` bytes.
        unsafe { std::ptr::write_bytes(to as *mut u8, value, count) }
    })
}

fn set32(to: usize, value: u32, count: usize) -> Work {
    Arc::new(move || {
        // SAFETY: the program says that there are `count` elements.
        unsafe { std::slice::from_raw_parts_mut(to as *mut u32, count) }.fill(value);
    })
}

fn now(null: Null, stream: usize, work: Work) -> Outcome {
    let stream = find(null, stream)?;
    stream.require_no_capture(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)?;
    crate::capture::unsafe_call()?;
    stream.submit(work)?.wait();
    stream.context.fault()
}

fn later(null: Null, stream: usize, work: Work) -> Outcome {
    find(null, stream)?.submit(work).map(drop)
}

functions! {
    plain {
        cuMemAlloc_v2(place: *mut usize, size: usize) {
            crate::capture::unsafe_call()?;
            allocate(place, size)
        }
        cuMemFree_v2(address: usize) {
            crate::capture::unsafe_call()?;
            current()?.wait()?;
            free(address)
        }
        cuMemAllocHost_v2(place: *mut usize, size: usize) { allocate(place, size) }
        cuMemHostAlloc(place: *mut usize, size: usize, _flags: c_uint) { allocate(place, size) }
        cuMemFreeHost(address: *mut c_void) { free(address as usize) }
    }
    twins {
        cuMemcpyHtoD_v2 | cuMemcpyHtoD_v2_ptds (null; to: usize, from: usize, size: usize) { now(null, 0, copy(to, from, size)) }
        cuMemcpyDtoH_v2 | cuMemcpyDtoH_v2_ptds (null; to: usize, from: usize, size: usize) { now(null, 0, copy(to, from, size)) }
        cuMemcpyDtoD_v2 | cuMemcpyDtoD_v2_ptds (null; to: usize, from: usize, size: usize) { later(null, 0, copy(to, from, size)) }
        cuMemcpyHtoDAsync_v2 | cuMemcpyHtoDAsync_v2_ptsz (null; to: usize, from: usize, size: usize, stream: usize) { later(null, stream, copy(to, from, size)) }
        cuMemcpyDtoHAsync_v2 | cuMemcpyDtoHAsync_v2_ptsz (null; to: usize, from: usize, size: usize, stream: usize) { later(null, stream, copy(to, from, size)) }
        cuMemcpyDtoDAsync_v2 | cuMemcpyDtoDAsync_v2_ptsz (null; to: usize, from: usize, size: usize, stream: usize) { later(null, stream, copy(to, from, size)) }
        cuMemcpyAsync | cuMemcpyAsync_ptsz (null; to: usize, from: usize, size: usize, stream: usize) { later(null, stream, copy(to, from, size)) }
        cuMemsetD8_v2 | cuMemsetD8_v2_ptds (null; to: usize, value: u8, count: usize) { later(null, 0, set8(to, value, count)) }
        cuMemsetD32_v2 | cuMemsetD32_v2_ptds (null; to: usize, value: u32, count: usize) { later(null, 0, set32(to, value, count)) }
        cuMemsetD8Async | cuMemsetD8Async_ptsz (null; to: usize, value: u8, count: usize, stream: usize) { later(null, stream, set8(to, value, count)) }
        cuMemsetD32Async | cuMemsetD32Async_ptsz (null; to: usize, value: u32, count: usize, stream: usize) { later(null, stream, set32(to, value, count)) }
        cuMemAllocAsync | cuMemAllocAsync_ptsz (null; place: *mut usize, size: usize, stream: usize) {
            find(null, stream)?;
            allocate(place, size)
        }
        cuMemFreeAsync | cuMemFreeAsync_ptsz (null; address: usize, stream: usize) {
            later(null, stream, Arc::new(move || {
                let _ = free(address);
            }))
        }
    }
}
