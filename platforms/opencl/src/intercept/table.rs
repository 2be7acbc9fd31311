//! The table: one row for each function that takes a command queue, and for those from which we learn that commands are done.
//!
//! A row says how the function is handled, or why it is not. A test compares the rows with the Khronos headers. A plain command needs
//! no more than its row in `by submit::submit`: the arguments by name, and which of them are the queue, the blocking flag, the event and the
//! error.

use super::submit::Call;
use super::{callback, command_buffer, event, queue, resolve, submit};
use std::ffi::CStr;

/// The name of every function in the table, with the reason where it is not gated.
pub fn functions() -> impl Iterator<Item = (&'static CStr, Option<&'static str>)> {
    ROWS.iter().map(|row| (row.name, row.bypass))
}

const NONE: Call = Call { queue: 0, blocking: 0, event: 0, error: None };

xsched_runtime::rows! {
    // Extension functions have an address on each platform (a driver of the loader's); so many can be told apart.
    places [0 1 2 3];
    by submit::submit {
        // OpenCL 1.0-3.0 (CL/cl.h)
        clEnqueueReadBuffer(queue buffer blocking offset size ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueReadBufferRect(queue buffer blocking origin host_origin region row slice host_row host_slice ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueWriteBuffer(queue buffer blocking offset size ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueWriteBufferRect(queue buffer blocking origin host_origin region row slice host_row host_slice ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueFillBuffer(queue buffer pattern pattern_size offset size waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueCopyBuffer(queue from to from_offset to_offset size waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueCopyBufferRect(queue from to from_origin to_origin region from_row from_slice to_row to_slice waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReadImage(queue image blocking origin region row slice ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueWriteImage(queue image blocking origin region row slice ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueFillImage(queue image color origin region waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueCopyImage(queue from to from_origin to_origin region waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueCopyImageToBuffer(queue from to from_origin region to_offset waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueCopyBufferToImage(queue from to from_offset to_origin region waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMapBuffer(queue buffer blocking flags offset size waits wait_list event error) => Call { queue, blocking, event, error: Some(error) };
        clEnqueueMapImage(queue image blocking flags origin region row slice waits wait_list event error) => Call { queue, blocking, event, error: Some(error) };
        clEnqueueUnmapMemObject(queue object ptr waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMigrateMemObjects(queue count objects flags waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueNDRangeKernel(queue kernel dimensions offset global local waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueNativeKernel(queue function args args_size count objects places waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMarkerWithWaitList(queue waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueBarrierWithWaitList(queue waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueSVMMemcpy(queue blocking to from size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueSVMMemFill(queue ptr pattern pattern_size size waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueSVMMap(queue blocking flags ptr size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueSVMUnmap(queue ptr waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueSVMMigrateMem(queue count ptrs sizes flags waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMarker(queue event) => Call { queue, event, ..NONE };
        clEnqueueWaitForEvents(queue count events) => Call { queue, ..NONE };
        clEnqueueBarrier(queue) => Call { queue, ..NONE };
        clEnqueueTask(queue kernel waits wait_list event) => Call { queue, event, ..NONE };

        // Sharing with other APIs
        clEnqueueAcquireGLObjects(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReleaseGLObjects(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueAcquireEGLObjectsKHR(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReleaseEGLObjectsKHR(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueAcquireVA_APIMediaSurfacesINTEL(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReleaseVA_APIMediaSurfacesINTEL(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueAcquireGrallocObjectsIMG(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReleaseGrallocObjectsIMG(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueAcquireExternalMemObjectsKHR(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReleaseExternalMemObjectsKHR(queue count objects waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueWaitSemaphoresKHR(queue count semaphores payloads waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueSignalSemaphoresKHR(queue count semaphores payloads waits wait_list event) => Call { queue, event, ..NONE };

        // Vendors' extensions
        clEnqueueMigrateMemObjectEXT(queue count objects flags waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueGenerateMipmapIMG(queue from to mode array_region mip_region waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueSVMMemcpyARM(queue blocking to from size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueSVMMemFillARM(queue ptr pattern pattern_size size waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueSVMMapARM(queue blocking flags ptr size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueSVMUnmapARM(queue ptr waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMemFillINTEL(queue to pattern pattern_size size waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMemcpyINTEL(queue blocking to from size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueMemAdviseINTEL(queue ptr size advice waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMigrateMemINTEL(queue ptr size flags waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueMemsetINTEL(queue to value size waits wait_list event) => Call { queue, event, ..NONE };
        clEnqueueReadHostPipeINTEL(queue program symbol blocking ptr size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueWriteHostPipeINTEL(queue program symbol blocking ptr size waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueReadGlobalVariableINTEL(queue program name blocking size offset ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };
        clEnqueueWriteGlobalVariableINTEL(queue program name blocking size offset ptr waits wait_list event) => Call { queue, blocking, event, ..NONE };

        // A recorded list of commands, launched as one. Which queue it goes to is found out first.
        clEnqueueCommandBufferKHR(count queues buffer waits wait_list event) => Call { queue: command_buffer::queue(count, queues, buffer), event, ..NONE };
    }
    handled {
        clCreateCommandQueue => queue::create_1_0, queue::CREATE_1_0;
        clCreateCommandQueueWithProperties => queue::create_2_0, queue::CREATE_2_0;
        clCreateCommandQueueWithPropertiesKHR => queue::create_khr, queue::CREATE_KHR;
        clRetainCommandQueue => queue::retain, queue::RETAIN;
        clReleaseCommandQueue => queue::release, queue::RELEASE;
        clSetCommandQueueProperty => queue::set_property, queue::SET_PROPERTY;
        clFinish => queue::finish, queue::FINISH;
        clWaitForEvents => event::wait, event::WAIT;
        clGetEventInfo => event::get_info, event::GET_INFO;
        clCreateUserEvent => event::make_user, event::MAKE_USER;
        clSetUserEventStatus => event::set_user, event::SET_USER;
        clReleaseEvent => event::release, event::RELEASE;
        clEnqueueSVMFree => callback::svm_free, callback::SVM_FREE;
        clEnqueueSVMFreeARM => callback::svm_free_arm, callback::SVM_FREE_ARM;
        clSetEventCallback => callback::set_event, callback::SET_EVENT;
        clSetMemObjectDestructorCallback => callback::set_mem_destructor, callback::SET_MEM_DESTRUCTOR;
        clSetContextDestructorCallback => callback::set_context_destructor, callback::SET_CONTEXT_DESTRUCTOR;
        clSetProgramReleaseCallback => callback::set_program_release, callback::SET_PROGRAM_RELEASE;
        clBuildProgram => callback::build, callback::BUILD;
        clCompileProgram => callback::compile, callback::COMPILE;
        clCreateCommandBufferKHR => command_buffer::create, command_buffer::CREATE;
        clRetainCommandBufferKHR => command_buffer::retain, command_buffer::RETAIN;
        clReleaseCommandBufferKHR => command_buffer::release, command_buffer::RELEASE;
        clGetExtensionFunctionAddress => resolve::extension, resolve::EXTENSION;
        clGetExtensionFunctionAddressForPlatform => resolve::extension_for_platform, resolve::EXTENSION_FOR_PLATFORM;
    }
    bypass {
        "puts nothing into the queue": clFlush clGetCommandQueueInfo clSetDefaultDeviceCommandQueue
            clGetKernelSuggestedLocalWorkSize clGetKernelSuggestedLocalWorkSizeKHR;
        "records; what is recorded is launched by clEnqueueCommandBufferKHR":
            clCommandBarrierWithWaitListKHR clCommandCopyBufferKHR clCommandCopyBufferRectKHR clCommandCopyBufferToImageKHR
            clCommandCopyImageKHR clCommandCopyImageToBufferKHR clCommandFillBufferKHR clCommandFillImageKHR
            clCommandNDRangeKernelKHR clCommandSVMMemcpyKHR clCommandSVMMemFillKHR;
        "exists on Windows only": clEnqueueAcquireD3D10ObjectsKHR clEnqueueReleaseD3D10ObjectsKHR clEnqueueAcquireD3D11ObjectsKHR
            clEnqueueReleaseD3D11ObjectsKHR clEnqueueAcquireDX9MediaSurfacesKHR clEnqueueReleaseDX9MediaSurfacesKHR
            clEnqueueAcquireDX9ObjectsINTEL clEnqueueReleaseDX9ObjectsINTEL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names of the functions in the Khronos headers (Debian's opencl-c-headers) that take a command queue, by value or in a list.
    fn functions_that_take_a_queue() -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for file in std::fs::read_dir("/usr/include/CL").expect("install opencl-c-headers") {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "h") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            // Declarations read `... CL_API_CALL name(arguments)`.
            for declaration in text.split("CL_API_CALL").skip(1) {
                let (name, rest) = declaration.split_once('(').unwrap_or_default();
                let arguments = rest.split(';').next().unwrap_or_default();
                let is_plain = name.trim().starts_with("cl")
                    && name.trim().chars().all(|c| c.is_alphanumeric() || c == '_');
                let takes_queue = arguments
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|w| w == "cl_command_queue");
                if is_plain && takes_queue {
                    names.insert(name.trim().to_owned());
                }
            }
        }
        names
    }

    #[test]
    fn every_function_that_takes_a_queue_has_a_row() {
        let rows: BTreeSet<String> = functions().map(|(name, _)| name.to_str().unwrap().to_owned()).collect();
        let wanted = functions_that_take_a_queue();
        assert!(wanted.len() > 60, "the headers were not understood: {wanted:?}");
        let missing: Vec<_> = wanted.difference(&rows).collect();
        assert!(
            missing.is_empty(),
            "add a row to platforms/opencl/src/intercept/table.rs for each of {missing:?}"
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
