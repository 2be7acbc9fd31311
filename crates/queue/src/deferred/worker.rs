//! The worker: does the next step, again and again, without a lock held while it does it.

use super::state::{Placed, State, Step};
use super::{LAUNCHED, Shared};
use std::sync::PoisonError;
use xsched_core::sync::{MutexGuard, thread};
use xsched_hal::Error;

impl Shared {
    /// Runs until the queue has ended and everything is complete.
    pub(super) fn work(&self) {
        let _ = self.worker.set(thread::current().id());
        let mut state = self.lock();
        loop {
            // Asked under the lock: a way that opens afterwards is found open before the worker waits on it.
            let is_open = self.way.as_ref().is_none_or(|way| way.is_open());
            state = match state.next(is_open) {
                Step::Launch => match &self.way {
                    Some(way) => {
                        drop(state);
                        if !way.pass(&mut |admitted| drop(self.launch_next(self.lock(), admitted))) {
                            return self.abandon();
                        }
                        self.lock()
                    }
                    None => self.launch_next(state, Ok(())),
                },
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

    /// Launches the next command, if it may be launched still. The lock is given up meanwhile.
    fn launch_next<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        admitted: Result<(), Error>,
    ) -> MutexGuard<'a, State> {
        let Some((mut command, outcome)) = state.claim() else { return state };
        drop(state);
        let result = admitted.and_then(|()| self.queue.launch(command.as_mut()));
        // The command is the program's: dropped without a lock.
        drop(command);
        let mut state = self.lock();
        state.launching = false;
        let concerns_all = result.is_err();
        if let Err(error) = result {
            state.fail(&outcome, error);
        }
        self.unlaunched.fetch_sub(1, LAUNCHED);
        if concerns_all || state.waiting_for_launches > 0 {
            self.notify_progress(&state);
        }
        state
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.worker_sleeps = true;
        while state.worker_sleeps {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}
