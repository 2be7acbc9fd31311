//! The worker: does the next step, again and again, without a lock held while it does it.

use super::state::{Placed, State, Step};
use super::{LAUNCHED, Shared};
use std::sync::PoisonError;
use xsched_core::sync::{MutexGuard, spin_loop, thread};
use xsched_hal::Error;

impl Shared {
    /// Runs until the queue has ended and everything is complete.
    pub(super) fn work(&self) {
        let _ = self.worker.set(thread::current().id());
        let (mut has_lingered, mut has_launched) = (false, false);
        let mut state = self.own();
        loop {
            if !state.has_pending() {
                if std::mem::take(&mut has_launched) {
                    drop(state);
                    breathe();
                    state = self.own();
                }
                state.take_over(&mut self.inbox().new);
            }
            // Asked under the lock: a way that opens afterwards is found open before the worker waits on it.
            let is_open = self.way.as_ref().is_none_or(|way| way.is_open());
            let step = state.next(is_open);
            has_launched |= matches!(step, Step::Launch);
            state = match step {
                Step::Launch => match &self.way {
                    Some(way) => {
                        drop(state);
                        if !way.pass(&mut |admitted| drop(self.launch_next(self.own(), admitted))) {
                            return self.abandon();
                        }
                        self.own()
                    }
                    None => self.launch_next(state, Ok(())),
                },
                Step::Mark(behind) => {
                    drop(state);
                    // Some drivers start nothing before a flush.
                    let mark = self.queue.mark().and_then(|mark| self.queue.flush().map(|()| mark));
                    let mut state = self.own();
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
                    let result = mark.wait();
                    self.complete(behind, result)
                }
                Step::Sleep if !has_lingered => {
                    drop(state);
                    self.linger();
                    has_lingered = true;
                    // Something else than a submit may have happened, so it decides once more.
                    self.own()
                }
                Step::Sleep => {
                    has_lingered = false;
                    self.sleep(state)
                }
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
        let Some((mut command, number)) = state.claim() else { return state };
        drop(state);
        let result = admitted.and_then(|()| self.queue.launch(command.as_mut()));
        // The command is the program's: dropped without a lock.
        drop(command);
        let mut state = self.own();
        state.launching = false;
        let concerns_all = result.is_err();
        if let Err(error) = result {
            state.fail(number..=number, error);
        }
        self.settled.0.fetch_add(1, LAUNCHED);
        if concerns_all || state.waiting_for_launches > 0 {
            self.notify_all(&state);
        }
        state
    }

    /// The state, as far as the worker has taken over what was submitted.
    pub(super) fn own(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks out for a submit for a few microseconds: waking would cost whoever submits next as much.
    fn linger(&self) {
        const LOOKS: usize = if cfg!(loom) { 0 } else { 12 };
        for _ in 0..LOOKS {
            if self.has_unlaunched() {
                return;
            }
            breathe();
        }
    }

    /// Sleeps, unless something was submitted meanwhile.
    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let mut inbox = self.inbox();
        if !inbox.new.commands.is_empty() {
            state.take_over(&mut inbox.new);
            return state;
        }
        // Said before the state's lock is given up: who changes the state from now on finds it said.
        inbox.worker_sleeps = true;
        drop(state);
        while inbox.worker_sleeps {
            inbox = self.work.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
        drop(inbox);
        self.own()
    }
}

/// A fraction of a microsecond between two looks at what is submitted. Each look takes the cache line from whoever submits; so some commands come together meanwhile, and
/// the worker and a thread that submits without a pause do not take turns for each of them.
fn breathe() {
    const SPINS: usize = if cfg!(loom) { 0 } else { 8 };
    (0..SPINS).for_each(|_| spin_loop());
}
