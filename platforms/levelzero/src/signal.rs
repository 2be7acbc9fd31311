//! What marks are made of: native objects of ours that the device signals, used again and again.
//!
//! They belong to the program's queue and context, so they go before those. An object that the device has not signalled yet must not be
//! destroyed: a mark that nobody waits for any more gives it back as it is, and it is used again once it is complete.

use crate::driver::{Driver, EventDesc, EventPoolDesc, FenceDesc, Handle, ListDesc};
use crate::queue::{Native, answer, check};
use std::collections::VecDeque;
use std::ffi::c_int;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use xsched_hal::Error;
use xsched_runtime::nested;

/// How long the end of a queue waits for what we have put into it. The program destroys only what the device is done with.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// Something that the device signals behind a barrier.
#[derive(Debug)]
pub(crate) enum Signal {
    /// For queues: a closed list with a barrier, and the fence that is signalled when it has been executed.
    Fence { list: usize, fence: usize },
    /// For immediate lists: an event and its pool.
    Event { pool: usize, event: usize },
}

/// The signals of one queue.
#[derive(Debug)]
pub(crate) struct Signals {
    driver: &'static Driver,
    context: usize,
    device: usize,
    native: Native,
    /// Not in use; the oldest first.
    spare: Mutex<VecDeque<Signal>>,
}

impl Signals {
    pub(crate) fn new(driver: &'static Driver, context: usize, device: usize, native: Native) -> Signals {
        Signals { driver, context, device, native, spare: Mutex::default() }
    }

    pub(crate) fn driver(&self) -> &'static Driver {
        self.driver
    }

    /// A signal that is not signalled.
    pub(crate) fn take(&self) -> Result<Signal, Error> {
        let oldest = self.spare.lock().ok().and_then(|mut spare| {
            let is_free =
                spare.front().is_some_and(|signal| signal.is_complete(self.driver).unwrap_or(false));
            if is_free { spare.pop_front() } else { None }
        });
        if let Some(signal) = oldest {
            if signal.reset(self.driver).is_ok() {
                return Ok(signal);
            }
            signal.destroy(self.driver);
        }
        self.make()
    }

    pub(crate) fn give_back(&self, signal: Signal) {
        if let Ok(mut spare) = self.spare.lock() {
            spare.push_back(signal);
        }
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.spare.lock().expect("no test panics with it").len()
    }

    fn make(&self) -> Result<Signal, Error> {
        match self.native {
            Native::Queue(queue, ordinal) => self.fence(queue, ordinal),
            Native::List(..) => self.event(),
        }
    }

    fn fence(&self, queue: usize, ordinal: u32) -> Result<Signal, Error> {
        let driver = self.driver;
        let mut list: Handle = std::ptr::null_mut();
        let desc = ListDesc::new(ordinal);
        // SAFETY: the program's live context and device, see `queue`; the description and the place are ours.
        let made = driver.zeCommandListCreate.map(|f| unsafe {
            f(self.context as Handle, self.device as Handle, &raw const desc, &raw mut list)
        });
        check("zeCommandListCreate", made)?;
        let mut fence: Handle = std::ptr::null_mut();
        let mut prepare = || {
            // SAFETY: a list of ours, which nobody else knows; no event, no wait list.
            let barrier = driver
                .zeCommandListAppendBarrier
                .map(|f| unsafe { f(list, std::ptr::null_mut(), 0, std::ptr::null()) });
            check("zeCommandListAppendBarrier", barrier)?;
            // SAFETY: as above.
            check("zeCommandListClose", driver.zeCommandListClose.map(|f| unsafe { f(list) }))?;
            let desc = FenceDesc::new();
            // SAFETY: the program's live queue; the description and the place are ours.
            let made =
                driver.zeFenceCreate.map(|f| unsafe { f(queue as Handle, &raw const desc, &raw mut fence) });
            check("zeFenceCreate", made)
        };
        let prepared: Result<(), Error> = prepare();
        if let Err(e) = prepared {
            // SAFETY: a list of ours that was never executed.
            let _ = driver.zeCommandListDestroy.map(|f| unsafe { f(list) });
            return Err(e);
        }
        Ok(Signal::Fence { list: list as usize, fence: fence as usize })
    }

    fn event(&self) -> Result<Signal, Error> {
        let driver = self.driver;
        let mut pool: Handle = std::ptr::null_mut();
        let (desc, device) = (EventPoolDesc::new(), self.device as Handle);
        // SAFETY: the program's live context and device; the description and the place are ours.
        let made = driver.zeEventPoolCreate.map(|f| unsafe {
            f(self.context as Handle, &raw const desc, 1, &raw const device, &raw mut pool)
        });
        check("zeEventPoolCreate", made)?;
        let mut event: Handle = std::ptr::null_mut();
        let desc = EventDesc::new();
        // SAFETY: a pool of ours, with room for one.
        let made = driver.zeEventCreate.map(|f| unsafe { f(pool, &raw const desc, &raw mut event) });
        if let Err(e) = check("zeEventCreate", made) {
            // SAFETY: a pool of ours with no event.
            let _ = driver.zeEventPoolDestroy.map(|f| unsafe { f(pool) });
            return Err(e);
        }
        Ok(Signal::Event { pool: pool as usize, event: event as usize })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let Ok(spare) = self.spare.get_mut() else { return };
        let end = Instant::now() + LAST_WAIT;
        // Nested, because the real loader may call back into the stand-in.
        nested(|| {
            for signal in spare.drain(..) {
                while !signal.is_complete(self.driver).unwrap_or(true) && Instant::now() < end {
                    std::thread::sleep(Duration::from_micros(100));
                }
                // Rather kept for ever than freed under the device.
                if signal.is_complete(self.driver).unwrap_or(true) {
                    signal.destroy(self.driver);
                }
            }
        });
    }
}

