//! Command queues: made, kept, given back, flushed and waited for; and claimed by a program that names them through our API.

use crate::driver::{CL_SUCCESS, Driver, Handle, driver, handle_info, info, wanted};
use crate::{device, queue::ClQueue};
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xsched_hal::Error;
use xsched_runtime::claim::{self, Claim};
use xsched_runtime::library::{Library, own_folder};
use xsched_runtime::{Queue, Registry, guest, handlers, is_automatic, nested, report};

const CL_QUEUE_DEVICE: u32 = 0x1091;
const CL_QUEUE_PROPERTIES: u32 = 0x1093;
const CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE: u64 = 1 << 0;
const CL_QUEUE_ON_DEVICE: u64 = 1 << 2;

/// The program's command queues. A queue's note counts the program's references.
static QUEUES: Registry = Registry::new();

/// The queue with this handle. One that the program made behind our back (through a layer, or before a fork) is adopted now; a
/// value that is no queue fares with `clGetCommandQueueInfo` as it would with the function it was passed to.
#[inline]
pub(crate) fn find(handle: Handle) -> Option<&'static Queue> {
    if handle.is_null() {
        return None;
    }
    QUEUES.find_or_insert(handle as usize, || if is_automatic() { adopt(handle) } else { None })
}

/// The queue with this handle, if the program has it. An event keeps a queue alive that the program has released: such a queue must not be
/// adopted, because nobody will say when it goes.
#[inline]
pub(crate) fn known(handle: Handle) -> Option<&'static Queue> {
    QUEUES.find(handle as usize)
}

#[cold]
fn adopt(handle: Handle) -> Option<&'static Queue> {
    let driver = driver()?;
    // SAFETY: the program passes it as a command queue; for any other value the real function would fare no better. So below.
    let (device, properties) = unsafe {
        let get = driver.clGetCommandQueueInfo;
        (handle_info(get, handle, CL_QUEUE_DEVICE)?, info::<u64>(get, handle, CL_QUEUE_PROPERTIES)?)
    };
    if properties & CL_QUEUE_ON_DEVICE != 0 {
        // Only kernels put commands into it.
        return None;
    }
    // SAFETY: the queue's device.
    let key = unsafe { device::key(driver, device) };
    let in_order = properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE == 0;
    let queue = guest()?.adopt(Arc::new(ClQueue::new(driver, handle, key)), in_order)?;
    queue.note.store(1, Ordering::Relaxed);
    Some(queue)
}

/// Makes a command queue known to the program that names it through the API. It is retained as long as the claim lives.
///
/// # Safety
/// A command queue.
pub unsafe fn claim(handle: Handle) -> Result<Claim, claim::Error> {
    let call = "clRetainCommandQueue";
    let (driver, lost) = (driver_or_load()?, Error::Lost { call });
    let retain = driver.clRetainCommandQueue.ok_or_else(|| lost.clone())?;
    // SAFETY: by the caller.
    let result = nested(|| unsafe { retain(handle) });
    if result != CL_SUCCESS {
        return Err(Error::Vendor { call, code: result.into() }.into());
    }
    let number = handle as usize;
    // Where we hear of the program's references, ours are counted with them.
    let known = if is_bound() { QUEUES.find_or_insert(number, || adopt(handle)) } else { None };
    let is_counted = known.map(|queue| queue.note.fetch_add(1, Ordering::AcqRel)).is_some();
    let find = move || QUEUES.find_or_insert(number, || adopt(number as Handle));
    Claim::new(find, is_bound(), move |is_over| {
        let handle = number as Handle;
        if is_counted {
            gone(handle);
        }
        if is_over {
            let _ = QUEUES.remove(number);
        }
        give_back(driver, handle);
    })
}

/// Whether the stand-in is there: whether we hear of what the program does.
fn is_bound() -> bool {
    !RELEASE.address().is_null()
}

/// The real library, found now if no stand-in has been called yet.
fn driver_or_load() -> Result<&'static Driver, claim::Error> {
    if let Some(driver) = driver() {
        return Ok(driver);
    }
    let folder = own_folder();
    match Library::open(wanted(&folder)) {
        Ok(library) => drop(crate::driver::settle(library)),
        Err(why) => report::once(&why),
    }
    driver().ok_or_else(|| Error::Lost { call: "the real OpenCL library" }.into())
}

fn give_back(driver: &Driver, handle: Handle) {
    if let Some(release) = driver.clReleaseCommandQueue {
        // SAFETY: a reference of ours.
        nested(|| unsafe { release(handle) });
    }
}

/// A reference is about to be given back; with the last one, nothing of ours may touch the queue.
fn gone(handle: Handle) {
    if let Some(queue) = known(handle)
        && queue.note.fetch_sub(1, Ordering::AcqRel) == 1
        && !QUEUES.remove(handle as usize)
        && let Some(retain) = driver().and_then(|driver| driver.clRetainCommandQueue)
    {
        // This is a callback inside, or beside, a call of ours on the queue. Rather than freed under it, the queue is kept for ever.
        // SAFETY: on a queue that is alive until that reference is given back.
        nested(|| unsafe { retain(handle) });
    }
}

fn created(handle: Handle) {
    if !handle.is_null()
        && is_automatic()
        && let Some(queue) = adopt(handle)
    {
        QUEUES.insert(handle as usize, queue);
    }
}

fn create(call: &dyn Fn() -> Handle) -> Handle {
    let queue = nested(call);
    created(queue);
    queue
}

handlers! {
    create_1_0(context: Handle, device: Handle, properties: u64, error: *mut c_int) -> Handle, CREATE_1_0 =>
        |call, _, _, _, _| create(call);
    create_2_0(context: Handle, device: Handle, properties: *const u64, error: *mut c_int) -> Handle, CREATE_2_0 =>
        |call, _, _, _, _| create(call);
    create_khr(context: Handle, device: Handle, properties: *const u64, error: *mut c_int) -> Handle, CREATE_KHR =>
        |call, _, _, _, _| create(call);

    retain(queue: Handle) -> c_int, RETAIN => |call, handle| {
        let result = nested(call);
        if result == CL_SUCCESS && let Some(queue) = known(handle) {
            queue.note.fetch_add(1, Ordering::AcqRel);
        }
        result
    };

    release(queue: Handle) -> c_int, RELEASE => |call, handle| {
        gone(handle);
        nested(call)
    };

    /// Deprecated since 1.1, and may turn the order of execution off.
    set_property(queue: Handle, properties: u64, enable: u32, old: *mut u64) -> c_int, SET_PROPERTY =>
        |call, handle, properties, enable, _| {
            let result = nested(call);
            if result == CL_SUCCESS
                && properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE != 0
                && let Some(queue) = find(handle)
            {
                queue.set_in_order(enable == 0);
            }
            result
        };

    finish(queue: Handle) -> c_int, FINISH => |call, handle| {
        let Some(queue) = find(handle) else { return nested(call) };
        queue.wait_for_turn();
        let then = queue.snapshot();
        let result = nested(call);
        if result == CL_SUCCESS {
            queue.synced(then);
        }
        result
    };
}
