//! Kernels, known by their names. Modules are made of anything.
//!
//! - `empty()`: does nothing.
//! - `spin(u64 nanoseconds)`: takes that long.
//! - `add(u32 *data, u32 count, u32 value)`, `scale(…)`: adds to, or multiplies, each element.
//! - `work(u32 *words, u64 rounds)`: fills the device for a microsecond a round: no two of these run at once. Adds the rounds to each thread's word.
//! - `fault()`: writes where it must not.

use crate::context::current;
use crate::engine::Work;
use crate::function::*;
use crate::stream::{HANDLES, find};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

static FUNCTIONS_BY_HANDLE: LazyLock<Mutex<HashMap<usize, &'static str>>> = LazyLock::new(Mutex::default);

const KERNELS: [&str; 6] = ["empty", "spin", "add", "scale", "work", "fault"];

/// The work of a launch, with its parameters as they are now.
///
/// # Safety
/// `parameters` points to as many pointers to values as the kernel has parameters.
unsafe fn work(function: usize, threads: usize, parameters: *const *const c_void) -> Result<Work, c_int> {
    let name = *FUNCTIONS_BY_HANDLE.lock().unwrap().get(&function).ok_or(CUDA_ERROR_INVALID_HANDLE)?;
    // SAFETY: by the caller, here and below.
    let wide = |at| unsafe { parameters.add(at).read().cast::<u64>().read_unaligned() };
    // SAFETY: as above.
    let narrow = |at| unsafe { parameters.add(at).read().cast::<u32>().read_unaligned() };
    let context = current()?;
    if parameters.is_null() && !matches!(name, "empty" | "fault") {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    Ok(match name {
        "spin" => {
            let time = Duration::from_nanos(wide(0));
            Arc::new(move || std::thread::sleep(time))
        }
        "empty" => Arc::new(|| ()),
        "work" => {
            let (words, rounds) = (wide(0), wide(1));
            Arc::new(move || {
                crate::device::alone(|| std::thread::sleep(Duration::from_micros(rounds)));
                // SAFETY: the program says that there is a word for each thread, which nobody else uses meanwhile.
                let words = unsafe { std::slice::from_raw_parts_mut(words as *mut u32, threads) };
                words.iter_mut().for_each(|word| *word = word.wrapping_add(rounds as u32));
            })
        }
        "fault" => Arc::new(move || context.fail(CUDA_ERROR_ILLEGAL_ADDRESS)),
        name => {
            let (data, count, value) = (wide(0), narrow(1) as usize, narrow(2));
            let change: fn(u32, u32) -> u32 =
                if name == "add" { u32::wrapping_add } else { u32::wrapping_mul };
            Arc::new(move || {
                // SAFETY: the program says that there are `count` elements, which nobody else uses meanwhile.
                let data = unsafe { std::slice::from_raw_parts_mut(data as *mut u32, count) };
                data.iter_mut().for_each(|element| *element = change(*element, value));
            })
        }
    })
}

fn launch(
    null: Null,
    function: usize,
    grid: [c_uint; 3],
    block: [c_uint; 3],
    stream: usize,
    parameters: *const *const c_void,
) -> Outcome {
    if grid.contains(&0) || block.contains(&0) || block.iter().product::<c_uint>() > 1024 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    let threads = grid.iter().chain(&block).map(|of| *of as usize).product();
    // SAFETY: the program's parameters.
    let work = unsafe { work(function, threads, parameters) }?;
    find(null, stream)?.submit(work).map(drop)
}

/// `CUlaunchConfig`.
#[repr(C)]
struct Config {
    grid: [c_uint; 3],
    block: [c_uint; 3],
    shared: c_uint,
    stream: usize,
    attributes: usize,
    count: c_uint,
}

functions! {
    plain {
        cuModuleLoadData(place: *mut usize, _image: usize) {
            current()?;
            crate::capture::unsafe_call()?;
            answer(place, HANDLES.take())
        }
        cuModuleUnload(_module: usize) { current().map(drop) }
        cuModuleGetFunction(place: *mut usize, _module: usize, name: *const c_char) {
            // SAFETY: a C string.
            let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
            let known = KERNELS.iter().find(|known| **known == name).ok_or(CUDA_ERROR_NOT_FOUND)?;
            let handle = HANDLES.take();
            FUNCTIONS_BY_HANDLE.lock().unwrap().insert(handle, known);
            answer(place, handle)
        }
    }
    twins {
        cuLaunchKernel | cuLaunchKernel_ptsz (null; function: usize, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, _shared: c_uint, stream: usize, parameters: *const *const c_void, _extra: usize) {
            launch(null, function, [gx, gy, gz], [bx, by, bz], stream, parameters)
        }
        cuLaunchCooperativeKernel | cuLaunchCooperativeKernel_ptsz (null; function: usize, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, _shared: c_uint, stream: usize, parameters: *const *const c_void) {
            launch(null, function, [gx, gy, gz], [bx, by, bz], stream, parameters)
        }
        cuLaunchKernelEx | cuLaunchKernelEx_ptsz (null; config: *const Config, function: usize, parameters: *const *const c_void, _extra: usize) {
            // SAFETY: the program's config.
            let config = unsafe { config.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
            launch(null, function, config.grid, config.block, config.stream, parameters)
        }
    }
}

/// The size that cuda.h gives `CUlaunchConfig`.
const _: () = assert!(size_of::<Config>() == 56 && std::mem::offset_of!(Config, stream) == 32);
