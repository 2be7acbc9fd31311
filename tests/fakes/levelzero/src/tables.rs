//! The tables of functions that the loader asks for: `zeGet…ProcAddrTable`, each a list of places (level_zero/ze_ddi.h) and functions.

use crate::api::{command, driver, memory, module, sync};
use crate::ffi::{INVALID_NULL_POINTER, SUCCESS, ZeResult};
use std::ffi::c_void;

macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident { $($place:literal $function:path;)* })*) => { $(
        /// Fills the table of that name.
        ///
        /// # Safety
        /// `table` is null, or a table of that kind.
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $table(_version: u32, table: *mut *const c_void) -> ZeResult {
            if table.is_null() {
                return INVALID_NULL_POINTER;
            }
            $(
                // SAFETY: a place in that table, by the caller.
                unsafe { table.add($place).write($function as *const c_void) };
            )*
            SUCCESS
        }
    )* };
}

tables! {
    zeGetGlobalProcAddrTable { 0 driver::init; }
    zeGetDriverProcAddrTable {
        0 driver::get; 1 driver::api_version; 2 driver::properties; 4 driver::extension_properties; 5 driver::extension_address;
    }
    zeGetDeviceProcAddrTable {
        0 driver::devices; 1 driver::subdevices; 2 driver::device_properties; 5 driver::group_properties; 6 driver::memory_properties;
        13 driver::status; 17 driver::pci_properties;
    }
    zeGetContextProcAddrTable { 0 driver::create_context; 1 driver::destroy_context; 2 driver::status; }
    zeGetCommandQueueProcAddrTable {
        0 command::create_queue; 1 command::destroy_queue; 2 command::execute; 3 command::synchronize_queue;
    }
    zeGetCommandListProcAddrTable {
        0 command::create_list; 1 command::create_immediate; 2 command::destroy_list; 3 command::close; 4 command::reset;
        5 command::append_timestamp; 6 command::append_barrier; 7 command::append_ranges_barrier; 8 command::append_copy;
        9 command::append_fill; 10 command::append_copy_region; 11 command::append_copy_from_context;
        16 command::append_prefetch; 17 command::append_advise; 18 command::append_signal; 19 command::append_wait;
        20 command::append_reset; 22 command::append_launch; 23 command::append_launch; 24 command::append_launch;
        25 command::append_launches;
    }
    zeGetFenceProcAddrTable {
        0 sync::create_fence; 1 sync::destroy_flag; 2 sync::wait; 3 sync::query; 4 sync::reset;
    }
    zeGetEventPoolProcAddrTable { 0 sync::create_pool; 1 sync::destroy_pool; }
    zeGetEventProcAddrTable {
        0 sync::create_event; 1 sync::destroy_flag; 2 sync::signal; 3 sync::wait; 4 sync::query; 5 sync::reset;
    }
    zeGetModuleProcAddrTable { 0 module::create; 1 module::destroy; }
    zeGetKernelProcAddrTable {
        0 module::create_kernel; 1 module::destroy_kernel; 3 module::set_group_size; 4 module::suggest_group_size;
        6 module::set_argument; 11 module::kernel_name;
    }
    zeGetMemProcAddrTable {
        0 memory::alloc_shared; 1 memory::alloc_device; 2 memory::alloc_host; 3 memory::free; 4 memory::properties;
        5 memory::address_range;
    }
    // What there is not: the loader needs the tables all the same.
    zeGetDeviceExpProcAddrTable {}
    zeGetEventExpProcAddrTable {}
    zeGetFabricEdgeExpProcAddrTable {}
    zeGetFabricVertexExpProcAddrTable {}
    zeGetImageProcAddrTable {}
    zeGetImageExpProcAddrTable {}
    zeGetKernelExpProcAddrTable {}
    zeGetModuleBuildLogProcAddrTable {}
    zeGetPhysicalMemProcAddrTable {}
    zeGetSamplerProcAddrTable {}
    zeGetVirtualMemProcAddrTable {}
    zetGetCommandListProcAddrTable {}
    zetGetContextProcAddrTable {}
    zetGetDebugProcAddrTable {}
    zetGetDeviceProcAddrTable {}
    zetGetKernelProcAddrTable {}
    zetGetMetricGroupProcAddrTable {}
    zetGetMetricGroupExpProcAddrTable {}
    zetGetMetricProcAddrTable {}
    zetGetMetricQueryPoolProcAddrTable {}
    zetGetMetricQueryProcAddrTable {}
    zetGetMetricStreamerProcAddrTable {}
    zetGetModuleProcAddrTable {}
    zetGetTracerExpProcAddrTable {}
    zesGetDeviceProcAddrTable {}
    zesGetDiagnosticsProcAddrTable {}
    zesGetDriverProcAddrTable {}
    zesGetEngineProcAddrTable {}
    zesGetFabricPortProcAddrTable {}
    zesGetFanProcAddrTable {}
    zesGetFirmwareProcAddrTable {}
    zesGetFrequencyProcAddrTable {}
    zesGetLedProcAddrTable {}
    zesGetMemoryProcAddrTable {}
    zesGetPerformanceFactorProcAddrTable {}
    zesGetPowerProcAddrTable {}
    zesGetPsuProcAddrTable {}
    zesGetRasProcAddrTable {}
    zesGetSchedulerProcAddrTable {}
    zesGetStandbyProcAddrTable {}
    zesGetTemperatureProcAddrTable {}
}
