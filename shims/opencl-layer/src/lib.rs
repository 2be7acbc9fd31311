//! XSched as a layer of an OpenCL loader: `OPENCL_LAYERS=/path/libxsched_opencl_layer.so`.
//!
//! A loader that knows layers (ocl-icd since 2.3, Khronos's) asks each for a table of functions to call in place of its own. This one
//! answers with the loader's table, in which libxsched.so has put its handlers, so a program is reached however it has opened the loader.
//! Invariant: whatever fails, the answer is the loader's own table, and the program runs unscheduled.
//! Deliberately absent: everything else, as in the stand-ins. Whether the layer or a stand-in in front of the loader schedules is decided in
//! libxsched.so, which knows both.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use xsched_shim::{Binding, Row, keeping_errno};

#[macro_use]
mod dispatch;

const CL_SUCCESS: c_int = 0;
const CL_INVALID_VALUE: c_int = -30;

/// `CL_LAYER_API_VERSION`, and the version that loaders take.
const API_VERSION: u32 = 0x4240;
const VERSION_100: u32 = 100;
/// `CL_LAYER_NAME`, and ours, with its NUL.
const NAME: u32 = 0x4241;
const XSCHED: &[u8; 7] = b"XSched\0";

macro_rules! names {
    ($($name:ident)*) => {
        /// What is in the slots of a table, for libxsched.so: an address in the loader that asks, and the functions.
        static NAMES: Row =
            Row(&[c"loader".as_ptr().cast(), $(concat!(stringify!($name), "\0").as_ptr().cast()),*]);
    };
}

functions!(names);

/// Functions of a loader that are passed on, be they known here or not. It keeps what it has beyond.
const MOST_FUNCTIONS: usize = 256;
/// Loaders in one process that are answered with a table of ours.
const MOST_LOADERS: usize = 4;

/// An address in the loader, and its functions.
type Table = [AtomicPtr<c_void>; 1 + MOST_FUNCTIONS];

static TABLES: [Table; MOST_LOADERS] =
    [const { [const { AtomicPtr::new(core::ptr::null_mut()) }; 1 + MOST_FUNCTIONS] }; MOST_LOADERS];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What the loader asks first.
///
/// # Safety
/// `value` is null or has `size` bytes; `size_ret` is null or a place.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clGetLayerInfo(
    name: u32,
    size: usize,
    value: *mut c_void,
    size_ret: *mut usize,
) -> c_int {
    let version = VERSION_100.to_ne_bytes();
    let answer: &[u8] = match name {
        API_VERSION => &version,
        NAME => XSCHED,
        _ => return CL_INVALID_VALUE,
    };
    if !value.is_null() {
        if size < answer.len() {
            return CL_INVALID_VALUE;
        }
        // SAFETY: there is room for `size` bytes, by the caller.
        unsafe { value.cast::<u8>().copy_from_nonoverlapping(answer.as_ptr(), answer.len()) };
    }
    if !size_ret.is_null() {
        // SAFETY: a place, by the caller.
        unsafe { size_ret.write(answer.len()) };
    }
    CL_SUCCESS
}

/// `clInitLayer(count, functions, &count_of_ours, &functions_of_ours)`: [`init`], which also learns who calls.
#[allow(non_snake_case)]
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn clInitLayer() {
    core::arch::naked_asm!("mov r8, [rsp]", "jmp {init}", init = sym init)
}

/// The same with a list of properties as fifth argument, none of which matters here.
#[allow(non_snake_case)]
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn clInitLayerWithProperties() {
    core::arch::naked_asm!("mov r8, [rsp]", "jmp {init}", init = sym init)
}

/// Nothing is taken down: calls of other threads may still be under way.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub extern "C" fn clDeinitLayer() -> c_int {
    CL_SUCCESS
}

/// Answers with a table of ours, or with the loader's own. `caller`: where the call returns to, in the loader.
///
/// # Safety
/// As OpenCL has it: `functions` are `count` addresses, and the other two are places.
unsafe extern "C" fn init(
    count: u32,
    functions: *const *mut c_void,
    count_of_ours: *mut u32,
    ours: *mut *const c_void,
    caller: *mut c_void,
) -> c_int {
    if functions.is_null() || count_of_ours.is_null() || ours.is_null() {
        return CL_INVALID_VALUE;
    }
    let known = (count as usize).min(MOST_FUNCTIONS);
    // SAFETY: `count` addresses, by the caller.
    let theirs = unsafe { core::slice::from_raw_parts(functions, known) };
    let (answer, number) = match keeping_errno(|| with_handlers(theirs, caller)) {
        Some(table) => (table.cast(), known as u32),
        None => (functions.cast(), count),
    };
    // SAFETY: two places, by the caller.
    unsafe {
        ours.write(answer);
        count_of_ours.write(number);
    }
    CL_SUCCESS
}

/// These functions with libxsched.so's handlers in the place of some.
fn with_handlers(functions: &[*mut c_void], caller: *mut c_void) -> Option<*const AtomicPtr<c_void>> {
    let table = TABLES.get(TAKEN.fetch_add(1, Ordering::Relaxed))?;
    let (loader, slots) = table.split_first()?;
    loader.store(caller, Ordering::Relaxed);
    for (slot, function) in slots.iter().zip(functions) {
        slot.store(*function, Ordering::Relaxed);
    }
    let binding = Binding {
        platform: c"opencl-layer",
        title: "OpenCL layer",
        without: "OpenCL programs run unscheduled",
        names: NAMES,
        table,
    };
    binding.fill().then_some(slots.as_ptr())
}
