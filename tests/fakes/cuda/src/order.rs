//! Waits for, and writes of, a word of memory, in the order of a stream.

use crate::function::*;
use crate::stream::find;
use std::ffi::c_uint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const CU_STREAM_WAIT_VALUE_EQ: c_uint = 1;

fn word(address: usize) -> &'static AtomicU32 {
    // SAFETY: the program says that there is a word, which outlives the command.
    unsafe { &*(address as *const AtomicU32) }
}

fn wait(null: Null, stream: usize, address: usize, value: u32, flags: c_uint) -> Outcome {
    let is_there = move || {
        let now = word(address).load(Ordering::SeqCst);
        if flags == CU_STREAM_WAIT_VALUE_EQ {
            now == value
        } else {
            now.wrapping_sub(value).cast_signed() >= 0
        }
    };
    let work = move || {
        while !is_there() {
            std::thread::sleep(Duration::from_micros(50));
        }
    };
    find(null, stream)?.submit(Arc::new(work)).map(drop)
}

fn write(null: Null, stream: usize, address: usize, value: u32) -> Outcome {
    let work = move || word(address).store(value, Ordering::SeqCst);
    find(null, stream)?.submit(Arc::new(work)).map(drop)
}

functions! {
    plain {}
    twins {
        cuStreamWaitValue32_v2 | cuStreamWaitValue32_v2_ptsz (null; stream: usize, address: usize, value: u32, flags: c_uint) {
            wait(null, stream, address, value, flags)
        }
        cuStreamWriteValue32_v2 | cuStreamWriteValue32_v2_ptsz (null; stream: usize, address: usize, value: u32, _flags: c_uint) {
            write(null, stream, address, value)
        }
    }
}
