//! The structures and values of level_zero/ze_api.h that the driver reads and writes.

use std::ffi::{c_char, c_int, c_void};

pub(crate) type Handle = *mut c_void;
pub(crate) type ZeResult = c_int;

pub(crate) const SUCCESS: ZeResult = 0;
pub(crate) const NOT_READY: ZeResult = 1;
pub(crate) const DEVICE_LOST: ZeResult = 0x7000_0001;
pub(crate) const OUT_OF_HOST_MEMORY: ZeResult = 0x7000_0002;
pub(crate) const UNSUPPORTED_FEATURE: ZeResult = 0x7800_0003;
pub(crate) const INVALID_ARGUMENT: ZeResult = 0x7800_0004;
pub(crate) const INVALID_NULL_POINTER: ZeResult = 0x7800_0007;
pub(crate) const INVALID_SIZE: ZeResult = 0x7800_0008;
pub(crate) const INVALID_SYNCHRONIZATION_OBJECT: ZeResult = 0x7800_000b;
pub(crate) const INVALID_KERNEL_NAME: ZeResult = 0x7800_0011;
pub(crate) const INVALID_KERNEL_ARGUMENT_INDEX: ZeResult = 0x7800_0015;
pub(crate) const INVALID_KERNEL_ARGUMENT_SIZE: ZeResult = 0x7800_0016;

pub(crate) const API_VERSION_1_4: u32 = 1 << 16 | 4;
pub(crate) const DEVICE_TYPE_GPU: c_int = 1;
/// Compute and copy.
pub(crate) const GROUP_FLAGS: u32 = 1 << 0 | 1 << 1;
pub(crate) const MODE_SYNCHRONOUS: c_int = 1;
pub(crate) const FENCE_FLAG_SIGNALED: u32 = 1 << 0;
pub(crate) const MEMORY_TYPE_UNKNOWN: c_int = 0;

#[repr(C)]
pub(crate) struct DriverProperties {
    pub(crate) stype: c_int,
    pub(crate) next: *mut c_void,
    pub(crate) uuid: [u8; 16],
    pub(crate) version: u32,
}

#[repr(C)]
pub(crate) struct DeviceProperties {
    pub(crate) stype: c_int,
    pub(crate) next: *mut c_void,
    pub(crate) kind: c_int,
    pub(crate) vendor: u32,
    pub(crate) device: u32,
    pub(crate) flags: u32,
    pub(crate) subdevice: u32,
    pub(crate) core_clock_rate: u32,
    pub(crate) max_allocation: u64,
    pub(crate) counts: [u32; 7],
    pub(crate) timer_resolution: u64,
    pub(crate) valid_bits: [u32; 2],
    pub(crate) uuid: [u8; 16],
    pub(crate) name: [c_char; 256],
}

#[repr(C)]
pub(crate) struct PciProperties {
    pub(crate) stype: c_int,
    pub(crate) next: *mut c_void,
    pub(crate) address: [u32; 4],
    pub(crate) speed: [u64; 2],
}

#[repr(C)]
pub(crate) struct GroupProperties {
    pub(crate) stype: c_int,
    pub(crate) next: *mut c_void,
    pub(crate) flags: u32,
    pub(crate) max_fill_pattern: usize,
    pub(crate) queues: u32,
}

#[repr(C)]
pub(crate) struct MemoryProperties {
    pub(crate) stype: c_int,
    pub(crate) next: *mut c_void,
    pub(crate) flags: u32,
    pub(crate) clock_rate: u32,
    pub(crate) bus_width: u32,
    pub(crate) size: u64,
    pub(crate) name: [c_char; 256],
}

#[repr(C)]
pub(crate) struct AllocationProperties {
    pub(crate) stype: c_int,
    pub(crate) next: *mut c_void,
    pub(crate) kind: c_int,
    pub(crate) id: u64,
    pub(crate) page: u64,
}

#[repr(C)]
pub(crate) struct QueueDesc {
    pub(crate) stype: c_int,
    pub(crate) next: *const c_void,
    pub(crate) ordinal: u32,
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) mode: c_int,
    pub(crate) priority: c_int,
}

#[repr(C)]
pub(crate) struct EventPoolDesc {
    pub(crate) stype: c_int,
    pub(crate) next: *const c_void,
    pub(crate) flags: u32,
    pub(crate) count: u32,
}

#[repr(C)]
pub(crate) struct EventDesc {
    pub(crate) stype: c_int,
    pub(crate) next: *const c_void,
    pub(crate) index: u32,
    pub(crate) signal: u32,
    pub(crate) wait: u32,
}

#[repr(C)]
pub(crate) struct FenceDesc {
    pub(crate) stype: c_int,
    pub(crate) next: *const c_void,
    pub(crate) flags: u32,
}

#[repr(C)]
pub(crate) struct KernelDesc {
    pub(crate) stype: c_int,
    pub(crate) next: *const c_void,
    pub(crate) flags: u32,
    pub(crate) name: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct CopyRegion {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) z: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) depth: u32,
}

/// Writes a name where C expects one.
pub(crate) fn name(text: &str) -> [c_char; 256] {
    let mut name = [0; 256];
    for (to, from) in name.iter_mut().zip(text.bytes()) {
        *to = from.cast_signed();
    }
    name
}
