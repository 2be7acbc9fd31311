//! The table: one row for each function that takes a command queue or a command list, and for those from which we learn that commands
//! are done, or that hand out functions.
//!
//! A row says how the function is handled, or why it is not. A test compares the rows with Level Zero's headers. A plain command needs
//! no more than its row in `by submit::append`: the arguments by name, and which of them are the list and the event.

use super::submit::{self, Call};
use super::{fence, list, queue, resolve};
use std::ffi::CStr;

/// The name of every function in the table, with the reason where it is not gated.
pub fn functions() -> impl Iterator<Item = (&'static CStr, Option<&'static str>)> {
    ROWS.iter().map(|row| (row.name, row.bypass))
}

const fn to(to: usize, signal: usize) -> Call {
    Call { to, signal }
}

xsched_runtime::rows! {
    places [0 1 2 3];
    by submit::execute {
        zeCommandQueueExecuteCommandLists(queue count lists fence) => to(queue, fence);
    }
    by submit::append {
        // Level Zero 1.0-1.4
        zeCommandListAppendWriteGlobalTimestamp(list ptr signal waits wait_list) => to(list, signal);
        zeCommandListAppendBarrier(list signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryRangesBarrier(list count sizes ranges signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryCopy(list dst src size signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryFill(list ptr pattern pattern_size size signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryCopyRegion(list dst dst_region dst_pitch dst_slice src src_region src_pitch src_slice signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryCopyFromContext(list dst context src size signal waits wait_list) => to(list, signal);
        zeCommandListAppendImageCopy(list dst src signal waits wait_list) => to(list, signal);
        zeCommandListAppendImageCopyRegion(list dst src dst_region src_region signal waits wait_list) => to(list, signal);
        zeCommandListAppendImageCopyToMemory(list dst src region signal waits wait_list) => to(list, signal);
        zeCommandListAppendImageCopyFromMemory(list dst src region signal waits wait_list) => to(list, signal);
        zeCommandListAppendImageCopyToMemoryExt(list dst src region row slice signal waits wait_list) => to(list, signal);
        zeCommandListAppendImageCopyFromMemoryExt(list dst src region row slice signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryPrefetch(list ptr size) => to(list, 0);
        zeCommandListAppendMemAdvise(list device ptr size advice) => to(list, 0);
        zeCommandListAppendSignalEvent(list signal) => to(list, signal);
        zeCommandListAppendWaitOnEvents(list waits wait_list) => to(list, 0);
        zeCommandListAppendEventReset(list event) => to(list, 0);
        zeCommandListAppendQueryKernelTimestamps(list count events ptr offsets signal waits wait_list) => to(list, signal);
        zeCommandListAppendLaunchKernel(list kernel groups signal waits wait_list) => to(list, signal);
        zeCommandListAppendLaunchCooperativeKernel(list kernel groups signal waits wait_list) => to(list, signal);
        zeCommandListAppendLaunchKernelIndirect(list kernel groups signal waits wait_list) => to(list, signal);
        zeCommandListAppendLaunchMultipleKernelsIndirect(list count kernels counts groups signal waits wait_list) => to(list, signal);

        // Later versions, as far as 1.17
        zeCommandListImmediateAppendCommandListsExp(list count lists signal waits wait_list) => to(list, signal);
        zeCommandListImmediateAppendCommandListsWithParameters(list count lists next signal waits wait_list) => to(list, signal);
        zeCommandListAppendSignalExternalSemaphoreExt(list count semaphores params signal waits wait_list) => to(list, signal);
        zeCommandListAppendWaitExternalSemaphoreExt(list count semaphores params signal waits wait_list) => to(list, signal);
        zeCommandListAppendLaunchKernelWithParameters(list kernel groups next signal waits wait_list) => to(list, signal);
        // The counts and sizes of groups are structures of three 32-bit numbers: two words each.
        zeCommandListAppendLaunchKernelWithArguments(list kernel count_xy count_z size_xy size_z args next signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryCopyWithParameters(list dst src size next signal waits wait_list) => to(list, signal);
        zeCommandListAppendMemoryFillWithParameters(list ptr pattern pattern_size size next signal waits wait_list) => to(list, signal);
        zeCommandListAppendGraphExt(list graph next signal waits wait_list) => to(list, signal);
        zeCommandListAppendHostFunction(list function user next signal waits wait_list) => to(list, signal);
        zeRTASBuilderCommandListAppendCopyExt(list dst src size signal waits wait_list) => to(list, signal);

        // By name only: earlier forms of the above, and Intel's own (level_zero/driver_experimental/zex_cmdlist.h of its driver)
        zeCommandListAppendGraphExp(list graph next signal waits wait_list) => to(list, signal);
        zexCommandListAppendMemoryCopyWithParameters(list dst src size next waits wait_list signal) => to(list, signal);
        zexCommandListAppendMemoryFillWithParameters(list ptr pattern pattern_size size next signal waits wait_list) => to(list, signal);
        zexCommandListAppendWaitOnMemory(list desc ptr data signal) => to(list, signal);
        zexCommandListAppendWaitOnMemory64(list desc ptr data signal) => to(list, signal);
        zexCommandListAppendWriteToMemory(list desc ptr data) => to(list, 0);

        // Tools: metrics
        zetCommandListAppendMetricStreamerMarker(list streamer value) => to(list, 0);
        zetCommandListAppendMetricQueryBegin(list query) => to(list, 0);
        zetCommandListAppendMetricQueryEnd(list query signal waits wait_list) => to(list, signal);
        zetCommandListAppendMetricMemoryBarrier(list) => to(list, 0);
        zetCommandListAppendMarkerExp(list group value) => to(list, 0);
    }
    placed {
        zeCommandQueueCreate => queue::create, queue::CREATE;
        zeCommandQueueDestroy => queue::destroy, queue::DESTROY;
        zeCommandQueueSynchronize => queue::synchronize, queue::SYNCHRONIZE;
        zeCommandListCreateImmediate => list::create_immediate, list::CREATE_IMMEDIATE;
        zeCommandListDestroy => list::destroy, list::DESTROY;
        zeCommandListHostSynchronize => list::synchronize, list::SYNCHRONIZE;
        zeCommandListBeginGraphCaptureExt => list::begin_capture, list::BEGIN_CAPTURE;
        zeCommandListBeginCaptureIntoGraphExt => list::begin_capture_into, list::BEGIN_CAPTURE_INTO;
        zeCommandListBeginGraphCaptureExp => list::begin_capture_exp, list::BEGIN_CAPTURE_EXP;
        zeCommandListBeginCaptureIntoGraphExp => list::begin_capture_into_exp, list::BEGIN_CAPTURE_INTO_EXP;
        zeFenceHostSynchronize => fence::fence_synchronize, fence::FENCE_SYNCHRONIZE;
        zeFenceQueryStatus => fence::fence_query, fence::FENCE_QUERY;
        zeEventHostSynchronize => fence::event_synchronize, fence::EVENT_SYNCHRONIZE;
        zeEventQueryStatus => fence::event_query, fence::EVENT_QUERY;
    }
    handled {
        zeInit => resolve::init, resolve::INIT;
        zeInitDrivers => resolve::init_drivers, resolve::INIT_DRIVERS;
        zeDriverGetExtensionFunctionAddress => resolve::extension, resolve::EXTENSION;
        zeGetCommandQueueProcAddrTable => resolve::command_queue, resolve::COMMAND_QUEUE_TABLE;
        zeGetCommandListProcAddrTable => resolve::command_list, resolve::COMMAND_LIST_TABLE;
        zeGetCommandListExpProcAddrTable => resolve::command_list_exp, resolve::COMMAND_LIST_EXP_TABLE;
        zeGetFenceProcAddrTable => resolve::fence, resolve::FENCE_TABLE;
        zeGetEventProcAddrTable => resolve::event, resolve::EVENT_TABLE;
        zetGetCommandListProcAddrTable => resolve::tools_command_list, resolve::TOOLS_COMMAND_LIST_TABLE;
    }
    bypass {
        "makes a regular list, which only records": zeCommandListCreate zeCommandListCreateCloneExp;
        "of regular lists, which only record": zeCommandListClose zeCommandListReset;
        "makes a fence, which an execution signals": zeFenceCreate;
        "puts nothing into the queue": zeCommandQueueGetOrdinal zeCommandQueueGetIndex zeCommandQueueGetFlags zeCommandQueueGetMode
            zeCommandQueueGetPriority zeCommandListGetDeviceHandle zeCommandListGetContextHandle zeCommandListGetOrdinal
            zeCommandListImmediateGetIndex zeCommandListIsImmediate zeCommandListGetFlags zeCommandListImmediateGetFlags
            zeCommandListImmediateGetMode zeCommandListImmediateGetPriority;
        "changes what a regular list has recorded": zeCommandListGetNextCommandIdExp zeCommandListGetNextCommandIdWithKernelsExp
            zeCommandListUpdateMutableCommandsExp zeCommandListUpdateMutableCommandSignalEventExp
            zeCommandListUpdateMutableCommandWaitEventsExp zeCommandListUpdateMutableCommandKernelsExp zeCommandListIsMutableExp;
        "about captured graphs, which zeCommandListAppendGraphExt launches": zeCommandListIsGraphCaptureEnabledExt
            zeCommandListEndGraphCaptureExt zeCommandListGetGraphExt zeGraphGetPrimaryCommandListExt;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names of the functions in Level Zero's headers (Debian's libze-dev) that take a command queue or list, by value or in an array.
    fn functions_that_take_a_queue() -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for file in ["ze_api.h", "zes_api.h", "zet_api.h"] {
            let text = std::fs::read_to_string(format!("/usr/include/level_zero/{file}"))
                .expect("install libze-dev (Debian)");
            // Declarations read `ZE_APIEXPORT ze_result_t ZE_APICALL name(arguments);`.
            for declaration in text.split("ZE_APIEXPORT").skip(1) {
                let declaration = declaration.split(';').next().unwrap_or_default();
                let (head, arguments) = declaration.split_once('(').unwrap_or_default();
                let name = head.split_whitespace().last().unwrap_or_default();
                let takes_queue = arguments.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| {
                    w == "ze_command_queue_handle_t"
                        || w == "ze_command_list_handle_t"
                        || w == "zet_command_list_handle_t"
                });
                if takes_queue && name.starts_with("ze") {
                    names.insert(name.to_owned());
                }
            }
        }
        names
    }

    #[test]
    fn every_function_that_takes_a_queue_or_a_list_has_a_row() {
        let rows: BTreeSet<String> = functions().map(|(name, _)| name.to_str().unwrap().to_owned()).collect();
        let wanted = functions_that_take_a_queue();
        assert!(wanted.len() >= 37, "the headers were not understood: {wanted:?}");
        let missing: Vec<_> = wanted.difference(&rows).collect();
        assert!(
            missing.is_empty(),
            "add a row to platforms/levelzero/src/intercept/table.rs for each of {missing:?}"
        );
    }

    #[test]
    fn every_row_has_either_a_handler_or_a_reason_and_no_name_stands_twice() {
        let names: BTreeSet<&CStr> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in ROWS {
            assert_eq!(row.handlers.is_empty(), row.bypass.is_some(), "{:?}", row.name);
        }
    }
}
