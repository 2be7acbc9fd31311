//! A command queue, or an immediate command list, as a `HwQueue`: Level 1.
//!
//! It owns neither: the program may destroy them at any time, and until then (`xsched_runtime::Queue::release`) every call here is made under
//! the lock that the release takes. A mark is a barrier: in a queue, a list of ours that has nothing else in it, with a fence behind; in an
//! immediate list, one that signals an event of ours. Level Zero submits at once, so there is nothing to flush.
//! Deliberately absent: Levels 2 and 3.

use crate::driver::{Driver, Handle, QueueDesc, ZE_RESULT_NOT_READY, ZE_RESULT_SUCCESS, ZeResult};
use crate::signal::{Signal, Signals};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xsched_core::DeviceKey;
use xsched_hal::{Error, HwCommand, HwQueue, Mark};

/// Who appends to an immediate list: Level Zero lets only one thread at a time, and ours are not the program's to order.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicBool);

/// How long a thread sleeps while another one has the turn, and how often.
const LOOK_AGAIN: Duration = Duration::from_micros(20);
/// Ours gives up: it comes again.
const OUR_LOOKS: u32 = 500;
/// The program's goes on, as it would without us: whoever has the turn so long is stuck in the driver.
const PROGRAM_LOOKS: u32 = 100_000;

/// Turns that no list uses: like queues, they are not freed, because a late look at one must be harmless.
static SPARE: Mutex<Vec<&'static Turn>> = Mutex::new(Vec::new());

impl Turn {
    pub(crate) fn new() -> &'static Turn {
        let spare = SPARE.try_lock().ok().and_then(|mut spare| spare.pop());
        spare.unwrap_or_else(|| Box::leak(Box::default()))
    }

    /// Its list is gone.
    pub(crate) fn give_back(&'static self) {
        self.0.store(false, Ordering::Release);
        if let Ok(mut spare) = SPARE.try_lock() {
            spare.push(self);
        }
    }

    /// The program appends.
    #[inline]
    pub(crate) fn during<R>(&self, call: impl FnOnce() -> R) -> R {
        if self.0.swap(true, Ordering::Acquire) {
            self.wait(PROGRAM_LOOKS);
        }
        let result = call();
        self.0.store(false, Ordering::Release);
        result
    }

    /// We append, if that is possible soon.
    fn ours<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        if self.0.swap(true, Ordering::Acquire) && !self.wait(OUR_LOOKS) {
            return None;
        }
        let result = call();
        self.0.store(false, Ordering::Release);
        Some(result)
    }

    #[cold]
    fn wait(&self, looks: u32) -> bool {
        (0..looks).any(|_| {
            std::thread::sleep(LOOK_AGAIN);
            !self.0.swap(true, Ordering::Acquire)
        })
    }
}

/// What is behind a queue of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Native {
    /// A command queue, and the ordinal of its group.
    Queue(usize, u32),
    /// An immediate command list.
    List(usize, &'static Turn),
}

/// A command queue or an immediate list of the program's.
#[derive(Debug)]
pub(crate) struct ZeQueue {
    driver: &'static Driver,
    native: Native,
    signals: Arc<Signals>,
    key: DeviceKey,
}

impl ZeQueue {
    /// A command queue that was made with these arguments.
    pub(crate) fn of_queue(
        driver: &'static Driver,
        owner: Owner,
        desc: QueueDesc,
        handle: Handle,
    ) -> ZeQueue {
        ZeQueue::new(driver, owner, Native::Queue(handle as usize, desc.ordinal))
    }

    /// An immediate list.
    pub(crate) fn of_list(
        driver: &'static Driver,
        owner: Owner,
        turn: &'static Turn,
        handle: Handle,
    ) -> ZeQueue {
        ZeQueue::new(driver, owner, Native::List(handle as usize, turn))
    }

    fn new(driver: &'static Driver, owner: Owner, native: Native) -> ZeQueue {
        let signals = Arc::new(Signals::new(driver, owner.context, owner.device, native));
        ZeQueue { driver, native, signals, key: owner.key }
    }
}

/// Whose a queue is.
#[derive(Debug)]
pub(crate) struct Owner {
    /// The `ze_context_handle_t`.
    pub(crate) context: usize,
    /// The `ze_device_handle_t`.
    pub(crate) device: usize,
    /// The same device's name.
    pub(crate) key: DeviceKey,
}

/// The result of a call of ours.
pub(crate) fn check(call: &'static str, result: Option<ZeResult>) -> Result<(), Error> {
    match result {
        Some(ZE_RESULT_SUCCESS) => Ok(()),
        Some(code) => Err(Error::Vendor { call, code: code.into() }),
        None => Err(Error::Lost { call }),
    }
}

/// The result of a query: complete or not.
pub(crate) fn answer(call: &'static str, result: Option<ZeResult>) -> Result<bool, Error> {
    match result {
        Some(ZE_RESULT_NOT_READY) => Ok(false),
        other => check(call, other).map(|()| true),
    }
}

impl HwQueue for ZeQueue {
    fn device(&self) -> &DeviceKey {
        &self.key
    }

    fn platform(&self) -> &'static str {
        "levelzero"
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        command.launch(self)
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn synchronize(&self) -> Result<(), Error> {
        match self.native {
            Native::Queue(queue, _) => {
                let f = self.driver.zeCommandQueueSynchronize;
                // SAFETY: a live command queue, see the module's text.
                check("zeCommandQueueSynchronize", f.map(|f| unsafe { f(queue as Handle, u64::MAX) }))
            }
            Native::List(list, _) => match self.driver.zeCommandListHostSynchronize {
                Some(f) => {
                    // SAFETY: a live immediate list, likewise.
                    let result = unsafe { f(list as Handle, u64::MAX) };
                    check("zeCommandListHostSynchronize", Some(result))
                }
                None => self.mark()?.wait(),
            },
        }
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        let signal = self.signals.take()?;
        let placed = match self.native {
            Native::Queue(queue, _) => signal.execute(self.driver, queue),
            Native::List(list, turn) => {
                turn.ours(|| signal.append(self.driver, list)).unwrap_or(Err(Error::NotAllowed {
                    call: "zeCommandListAppendBarrier",
                    why: "while another thread appends",
                }))
            }
        };
        match placed {
            Ok(()) => Ok(Box::new(ZeMark { signal: Some(signal), signals: self.signals.clone() })),
            Err(e) => {
                signal.destroy(self.driver);
                Err(e)
            }
        }
    }
}

/// A signal behind a barrier. Lent: it goes back when the mark is dropped.
#[derive(Debug)]
struct ZeMark {
    signal: Option<Signal>,
    signals: Arc<Signals>,
}

impl ZeMark {
    fn signal(&self) -> Result<&Signal, Error> {
        self.signal.as_ref().ok_or(Error::Lost { call: "the mark" })
    }
}

impl Mark for ZeMark {
    fn is_complete(&self) -> Result<bool, Error> {
        self.signal()?.is_complete(self.signals.driver())
    }

    fn wait(&self) -> Result<(), Error> {
        self.signal()?.wait(self.signals.driver())
    }
}

impl Drop for ZeMark {
    fn drop(&mut self) {
        if let Some(signal) = self.signal.take() {
            self.signals.give_back(signal);
        }
    }
}

#[cfg(test)]
mod tests;
