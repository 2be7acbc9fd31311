//! The slots of a simulated device and the state that they share.
//!
//! One lock and one condition: every change is notified to everybody. A slot that executes a command sleeps until the command's
//! end or the next change, whichever is first. No lock is held while a slot sleeps, and no other lock exists.

use super::{Traced, What};
use crate::Error;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Owner of the slots' threads, which own only [`Shared`].
pub(super) struct Engine {
    shared: Arc<Shared>,
    slots: Vec<JoinHandle<()>>,
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<u64, QueueState>,
    pub(super) trace: Vec<Traced>,
    /// The queue that was served last: slots go round.
    last: u64,
    created: u64,
    lost: bool,
}

pub(super) struct QueueState {
    pub(super) waiting: VecDeque<Work>,
    /// The front of `waiting` was taken out and is on a slot.
    pub(super) running: bool,
    pub(super) active: bool,
    pub(super) interrupted: bool,
    pub(super) launched: u64,
    pub(super) finished: u64,
    pub(super) failing_launches: u32,
    pub(super) failing_controls: u32,
}

pub(super) struct Work {
    id: u64,
    remaining: Duration,
    started: bool,
}

impl Engine {
    pub(super) fn start(slots: NonZeroUsize) -> Result<Engine, Error> {
        let mut engine = Engine { shared: Arc::default(), slots: Vec::new() };
        for _ in 0..slots.get() {
            let (shared, name) = (engine.shared.clone(), "sim-slot");
            let slot = thread::Builder::new().name(name.into()).spawn(move || shared.run_slot());
            engine
                .slots
                .push(slot.map_err(|e| Error::Thread { name, errno: e.raw_os_error().unwrap_or(0) })?);
        }
        Ok(engine)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.lose();
        for slot in self.slots.drain(..) {
            // A slot that panicked has nothing left to wait for.
            let _ = slot.join();
        }
    }
}

impl Work {
    pub(super) fn new(id: u64, duration: Duration) -> Work {
        Work { id, remaining: duration, started: false }
    }
}

impl QueueState {
    fn is_runnable(&self) -> bool {
        // A started command at the front was interrupted: once restored it goes on, even on a deactivated queue.
        let may_start = self.active || self.waiting.front().is_some_and(|work| work.started);
        may_start && !self.interrupted && !self.running && !self.waiting.is_empty()
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_queue(&self) -> u64 {
        let mut state = self.lock();
        state.created += 1;
        let number = state.created;
        let queue = QueueState {
            waiting: VecDeque::new(),
            running: false,
            active: true,
            interrupted: false,
            launched: 0,
            finished: 0,
            failing_launches: 0,
            failing_controls: 0,
        };
        state.queues.insert(number, queue);
        number
    }

    /// No handle is left: what was launched is still executed.
    pub(super) fn close_queue(&self, number: u64) {
        let mut state = self.lock();
        if let Some(queue) = state.queues.get_mut(&number) {
            (queue.active, queue.interrupted) = (true, false);
        }
        self.changed.notify_all();
    }

    pub(super) fn lose(&self) {
        let mut state = self.lock();
        state.lost = true;
        state.queues.values_mut().for_each(|queue| queue.waiting.clear());
        self.changed.notify_all();
    }

    /// Changes a queue.
    pub(super) fn with_queue<T>(
        &self,
        number: u64,
        call: &'static str,
        f: impl FnOnce(&mut QueueState) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.lock();
        let result = f(state.live_queue(number, call)?);
        self.changed.notify_all();
        result
    }

    /// Whether the queue is as wanted.
    pub(super) fn is(
        &self,
        number: u64,
        call: &'static str,
        wanted: impl Fn(&QueueState) -> bool,
    ) -> Result<bool, Error> {
        self.lock().live_queue(number, call).map(|queue| wanted(queue))
    }

    /// Waits until the queue is as wanted or the device is lost.
    pub(super) fn wait_until(
        &self,
        number: u64,
        call: &'static str,
        wanted: impl Fn(&QueueState) -> bool,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        while !wanted(state.live_queue(number, call)?) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn run_slot(&self) {
        let mut state = self.lock();
        while !state.lost {
            match state.take() {
                Some((number, work)) => state = self.execute(state, number, work),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn execute<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        number: u64,
        mut work: Work,
    ) -> MutexGuard<'a, State> {
        state.note(number, work.id, if work.started { What::Continued } else { What::Started });
        work.started = true;
        let end = Instant::now() + work.remaining;
        loop {
            work.remaining = end.saturating_duration_since(Instant::now());
            let interrupted = state.queues.get(&number).is_none_or(|queue| queue.interrupted);
            if state.lost || work.remaining.is_zero() || interrupted {
                break;
            }
            let woken = self.changed.wait_timeout(state, work.remaining);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_finished = work.remaining.is_zero();
        state.note(number, work.id, if is_finished { What::Finished } else { What::Interrupted });
        if let Some(queue) = state.queues.get_mut(&number) {
            queue.running = false;
            if is_finished { queue.finished += 1 } else { queue.waiting.push_front(work) }
        }
        self.changed.notify_all();
        state
    }
}

impl State {
    /// The next command to execute, from the queues in turn.
    fn take(&mut self) -> Option<(u64, Work)> {
        let after = self.queues.range((Excluded(self.last), Unbounded));
        let up_to = self.queues.range(..=self.last);
        let number = after.chain(up_to).find(|(_, queue)| queue.is_runnable()).map(|(number, _)| *number)?;
        let queue = self.queues.get_mut(&number)?;
        let work = queue.waiting.pop_front()?;
        queue.running = true;
        self.last = number;
        Some((number, work))
    }

    fn live_queue(&mut self, number: u64, call: &'static str) -> Result<&mut QueueState, Error> {
        let lost = self.lost;
        self.queues.get_mut(&number).filter(|_| !lost).ok_or(Error::Lost { call })
    }

    fn note(&mut self, queue: u64, command: u64, what: What) {
        self.trace.push(Traced { at: Instant::now(), queue, command, what });
    }
}
