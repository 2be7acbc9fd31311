//! What a context has of ours: its device's key, and events to mark progress with.
//!
//! Events belong to a context and go with it, so a context that is about to go is forgotten first: its pool is closed, and what is
//! still out of it is left to the driver.

use crate::capture::Relaxed;
use crate::device;
use crate::driver::{CUDA_SUCCESS, Driver, Handle};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint};
use std::sync::{Arc, Mutex};
use xsched_core::DeviceKey;
use xsched_runtime::PerLife;

const CU_EVENT_DISABLE_TIMING: c_uint = 2;

/// Events made when a context is first met: later, making one could get in the program's way.
const PREPARED: usize = 32;

/// A context of the program's.
#[derive(Debug)]
pub(crate) struct Context {
    driver: &'static Driver,
    /// The `CUcontext`.
    handle: usize,
    device: DeviceKey,
    /// Free events; `None` once the context is forgotten.
    events: Mutex<Option<Vec<usize>>>,
}

static CONTEXTS: PerLife<Mutex<BTreeMap<usize, Arc<Context>>>> = PerLife::new();

/// The context with this handle, which is alive. `None` if the driver does not say where it is.
pub(crate) fn attach(driver: &'static Driver, handle: Handle) -> Option<Arc<Context>> {
    if let Some(known) = CONTEXTS.get().lock().ok()?.get(&(handle as usize)) {
        return Some(Arc::clone(known));
    }
    let _relaxed = Relaxed::new(driver);
    // SAFETY: the context is alive, by the caller.
    let context = unsafe { driver.in_context(handle, || Context::new(driver, handle)) }??;
    Some(Arc::clone(CONTEXTS.get().lock().ok()?.entry(handle as usize).or_insert(Arc::new(context))))
}

/// The context with this handle is about to go.
pub(crate) fn forget(handle: usize) {
    let context = CONTEXTS.get().lock().ok().and_then(|mut contexts| contexts.remove(&handle));
    if let Some(context) = context
        && let Ok(mut events) = context.events.lock()
    {
        *events = None;
    }
}

/// The handles of all contexts that we know on a device.
pub(crate) fn on_device(driver: &Driver, device: c_int) -> Vec<usize> {
    let key = device::key(driver, device);
    let all = CONTEXTS.get().lock();
    all.map(|all| all.values().filter(|c| c.device == key).map(|c| c.handle).collect()).unwrap_or_default()
}

impl Context {
    /// The context is current.
    fn new(driver: &'static Driver, handle: Handle) -> Option<Context> {
        let mut device = 0;
        // SAFETY: a place for the answer.
        if unsafe { driver.cuCtxGetDevice?(&raw mut device) } != CUDA_SUCCESS {
            return None;
        }
        let events = (0..PREPARED).map_while(|_| new_event(driver)).collect();
        let whole = device::whole(driver, device);
        let device = device::key(driver, device);
        if let Some(uuid) = whole {
            crate::rm::met(uuid, &device);
        }
        Some(Context { driver, handle: handle as usize, device, events: Mutex::new(Some(events)) })
    }

    pub(crate) fn driver(&self) -> &'static Driver {
        self.driver
    }

    pub(crate) fn handle(&self) -> usize {
        self.handle
    }

    pub(crate) fn device(&self) -> &DeviceKey {
        &self.device
    }

    /// An event to record in one of the context's streams; `None` if the context goes, or the driver gives none.
    pub(crate) fn event(self: &Arc<Self>) -> Option<Event> {
        let free = self.events.lock().ok()?.as_mut()?.pop();
        // SAFETY: the context is alive: one of its streams is in use.
        let fresh = || unsafe { self.driver.in_context(self.handle as Handle, || new_event(self.driver)) };
        let handle = free.or_else(|| fresh().flatten())?;
        Some(Event { context: Arc::clone(self), handle })
    }
}

fn new_event(driver: &Driver) -> Option<usize> {
    let mut event: Handle = std::ptr::null_mut();
    // SAFETY: a place for the event, which is ours.
    let result = unsafe { driver.cuEventCreate?(&raw mut event, CU_EVENT_DISABLE_TIMING) };
    (result == CUDA_SUCCESS).then_some(event as usize)
}

/// An event of ours, given back to its context when dropped.
#[derive(Debug)]
pub(crate) struct Event {
    context: Arc<Context>,
    handle: usize,
}

impl Event {
    pub(crate) fn handle(&self) -> Handle {
        self.handle as Handle
    }

    pub(crate) fn driver(&self) -> &'static Driver {
        self.context.driver
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // An event that is still pending may be recorded again: it then stands for the later place.
        if let Ok(mut events) = self.context.events.lock()
            && let Some(free) = events.as_mut()
        {
            free.push(self.handle);
        }
    }
}
