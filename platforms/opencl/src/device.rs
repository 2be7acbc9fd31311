//! The [`DeviceKey`] of an OpenCL device: the same for every driver that reaches the same hardware.
//!
//! What computes on the CPU is the CPU, whatever else it says it is; what has a PCI address is called by that, as CUDA and others call
//! it; then comes a vendor's UUID, and last the name; docs/design/0007 has the reasons. Answers are bytes until
//! they have the size that they must have: drivers answer what they like to questions that they do not know.
//!
//! Sources of the names: CL/cl.h, and the extensions cl_khr_pci_bus_info, cl_nv_device_attribute_query,
//! cl_amd_device_attribute_query and cl_khr_device_uuid.

use crate::driver::{CL_SUCCESS, Driver, GetInfo, Handle, handle_info};
use std::path::Path;
use xsched_core::DeviceKey;

const CL_DEVICE_TYPE: u32 = 0x1000;
const CL_DEVICE_NAME: u32 = 0x102B;
const CL_DEVICE_PLATFORM: u32 = 0x1031;
const CL_DEVICE_PARENT_DEVICE: u32 = 0x1042;
/// Four words: domain, bus, device and function.
const CL_DEVICE_PCI_BUS_INFO_KHR: u32 = 0x410F;
const CL_DEVICE_PCI_BUS_ID_NV: u32 = 0x4008;
/// Device and function as PCI has them in one byte: 5 and 3 bits.
const CL_DEVICE_PCI_SLOT_ID_NV: u32 = 0x4009;
const CL_DEVICE_PCI_DOMAIN_ID_NV: u32 = 0x400A;
/// A `cl_device_topology_amd` of 24 bytes: type (1: PCIe), and bus, device and function as its last three.
const CL_DEVICE_TOPOLOGY_AMD: u32 = 0x4037;
const CL_DEVICE_UUID_KHR: u32 = 0x106A;
const CL_DEVICE_TYPE_CPU: u64 = 1 << 1;
const CL_DEVICE_TYPE_ALL: u64 = 0xFFFF_FFFF;

/// AMD's number among the makers of PCI devices, as sysfs shows it.
const AMD: &str = "0x1002";

/// The key of a device. A sub-device has its parent's: it is a part of the same hardware.
///
/// # Safety
/// `device` is an OpenCL device of this driver.
pub(crate) unsafe fn key(driver: &Driver, device: Handle) -> DeviceKey {
    let mut device = device;
    // Partitions of partitions are rare; the bound is for broken drivers.
    for _ in 0..8 {
        // SAFETY: `device` is a device, by the caller or as a device's parent.
        match unsafe { handle_info(driver.clGetDeviceInfo, device, CL_DEVICE_PARENT_DEVICE) } {
            Some(parent) => device = parent,
            None => break,
        }
    }
    // SAFETY: as above.
    let answers = Answers(|name| unsafe { answer(driver.clGetDeviceInfo, device, name) });
    answers.key(Path::new("/sys/bus/pci/devices")).unwrap_or_else(|| {
        // SAFETY: as above.
        DeviceKey::named(&answers.name(), unsafe { place_among_namesakes(driver, device, &answers.name()) })
    })
}

/// What a driver answers about a device: the bytes of an information of `clGetDeviceInfo`, if it has it.
struct Answers<F: Fn(u32) -> Option<Vec<u8>>>(F);

impl<F: Fn(u32) -> Option<Vec<u8>>> Answers<F> {
    /// The key, unless all that there is is a name. `pci` is sysfs's folder of PCI devices.
    fn key(&self, pci: &Path) -> Option<DeviceKey> {
        let is_cpu = self.long(CL_DEVICE_TYPE).is_some_and(|kind| kind & CL_DEVICE_TYPE_CPU != 0);
        if is_cpu {
            return Some(DeviceKey::cpu(0));
        }
        let address = self.pci_khr().or_else(|| self.pci_nvidia()).or_else(|| self.pci_amd(pci));
        // The first place of all is the bridge of the processor itself: a driver that says so knows no address.
        if let Some(Address { domain, bus, device, function }) =
            address.filter(|address| *address != Address::default())
        {
            return Some(DeviceKey::pci(domain, bus, device, function));
        }
        self.exactly::<16>(CL_DEVICE_UUID_KHR).filter(|uuid| *uuid != [0; 16]).map(DeviceKey::uuid)
    }

