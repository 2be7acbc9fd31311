//! The real `libze_loader.so.1` and those of its functions that we call ourselves, with the structures that they take.
//!
//! Source of names, values and layouts: level_zero/ze_api.h (Level Zero 1.4 and later; all layouts are those of every version).

use std::ffi::{c_int, c_void};

/// Any Level Zero object.
pub(crate) type Handle = *mut c_void;

/// `ze_result_t`.
pub(crate) type ZeResult = c_int;

pub(crate) const ZE_RESULT_SUCCESS: ZeResult = 0;
/// Something waited for is not complete yet.
pub(crate) const ZE_RESULT_NOT_READY: ZeResult = 1;
/// `ZE_RESULT_ERROR_NOT_AVAILABLE`: what launches answer when the user asked for no launch without xserver.
pub(crate) const ZE_RESULT_ERROR_NOT_AVAILABLE: ZeResult = 0x7001_0001;

pub(crate) const ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS: c_int = 1;
/// Of an immediate list: its commands run in order (since 1.7).
pub(crate) const ZE_COMMAND_QUEUE_FLAG_IN_ORDER: u32 = 1 << 1;

pub(crate) const ZE_STRUCTURE_TYPE_CONTEXT_DESC: c_int = 0xd;
pub(crate) const ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC: c_int = 0xe;
const ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC: c_int = 0xf;
const ZE_STRUCTURE_TYPE_EVENT_POOL_DESC: c_int = 0x10;
const ZE_STRUCTURE_TYPE_EVENT_DESC: c_int = 0x11;
const ZE_STRUCTURE_TYPE_FENCE_DESC: c_int = 0x12;
const ZE_EVENT_POOL_FLAG_HOST_VISIBLE: u32 = 1 << 0;
const ZE_EVENT_SCOPE_FLAG_HOST: u32 = 1 << 2;

/// `ze_command_queue_desc_t`: of a queue, and of an immediate list.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueDesc {
    pub(crate) stype: c_int,
    pub(crate) next: *const c_void,
    pub(crate) ordinal: u32,
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) mode: c_int,
    pub(crate) priority: c_int,
}

/// `ze_command_list_desc_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct ListDesc {
    stype: c_int,
    next: *const c_void,
    ordinal: u32,
    flags: u32,
}

impl ListDesc {
    pub(crate) fn new(ordinal: u32) -> ListDesc {
        ListDesc { stype: ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC, next: std::ptr::null(), ordinal, flags: 0 }
    }
}

/// `ze_event_pool_desc_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct EventPoolDesc {
    stype: c_int,
    next: *const c_void,
    flags: u32,
    count: u32,
}

impl EventPoolDesc {
    /// A pool of one event that the host can ask.
    pub(crate) fn new() -> EventPoolDesc {
        let flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE;
        EventPoolDesc { stype: ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, next: std::ptr::null(), flags, count: 1 }
    }
}

/// `ze_event_desc_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct EventDesc {
    stype: c_int,
    next: *const c_void,
    index: u32,
    signal: u32,
    wait: u32,
}

impl EventDesc {
    /// The first of its pool, signalled to the host.
    pub(crate) fn new() -> EventDesc {
        let (stype, signal) = (ZE_STRUCTURE_TYPE_EVENT_DESC, ZE_EVENT_SCOPE_FLAG_HOST);
        EventDesc { stype, next: std::ptr::null(), index: 0, signal, wait: 0 }
    }
}

/// `ze_fence_desc_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct FenceDesc {
    stype: c_int,
    next: *const c_void,
    flags: u32,
}

impl FenceDesc {
    /// A fence that is not signalled.
    pub(crate) fn new() -> FenceDesc {
        FenceDesc { stype: ZE_STRUCTURE_TYPE_FENCE_DESC, next: std::ptr::null(), flags: 0 }
    }
}

xsched_runtime::real_functions! {
    /// The functions that we call ourselves.
    struct Driver {
        zeDeviceGetProperties: unsafe extern "C" fn(Handle, *mut crate::device::Properties) -> ZeResult;
        zeDevicePciGetPropertiesExt: unsafe extern "C" fn(Handle, *mut crate::device::PciProperties) -> ZeResult;
        zeCommandListCreate: unsafe extern "C" fn(Handle, Handle, *const ListDesc, *mut Handle) -> ZeResult;
        zeCommandListClose: unsafe extern "C" fn(Handle) -> ZeResult;
        zeCommandListDestroy: unsafe extern "C" fn(Handle) -> ZeResult;
        zeCommandListAppendBarrier: unsafe extern "C" fn(Handle, Handle, u32, *const Handle) -> ZeResult;
        zeCommandListHostSynchronize: unsafe extern "C" fn(Handle, u64) -> ZeResult;
        zeCommandQueueExecuteCommandLists: unsafe extern "C" fn(Handle, u32, *const Handle, Handle) -> ZeResult;
        zeCommandQueueSynchronize: unsafe extern "C" fn(Handle, u64) -> ZeResult;
        zeFenceCreate: unsafe extern "C" fn(Handle, *const FenceDesc, *mut Handle) -> ZeResult;
        zeFenceDestroy: unsafe extern "C" fn(Handle) -> ZeResult;
        zeFenceHostSynchronize: unsafe extern "C" fn(Handle, u64) -> ZeResult;
        zeFenceQueryStatus: unsafe extern "C" fn(Handle) -> ZeResult;
        zeFenceReset: unsafe extern "C" fn(Handle) -> ZeResult;
        zeEventPoolCreate: unsafe extern "C" fn(Handle, *const EventPoolDesc, u32, *const Handle, *mut Handle) -> ZeResult;
        zeEventPoolDestroy: unsafe extern "C" fn(Handle) -> ZeResult;
        zeEventCreate: unsafe extern "C" fn(Handle, *const EventDesc, *mut Handle) -> ZeResult;
        zeEventDestroy: unsafe extern "C" fn(Handle) -> ZeResult;
        zeEventHostSynchronize: unsafe extern "C" fn(Handle, u64) -> ZeResult;
        zeEventQueryStatus: unsafe extern "C" fn(Handle) -> ZeResult;
        zeEventHostReset: unsafe extern "C" fn(Handle) -> ZeResult;
    }
}

xsched_runtime::real_library!(Driver, "libze_loader.so.1", "XSCHED_LEVELZERO_LIB", levelzero_lib, load);
