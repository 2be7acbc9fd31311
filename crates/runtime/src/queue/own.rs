//! What a queue has for itself: a gate word that no server reads, the hints that the program gave it, and commands that were submitted.
//!
//! The word is held by the program ([`Holder::Application`]) and by the scheduler inside the process ([`Holder::Local`]). Each life of a queue
//! has a number; who names a queue through the API names a life, and one that is over is never mistaken for the next.
//! The lock of [`Control`] is never held across a vendor's call or a wait.

use super::Queue;
use crate::guest::Guest;
use crate::thread;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use xsched_core::Hints;
use xsched_hal::HwQueue;
use xsched_ipc::guest::Session;
use xsched_ipc::wire::ProgramHints;
use xsched_queue::activity::Snapshot;
use xsched_queue::deferred::{Deferred, LaunchConfig, Until, When};
use xsched_queue::gate::{GateState, Holder, Holders, Verdict};

/// What the program has said about a queue, and submitted to it.
#[derive(Default)]
pub(crate) struct Control {
    /// What the program gave this queue alone.
    pub(crate) hints: Hints,
    /// Once something was submitted.
    pub(crate) deferred: Option<Arc<Deferred>>,
    /// How often the program names it at present.
    pub(crate) claims: usize,
    /// Nobody tells of the native queue's end, and the last claim is gone: this life is about to end.
    pub(crate) is_closing: bool,
    /// How what is submitted is launched, if the program has said so.
    pub(crate) launch: Option<LaunchConfig>,
}

impl Queue {
    /// The number of the present life; even while no native queue lives here.
    pub(crate) fn life(&self) -> u32 {
        self.life.load(Ordering::Acquire)
    }

    /// Whether a native queue lives here in that life.
    pub(crate) fn is_alive(life: u32) -> bool {
        life % 2 == 1
    }