    fn pci_khr(&self) -> Option<Address> {
        let bytes = self.exactly::<16>(CL_DEVICE_PCI_BUS_INFO_KHR)?;
        let mut words =
            bytes.chunks_exact(4).filter_map(|word| Some(u32::from_ne_bytes(word.try_into().ok()?)));
        let mut next = || words.next();
        Address::new(next()?, next()?, next()?, next()?)
    }

    fn pci_nvidia(&self) -> Option<Address> {
        let (bus, slot) = (self.word(CL_DEVICE_PCI_BUS_ID_NV)?, self.word(CL_DEVICE_PCI_SLOT_ID_NV)?);
        // Drivers before 2019 have no domain.
        let domain = self.word(CL_DEVICE_PCI_DOMAIN_ID_NV).unwrap_or(0);
        Address::new(domain, bus, slot >> 3, slot & 7)
    }

    fn pci_amd(&self, pci: &Path) -> Option<Address> {
        let topology = self.exactly::<24>(CL_DEVICE_TOPOLOGY_AMD)?;
        let is_pcie = topology.first_chunk() == Some(&1u32.to_ne_bytes());
        let [bus, device, function] = *topology.last_chunk().filter(|_| is_pcie)?;
        Some(Address { domain: 0, bus, device, function }.in_domain_of(AMD, pci))
    }

    fn name(&self) -> String {
        until_nul(&(self.0)(CL_DEVICE_NAME).unwrap_or_default())
    }

    fn word(&self, name: u32) -> Option<u32> {
        self.exactly(name).map(u32::from_ne_bytes)
    }

    fn long(&self, name: u32) -> Option<u64> {
        self.exactly(name).map(u64::from_ne_bytes)
    }

    fn exactly<const N: usize>(&self, name: u32) -> Option<[u8; N]> {
        (self.0)(name)?.try_into().ok()
    }
}

/// A place on the PCI bus.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Address {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl Address {
    /// `None` if there is no such place.
    fn new(domain: u32, bus: u32, device: u32, function: u32) -> Option<Address> {
        let fits = device < 32 && function < 8;
        let narrow = |number: u32| u8::try_from(number).ok().filter(|_| fits);
        Some(Address { domain, bus: narrow(bus)?, device: narrow(device)?, function: narrow(function)? })
    }

    /// The same place in the domain where sysfs (its folder `pci`) has a device of that maker there, if that is one domain only.
    fn in_domain_of(self, maker: &str, pci: &Path) -> Address {
        let place = format!("{:02x}:{:02x}.{:x}", self.bus, self.device, self.function);
        let domain_of = |entry: std::fs::DirEntry| {
            let name = entry.file_name();
            let (domain, rest) = name.to_str()?.split_once(':')?;
            let is_theirs = || {
                std::fs::read_to_string(entry.path().join("vendor")).is_ok_and(|text| text.trim() == maker)
            };
            u32::from_str_radix(domain, 16).ok().filter(|_| rest == place && is_theirs())
        };
        let mut domains = std::fs::read_dir(pci).into_iter().flatten().flatten().filter_map(domain_of);
        match (domains.next(), domains.next()) {
            (Some(domain), None) => Address { domain, ..self },
            _ => self,
        }
    }
}

/// A text out of `clGet*Info`; empty if there is none.
///
/// # Safety
/// `object` is of the kind that `get` takes.
pub(crate) unsafe fn text(get: Option<GetInfo>, object: Handle, name: u32) -> String {
    // SAFETY: by the caller.
    until_nul(&unsafe { answer(get, object, name) }.unwrap_or_default())
}

