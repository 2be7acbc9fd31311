//! Queues of a device.
//!
//! All methods may be called from any thread at any time, also several at once; the implementation orders them. None changes the
//! error state, the errno or the stream capture of any thread. Commands launched by one thread are executed in the order of
//! their launches unless the program made the native queue an out-of-order one.

use crate::{Deactivate, Error, HwCommand, Interrupt};
use std::any::Any;
use std::time::Duration;
use xsched_core::{DeviceKey, Level};

/// The device's own queue, as a platform sees it.
pub trait HwQueue: Any + Send + Sync {
    /// The device that executes the commands.
    fn device(&self) -> &DeviceKey;

    /// The platform's name, such as "opencl".
    fn platform(&self) -> &'static str;

    /// Launches the command: prepares the thread if the platform needs that, then calls [`HwCommand::launch`].
    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error>;

    /// Makes sure that what was launched starts without another call (OpenCL commands need not start before a flush).
    fn flush(&self) -> Result<(), Error>;

    /// Waits until everything launched so far is complete: as long as that takes, if the queue is stopped until it is started again.
    fn synchronize(&self) -> Result<(), Error>;

    /// Puts a mark behind everything launched so far.
    fn mark(&self) -> Result<Box<dyn Mark>, Error>;

    /// The same, for a thread that launches nothing on the queue itself and so may come between any two calls of those who do. As provided,
    /// it is an ordinary mark; platforms on which that could be seen (it would order queues, or get into what a thread records) look at the
    /// whole queue instead, or refuse.
    fn tail(&self) -> Result<Box<dyn Mark>, Error> {
        self.mark()
    }

    /// Whether [`HwQueue::tail`] can be had at all. Always the same answer.
    fn has_tail(&self) -> bool {
        true
    }

    /// Level 2, if the queue has it. Always the same answer.
    fn deactivate(&self) -> Option<&dyn Deactivate> {
        None
    }

    /// Level 3, if the queue has it; it then has Level 2 as well. Always the same answer.
    fn interrupt(&self) -> Option<&dyn Interrupt> {
        None
    }

    /// How far the queue can be preempted. Follows from the capabilities: not to be overridden.
    fn level(&self) -> Level {
        match (self.deactivate(), self.interrupt()) {
            (Some(_), Some(_)) => Level::Interrupt,
            (Some(_), None) => Level::Deactivate,
            (None, _) => Level::Block,
        }
    }
}

/// A place behind some commands of a queue.
pub trait Mark: Send + Sync {
    /// Whether everything before the mark is complete. Once it is, it stays so. An error says that this will never be known, and
    /// that nobody needs to wait any longer.
    fn is_complete(&self) -> Result<bool, Error>;

    /// Waits until the mark is complete; the queue need not be flushed before. As provided, it looks again and again; platforms
    /// that can sleep in the driver do that instead.
    fn wait(&self) -> Result<(), Error> {
        const LONGEST_NAP: Duration = Duration::from_micros(500);
        let mut nap = Duration::from_micros(5);
        while !self.is_complete()? {
            std::thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
        Ok(())
    }
}

/// Whether `queue` can be preempted at level `asked`; the error says how far it can.
pub fn require(queue: &dyn HwQueue, asked: Level) -> Result<(), Error> {
    let has = queue.level();
    if asked <= has { Ok(()) } else { Err(Error::Level { asked, has, platform: queue.platform() }) }
}
