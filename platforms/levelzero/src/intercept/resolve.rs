//! Functions that the program asks for: extension functions by name, and whole tables of functions.
//!
//! The tables are how the loader's static variant (linked into programs), and its layers, reach the real functions. What stands in one is
//! another address than the export's, mostly the driver's own; a handler stands for one address, so a name has several.

use super::{PLACES, table};
use crate::driver::{Handle, ZE_RESULT_SUCCESS, ZeResult};
use std::ffi::{CStr, c_char};
use xsched_runtime::{handlers, intercept, nested, report};

/// A table's functions that have rows: place, name, and since which version of Level Zero (major << 16 | minor) it is there.
type Layout = &'static [(usize, &'static CStr, u32)];

const V1_0: u32 = 0x1_0000;
const V1_3: u32 = 0x1_0003;
const V1_6: u32 = 0x1_0006;
const V1_9: u32 = 0x1_0009;
const V1_12: u32 = 0x1_000c;
const V1_14: u32 = 0x1_000e;
const V1_16: u32 = 0x1_0010;
const V1_17: u32 = 0x1_0011;

/// `ze_command_queue_dditable_t`, as all the following: level_zero/ze_ddi.h and zet_ddi.h.
const COMMAND_QUEUE: Layout = &[
    (0, c"zeCommandQueueCreate", V1_0),
    (1, c"zeCommandQueueDestroy", V1_0),
    (2, c"zeCommandQueueExecuteCommandLists", V1_0),
    (3, c"zeCommandQueueSynchronize", V1_0),
];

const COMMAND_LIST: Layout = &[
    (1, c"zeCommandListCreateImmediate", V1_0),
    (2, c"zeCommandListDestroy", V1_0),
    (5, c"zeCommandListAppendWriteGlobalTimestamp", V1_0),
    (6, c"zeCommandListAppendBarrier", V1_0),
    (7, c"zeCommandListAppendMemoryRangesBarrier", V1_0),
    (8, c"zeCommandListAppendMemoryCopy", V1_0),
    (9, c"zeCommandListAppendMemoryFill", V1_0),
    (10, c"zeCommandListAppendMemoryCopyRegion", V1_0),
    (11, c"zeCommandListAppendMemoryCopyFromContext", V1_0),
    (12, c"zeCommandListAppendImageCopy", V1_0),
    (13, c"zeCommandListAppendImageCopyRegion", V1_0),
    (14, c"zeCommandListAppendImageCopyToMemory", V1_0),
    (15, c"zeCommandListAppendImageCopyFromMemory", V1_0),
    (16, c"zeCommandListAppendMemoryPrefetch", V1_0),
    (17, c"zeCommandListAppendMemAdvise", V1_0),
    (18, c"zeCommandListAppendSignalEvent", V1_0),
    (19, c"zeCommandListAppendWaitOnEvents", V1_0),
    (20, c"zeCommandListAppendEventReset", V1_0),
    (21, c"zeCommandListAppendQueryKernelTimestamps", V1_0),
    (22, c"zeCommandListAppendLaunchKernel", V1_0),
    (23, c"zeCommandListAppendLaunchCooperativeKernel", V1_0),
    (24, c"zeCommandListAppendLaunchKernelIndirect", V1_0),
    (25, c"zeCommandListAppendLaunchMultipleKernelsIndirect", V1_0),
    (26, c"zeCommandListAppendImageCopyToMemoryExt", V1_3),
    (27, c"zeCommandListAppendImageCopyFromMemoryExt", V1_3),
    (28, c"zeCommandListHostSynchronize", V1_6),
    (34, c"zeCommandListAppendSignalExternalSemaphoreExt", V1_12),
    (35, c"zeCommandListAppendWaitExternalSemaphoreExt", V1_12),
    (36, c"zeCommandListAppendLaunchKernelWithParameters", V1_14),
    (37, c"zeCommandListAppendLaunchKernelWithArguments", V1_14),
    (38, c"zeCommandListAppendMemoryCopyWithParameters", V1_16),
    (39, c"zeCommandListAppendMemoryFillWithParameters", V1_16),
    (40, c"zeCommandListImmediateAppendCommandListsWithParameters", V1_16),
    (45, c"zeCommandListBeginGraphCaptureExt", V1_17),
    (46, c"zeCommandListBeginCaptureIntoGraphExt", V1_17),
    (50, c"zeCommandListAppendGraphExt", V1_17),
    (51, c"zeCommandListAppendHostFunction", V1_17),
];

const COMMAND_LIST_EXP: Layout = &[(1, c"zeCommandListImmediateAppendCommandListsExp", V1_9)];

const FENCE: Layout = &[(2, c"zeFenceHostSynchronize", V1_0), (3, c"zeFenceQueryStatus", V1_0)];

const EVENT: Layout = &[(3, c"zeEventHostSynchronize", V1_0), (4, c"zeEventQueryStatus", V1_0)];

const TOOLS_COMMAND_LIST: Layout = &[
    (0, c"zetCommandListAppendMetricStreamerMarker", V1_0),
    (1, c"zetCommandListAppendMetricQueryBegin", V1_0),
    (2, c"zetCommandListAppendMetricQueryEnd", V1_0),
    (3, c"zetCommandListAppendMetricMemoryBarrier", V1_0),
];

