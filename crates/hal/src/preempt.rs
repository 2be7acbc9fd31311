//! Stopping and starting a device queue.
//!
//! The methods of [`Deactivate`] and [`Interrupt`] may be called from any thread, and are called while other threads sit
//! inside the vendor's library. So they take no lock that anybody holds across a vendor's call, they return within a bound, and they
//! never wait for a command to end (but see [`Deactivate::wait_stopped`]). All are idempotent.
//! Stopping goes in steps, first deactivate, then interrupt; starting goes back the same way, first restore, then reactivate.
//! [`Preemption`] keeps that order.
//!
//! While a queue is stopped it still takes launches and marks; they stay in line. Nothing is lost, reordered or run twice.

use crate::{Error, HwQueue};
use std::os::fd::OwnedFd;
use xsched_core::{DeviceKey, Level};

/// Level 2: launched commands that have not started can be held back.
pub trait Deactivate: Send + Sync {
    /// Stops the queue. After the return no further command starts; the one that is running goes on.
    fn deactivate(&self) -> Result<(), Error>;

    /// Lets commands start again.
    fn reactivate(&self) -> Result<(), Error>;

    /// Waits until nothing of the deactivated queue is running: until its running command ended or was interrupted, or until the
    /// queue is reactivated.
    fn wait_stopped(&self) -> Result<(), Error>;
}

/// Level 3: the running command can be switched out.
pub trait Interrupt: Send + Sync {
    /// Switches the running command of a deactivated queue out. After the return it does not run; what it did so far is kept.
    /// Fails on an active queue: the next command would start at once.
    fn interrupt(&self) -> Result<(), Error>;

    /// Lets the interrupted command go on from where it was; at the latest when the queue is reactivated.
    fn restore(&self) -> Result<(), Error>;
}

/// What another process needs to stop what this one has on its devices, without waking it.
#[derive(Debug)]
pub struct RemoteControl {
    /// Says who can read the rest: a number of the platform's.
    pub kind: u32,
    /// Device files to hand over.
    pub fds: Vec<OwnedFd>,
    /// Anything else, in the platform's own layout.
    pub blob: Vec<u8>,
}

/// What a platform offers for stopping all that a process has on its devices at once, by xserver or, if that is gone, by the process's own agent.
///
/// Its methods take no lock that anybody holds across a vendor's call, and make plain system calls only. But for [`Controls::can_interrupt`], they are called by the
/// agent alone.
pub trait Controls: Send + Sync + std::fmt::Debug {
    /// Whether what this process runs on a device can be interrupted; the error says why not. Asks the driver. Holds no lock meanwhile that another method takes, for
    /// threads of the program may call it.
    fn can_interrupt(&self, device: &DeviceKey) -> Result<(), String>;

    /// Moves when there is something new to tell. Asks nobody.
    fn generation(&self) -> u64;

    /// What xserver needs, as it is now; `None` if there is nothing to control.
    fn remote(&self) -> Option<RemoteControl>;

    /// Lets everything that [`Controls::remote`] has told of go on, in turns as long as at first: one that may only run for moments beside others does not go on. As soon as can be; what
    /// is not needed for that is left as it is.
    fn let_go(&self);

    /// Lets everything that [`Controls::remote`] has told of go on, as if nobody had ever touched it.
    fn rescue(&self);
}

/// How far a queue is stopped at present, and the way from there to anywhere else. One per queue; who shares it locks it.
#[derive(Debug)]
pub struct Preemption {
    reached: Level,
}

impl Default for Preemption {
    fn default() -> Self {
        Preemption { reached: Level::Block }
    }
}

impl Preemption {
    /// The device queue is stopped this far. [`Level::Block`]: not at all.
    pub fn reached(&self) -> Level {
        self.reached
    }

    /// Stops or starts `queue`, step by step, until it is stopped as far as `wanted`. If a step fails, the steps before it hold,
    /// and the next call tries again from there.
    pub fn bring(&mut self, queue: &dyn HwQueue, wanted: Level) -> Result<(), Error> {
        crate::queue::require(queue, wanted.max(self.reached))?;
        let (Some(deactivate), interrupt) = (queue.deactivate(), queue.interrupt()) else { return Ok(()) };
        while self.reached != wanted {
            self.reached = match (self.reached, interrupt) {
                (Level::Block, _) => deactivate.deactivate().map(|()| Level::Deactivate)?,
                (Level::Deactivate, Some(interrupt)) if wanted == Level::Interrupt => {
                    interrupt.interrupt().map(|()| Level::Interrupt)?
                }
                (Level::Interrupt, Some(interrupt)) => interrupt.restore().map(|()| Level::Deactivate)?,
                _ => deactivate.reactivate().map(|()| Level::Block)?,
            };
        }
        Ok(())
    }
}