fn until_nul(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// The bytes that `clGet*Info` answers, if they are not many.
///
/// # Safety
/// `object` is of the kind that `get` takes.
unsafe fn answer(get: Option<GetInfo>, object: Handle, name: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; 256];
    let mut size = 0;
    // SAFETY: the buffer is ours and its size is told; the object by the caller.
    let result = unsafe { get?(object, name, bytes.len(), bytes.as_mut_ptr().cast(), &raw mut size) };
    let is_whole = result == CL_SUCCESS && size <= bytes.len();
    bytes.truncate(size);
    is_whole.then_some(bytes)
}

/// The device's place among the devices of its platform that have this name.
///
/// # Safety
/// As for [`answer`].
unsafe fn place_among_namesakes(driver: &Driver, device: Handle, name: &str) -> usize {
    let mut devices = [std::ptr::null_mut(); 64];
    let mut count = 0;
    // SAFETY: the device, by the caller.
    let platform = unsafe { handle_info(driver.clGetDeviceInfo, device, CL_DEVICE_PLATFORM) };
    let (Some(list), Some(platform)) = (driver.clGetDeviceIDs, platform) else { return 0 };
    // SAFETY: its platform, and room for as many as is said.
    let result = unsafe {
        list(platform, CL_DEVICE_TYPE_ALL, devices.len() as u32, devices.as_mut_ptr(), &raw mut count)
    };
    if result != CL_SUCCESS {
        return 0;
    }
    let before = devices.iter().take(count as usize).take_while(|other| **other != device);
    // SAFETY: devices that the driver has just given us.
    before.filter(|other| unsafe { text(driver.clGetDeviceInfo, **other, CL_DEVICE_NAME) } == name).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of a device about which this is answered; `None` if only its name is left.
    fn key(answers: &[(u32, &[u8])]) -> Option<String> {
        let pci = tempfile::tempdir().unwrap();
        key_beside(answers, pci.path())
    }

    fn key_beside(answers: &[(u32, &[u8])], pci: &Path) -> Option<String> {
        let find = |name| answers.iter().find(|(known, _)| *known == name).map(|(_, bytes)| bytes.to_vec());
        Answers(find).key(pci).map(|key| key.as_str().to_owned())
    }

    fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    const GPU: &[u8] = &4u64.to_ne_bytes();
    const CPU: &[u8] = &2u64.to_ne_bytes();
    /// Oclgrind's simulator: accelerator, GPU, CPU and default in one.
    const ALL_AT_ONCE: &[u8] = &15u64.to_ne_bytes();
    const UUID: &[u8] = &[0xab; 16];

    fn amd(kind: u32, bus: u8, device: u8, function: u8) -> Vec<u8> {
        [&kind.to_ne_bytes()[..], &[0; 17], &[bus, device, function]].concat()
    }

    #[test]
    fn whatever_computes_on_the_cpu_is_the_cpu() {
        let plain: &[(u32, &[u8])] = &[(CL_DEVICE_TYPE, CPU)];
        let with_uuid: &[(u32, &[u8])] = &[(CL_DEVICE_TYPE, CPU), (CL_DEVICE_UUID_KHR, UUID)];
        let simulator: &[(u32, &[u8])] = &[(CL_DEVICE_TYPE, ALL_AT_ONCE)];
        for answers in [plain, with_uuid, simulator] {
            assert_eq!(key(answers).unwrap(), "cpu:0");
        }
    }

    #[test]
    fn a_gpu_is_called_by_its_pci_address_whoever_tells_it() {
        let khr = words([0, 0x65, 0, 0]);
        let (bus, slot) = (words([0x65]), words([0]));
        let told_by_khronos: &[(u32, &[u8])] =
            &[(CL_DEVICE_TYPE, GPU), (CL_DEVICE_PCI_BUS_INFO_KHR, &khr), (CL_DEVICE_UUID_KHR, UUID)];
        let told_by_nvidia: &[(u32, &[u8])] = &[
            (CL_DEVICE_TYPE, GPU),
            (CL_DEVICE_PCI_BUS_ID_NV, &bus),
            (CL_DEVICE_PCI_SLOT_ID_NV, &slot),
            (CL_DEVICE_UUID_KHR, UUID),
        ];
        let topology = amd(1, 0x65, 0, 0);
        let told_by_amd: &[(u32, &[u8])] = &[(CL_DEVICE_TYPE, GPU), (CL_DEVICE_TOPOLOGY_AMD, &topology)];
        for answers in [told_by_khronos, told_by_nvidia, told_by_amd] {
            assert_eq!(key(answers).unwrap(), "pci:0000:65:00.0");
        }
    }

    #[test]
    fn domain_device_and_function_are_where_each_vendor_has_them() {
        let khr = words([0x1_0000, 1, 31, 7]);
        assert_eq!(key(&[(CL_DEVICE_PCI_BUS_INFO_KHR, &khr)]).unwrap(), "pci:10000:01:1f.7");
        let [bus, slot, domain] = [0xff, 34 << 3 | 2, 2].map(|word| words([word]));
        let nvidia: &[(u32, &[u8])] = &[
            (CL_DEVICE_PCI_BUS_ID_NV, &bus),
            (CL_DEVICE_PCI_SLOT_ID_NV, &slot),
            (CL_DEVICE_PCI_DOMAIN_ID_NV, &domain),
        ];
        assert_eq!(key(nvidia), None, "PCI has no device 34");
        let slot = words([17 << 3 | 2]);
        let nvidia = [nvidia[0], (CL_DEVICE_PCI_SLOT_ID_NV, &slot[..]), nvidia[2]];
        assert_eq!(key(&nvidia).unwrap(), "pci:0002:ff:11.2");
    }

    #[test]
    fn amds_domain_is_the_one_where_sysfs_has_their_device() {
        let topology = amd(1, 3, 0, 0);
        let pci = tempfile::tempdir().unwrap();
        let ask = || key_beside(&[(CL_DEVICE_TOPOLOGY_AMD, &topology)], pci.path()).unwrap();
        assert_eq!(ask(), "pci:0000:03:00.0");
        let add = |place: &str, vendor: &str| {
            std::fs::create_dir(pci.path().join(place)).unwrap();
            std::fs::write(pci.path().join(place).join("vendor"), vendor).unwrap();
        };
        add("0000:03:00.0", "0x10de\n");
        add("0001:03:00.0", "0x1002\n");
        add("0002:03:00.1", "0x1002\n");
        assert_eq!(ask(), "pci:0001:03:00.0");
        add("10000:03:00.0", "0x1002\n");
        assert_eq!(ask(), "pci:0000:03:00.0", "there are two: what the driver says has to do");
    }

    #[test]
    fn answers_that_cannot_be_are_none() {
        let nothing = words([0; 4]);
        let beyond = words([0, 256, 0, 0]);
        let topology = amd(2, 3, 0, 0);
        let short: &[u8] = &[1, 0, 0, 0, 9];
        for answers in [
            [(CL_DEVICE_PCI_BUS_INFO_KHR, &nothing[..]), (CL_DEVICE_UUID_KHR, &[0; 16])],
            [(CL_DEVICE_PCI_BUS_INFO_KHR, &beyond[..]), (CL_DEVICE_UUID_KHR, &[7; 15])],
            [(CL_DEVICE_TOPOLOGY_AMD, &topology[..]), (CL_DEVICE_TYPE, short)],
        ] {
            assert_eq!(key(&answers), None, "{answers:?}");
        }
        assert_eq!(key(&[(CL_DEVICE_UUID_KHR, UUID)]).unwrap(), format!("uuid:{}", "ab".repeat(16)));
    }

    #[test]
    fn a_name_ends_at_its_nul() {
        let name = |bytes: &'static [u8]| Answers(move |_| Some(bytes.to_vec())).name();
        assert_eq!(name(b"FPGA card\0"), "FPGA card");
        assert_eq!(name(b"FPGA card"), "FPGA card");
        assert_eq!(name(b""), "");
    }
}
