//! Commands: made, submitted, waited for.

use super::handles::{self, Command};
use super::types::{HwCommandHandle, HwQueueHandle, LaunchCallback, XQueueHandle, XResult};
use super::{Answer, Data, Failure, exports, place};
use std::ffi::c_void;
use std::sync::Mutex;
use xsched_hal::{Error, HwCommand, HwQueue};
use xsched_runtime::in_callback;

/// What an error of the program's own callback names as its call.
pub(super) const CALLBACK: &str = "the LaunchCallback";

exports! {
    /// Puts a command behind all others of the queue.
    fn XQueueSubmit(xq: XQueueHandle, cmd: HwCommandHandle) = submit;
    /// Waits for the latest submission of a command.
    fn XQueueWait(xq: XQueueHandle, cmd: HwCommandHandle) = wait;
    /// Launches a command on the calling thread.
    fn HwQueueLaunch(hwq: HwQueueHandle, cmd: HwCommandHandle) = launch;
    /// Makes a command that is launched by a callback.
    fn HwCommandCreateCallback(cmd: *mut HwCommandHandle, launch: LaunchCallback, data: *mut c_void) = create;
    /// Gives a command up.
    fn HwCommandDestroy(cmd: HwCommandHandle) = destroy;
}

/// One submission of a command.
struct Submission {
    launch: unsafe extern "C" fn(HwQueueHandle, *mut c_void) -> XResult,
    data: Data,
    hw_queue: HwQueueHandle,
}

impl HwCommand for Submission {
    fn launch(&mut self, _: &dyn HwQueue) -> Result<(), Error> {
        // What it launches is counted as ever, and is not held back: this launch has passed the gate already.
        // SAFETY: the program's function with the program's data, as it said.
        match in_callback(|| unsafe { (self.launch)(self.hw_queue, self.data.0) }) {
            XResult::SUCCESS => Ok(()),
            XResult(code) => Err(Error::Vendor { call: CALLBACK, code: code.into() }),
        }
    }
}

impl Submission {
    fn of(command: &Command, hw_queue: HwQueueHandle) -> Submission {
        Submission { launch: command.launch, data: command.data, hw_queue }
    }
}

fn submit(xq: XQueueHandle, cmd: HwCommandHandle) -> Answer {
    let (claim, more) = handles::queue(xq)?;
    let command = handles::command(cmd)?;
    {
        // Held meanwhile: the callback may run before this thread goes on, and ask.
        let mut latest = command.latest.lock().map_err(|_| XResult::UNKNOWN)?;
        *latest = Some((xq, claim.submit(Box::new(Submission::of(&command, more.hw_queue)))?));
    }
    if more.is_blocking {
        claim.wait_launched()?;
    }
    Ok(())
}

fn wait(xq: XQueueHandle, cmd: HwCommandHandle) -> Answer {
    handles::queue(xq)?;
    let command = handles::command(cmd)?;
    let latest = command.latest.lock().map_err(|_| XResult::UNKNOWN)?.clone();
    match latest {
        Some((queue, submitted)) if queue == xq => Ok(submitted.wait()?),
        _ => Err(XResult::NOT_FOUND.into()),
    }
}

fn launch(hwq: HwQueueHandle, cmd: HwCommandHandle) -> Answer {
    let claim = handles::hw_queue(hwq)?;
    let command = handles::command(cmd)?;
    Ok(claim.launch(&mut Submission::of(&command, hwq))?)
}

unsafe fn create(cmd: *mut HwCommandHandle, launch: LaunchCallback, data: *mut c_void) -> Answer {
    // SAFETY: by the caller.
    let place = unsafe { place(cmd) }?;
    let launch = launch.ok_or(Failure::Code(XResult::INVALID_VALUE))?;
    *place = handles::add_command(Command { launch, data: Data(data), latest: Mutex::default() })?;
    Ok(())
}

fn destroy(cmd: HwCommandHandle) -> Answer {
    handles::remove_command(cmd)
}
