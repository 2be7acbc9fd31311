//! A queue that the program names through the API: what it can do with it.
//!
//! A claim is on one life of a [`Queue`], the same one that launches on the native queue pass, so a transparent queue and one of the API's are
//! one thing. Once that life is over (the program destroyed the native queue), everything answers [`Error::Gone`].
//!
//! Functions that wait are for the program's own threads; in a callback they answer [`Error::InCallback`], because they might wait for themselves.

use crate::manager::Manager;
use crate::offered::offered;
use crate::queue::{Control, Queue};
use crate::{errno, given, submit, thread};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;
use xsched_core::{Hint, Hints, Level};
use xsched_hal::{HwCommand, HwQueue};
use xsched_queue::deferred::{Deferred, LaunchConfig, Readiness, Ticket, Until, When};
use xsched_queue::gate::Holders;

/// How long a thread sleeps between two looks at other threads' launches.
const LOOK_AGAIN: Duration = Duration::from_micros(50);
/// For how many looks a suspension waits for threads that had seen the gate open; who is longer in the vendor's call has launched.
const HELD_LOOKS: u32 = 40;
/// For how many looks a claim waits until another thread has taken out what it gave up.
const FIND_LOOKS: u32 = 2_000;

/// Why something cannot be done with a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The native queue is not there any more.
    #[error("the queue is gone")]
    Gone,
    /// This would wait, in a callback.
    #[error("{0} waits, which is not allowed in a callback")]
    InCallback(&'static str),
    /// More was asked than the queue can do at present.
    #[error("level {asked} was asked of a queue on {platform} that has level {has}{}", why_not(.why))]
    Level {
        /// The level that was asked for.
        asked: Level,
        /// The level that the queue has.
        has: Level,
        /// The queue's platform.
        platform: &'static str,
        /// Why not more, if that is known.
        why: Option<String>,
    },
    /// The device, or the queue, says so.
    #[error(transparent)]
    Device(#[from] xsched_hal::Error),
}

fn why_not(why: &Option<String>) -> String {
    why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
}

/// A queue that the program names, in one life of it. Dropping the claim changes nothing about the queue but what the platform does then.
pub struct Claim {
    queue: &'static Queue,
    life: u32,
    hw: Arc<dyn HwQueue>,
    is_heard_of: bool,
    /// The platform's part of giving the claim up.
    give_up: Option<Box<dyn FnOnce(bool) + Send + Sync>>,
}

/// A submitted command, to wait for.
#[derive(Clone)]
pub struct Submitted {
    deferred: Weak<Deferred>,
    ticket: Ticket,
}

impl Claim {
    /// A claim on the queue that `find` answers. `give_up` is the platform's part when the claim is dropped, or cannot be had; it is told whether
    /// nothing of ours may touch the native queue any more: the last claim is gone, and nobody tells of the native queue's end
    /// (`is_heard_of`).
    pub fn new(
        find: impl Fn() -> Option<&'static Queue>,
        is_heard_of: bool,
        give_up: impl FnOnce(bool) + Send + Sync + 'static,
    ) -> Result<Claim, Error> {
        // Who gives the last claim up at this moment takes the queue out of its registry next.
        for _ in 0..FIND_LOOKS {
            let Some(queue) = find() else { break };
            let (life, hw) = (queue.life(), queue.native());
            if let Some(hw) = hw
                && let Some(mut control) = queue.control(life)
                && !control.is_closing
            {
                control.claims += 1;
                drop(control);
                return Ok(Claim { queue, life, hw, is_heard_of, give_up: Some(Box::new(give_up)) });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        give_up(false);
        Err(Error::Gone)
    }

    /// The same for all claims on one life of one queue, and for no others.
    pub fn identity(&self) -> (usize, u32) {
        (std::ptr::from_ref(self.queue).addr(), self.life)
    }

    /// How far the queue can be preempted as things are: by what the platform does for a queue alone, or by what xserver does to the whole process.
    pub fn level(&self) -> Result<Level, Error> {
        self.there()?;
        Ok(self.levels().0)
    }

    /// Fails if the queue cannot be preempted so far; the error says how far it can, and why not further.
    pub fn require(&self, asked: Level) -> Result<(), Error> {
        self.there()?;
        if asked <= Level::Block {
            return Ok(());
        }
        let _errno = errno::Keep::new();
        let (has, why) = self.levels();
        if asked <= has {
            return Ok(());
        }
        Err(Error::Level { asked, has, platform: self.hw.platform(), why })
    }

    /// The level, and why it is not higher.
    fn levels(&self) -> (Level, Option<String>) {
        let (own, highest) = (self.hw.level(), self.queue.guest().highest_level());
        if highest < Level::Interrupt {
            return (own.min(highest), Some(format!("the settings allow level {highest} at most")));
        }
        match self.can_be_interrupted() {
            Ok(()) => (Level::Interrupt, None),
            Err(why) => (own, Some(why)),
        }
    }

    /// Whether xserver can interrupt what the process has on this queue's device.
    fn can_be_interrupted(&self) -> Result<(), String> {
        let guest = self.queue.guest();
        let who = match guest.manager() {
            Manager::Global if guest.config.device_control => None,
            Manager::Global => return Err("XSCHED_DEVICE_CONTROL is off".into()),
            Manager::Local(_) => Some("a scheduler in the process"),
            Manager::App => Some("the program itself"),
        };
        if let Some(who) = who {
            return Err(format!(
                "what runs is interrupted by xserver alone, for the whole process, and {who} schedules this one"
            ));
        }
        match offered() {
            Some(controls) => controls.can_interrupt(self.hw.device()),
            None => Err("there is nothing by which the device's driver can be told to interrupt it".into()),
        }
    }

    /// Gives the queue hints, all at once.
    pub fn set_hints(&self, hints: &[Hint]) -> Result<(), Error> {
        let mut control = self.control()?;
        hints.iter().for_each(|hint| control.hints.set(*hint));
        drop(control);
        let _errno = errno::Keep::new();
        self.queue.tell_local();
        given::of_queue(self.queue);
        Ok(())
    }

    /// Takes back what the program gave the queue: hints, how it launches, and its own suspensions. What was submitted is waited for.
    pub fn end(&self) -> Result<(), Error> {
        self.may_wait("to destroy a queue")?;
        let _errno = errno::Keep::new();
        let deferred = {
            let mut control = self.control()?;
            self.queue.let_go(&control);
            (control.hints, control.launch) = (Hints::default(), None);
            control.deferred.clone()
        };
        self.queue.threshold.store(0, Ordering::Relaxed);
        self.queue.tell_local();
        given::of_queue(self.queue);
        if let Some(deferred) = deferred {
            deferred.end();
            // Whoever submits from now on starts afresh. Until here it is known, so that direct launches come behind it.
            let mut control = self.control()?;
            control.deferred.take_if(|it| Arc::ptr_eq(it, &deferred));
        }
        Ok(())
    }

    /// How much of the queue may be in flight; launched directly (while others may come), and submitted.
    pub fn set_launch_config(&self, config: LaunchConfig) -> Result<(), Error> {
        config.check()?;
        let mut control = self.control()?;
        control.launch = Some(config);
        if let Some(deferred) = &control.deferred {
            deferred.set_launch_config(config)?;
        }
        let threshold = u32::try_from(config.threshold).unwrap_or(u32::MAX);
        self.queue.threshold.store(threshold, Ordering::Relaxed);
        Ok(())
    }

    /// Puts a command behind all others of the queue.
    pub fn submit(&self, command: Box<dyn HwCommand>) -> Result<Submitted, Error> {
        let deferred = self.deferred()?;
        let ticket = deferred.submit(command);
        Ok(Submitted { deferred: Arc::downgrade(&deferred), ticket })
    }

    /// Waits until all that was submitted is launched.
    pub fn wait_launched(&self) -> Result<(), Error> {
        self.may_wait("to submit to this queue")?;
        self.there()?;
        self.queue.wait_for_turn();
        Ok(())
    }

    /// Launches a command on this thread, as every direct launch.
    pub fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        self.there()?;
        let refused = xsched_hal::Error::NotAllowed { call: "launch", why: "without xserver" };
        let (result, launched) = self.queue.launch(|| self.hw.launch(command)).map_err(|_| refused)?;
        if result.is_err() && launched.was_idle {
            self.queue.synced(launched.then);
        }
        Ok(result?)
    }

    /// Waits until all that was launched is complete; what was submitted comes before that.
    pub fn synchronize(&self) -> Result<(), Error> {
        self.may_wait("to synchronize with a queue")?;
        self.there()?;
        let _errno = errno::Keep::new();
        self.queue.wait_for_turn();
        let then = self.queue.snapshot();
        thread::nested(|| self.hw.synchronize())?;
        self.queue.synced(then);
        Ok(())
    }

    /// Waits until all that was submitted or launched is complete. The error is the first of a submitted command since the last call.
    pub fn wait_all(&self) -> Result<(), Error> {
        self.may_wait("to wait for a queue")?;
        let deferred = self.control()?.deferred.clone();
        let submitted = deferred.map_or(Ok(()), |deferred| deferred.wait_all());
        self.synchronize()?;
        Ok(submitted?)
    }

    /// Looks whether the queue has something to do. Does not wait.
    pub fn query(&self) -> Result<Readiness, Error> {
        let _errno = errno::Keep::new();
        let deferred = self.control()?.deferred.clone();
        let is_ready = deferred.is_some_and(|deferred| deferred.query() == Readiness::Ready)
            || self.queue.look_at_device();
        Ok(if is_ready { Readiness::Ready } else { Readiness::Idle })
    }

    /// Commands that wait for their launch, or are not known to be complete.
    pub fn count(&self) -> Result<u64, Error> {
        let deferred = self.control()?.deferred.clone();
        if let Some(deferred) = deferred {
            deferred.query();
            let (pending, in_flight) = deferred.counts();
            return Ok((pending + in_flight) as u64);
        }
        let (launched, completed) = self.queue.progress();
        Ok(if self.queue.look_at_device() { launched.saturating_sub(completed) } else { 0 })
    }

    /// The program suspends the queue. Idempotent.
    pub fn suspend(&self, when: When, until: Until) -> Result<(), Error> {
        if when != When::Now || until == Until::Quiet {
            self.may_wait("to suspend a queue so")?;
        }
        let _errno = errno::Keep::new();
        loop {
            // Who holds the queue already would wait for himself.
            let is_held = self.queue.is_held_by_program();
            if when != When::Now && !is_held {
                self.wait_all_quietly()?;
            }
            let control = self.control()?;
            self.queue.hold(&control);
            if when != When::Idle || is_held || self.is_idle(&control) {
                break;
            }
            // Something came in between: not the moment.
            self.queue.let_go(&control);
            drop(control);
            std::thread::sleep(LOOK_AGAIN);
        }
        let deferred = self.control()?.deferred.clone();
        if until >= Until::Held
            && thread::may_wait()
            && let Some(deferred) = &deferred
        {
            deferred.suspend(Holders::APPLICATION, When::Now, until)?;
        }
        if until >= Until::Held && thread::may_wait() {
            (0..HELD_LOOKS)
                .take_while(|_| self.queue.launching() > 0)
                .for_each(|_| std::thread::sleep(LOOK_AGAIN));
        }
        if until == Until::Quiet {
            thread::nested(|| self.hw.synchronize())?;
        }
        Ok(())
    }

    /// The program takes its suspension back. Idempotent. With `drop`, what was submitted and is not launched is dropped before.
    pub fn resume(&self, drop: bool) -> Result<(), Error> {
        let _errno = errno::Keep::new();
        let deferred = self.control()?.deferred.clone();
        if drop && let Some(deferred) = deferred {
            deferred.discard();
        }
        let control = self.control()?;
        self.queue.let_go(&control);
        Ok(())
    }

    /// All that was submitted or launched up to now is complete; whether a command failed is told to who waits for it.
    fn wait_all_quietly(&self) -> Result<(), Error> {
        let deferred = self.control()?.deferred.clone();
        deferred.inspect(|deferred| deferred.wait_complete());
        self.synchronize()
    }

    /// The queue is held: nothing new is launched.
    fn is_idle(&self, control: &Control) -> bool {
        let is_empty = control.deferred.as_ref().is_none_or(|deferred| deferred.counts() == (0, 0));
        is_empty && self.queue.snapshot().inside() == 0 && !self.queue.look_at_device()
    }

    /// The queue's deferred mode, started if it is not.
    fn deferred(&self) -> Result<Arc<Deferred>, Error> {
        let mut control = self.control()?;
        if let Some(deferred) = &control.deferred {
            return Ok(Arc::clone(deferred));
        }
        if self.queue.guest().is_exiting() {
            let why = "once the process is ending";
            return Err(xsched_hal::Error::NotAllowed { call: "submit", why }.into());
        }
        let _errno = errno::Keep::new();
        let deferred = Arc::new(submit::start(self.queue, &self.hw)?);
        deferred.set_launch_config(control.launch.unwrap_or_default())?;
        self.queue.defer(&mut control, Arc::clone(&deferred));
        Ok(deferred)
    }

    fn control(&self) -> Result<MutexGuard<'_, Control>, Error> {
        self.queue.control(self.life).ok_or(Error::Gone)
    }

    fn there(&self) -> Result<(), Error> {
        self.control().map(drop)
    }

    fn may_wait(&self, what: &'static str) -> Result<(), Error> {
        if thread::may_wait() { Ok(()) } else { Err(Error::InCallback(what)) }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_over = self.control().is_ok_and(|mut control| {
            control.claims = control.claims.saturating_sub(1);
            control.is_closing = control.claims == 0 && !self.is_heard_of;
            control.is_closing
        });
        if let Some(give_up) = self.give_up.take() {
            give_up(is_over);
        }
    }
}

impl Submitted {
    /// Waits until the device has completed the command.
    pub fn wait(&self) -> Result<(), Error> {
        if !thread::may_wait() {
            return Err(Error::InCallback("to wait for a command"));
        }
        let _errno = errno::Keep::new();
        match self.deferred.upgrade() {
            Some(deferred) => Ok(deferred.wait(&self.ticket)?),
            // Ended: all is complete, or was dropped.
            None => Ok(self.ticket.result()?),
        }
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("queue", &self.queue).field("life", &self.life).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
