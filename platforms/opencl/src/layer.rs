//! XSched as a layer of the loader (`shims/opencl-layer`): the same handlers, with the loader's functions behind them.
//!
//! Invariant: in a process either the stand-in or the layer has the handlers, for ever: who first settles what the real functions are
//! (`driver::settle`). The other passes calls on, so none meets a gate twice. The stand-in lets the layer be first if the loader will load
//! it, because the layer also reaches programs that open the loader by its path.
//! Deliberately absent: handlers for a second loader in one process. What programs do by it runs unscheduled, with a line.

use crate::driver::{self, Handle};
use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};
use xsched_runtime::library::Library;
use xsched_runtime::{config, intercept, report};

/// The file of the layer.
const FILE: &str = "libxsched_opencl_layer.so";
/// Where loaders find the layers to load.
const LAYERS: &str = "OPENCL_LAYERS";
/// The slot of a layer's table that holds an address in the loader, not one of its functions.
const LOADER: &CStr = c"loader";

/// Puts our handlers into a loader's table, in the place of the loader's own functions; unless somebody has the handlers already.
///
/// # Safety
/// Each slot of `table` holds the loader's function of that name, or null; the one called `loader` holds an address in the loader.
pub unsafe fn bind(_: &Path, table: &[(&CStr, &AtomicPtr<c_void>)]) -> Result<(), String> {
    let functions = table.iter().map(|(name, slot)| (*name, slot.load(Ordering::Relaxed)));
    let library = Library::of_functions(functions.filter(|(_, address)| !address.is_null()));
    let (settled, is_ours) = driver::settle(library);
    if is_ours {
        // A program may close the loader although it has queues, and open it again.
        library.keep_file_with(LOADER);
        // SAFETY: by the caller; the handlers are made for the signatures in CL/cl.h.
        unsafe { intercept::fill(crate::intercept::table::ROWS, library, table) };
    } else {
        warn_of_a_second_loader(settled, library);
    }
    Ok(())
}

/// Makes the loader `library` load its layers now, if ours is to be among them.
pub(crate) fn let_it_come(library: Library) {
    type GetIds = unsafe extern "C" fn(u32, *mut Handle, *mut u32) -> c_int;
    let layers = config::vendors_variable(LAYERS).unwrap_or_default();
    let mut files = layers.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes).map(Path::new);
    if files.any(|file| file.file_name() == Some(OsStr::new(FILE)))
        && let Some(first) = library.function(c"clGetPlatformIDs")
    {
        let mut count = 0;
        // SAFETY: the real function, which has this signature (CL/cl.h), asked for the number of platforms. The program is about to make its
        // own first call, which would set the loader up just so.
        unsafe { std::mem::transmute::<*mut c_void, GetIds>(first)(0, std::ptr::null_mut(), &raw mut count) };
    }
}

/// Says so if these are two loaders: the calls of the second one meet no handlers.
pub(crate) fn warn_of_a_second_loader(first: Library, second: Library) {
    let loader =
        |library: Library| library.file_with(LOADER).or_else(|| library.file_with(c"clGetPlatformIDs"));
    if let (Some(first), Some(second)) = (loader(first), loader(second))
        && first != second
    {
        report::once(&format!(
            "a second OpenCL loader, {}, beside {}: what the program does by it is not scheduled",
            second.display(),
            first.display()
        ));
    }
}
