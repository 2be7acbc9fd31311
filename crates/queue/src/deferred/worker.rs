//! The worker: does the next step, again and again, without a lock held while it does it.

use super::state::{Placed, State, Step};
use super::{LAUNCHED, Shared};
use std::sync::PoisonError;
use xsched_core::sync::MutexGuard;

impl Shared {
    /// Runs until the queue is dropped and everything is complete.
    pub(super) fn work(&self) {
        let mut state = self.lock();
        loop {
            state = match state.next() {
                Step::Launch(mut command, outcome) => {
                    drop(state);
                    let result = self.queue.launch(command.as_mut());
                    // The command is the program's: dropped without a lock.
                    drop(command);
                    let mut state = self.lock();
                    state.launching = false;
                    if let Err(error) = result {
                        state.fail(&outcome, error);
                    }
                    self.unlaunched.fetch_sub(1, LAUNCHED);
                    self.notify_progress(&state);
                    state
                }
                Step::Mark(behind) => {
                    drop(state);
                    // Some drivers start nothing before a flush.
                    let mark = self.queue.mark().and_then(|mark| self.queue.flush().map(|()| mark));
                    let mut state = self.lock();
                    match mark {
                        Ok(mark) => state.placed(behind, mark.into()),
                        // Without a mark it is not known when they end: the device is dead or close to it.
                        Err(error) => state.complete(behind, Err(error)),
                    }
                    self.notify_progress(&state);
                    state
                }
                Step::Wait(Placed { behind, mark }) => {
                    drop(state);
                    self.complete(behind, mark.wait());
                    self.lock()
                }
                Step::Sleep => self.sleep(state),
                Step::End => return,
            };
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.worker_sleeps = true;
        while state.worker_sleeps {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}
