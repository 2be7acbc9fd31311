//! The one driver, its one device, and contexts.

use crate::device;
use crate::ffi::{
    API_VERSION_1_4, DEVICE_LOST, DEVICE_TYPE_GPU, DeviceProperties, DriverProperties, GROUP_FLAGS,
    GroupProperties, Handle, INVALID_ARGUMENT, MemoryProperties, PciProperties, SUCCESS, UNSUPPORTED_FEATURE,
    ZeResult, name,
};
use crate::objects::{destroy, handle};
use std::ffi::{c_char, c_void};

/// Something to point to.
static DRIVER: u64 = 1;
static DEVICE: u64 = 2;

pub(crate) unsafe extern "C" fn init(_flags: u32) -> ZeResult {
    SUCCESS
}

/// The one thing there is, as lists are asked for: how many, or which.
unsafe fn one(thing: *const u64, count: *mut u32, to: *mut Handle) -> ZeResult {
    // SAFETY: the program's places, as Level Zero demands.
    unsafe {
        if *count > 0 && !to.is_null() {
            to.write(thing.cast_mut().cast());
        }
        *count = 1;
    }
    SUCCESS
}

pub(crate) unsafe extern "C" fn get(count: *mut u32, drivers: *mut Handle) -> ZeResult {
    // SAFETY: by the caller; so everywhere below.
    unsafe { one(&raw const DRIVER, count, drivers) }
}

pub(crate) unsafe extern "C" fn devices(_driver: Handle, count: *mut u32, devices: *mut Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { one(&raw const DEVICE, count, devices) }
}

pub(crate) unsafe extern "C" fn subdevices(_device: Handle, count: *mut u32, _: *mut Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { count.write(0) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn api_version(_driver: Handle, version: *mut u32) -> ZeResult {
    // SAFETY: as above.
    unsafe { version.write(API_VERSION_1_4) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn properties(_driver: Handle, to: *mut DriverProperties) -> ZeResult {
    // SAFETY: as above.
    unsafe {
        (*to).uuid = *b"simulated driver";
        (*to).version = 1;
    }
    SUCCESS
}

pub(crate) unsafe extern "C" fn extension_properties(_: Handle, count: *mut u32, _: *mut c_void) -> ZeResult {
    // SAFETY: as above.
    unsafe { count.write(0) };
    SUCCESS
}

/// One function has a name of its own, so that asking by name can be tested: the barrier.
pub(crate) unsafe extern "C" fn extension_address(
    _driver: Handle,
    name: *const c_char,
    to: *mut *const c_void,
) -> ZeResult {
    // SAFETY: as above.
    if unsafe { std::ffi::CStr::from_ptr(name) } != c"zeCommandListAppendBarrier" {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as above.
    unsafe { to.write(super::command::append_barrier as *const c_void) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn device_properties(_device: Handle, to: *mut DeviceProperties) -> ZeResult {
    // SAFETY: as above.
    let to = unsafe { &mut *to };
    (to.kind, to.vendor, to.device, to.flags, to.subdevice) = (DEVICE_TYPE_GPU, 0, 0, 0, 0);
    (to.core_clock_rate, to.max_allocation) = (1_000, 1 << 30);
    to.counts = [1, 0, 1, 1, 1, 1, 1];
    (to.timer_resolution, to.valid_bits) = (1, [64, 64]);
    to.uuid = *b"simulated device";
    to.name = name("simulated Level Zero device");
    SUCCESS
}

/// An address that no real machine has: domain ffff.
pub(crate) unsafe extern "C" fn pci_properties(_device: Handle, to: *mut PciProperties) -> ZeResult {
    // SAFETY: as above.
    unsafe { (*to).address = [0xffff, 0x5a, 0, 0] };
    SUCCESS
}

pub(crate) unsafe extern "C" fn group_properties(
    _device: Handle,
    count: *mut u32,
    to: *mut GroupProperties,
) -> ZeResult {
    // SAFETY: as above.
    unsafe {
        if *count > 0 && !to.is_null() {
            ((*to).flags, (*to).max_fill_pattern, (*to).queues) = (GROUP_FLAGS, 16, 8);
        }
        *count = 1;
    }
    SUCCESS
}

pub(crate) unsafe extern "C" fn memory_properties(
    _device: Handle,
    count: *mut u32,
    to: *mut MemoryProperties,
) -> ZeResult {
    // SAFETY: as above.
    unsafe {
        if *count > 0 && !to.is_null() {
            ((*to).flags, (*to).clock_rate, (*to).bus_width, (*to).size) = (0, 1_000, 64, 1 << 30);
            (*to).name = name("the machine's");
        }
        *count = 1;
    }
    SUCCESS
}

/// Of the device, or of a context.
pub(crate) unsafe extern "C" fn status(_object: Handle) -> ZeResult {
    if device::is_lost() { DEVICE_LOST } else { SUCCESS }
}

pub(crate) unsafe extern "C" fn create_context(_: Handle, desc: *const c_void, to: *mut Handle) -> ZeResult {
    if desc.is_null() {
        return UNSUPPORTED_FEATURE;
    }
    // SAFETY: as above.
    unsafe { to.write(handle(0_u64)) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy_context(context: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy::<u64>(context) };
    SUCCESS
}
