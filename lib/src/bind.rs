//! The one C function between a stand-in and this library.

use crate::platforms::{LAYERS, PLATFORMS};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicPtr;
use xsched_runtime::report;

/// Version of this contract.
const ABI: u32 = 1;

/// Fills the table of a stand-in: slot `i` of `table` belongs to the function `names[i]` of `platform`. Returns 0 when everything that the
/// real library has is in; else it has said why not, and the stand-in answers for itself.
///
/// # Safety
/// `platform`, `stand_in` (the stand-in's folder) and the `count` `names` are C strings; `names` and `table` have `count` entries and
/// live as long as the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xsched_shim_bind(
    abi: u32,
    platform: *const c_char,
    stand_in: *const c_char,
    names: *const *const c_char,
    count: usize,
    table: *const AtomicPtr<c_void>,
) -> c_int {
    if abi != ABI {
        report::once(&format!(
            "a stand-in of another version (ABI {abi}, this library has {ABI}): install both from one release"
        ));
        return 1;
    }
    // SAFETY: by the caller.
    let (platform, stand_in) = unsafe { (CStr::from_ptr(platform), CStr::from_ptr(stand_in)) };
    // SAFETY: by the caller.
    let slots: Vec<(&CStr, &AtomicPtr<c_void>)> =
        unsafe { (0..count).map(|i| (CStr::from_ptr(*names.add(i)), &*table.add(i))).collect() };
    let stand_ins = PLATFORMS.iter().map(|it| (it.name, it.bind));
    let Some((_, bind)) = stand_ins.chain(LAYERS.iter().copied()).find(|(name, _)| *name == platform) else {
        report::once(&format!("no platform {platform:?} in this library"));
        return 1;
    };
    // SAFETY: the slots belong to the functions of that platform, by the caller.
    match unsafe { bind(Path::new(OsStr::from_bytes(stand_in.to_bytes())), &slots) } {
        Ok(()) => 0,
        Err(why) => {
            report::once(&why);
            1
        }
    }
}
