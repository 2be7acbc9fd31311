//! An OpenCL command queue as a `HwQueue`: Level 1.
//!
//! It owns nothing: the program may release the queue at any time, and until then (`xsched_runtime::Queue::release`) every call here
//! is made under the lock that the release takes. Marks are markers; OpenCL need not start a command before a flush, so each is flushed,
//! unless that could wait for the program itself ([`user_event`]).

use crate::driver::{CL_COMPLETE, CL_SUCCESS, Driver, Handle, info};
use crate::user_event;
use std::ffi::c_int;
use xsched_core::DeviceKey;
use xsched_hal::{Error, HwCommand, HwQueue, Mark};

const CL_EVENT_COMMAND_EXECUTION_STATUS: u32 = 0x11D3;

/// A command queue of the program's.
#[derive(Debug)]
pub(crate) struct ClQueue {
    driver: &'static Driver,
    /// The `cl_command_queue`.
    handle: usize,
    device: DeviceKey,
}

impl ClQueue {
    pub(crate) fn new(driver: &'static Driver, handle: Handle, device: DeviceKey) -> ClQueue {
        ClQueue { driver, handle: handle as usize, device }
    }

    fn handle(&self) -> Handle {
        self.handle as Handle
    }
}

fn check(call: &'static str, result: Option<c_int>) -> Result<(), Error> {
    match result {
        Some(CL_SUCCESS) => Ok(()),
        Some(code) => Err(Error::Vendor { call, code: code.into() }),
        None => Err(Error::Lost { call }),
    }
}

impl HwQueue for ClQueue {
    fn device(&self) -> &DeviceKey {
        &self.device
    }

    fn platform(&self) -> &'static str {
        "opencl"
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        command.launch(self)
    }

    fn flush(&self) -> Result<(), Error> {
        if user_event::is_any() {
            return Ok(());
        }
        // SAFETY: a live command queue, see the module's text; so for every call below.
        check("clFlush", self.driver.clFlush.map(|f| unsafe { f(self.handle()) }))
    }

    fn synchronize(&self) -> Result<(), Error> {
        // SAFETY: as above.
        check("clFinish", self.driver.clFinish.map(|f| unsafe { f(self.handle()) }))
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        let mut event: Handle = std::ptr::null_mut();
        match (self.driver.clEnqueueMarkerWithWaitList, self.driver.clEnqueueMarker) {
            (Some(f), _) => {
                // SAFETY: as above; no wait list; the event is ours to take.
                let result = unsafe { f(self.handle(), 0, std::ptr::null(), &raw mut event) };
                check("clEnqueueMarkerWithWaitList", Some(result))?;
            }
            (None, f) => {
                // SAFETY: as above.
                check("clEnqueueMarker", f.map(|f| unsafe { f(self.handle(), &raw mut event) }))?;
            }
        }
        let mark = ClMark { driver: self.driver, event: event as usize };
        self.flush()?;
        Ok(Box::new(mark))
    }
}

/// A marker's event, ours.
#[derive(Debug)]
struct ClMark {
    driver: &'static Driver,
    event: usize,
}

impl Mark for ClMark {
    fn is_complete(&self) -> Result<bool, Error> {
        // SAFETY: an event that we hold.
        let status = unsafe {
            info::<c_int>(self.driver.clGetEventInfo, self.event as Handle, CL_EVENT_COMMAND_EXECUTION_STATUS)
        };
        match status {
            Some(status) if status < 0 => Err(Error::Vendor { call: "the marker", code: status.into() }),
            Some(status) => Ok(status == CL_COMPLETE),
            None => Err(Error::Lost { call: "clGetEventInfo" }),
        }
    }

    fn wait(&self) -> Result<(), Error> {
        let event = self.event as Handle;
        // SAFETY: an event that we hold.
        check("clWaitForEvents", self.driver.clWaitForEvents.map(|f| unsafe { f(1, &raw const event) }))
    }
}

impl Drop for ClMark {
    fn drop(&mut self) {
        if let Some(release) = self.driver.clReleaseEvent {
            // SAFETY: our own reference, given back once. Nested, because the real library may call back into the stand-in.
            xsched_runtime::nested(|| unsafe { release(self.event as Handle) });
        }
    }
}
