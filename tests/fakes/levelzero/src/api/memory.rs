//! Memory: all of it is the machine's.

use crate::ffi::{
    AllocationProperties, Handle, INVALID_ARGUMENT, MEMORY_TYPE_UNKNOWN, OUT_OF_HOST_MEMORY, SUCCESS,
    ZeResult,
};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `ze_memory_type_t`.
const HOST: i32 = 1;
const DEVICE: i32 = 2;
const SHARED: i32 = 3;

/// Every allocation: its layout and its kind.
fn allocations() -> MutexGuard<'static, BTreeMap<usize, (Layout, i32)>> {
    static ALL: Mutex<BTreeMap<usize, (Layout, i32)>> = Mutex::new(BTreeMap::new());
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe fn alloc(size: usize, alignment: usize, kind: i32, to: *mut *mut c_void) -> ZeResult {
    let Ok(layout) = Layout::from_size_align(size.max(1), alignment.max(64)) else { return INVALID_ARGUMENT };
    // SAFETY: of a size that is not 0.
    let place = unsafe { alloc_zeroed(layout) };
    if place.is_null() {
        return OUT_OF_HOST_MEMORY;
    }
    allocations().insert(place as usize, (layout, kind));
    // SAFETY: the program's place.
    unsafe { to.write(place.cast()) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn alloc_shared(
    _context: Handle,
    _device_desc: *const c_void,
    _host_desc: *const c_void,
    size: usize,
    alignment: usize,
    _device: Handle,
    to: *mut *mut c_void,
) -> ZeResult {
    // SAFETY: by the caller; so below.
    unsafe { alloc(size, alignment, SHARED, to) }
}

pub(crate) unsafe extern "C" fn alloc_device(
    _context: Handle,
    _desc: *const c_void,
    size: usize,
    alignment: usize,
    _device: Handle,
    to: *mut *mut c_void,
) -> ZeResult {
    // SAFETY: as above.
    unsafe { alloc(size, alignment, DEVICE, to) }
}

pub(crate) unsafe extern "C" fn alloc_host(
    _context: Handle,
    _desc: *const c_void,
    size: usize,
    alignment: usize,
    to: *mut *mut c_void,
) -> ZeResult {
    // SAFETY: as above.
    unsafe { alloc(size, alignment, HOST, to) }
}

pub(crate) unsafe extern "C" fn free(_context: Handle, place: *mut c_void) -> ZeResult {
    let Some((layout, _)) = allocations().remove(&(place as usize)) else { return INVALID_ARGUMENT };
    // SAFETY: allocated with this layout, and freed once.
    unsafe { dealloc(place.cast(), layout) };
    SUCCESS
}

/// The allocation that an address is in.
fn find(place: *const c_void) -> Option<(usize, Layout, i32)> {
    let all = allocations();
    let (base, (layout, kind)) = all.range(..=place as usize).next_back()?;
    (place as usize - base < layout.size()).then_some((*base, *layout, *kind))
}

pub(crate) unsafe extern "C" fn properties(
    _context: Handle,
    place: *const c_void,
    to: *mut AllocationProperties,
    _device: *mut Handle,
) -> ZeResult {
    let found = find(place);
    // SAFETY: as above.
    unsafe {
        (*to).kind = found.map_or(MEMORY_TYPE_UNKNOWN, |(_, _, kind)| kind);
        (*to).id = 0;
        (*to).page = 4096;
    }
    SUCCESS
}

pub(crate) unsafe extern "C" fn address_range(
    _context: Handle,
    place: *const c_void,
    base: *mut usize,
    size: *mut usize,
) -> ZeResult {
    let Some((found, layout, _)) = find(place) else { return INVALID_ARGUMENT };
    // SAFETY: as above; each place may be null.
    unsafe {
        if !base.is_null() {
            base.write(found);
        }
        if !size.is_null() {
            size.write(layout.size());
        }
    }
    SUCCESS
}