/// A table of functions, which the real function fills as far as the version says.
type Table = *mut Handle;

fn fill(call: &dyn Fn() -> ZeResult, version: u32, table: Table, layout: Layout) -> ZeResult {
    let result = nested(call);
    if result == ZE_RESULT_SUCCESS && !table.is_null() {
        for (place, name, _) in layout.iter().filter(|(_, _, since)| *since <= version) {
            // SAFETY: in a table of this version there is a function at this place, which the real function has filled.
            unsafe {
                let slot = table.add(*place);
                slot.write(ours(name, slot.read()));
            }
        }
    }
    result
}

/// Our handler for the function that the vendor has at `real`; `real` itself if the table has none.
fn ours(name: &CStr, real: Handle) -> Handle {
    if real.is_null() {
        return real;
    }
    let Some(row) = intercept::find(table::ROWS, name).filter(|row| row.bypass.is_none()) else {
        return real;
    };
    // The program may ask for a table twice, into the same place.
    if row.handlers.iter().any(|(handler, _)| handler.0 == real.cast_const()) {
        return real;
    }
    row.handler_for(real).unwrap_or_else(|| {
        let name = name.to_string_lossy();
        report::once(&format!("{name} at more than {PLACES} addresses: those beyond run unscheduled"));
        real
    })
}

handlers! {
    /// What the loader asks of itself meanwhile is its own matter.
    init(flags: u32) -> ZeResult, INIT => |call, _| nested(call);
    init_drivers(count: *mut u32, drivers: *mut Handle, desc: usize) -> ZeResult, INIT_DRIVERS =>
        |call, _, _, _| nested(call);

    extension(driver: Handle, name: *const c_char, address: *mut Handle) -> ZeResult, EXTENSION =>
        |call, _, name, address| {
            let result = nested(call);
            if result == ZE_RESULT_SUCCESS && !name.is_null() && !address.is_null() {
                // SAFETY: the real function has read the name and written the address.
                unsafe { address.write(ours(CStr::from_ptr(name), address.read())) };
            }
            result
        };

    command_queue(version: u32, table: Table) -> ZeResult, COMMAND_QUEUE_TABLE =>
        |call, version, table| fill(call, version, table, COMMAND_QUEUE);
    command_list(version: u32, table: Table) -> ZeResult, COMMAND_LIST_TABLE =>
        |call, version, table| fill(call, version, table, COMMAND_LIST);
    command_list_exp(version: u32, table: Table) -> ZeResult, COMMAND_LIST_EXP_TABLE =>
        |call, version, table| fill(call, version, table, COMMAND_LIST_EXP);
    fence(version: u32, table: Table) -> ZeResult, FENCE_TABLE =>
        |call, version, table| fill(call, version, table, FENCE);
    event(version: u32, table: Table) -> ZeResult, EVENT_TABLE =>
        |call, version, table| fill(call, version, table, EVENT);
    tools_command_list(version: u32, table: Table) -> ZeResult, TOOLS_COMMAND_LIST_TABLE =>
        |call, version, table| fill(call, version, table, TOOLS_COMMAND_LIST);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The member functions of a table in the headers, in order: `pfnCreate` and so on.
    fn members(header: &str, table: &str) -> Vec<String> {
        let text = std::fs::read_to_string(format!("/usr/include/level_zero/{header}"))
            .expect("install libze-dev (Debian)");
        let body = text.split(&format!("}} {table};")).next().unwrap().rsplit('{').next().unwrap();
        let names = body.split(';').filter_map(|line| line.split_whitespace().last());
        names.filter(|name| name.starts_with("pfn")).map(str::to_owned).collect()
    }

    #[test]
    fn the_layouts_are_those_of_the_headers() {
        for (header, table, prefix, layout) in [
            ("ze_ddi.h", "ze_command_queue_dditable_t", "zeCommandQueue", COMMAND_QUEUE),
            ("ze_ddi.h", "ze_command_list_dditable_t", "zeCommandList", COMMAND_LIST),
            ("ze_ddi.h", "ze_fence_dditable_t", "zeFence", FENCE),
            ("ze_ddi.h", "ze_event_dditable_t", "zeEvent", EVENT),
            ("zet_ddi.h", "zet_command_list_dditable_t", "zetCommandList", TOOLS_COMMAND_LIST),
        ] {
            let members = members(header, table);
            assert!(members.len() > 3, "{table}");
            // These headers may be older than the last entries.
            for (place, name, _) in layout.iter().filter(|(place, ..)| *place < members.len()) {
                let name = name.to_str().unwrap();
                let member = name.strip_prefix(prefix).unwrap();
                assert_eq!(members[*place], format!("pfn{member}"), "{table}");
            }
        }
    }

    #[test]
    fn every_function_of_a_layout_has_a_handler() {
        for layout in [COMMAND_QUEUE, COMMAND_LIST, COMMAND_LIST_EXP, FENCE, EVENT, TOOLS_COMMAND_LIST] {
            for (_, name, _) in layout {
                let row = intercept::find(table::ROWS, name);
                assert!(row.is_some_and(|row| row.handlers.len() == PLACES), "{name:?}");
            }
        }
    }
}
