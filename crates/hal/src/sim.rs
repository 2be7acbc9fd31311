//! A simulated device: plain threads that "execute" commands which only take time.
//!
//! A device has some slots; each executes one command at a time, and the commands of one queue in order, one after the other. A
//! queue has the level it was made with. An interrupted command keeps the time that it still needs. What happened stands in the
//! device's trace. When the last handle to the device or one of its queues is dropped, the threads end and what is left is lost.
//!
//! Deliberately absent: virtual time (durations are real, so keep them short) and any cost of a preemption.

mod engine;

use crate::{Deactivate, Error, HwCommand, HwQueue, Interrupt, Mark};
use engine::{Engine, QueueState, Shared, Work};
use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use xsched_core::{DeviceKey, Level, Value};

/// A simulated device; clones are handles to the same one.
#[derive(Clone)]
pub struct SimDevice {
    key: DeviceKey,
    engine: Arc<Engine>,
}

/// A queue of a [`SimDevice`].
pub struct SimQueue {
    key: DeviceKey,
    level: Level,
    number: u64,
    engine: Arc<Engine>,
}

/// A command that occupies a slot for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCommand {
    /// The number that the trace shows.
    pub id: u64,
    /// How long it executes.
    pub duration: Duration,
}

/// Something that happened on a [`SimDevice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// When.
    pub at: Instant,
    /// On which queue, see [`SimQueue::number`].
    pub queue: u64,
    /// To which command.
    pub command: u64,
    /// What.
    pub what: What,
}

/// What can happen to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It got a slot for the first time.
    Started,
    /// It was switched out.
    Interrupted,
    /// It got a slot again.
    Continued,
    /// It is complete.
    Finished,
}

impl SimDevice {
    /// A device that executes up to `slots` commands at once, one thread each.
    pub fn new(slots: NonZeroUsize) -> Result<SimDevice, Error> {
        static DEVICES: AtomicU64 = AtomicU64::new(0);
        let number = DEVICES.fetch_add(1, Ordering::Relaxed);
        let key = DeviceKey::parse(&format!("sim:{number}")).unwrap_or_else(|_| DeviceKey::named("sim", 0));
        Ok(SimDevice { key, engine: Arc::new(Engine::start(slots)?) })
    }

    /// A new queue that can be preempted at `level`.
    pub fn queue(&self, level: Level) -> SimQueue {
        SimQueue {
            key: self.key.clone(),
            level,
            number: self.engine.shared().add_queue(),
            engine: self.engine.clone(),
        }
    }

    /// Everything that happened so far, oldest first.
    pub fn trace(&self) -> Vec<Traced> {
        self.engine.shared().lock().trace.clone()
    }

    /// The commands that are complete, oldest first.
    pub fn finished(&self) -> Vec<u64> {
        let state = self.engine.shared().lock();
        state.trace.iter().filter(|t| t.what == What::Finished).map(|t| t.command).collect()
    }

    /// The device dies: what is left is lost, and every call fails from now on.
    pub fn lose(&self) {
        self.engine.shared().lose();
    }
}

impl SimQueue {
    /// The queue's number in the trace.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next `count` launches fail.
    pub fn fail_launches(&self, count: u32) {
        self.set(|queue| queue.failing_launches = count);
    }

    /// The next `count` calls that stop or start the queue fail.
    pub fn fail_controls(&self, count: u32) {
        self.set(|queue| queue.failing_controls = count);
    }

    fn set(&self, change: impl FnOnce(&mut QueueState)) {
        if let Some(queue) = self.engine.shared().lock().queues.get_mut(&self.number) {
            change(queue);
        }
    }

    /// Changes what may run, unless the device is lost or an error was ordered.
    fn control(&self, call: &'static str, change: impl FnOnce(&mut QueueState)) -> Result<(), Error> {
        let shared = self.engine.shared();
        shared.with_queue(self.number, call, |queue| {
            if queue.failing_controls > 0 {
                queue.failing_controls -= 1;
                return Err(Error::Vendor { call, code: -1 });
            }
            change(queue);
            Ok(())
        })
    }
}

impl HwQueue for SimQueue {
    fn device(&self) -> &DeviceKey {
        &self.key
    }

    fn platform(&self) -> &'static str {
        "sim"
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        self.engine.shared().with_queue(self.number, "launch", |queue| {
            if queue.failing_launches > 0 {
                queue.failing_launches -= 1;
                return Err(Error::Vendor { call: "launch", code: -1 });
            }
            Ok(())
        })?;
        command.launch(self)
    }

    fn flush(&self) -> Result<(), Error> {
        self.engine.shared().with_queue(self.number, "flush", |_| Ok(()))
    }

    fn synchronize(&self) -> Result<(), Error> {
        self.mark()?.wait()
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        let shared = self.engine.shared();
        let behind = shared.with_queue(self.number, "mark", |queue| Ok(queue.launched))?;
        Ok(Box::new(SimMark { shared: shared.clone(), queue: self.number, behind }))
    }

    fn deactivate(&self) -> Option<&dyn Deactivate> {
        (self.level >= Level::Deactivate).then_some(self as &dyn Deactivate)
    }

    fn interrupt(&self) -> Option<&dyn Interrupt> {
        (self.level >= Level::Interrupt).then_some(self as &dyn Interrupt)
    }
}

impl Deactivate for SimQueue {
    fn deactivate(&self) -> Result<(), Error> {
        self.control("deactivate", |queue| queue.active = false)
    }

    fn reactivate(&self) -> Result<(), Error> {
        self.control("reactivate", |queue| (queue.active, queue.interrupted) = (true, false))
    }

    fn wait_stopped(&self) -> Result<(), Error> {
        self.engine.shared().wait_until(self.number, "wait_stopped", |queue| queue.active || !queue.running)
    }
}

impl Interrupt for SimQueue {
    fn interrupt(&self) -> Result<(), Error> {
        let mut was_active = false;
        self.control("interrupt", |queue| {
            was_active = queue.active;
            queue.interrupted = !was_active;
        })?;
        if was_active {
            return Err(Error::NotAllowed { call: "interrupt", why: "on an active queue" });
        }
        // Bounded: a slot gives an interrupted command up as soon as it is notified.
        let switched_out = |queue: &QueueState| !queue.interrupted || !queue.running;
        self.engine.shared().wait_until(self.number, "interrupt", switched_out)
    }

    fn restore(&self) -> Result<(), Error> {
        self.control("restore", |queue| queue.interrupted = false)
    }
}

impl Drop for SimQueue {
    fn drop(&mut self) {
        self.engine.shared().close_queue(self.number);
    }
}

impl HwCommand for SimCommand {
    fn launch(&mut self, queue: &dyn HwQueue) -> Result<(), Error> {
        let Some(sim) = (queue as &dyn Any).downcast_ref::<SimQueue>() else {
            return Err(Error::Platform { command: "sim", queue: queue.platform() });
        };
        let work = Work::new(self.id, self.duration);
        sim.engine.shared().with_queue(sim.number, "launch", |queue| {
            queue.launched += 1;
            queue.waiting.push_back(work);
            Ok(())
        })
    }
}

struct SimMark {
    shared: Arc<Shared>,
    queue: u64,
    behind: u64,
}

impl Mark for SimMark {
    fn is_complete(&self) -> Result<bool, Error> {
        self.shared.is(self.queue, "mark", |queue| queue.finished >= self.behind)
    }

    fn wait(&self) -> Result<(), Error> {
        self.shared.wait_until(self.queue, "mark", |queue| queue.finished >= self.behind)
    }
}

#[cfg(test)]
mod tests;