    /// What the program has said about the queue in this life of it. `None` if that is over.
    pub(crate) fn control(&self, life: u32) -> Option<MutexGuard<'_, Control>> {
        let control = self.control.lock().ok()?;
        (Queue::is_alive(life) && self.life() == life).then_some(control)
    }

    /// Whether the program gave it any hints.
    pub(crate) fn has_hints(&self) -> bool {
        self.control.lock().is_ok_and(|control| !control.hints.is_empty())
    }

    /// Tells the server which hints the program gave it. Whether there is nothing left to tell.
    pub(crate) fn give_hints(&self, session: &Session) -> bool {
        // One without a slot has no name that the server would know.
        let Some(index) = self.index else { return true };
        let Ok(control) = self.control.lock() else { return true };
        let slot = Some((index, self.generation.load(Ordering::Acquire)));
        !Queue::is_alive(self.life()) || session.give(&ProgramHints { slot, hints: control.hints })
    }

    /// The guest that it belongs to.
    pub(crate) fn guest(&self) -> &'static Guest {
        self.guest
    }

    /// The index of its device in the page.
    pub(crate) fn device(&self) -> u8 {
        self.device.load(Ordering::Relaxed)
    }

    /// What a launch goes by: the gate of the process and the queue's own word.
    #[inline]
    pub(crate) fn gate_state(&self) -> GateState {
        self.gate().state().and(self.own.state())
    }

    /// The program holds the queue back, whoever else does.
    pub(crate) fn is_held_by_program(&self) -> bool {
        self.own.state().is_held_by(Holder::Application)
    }

    /// The program holds the queue back, what was submitted and what is launched directly.
    pub(crate) fn hold(&'static self, control: &Control) {
        // Never waits: `Until::Asked`. The device queue is not touched in deferred mode, so nothing fails.
        let _ = control.deferred.as_ref().map(|it| it.suspend(Holders::APPLICATION, When::Now, Until::Asked));
        self.own.hold(Holder::Application);
        self.tell_local();
    }

    /// The program lets go.
    pub(crate) fn let_go(&'static self, control: &Control) {
        self.own.let_go(Holder::Application);
        let _ = control.deferred.as_ref().map(|it| it.resume(Holders::APPLICATION));
        self.tell_local();
    }

    /// From now on commands are submitted to this.
    pub(crate) fn defer(&self, control: &mut Control, deferred: Arc<Deferred>) {
        if self.is_held_by_program() {
            let _ = deferred.suspend(Holders::APPLICATION, When::Now, Until::Asked);
        }
        control.deferred = Some(deferred);
        self.own.keep_order();
    }

    /// Looks at the device whether the queue is idle, if nobody else has found out. Returns whether it has work, as far as is known.
    pub(crate) fn look_at_device(&'static self) -> bool {
        self.snapshot().is_ready() && self.find_end(true)
    }

    /// The native queue; waits for who has the lock, unless this is a callback. `None` if it is gone.
    pub(crate) fn native(&'static self) -> Option<Arc<dyn HwQueue>> {
        if !thread::may_wait() {
            return self.hw();
        }
        let inner = self.inner.lock().ok()?;
        self.with_locked(inner, |inner| inner.hw.clone()).flatten()
    }

    /// Threads inside a launch that are not at the gate: in the vendor's call, or about to be.
    pub(crate) fn launching(&self) -> u64 {
        self.snapshot().inside().saturating_sub(self.at_gate.load(Ordering::Acquire).into())
    }

    /// The scheduler's look at its activity, after it changed a word.
    pub(crate) fn look(&self) -> Snapshot {
        self.slot.activity.look()
    }

    /// The scheduler believes that the queue is idle: the next launch must tell it. Returns whether it is idle.
    pub(crate) fn give_up(&self) -> bool {
        self.slot.activity.reclaim().is_ok()
    }

    /// Commands launched so far, and commands known to be completed.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.snapshot().launched(), self.slot.completed.load(Ordering::Relaxed))
    }

    /// The scheduler inside the process says what it wants of the queue in this life. Returns whether that changed anything.
    pub(crate) fn rule(&self, life: u32, verdict: Verdict) -> bool {
        self.control(life).is_some_and(|_there| self.own.rule(verdict))
    }

    /// The scheduler inside the process has no say any more.
    pub(crate) fn rule_no_more(&self) {
        self.own.rule(Verdict::default());
    }

    /// The end of the process has begun: nobody holds the queue back, and what is not launched never will be.
    pub(crate) fn set_free_for_good(&self) {
        self.own.rule(Verdict::default());
        self.own.let_go(Holder::Application);
        // A thread that has the lock at this moment is in the middle of a few steps; if this is that very thread, a handler of the program's has
        // interrupted it, and waiting would be for ever.
        if let Ok(control) = self.control.try_lock() {
            let deferred = control.deferred.clone();
            drop(control);
            deferred.inspect(|deferred| deferred.abandon());
        }
    }

    /// A native queue moves in.
    pub(super) fn begin_life(&self) {
        if let Ok(mut control) = self.control.lock() {
            self.own.clear();
            *control = Control::default();
            self.threshold.store(0, Ordering::Relaxed);
            if !Queue::is_alive(self.life()) {
                self.life.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// The native queue is about to go: nobody holds it back any more, and what was submitted is launched and completed before that.
    /// Where one must not wait, what is not launched yet is dropped instead.
    pub(super) fn end_life(&self) {
        let deferred = match self.control.lock() {
            Ok(mut control) => {
                if Queue::is_alive(self.life()) {
                    self.life.fetch_add(1, Ordering::AcqRel);
                }
                self.own.clear();
                control.deferred.take()
            }
            Err(_) => None,
        };
        if let Some(deferred) = deferred {
            if thread::may_wait() && !self.guest.is_exiting() { deferred.end() } else { deferred.abandon() }
        }
    }

    /// The native queue is about to go, with work left perhaps: what was submitted is launched now, and completed. See [`Queue::release`].
    pub fn end_submissions(&self) {
        let _errno = crate::errno::Keep::new();
        self.end_life();
    }

    /// A launch by the calling thread comes behind all commands that were submitted before. Waits until they are launched; not in a callback.
    #[inline]
    pub fn wait_for_turn(&'static self) {
        if self.own.state().is_ordered() && thread::may_wait() {
            self.keep_order();
        }
    }

    /// Whether commands were submitted that are not launched yet: the queue is not idle, whatever its vendor says.
    #[inline]
    pub fn has_unlaunched(&self) -> bool {
        self.own.state().is_ordered() && self.deferred().is_some_and(|deferred| deferred.has_unlaunched())
    }

    #[cold]
    pub(super) fn keep_order(&'static self) {
        if let Some(deferred) = self.deferred()
            && deferred.has_unlaunched()
        {
            let _errno = crate::errno::Keep::new();
            // Not in the vendor's call: the end of what was launched before can be found meanwhile.
            self.at_gate.fetch_add(1, Ordering::AcqRel);
            deferred.wait_launched();
            self.at_gate.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn deferred(&self) -> Option<Arc<Deferred>> {
        self.control.lock().ok()?.deferred.clone()
    }
}
