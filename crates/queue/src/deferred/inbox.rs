//! Where commands are submitted: behind a lock of its own, so that who submits does not meet the worker, who takes the state's lock again and again.
//!
//! Invariant: the commands here come behind all those of the state, and their numbers go on from there. To all but the worker there is one queue: they look at
//! the state through [`Shared::lock`], which takes over first what is here. The worker takes over when it has nothing left to launch.

use super::Shared;
use super::Ticket;
use super::failures::Stretch;
use super::state::{Pending, State};
use std::sync::{Arc, PoisonError};
use xsched_core::sync::MutexGuard;
use xsched_hal::HwCommand;

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) new: Pending,
    /// The number of the newest command.
    submitted: u64,
    /// That one's.
    stretch: Option<Arc<Stretch>>,
    /// Nothing is taken any more.
    is_closed: bool,
    /// The worker is asleep and nobody has notified it yet.
    pub(super) worker_sleeps: bool,
}

impl Inbox {
    /// That of the newest command; one in so many begins a new one.
    fn stretch(&mut self) -> Arc<Stretch> {
        match &self.stretch {
            Some(stretch) if stretch.has(self.submitted) => stretch.clone(),
            _ => {
                let stretch = Arc::new(Stretch::from(self.submitted));
                self.new.stretches.push(stretch.clone());
                self.stretch.insert(stretch).clone()
            }
        }
    }
}

impl Shared {
    /// Comes behind the lock of the state, if both are needed.
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command behind all others, and answers what to wait for it by and whether the worker is to be woken; or gives it back.
    pub(super) fn put(&self, command: Box<dyn HwCommand>) -> Result<(Ticket, bool), Box<dyn HwCommand>> {
        let mut inbox = self.inbox();
        if inbox.is_closed {
            return Err(command);
        }
        inbox.new.commands.push_back(command);
        inbox.submitted += 1;
        let number = inbox.submitted;
        Ok((Ticket { number, stretch: inbox.stretch() }, std::mem::take(&mut inbox.worker_sleeps)))
    }

    /// The end begins: what was submitted is taken over, and nothing comes any more.
    pub(super) fn close(&self, state: &mut State) {
        let mut inbox = self.inbox();
        inbox.is_closed = true;
        state.take_over(&mut inbox.new);
        state.is_ending = true;
    }
}
