//! The [`DeviceKey`] of a Level Zero device: the same that other platforms have for the same hardware.
//!
//! Source of the layouts: level_zero/ze_api.h.

use crate::driver::{Driver, Handle, ZE_RESULT_SUCCESS};
use std::ffi::{c_char, c_int, c_void};
use xsched_core::DeviceKey;

const ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES: c_int = 0x3;
const ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES: c_int = 0x1_0008;
const ZE_DEVICE_TYPE_CPU: c_int = 2;

/// `ze_device_properties_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Properties {
    stype: c_int,
    next: *mut c_void,
    kind: c_int,
    vendor: u32,
    device: u32,
    flags: u32,
    subdevice: u32,
    core_clock_rate: u32,
    max_allocation: u64,
    /// Hardware contexts, queue priorities, threads, widths and counts of units.
    counts: [u32; 7],
    timer_resolution: u64,
    /// Of timestamps, of kernels' timestamps.
    valid_bits: [u32; 2],
    uuid: [u8; 16],
    name: [c_char; 256],
}

/// `ze_pci_ext_properties_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct PciProperties {
    stype: c_int,
    next: *mut c_void,
    domain: u32,
    bus: u32,
    device: u32,
    function: u32,
    /// Generation, lanes, bandwidth.
    speed: (i32, i32, i64),
}

/// The key of a device. The CPU's has the same as in other runtimes on the CPU; a sub-device (tile) has its device's, because its PCI
/// address is that of the device.
///
/// # Safety
/// `device` is a device of the real loader's.
pub(crate) unsafe fn key(driver: &Driver, device: Handle) -> DeviceKey {
    // SAFETY: by the caller.
    let properties = unsafe { properties(driver, device) };
    if properties.as_ref().is_some_and(|p| p.kind == ZE_DEVICE_TYPE_CPU) {
        return DeviceKey::cpu(0);
    }
    // SAFETY: by the caller.
    if let Some(p) = unsafe { pci(driver, device) } {
        let narrow = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        return DeviceKey::pci(p.domain, narrow(p.bus), narrow(p.device), narrow(p.function));
    }
    match properties {
        Some(p) if p.uuid != [0; 16] => DeviceKey::uuid(p.uuid),
        Some(p) => DeviceKey::named(&p.name(), 0),
        None => DeviceKey::named("level zero", 0),
    }
}

/// The vendor's name of a device.
///
/// # Safety
/// `device` is a device of the real loader's.
pub(crate) unsafe fn name(driver: &Driver, device: Handle) -> String {
    // SAFETY: by the caller.
    unsafe { properties(driver, device) }.map(|p| p.name()).unwrap_or_default()
}

impl Properties {
    fn name(&self) -> String {
        let bytes: Vec<u8> =
            self.name.iter().map(|c| c.cast_unsigned()).take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

unsafe fn properties(driver: &Driver, device: Handle) -> Option<Properties> {
    // SAFETY: numbers and a null pointer.
    let mut properties: Properties = unsafe { std::mem::zeroed() };
    properties.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES;
    // SAFETY: a device, by the caller; the structure is ours.
    let result = unsafe { driver.zeDeviceGetProperties?(device, &raw mut properties) };
    (result == ZE_RESULT_SUCCESS).then_some(properties)
}

/// The PCI address; 0000:00:00.0, which drivers without one leave, is none.
unsafe fn pci(driver: &Driver, device: Handle) -> Option<PciProperties> {
    // SAFETY: numbers and a null pointer.
    let mut pci: PciProperties = unsafe { std::mem::zeroed() };
    pci.stype = ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES;
    // SAFETY: as above.
    let result = unsafe { driver.zeDevicePciGetPropertiesExt?(device, &raw mut pci) };
    let is_address = [pci.domain, pci.bus, pci.device, pci.function] != [0; 4];
    (result == ZE_RESULT_SUCCESS && is_address).then_some(pci)
}