impl Signal {
    /// Puts a barrier with this behind it into a command queue.
    pub(crate) fn execute(&self, driver: &Driver, queue: usize) -> Result<(), Error> {
        let Signal::Fence { list, fence } = *self else { return Err(Error::Lost { call: "the mark" }) };
        let list = list as Handle;
        // SAFETY: a live queue; a closed list and a fence of that queue, both ours and not in use.
        let result = driver
            .zeCommandQueueExecuteCommandLists
            .map(|f| unsafe { f(queue as Handle, 1, &raw const list, fence as Handle) });
        check("zeCommandQueueExecuteCommandLists", result)
    }

    /// The same for an immediate list, whose turn is ours.
    pub(crate) fn append(&self, driver: &Driver, list: usize) -> Result<(), Error> {
        let Signal::Event { event, .. } = *self else { return Err(Error::Lost { call: "the mark" }) };
        // SAFETY: a live immediate list, which nobody else appends to now; an event of ours, not in use.
        let result = driver
            .zeCommandListAppendBarrier
            .map(|f| unsafe { f(list as Handle, event as Handle, 0, std::ptr::null()) });
        check("zeCommandListAppendBarrier", result)
    }

    pub(crate) fn is_complete(&self, driver: &Driver) -> Result<bool, Error> {
        match *self {
            Signal::Fence { fence, .. } => {
                // SAFETY: a fence of ours; so below for events.
                answer("zeFenceQueryStatus", driver.zeFenceQueryStatus.map(|f| unsafe { f(fence as Handle) }))
            }
            Signal::Event { event, .. } => {
                // SAFETY: as above.
                answer("zeEventQueryStatus", driver.zeEventQueryStatus.map(|f| unsafe { f(event as Handle) }))
            }
        }
    }

    pub(crate) fn wait(&self, driver: &Driver) -> Result<(), Error> {
        match *self {
            Signal::Fence { fence, .. } => {
                let f = driver.zeFenceHostSynchronize;
                // SAFETY: as above.
                check("zeFenceHostSynchronize", f.map(|f| unsafe { f(fence as Handle, u64::MAX) }))
            }
            Signal::Event { event, .. } => {
                let f = driver.zeEventHostSynchronize;
                // SAFETY: as above.
                check("zeEventHostSynchronize", f.map(|f| unsafe { f(event as Handle, u64::MAX) }))
            }
        }
    }

    fn reset(&self, driver: &Driver) -> Result<(), Error> {
        match *self {
            Signal::Fence { fence, .. } => {
                // SAFETY: as above; the device is done with it.
                check("zeFenceReset", driver.zeFenceReset.map(|f| unsafe { f(fence as Handle) }))
            }
            Signal::Event { event, .. } => {
                // SAFETY: as above.
                check("zeEventHostReset", driver.zeEventHostReset.map(|f| unsafe { f(event as Handle) }))
            }
        }
    }

    /// The device is done with it, or never got it.
    pub(crate) fn destroy(self, driver: &Driver) {
        let destroy = |f: Option<unsafe extern "C" fn(Handle) -> c_int>, object: usize| {
            // SAFETY: objects of ours, given up here.
            f.map(|f| unsafe { f(object as Handle) });
        };
        match self {
            Signal::Fence { list, fence } => {
                destroy(driver.zeFenceDestroy, fence);
                destroy(driver.zeCommandListDestroy, list);
            }
            Signal::Event { pool, event } => {
                destroy(driver.zeEventDestroy, event);
                destroy(driver.zeEventPoolDestroy, pool);
            }
        }
    }
}
