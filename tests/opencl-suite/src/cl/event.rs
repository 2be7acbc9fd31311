//! Events: waiting, statuses, callbacks, user events.

use super::{Code, Context, Result, call, handle, query};
use opencl_sys::{CL_EVENT_COMMAND_EXECUTION_STATUS, CL_EVENT_REFERENCE_COUNT, cl_event, cl_int};
use std::ffi::c_void;

handle!(
    /// A command's event, or one that the program completes itself.
    Event,
    clRetainEvent,
    clReleaseEvent,
    clGetEventInfo,
    CL_EVENT_REFERENCE_COUNT
);

/// What a callback runs: it gets the status that it is called with.
type Callback = Box<dyn FnOnce(cl_int) + Send>;

impl Event {
    /// An event that [`Event::set_status`] completes.
    pub(crate) fn user(context: &Context) -> Result<Self> {
        let mut code = 0;
        let raw = call!(clCreateUserEvent(context.raw(), &mut code));
        Self::made(raw, code)
    }

    /// Waits for this event alone.
    pub(crate) fn wait(&self) -> Code {
        Code(call!(clWaitForEvents(1, &self.raw())))
    }

    /// The execution status now.
    pub(crate) fn status(&self) -> Result<i32> {
        self.info(CL_EVENT_COMMAND_EXECUTION_STATUS)
    }

    /// One time stamp, in nanoseconds of the device's clock.
    pub(crate) fn time(&self, parameter: u32) -> Result<u64> {
        query(|size, to, need| call!(clGetEventProfilingInfo(self.raw(), parameter, size, to, need)))
    }

    /// Completes a user event (0), or fails it (negative).
    pub(crate) fn set_status(&self, status: i32) -> Code {
        Code(call!(clSetUserEventStatus(self.raw(), status)))
    }

    /// Has the driver run `callback` when the command reaches `status`.
    pub(crate) fn on(&self, status: i32, callback: impl FnOnce(cl_int) + Send + 'static) -> Code {
        let callback: Box<Callback> = Box::new(Box::new(callback));
        let data = Box::into_raw(callback);
        let code = Code(call!(clSetEventCallback(self.raw(), status, Some(run), data.cast())));
        if code != Code::SUCCESS {
            // SAFETY: made by `into_raw` above, and a driver that refuses a callback does not call it.
            drop(unsafe { Box::from_raw(data) });
        }
        code
    }

    /// Registers a null callback, which a driver must refuse.
    pub(crate) fn on_nothing(&self, status: i32) -> Code {
        Code(call!(clSetEventCallback(self.raw(), status, None, std::ptr::null_mut())))
    }
}

/// Waits for all `events` in one call.
pub(crate) fn wait_all(events: &[&Event]) -> Code {
    let list: Vec<_> = events.iter().map(|event| event.raw()).collect();
    let at = if list.is_empty() { std::ptr::null() } else { list.as_ptr() };
    Code(call!(clWaitForEvents(list.len() as u32, at)))
}

unsafe extern "C" fn run(_event: cl_event, status: cl_int, data: *mut c_void) {
    // SAFETY: `data` is the box that `Event::on` gave away, and the driver calls each callback once.
    let callback = unsafe { Box::from_raw(data.cast::<Callback>()) };
    callback(status);
}
