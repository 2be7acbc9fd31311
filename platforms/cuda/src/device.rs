//! The [`DeviceKey`] of a CUDA device: the same for every driver that reaches the same hardware, whatever `CUDA_VISIBLE_DEVICES` says.
//!
//! A GPU has its PCI address, as OpenCL on the same GPU has. A MIG instance is a device of its own: its UUID.

use crate::driver::{CUDA_SUCCESS, Driver};
use std::ffi::c_int;
use xsched_core::DeviceKey;

/// `CU_DEVICE_ATTRIBUTE_PCI_{BUS,DEVICE,DOMAIN}_ID`.
const PCI_BUS_ID: c_int = 33;
const PCI_DEVICE_ID: c_int = 34;
const PCI_DOMAIN_ID: c_int = 50;

/// The UUIDs of the GPU and of the part of it that the device is: the newer function names the MIG instance.
fn uuids(driver: &Driver, device: c_int) -> (Option<[u8; 16]>, Option<[u8; 16]>) {
    let uuid = |get: Option<unsafe extern "C" fn(*mut [u8; 16], c_int) -> c_int>| {
        let mut bytes = [0; 16];
        // SAFETY: a `CUuuid` has 16 bytes.
        (unsafe { get?(&raw mut bytes, device) } == CUDA_SUCCESS).then_some(bytes)
    };
    (uuid(driver.cuDeviceGetUuid), uuid(driver.cuDeviceGetUuid_v2))
}

/// The UUID of the GPU, if the device is all of it.
pub(crate) fn whole(driver: &Driver, device: c_int) -> Option<[u8; 16]> {
    let (whole, part) = uuids(driver, device);
    whole.filter(|whole| part.is_none_or(|part| part == *whole))
}

/// The key of a device.
pub(crate) fn key(driver: &Driver, device: c_int) -> DeviceKey {
    let (whole, part) = uuids(driver, device);
    if let (Some(whole), Some(part)) = (whole, part)
        && whole != part
    {
        return DeviceKey::uuid(part);
    }
    let attribute = |name| {
        let mut value = 0;
        // SAFETY: a place for the answer.
        let result = unsafe { driver.cuDeviceGetAttribute?(&raw mut value, name, device) };
        (result == CUDA_SUCCESS).then_some(value)
    };
    let byte = |name| attribute(name).and_then(|value| u8::try_from(value).ok());
    if let (Some(bus), Some(slot)) = (byte(PCI_BUS_ID), byte(PCI_DEVICE_ID)) {
        let domain = attribute(PCI_DOMAIN_ID).and_then(|value| u32::try_from(value).ok());
        return DeviceKey::pci(domain.unwrap_or(0), bus, slot, 0);
    }
    match part.or(whole) {
        Some(uuid) => DeviceKey::uuid(uuid),
        None => DeviceKey::named("cuda", usize::try_from(device).unwrap_or(0)),
    }
}
