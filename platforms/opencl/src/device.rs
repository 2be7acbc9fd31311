//! The [`DeviceKey`] of an OpenCL device: the same for every driver that reaches the same hardware.
//!
//! Sources of the names: CL/cl.h, and the extensions cl_khr_pci_bus_info, cl_nv_device_attribute_query,
//! cl_amd_device_attribute_query and cl_khr_device_uuid.

use crate::driver::{CL_SUCCESS, Driver, GetInfo, Handle, handle_info, info};
use xsched_core::DeviceKey;

const CL_DEVICE_TYPE: u32 = 0x1000;
const CL_DEVICE_NAME: u32 = 0x102B;
const CL_DEVICE_PARENT_DEVICE: u32 = 0x1042;
const CL_DEVICE_PCI_BUS_INFO_KHR: u32 = 0x410F;
const CL_DEVICE_PCI_BUS_ID_NV: u32 = 0x4008;
const CL_DEVICE_PCI_SLOT_ID_NV: u32 = 0x4009;
const CL_DEVICE_PCI_DOMAIN_ID_NV: u32 = 0x400A;
/// A `cl_device_topology_amd` of 24 bytes: type (1: PCIe), and bus, device and function as its last three.
const CL_DEVICE_TOPOLOGY_AMD: u32 = 0x4037;
const CL_DEVICE_UUID_KHR: u32 = 0x106A;
const CL_DEVICE_TYPE_CPU: u64 = 1 << 1;

/// The key of a device. Runtimes on the CPU share one key, because they share the cores; a sub-device has its parent's.
///
/// # Safety
/// `device` is an OpenCL device of this driver.
pub(crate) unsafe fn key(driver: &Driver, device: Handle) -> DeviceKey {
    let get = driver.clGetDeviceInfo;
    let mut device = device;
    // Partitions of partitions are rare; the bound is for broken drivers.
    for _ in 0..8 {
        // SAFETY: `device` is a device, by the caller or as a device's parent.
        match unsafe { handle_info(get, device, CL_DEVICE_PARENT_DEVICE) } {
            Some(parent) => device = parent,
            None => break,
        }
    }
    // SAFETY: `device` is a device; so for every call below.
    let kind = unsafe { info::<u64>(get, device, CL_DEVICE_TYPE) };
    if kind.is_some_and(|kind| kind & CL_DEVICE_TYPE_CPU != 0) {
        return DeviceKey::cpu(0);
    }
    let narrow = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    // SAFETY: as above.
    let pci = unsafe { info::<[u32; 4]>(get, device, CL_DEVICE_PCI_BUS_INFO_KHR) };
    if let Some([domain, bus, slot, function]) = pci {
        return DeviceKey::pci(domain, narrow(bus), narrow(slot), narrow(function));
    }
    // SAFETY: as above.
    let number = |name| unsafe { info::<u32>(get, device, name) };
    let (bus, slot) = (number(CL_DEVICE_PCI_BUS_ID_NV), number(CL_DEVICE_PCI_SLOT_ID_NV));
    if let (Some(bus), Some(slot)) = (bus, slot) {
        let domain = number(CL_DEVICE_PCI_DOMAIN_ID_NV).unwrap_or(0);
        // The slot id holds device and function as PCI does: 5 and 3 bits.
        return DeviceKey::pci(domain, narrow(bus), narrow(slot >> 3), narrow(slot & 7));
    }
    // SAFETY: as above.
    if let Some(topology) = unsafe { info::<[u8; 24]>(get, device, CL_DEVICE_TOPOLOGY_AMD) }
        && topology.first_chunk() == Some(&1u32.to_le_bytes())
        && let Some([bus, device, function]) = topology.last_chunk()
    {
        return DeviceKey::pci(0, *bus, *device, *function);
    }
    // SAFETY: as above.
    if let Some(uuid) = unsafe { info::<[u8; 16]>(get, device, CL_DEVICE_UUID_KHR) } {
        return DeviceKey::uuid(uuid);
    }
    // SAFETY: as above.
    DeviceKey::named(&unsafe { text(get, device, CL_DEVICE_NAME) }, 0)
}

/// A text out of `clGet*Info`; empty if there is none.
///
/// # Safety
/// `object` is of the kind that `get` takes.
pub(crate) unsafe fn text(get: Option<GetInfo>, object: Handle, name: u32) -> String {
    let mut bytes = [0u8; 256];
    let mut size = 0;
    let Some(get) = get else { return String::new() };
    // SAFETY: the buffer is ours and its size is told; the object is of the right kind by the caller.
    let result = unsafe { get(object, name, bytes.len(), bytes.as_mut_ptr().cast(), &raw mut size) };
    let end = size.saturating_sub(1).min(bytes.len());
    let text = bytes.get(..end).filter(|_| result == CL_SUCCESS).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
