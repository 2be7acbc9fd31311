//! Where commands are submitted: behind a lock of its own, so that who submits does not meet the worker, who takes the state's lock again and again.
//!
//! Invariant: the commands here come behind all those of the state, and their numbers go on from there. To all but the worker there is one queue: they look at
//! the state through [`Shared::lock`], which takes over first what is here. The worker takes over when it has nothing left to launch.

use super::Shared;
use super::state::{Outcome, Pending, State};
use std::collections::VecDeque;
use std::sync::PoisonError;
use xsched_core::sync::MutexGuard;
use xsched_hal::HwCommand;

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) commands: VecDeque<Pending>,
    /// The number of the newest command.
    submitted: u64,
    /// Nothing is taken any more.
    is_closed: bool,
    /// The worker is asleep and nobody has notified it yet.
    pub(super) worker_sleeps: bool,
}

impl Shared {
    /// Comes behind the lock of the state, if both are needed.
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command behind all others, and answers its number and whether the worker is to be woken; or gives it back.
    pub(super) fn put(
        &self,
        command: Box<dyn HwCommand>,
        outcome: Outcome,
    ) -> Result<(u64, bool), Box<dyn HwCommand>> {
        let mut inbox = self.inbox();
        if inbox.is_closed {
            return Err(command);
        }
        inbox.commands.push_back((command, outcome));
        inbox.submitted += 1;
        Ok((inbox.submitted, std::mem::take(&mut inbox.worker_sleeps)))
    }

    /// The end begins: what was submitted is taken over, and nothing comes any more.
    pub(super) fn close(&self, state: &mut State) {
        let mut inbox = self.inbox();
        inbox.is_closed = true;
        state.take_over(&mut inbox.commands);
        state.is_ending = true;
    }
}
