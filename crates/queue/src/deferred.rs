//! Deferred mode: commands wait in a buffer for a worker thread, which launches them in order while nobody holds the queue.
//!
//! For programs that submit commands through the API, and for one thread that feeds queues of different urgency. The worker alone
//! launches and puts marks; who waits for a command waits for the next mark behind it. At most [`LaunchConfig::threshold`]
//! commands are in flight, so that few are left to wait for when the queue is suspended. Where others than its holders have a say, each launch
//! goes a [`Way`] of theirs.
//!
//! Locks: `state` and `inbox` (see the modules of these names) are never held across a call of the queue's or a command's; `preemption` is held across the
//! calls that stop and start the device queue, which by their contract never wait for anybody inside the vendor's library.
//! `preemption` before `state` before `inbox`. Deliberately absent: copies of arguments, and any bound on the buffer.

mod failures;
mod inbox;
mod state;
mod worker;

use crate::gate::Holders;
use crate::weakenable;
use failures::Stretch;
use inbox::Inbox;
use state::State;
use std::sync::{OnceLock, PoisonError};
use xsched_core::Level;
use xsched_core::sync::{Arc, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, thread};
use xsched_hal::queue::require;
use xsched_hal::{Error, HwCommand, HwQueue, Preemption};

weakenable! {
    /// What happened inside a launch happens before whoever finds nothing left to launch.
    const LAUNCHED: Ordering = Release, "deferred_launched"
}
weakenable! {
    /// A submit wakes the sleeping worker.
    const SUBMIT_WAKES: bool, "deferred_submit"
}
weakenable! {
    /// A resume wakes the sleeping worker.
    const RESUME_WAKES: bool, "deferred_resume"
}
weakenable! {
    /// The end wakes the sleeping worker.
    const DROP_WAKES: bool, "deferred_drop"
}
weakenable! {
    /// Progress wakes those who wait for it.
    const PROGRESS_WAKES: bool, "deferred_progress"
}
weakenable! {
    /// How far the device queue shall be stopped is read after the lock was taken that orders the steps to there.
    const DECIDES_LOCKED: bool, "deferred_control"
}

/// A queue in deferred mode. Dropping it ends it, see [`Deferred::end`].
pub struct Deferred {
    shared: Arc<Shared>,
    /// Taken by whoever waits for the worker's end.
    worker: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What each launch of the worker goes through besides its holders: a gate.
pub trait Way: Send + Sync {
    /// Whether a launch would go on at once. While it would not, the worker puts marks behind what it has launched before it waits.
    fn is_open(&self) -> bool;

    /// Waits until a command may be launched, then calls `launch` once, which takes and launches the next one if it still may; an
    /// error that it is called with becomes that command's. Answers false, without a call, if nothing may be launched any more: that
    /// is the end, and all that is left is dropped.
    fn pass(&self, launch: &mut dyn FnMut(Result<(), Error>)) -> bool;
}

/// A submitted command, to wait for.
#[derive(Clone, Debug)]
pub struct Ticket {
    number: u64,
    stretch: std::sync::Arc<Stretch>,
}

/// How the worker launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchConfig {
    /// Most commands in flight. More keep the device busy over longer hiccups, fewer make Level 1 quicker.
    pub threshold: usize,
    /// Commands per mark: as many are launched in a row once the threshold was reached. At least 1, at most `threshold`.
    pub batch: usize,
}

/// When a suspension begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// Once everything submitted before the call is complete.
    Done,
    /// At the next moment at which nothing is left to do.
    Idle,
}

/// What a suspension waits for, once it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Nothing: a command that the worker is just launching still gets to the device. Never waits for anybody inside the vendor's
    /// library, so this is for threads that must not.
    Asked,
    /// No further command is launched after the return.
    Held,
    /// Nothing runs after the return: what is in flight is complete (Level 1), or the running command has ended or
    /// was interrupted (Levels 2 and 3).
    Quiet,
}

/// Whether a queue has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Everything submitted is complete.
    Idle,
    /// Something is pending or in flight.
    Ready,
}

impl Ticket {
    /// Of a command that was not taken.
    fn discarded() -> Ticket {
        let stretch = Stretch::from(0);
        stretch.fail(&(0..1), &Error::Discarded);
        Ticket { number: 0, stretch: stretch.into() }
    }

    /// The command's error, if it has one by now.
    pub fn result(&self) -> Result<(), Error> {
        self.stretch.error_of(self.number).map_or(Ok(()), Err)
    }
}

impl Deferred {
    /// Starts a worker for `queue`; suspensions stop the device queue up to `level`, which the queue must have.
    pub fn new(queue: std::sync::Arc<dyn HwQueue>, level: Level) -> Result<Deferred, Error> {
        Deferred::with_way(queue, level, None)
    }

    /// The same; each launch goes this way.
    pub fn with_way(
        queue: std::sync::Arc<dyn HwQueue>,
        level: Level,
        way: Option<Box<dyn Way>>,
    ) -> Result<Deferred, Error> {
        require(&*queue, level)?;
        let shared = Arc::new(Shared {
            queue,
            way,
            worker: OnceLock::new(),
            state: Mutex::new(State::new(level)),
            inbox: Apart(Mutex::new(Inbox::default())),
            work: Condvar::new(),
            progress: Condvar::new(),
            preemption: Mutex::new(Preemption::default()),
            submitted: Apart(AtomicUsize::new(0)),
            settled: Apart(AtomicUsize::new(0)),
        });
        let (name, its) = ("xsched-deferred", shared.clone());
        let worker = thread::Builder::new().name(name.into()).spawn(move || its.work());
        let worker = worker.map_err(|e| Error::Thread { name, errno: e.raw_os_error().unwrap_or(0) })?;
        Ok(Deferred { shared, worker: Mutex::new(Some(worker)) })
    }

    /// The device's own queue.
    pub fn queue(&self) -> &std::sync::Arc<dyn HwQueue> {
        &self.shared.queue
    }

    /// Puts a command behind all others; returns at once. It is dropped on the worker's thread, right after its launch. Once the queue is
    /// ending, the command is dropped at once, and is [`Error::Discarded`].
    pub fn submit(&self, command: Box<dyn HwCommand>) -> Ticket {
        // Relaxed: a thread sees its own submits, and those of others by whatever made it know of them.
        self.shared.submitted.0.fetch_add(1, Ordering::Relaxed);
        match self.shared.put(command) {
            Ok((ticket, sleeps)) => {
                self.shared.notify_worker(sleeps && SUBMIT_WAKES);
                ticket
            }
            Err(command) => {
                self.shared.settled.0.fetch_add(1, LAUNCHED);
                drop(command);
                Ticket::discarded()
            }
        }
    }

    /// Waits until the device has completed the command; while the queue is suspended, until somebody resumes it. The error is the
    /// command's own, or the device's if it will never be known whether the command is complete.
    pub fn wait(&self, ticket: &Ticket) -> Result<(), Error> {
        self.forbid_on_worker("wait")?;
        self.shared.wait_for(ticket.number, Some(ticket));
        ticket.result()
    }

    /// Waits until everything submitted before is complete. The error is the first since the last call; [`Deferred::wait`] tells
    /// each command's own.
    pub fn wait_all(&self) -> Result<(), Error> {
        self.forbid_on_worker("wait_all")?;
        let submitted = self.shared.lock().submitted();
        self.shared.wait_for(submitted, None);
        self.shared.lock().first_error.take().map_or(Ok(()), Err)
    }

    /// Waits until everything submitted before is complete, and tells nothing of what failed.
    pub fn wait_complete(&self) {
        let submitted = self.shared.lock().submitted();
        if !self.is_worker() {
            self.shared.wait_for(submitted, None);
        }
    }

    /// Whether a submitted command is not launched yet. Two atomic loads: a direct launch on the device queue asks this first.
    #[inline]
    pub fn has_unlaunched(&self) -> bool {
        self.shared.has_unlaunched()
    }

    /// Waits until everything submitted before is launched, so that a direct launch by the caller comes behind it. Inside a callback
    /// of a command that the worker is launching, returns at once.
    pub fn wait_launched(&self) {
        if self.is_worker() {
            return;
        }
        let mut state = self.shared.lock();
        let submitted = state.submitted();
        while state.launched() < submitted {
            state = self.shared.wait_launches(state);
        }
    }

    /// Looks at the device, without waiting.
    pub fn query(&self) -> Readiness {
        let mark = self.shared.lock().mark_behind_all();
        if let Some(placed) = mark {
            match placed.mark.is_complete() {
                Ok(false) => return Readiness::Ready,
                Ok(true) => drop(self.shared.complete(placed.behind, Ok(()))),
                Err(error) => drop(self.shared.complete(placed.behind, Err(error))),
            }
        }
        if self.shared.lock().is_idle() { Readiness::Idle } else { Readiness::Ready }
    }

    /// Commands that wait for their launch, and commands that are launched and not known to be complete.
    pub fn counts(&self) -> (usize, usize) {
        self.shared.lock().counts()
    }

    /// `holder` holds the queue back. Idempotent. An error tells that the device queue is not stopped as far as it should be;
    /// nothing is launched nevertheless.
    pub fn suspend(&self, holder: Holders, when: When, until: Until) -> Result<(), Error> {
        if when != When::Now {
            self.forbid_on_worker("suspend at a later time")?;
        }
        let mut state = self.shared.lock();
        // Who holds the queue already would wait for himself.
        while when != When::Now && !state.holders.contains(holder) {
            let submitted = state.submitted();
            drop(state);
            self.shared.wait_for(submitted, None);
            state = self.shared.lock();
            if when == When::Done || state.is_idle() {
                break;
            }
        }
        state.holders.set(holder);
        while until >= Until::Held && state.launching && !self.is_worker() {
            state = self.shared.wait_launches(state);
        }
        drop(state);
        let reached = self.shared.apply()?;
        match self.shared.queue.deactivate().filter(|_| reached > Level::Block) {
            _ if until < Until::Quiet || self.is_worker() => Ok(()),
            Some(deactivate) => deactivate.wait_stopped(),
            None => {
                let launched = self.shared.lock().launched();
                self.shared.wait_for(launched, None);
                Ok(())
            }
        }
    }

    /// `holder` lets go; the queue goes on if nobody else holds it. Idempotent. An error tells that the device queue could not
    /// be started; the next resume tries again.
    pub fn resume(&self, holder: Holders) -> Result<(), Error> {
        let mut state = self.shared.lock();
        state.holders.clear(holder);
        self.shared.wake_worker(state, RESUME_WAKES);
        self.shared.apply().map(drop)
    }

    /// Takes out all commands that are not launched yet; whoever waits for one gets [`Error::Discarded`].
    pub fn discard(&self) {
        let mut state = self.shared.lock();
        let commands = state.discard();
        self.shared.settled.0.fetch_add(commands.len(), LAUNCHED);
        self.shared.notify_all(&state);
        self.shared.wake_worker(state, SUBMIT_WAKES);
        // The commands are the program's: dropped without a lock.
        drop(commands);
    }

    /// Changes the level up to which suspensions stop the device queue, a present one included.
    pub fn set_level(&self, level: Level) -> Result<(), Error> {
        require(&*self.shared.queue, level)?;
        self.shared.lock().level = level;
        self.shared.apply().map(drop)
    }

    /// Changes how the worker launches.
    pub fn set_launch_config(&self, config: LaunchConfig) -> Result<(), Error> {
        config.check()?;
        let mut state = self.shared.lock();
        state.config = config;
        self.shared.wake_worker(state, SUBMIT_WAKES);
        Ok(())
    }

    /// Resumes the queue, waits until everything submitted is complete, and ends the worker. In a command of the queue itself, or if somebody
    /// else is at it already, it does not wait.
    pub fn end(&self) {
        const ATTEMPTS: u32 = 3;
        let mut state = self.shared.lock();
        state.holders = Holders::default();
        self.shared.close(&mut state);
        self.shared.wake_worker(state, DROP_WAKES);
        let is_started = (0..ATTEMPTS).any(|_| self.shared.apply().is_ok());
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A device queue that cannot be started is dead: what it has may never end. Rather a thread left behind than a program that
        // hangs.
        if let Some(worker) = worker.filter(|_| is_started && !self.is_worker()) {
            let _ = worker.join();
        }
    }

    /// Ends the queue without waiting: what is not launched is dropped, and nobody waits for the rest any more. The worker ends as soon as
    /// it is out of what it is doing.
    pub fn abandon(&self) {
        self.shared.abandon();
    }

    /// Whether the calling thread is the worker.
    pub fn is_worker(&self) -> bool {
        self.shared.worker.get() == Some(&thread::current().id())
    }

    /// A callback that waits for the worker would wait for itself.
    fn forbid_on_worker(&self, call: &'static str) -> Result<(), Error> {
        let why = "inside a command of the same queue";
        if self.is_worker() { Err(Error::NotAllowed { call, why }) } else { Ok(()) }
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.end();
    }
}

impl LaunchConfig {
    /// Fails if a value is out of its range.
    pub fn check(self) -> Result<(), Error> {
        let LaunchConfig { threshold, batch } = self;
        let bad = |what, value| Error::Value {
            call: "set_launch_config",
            what,
            value: i64::try_from(value).unwrap_or(i64::MAX),
        };
        if threshold == 0 {
            return Err(bad("threshold", threshold));
        }
        if batch == 0 || batch > threshold {
            return Err(bad("batch", batch));
        }
        Ok(())
    }
}

impl Default for LaunchConfig {
    fn default() -> Self {
        LaunchConfig { threshold: 16, batch: 8 }
    }
}

/// What the worker and the callers share.
struct Shared {
    /// The standard library's `Arc`: nothing is synchronized by it, and loom's holds no trait object.
    queue: std::sync::Arc<dyn HwQueue>,
    way: Option<Box<dyn Way>>,
    /// The worker's thread, set by itself: each thread looks only whether that is itself.
    worker: OnceLock<thread::ThreadId>,
    state: Mutex<State>,
    /// What was submitted and not taken over into the state yet.
    inbox: Apart<Mutex<Inbox>>,
    /// The worker sleeps here, see [`Inbox::worker_sleeps`].
    work: Condvar,
    /// Everybody else sleeps here, see [`State::waiting`].
    progress: Condvar,
    preemption: Mutex<Preemption>,
    /// Commands ever submitted; they are counted before they are to be seen anywhere.
    submitted: Apart<AtomicUsize>,
    /// Of these, launched, or dropped without.
    settled: Apart<AtomicUsize>,
}

/// On cache lines of its own: what threads that submit write all the time does not take from the worker what it writes.
#[repr(align(128))]
struct Apart<T>(T);

impl Shared {
    fn has_unlaunched(&self) -> bool {
        let submitted = self.submitted.0.load(Ordering::Relaxed);
        // Those that were submitted and settled since do not count.
        self.settled.0.load(Ordering::Acquire).wrapping_sub(submitted).cast_signed() < 0
    }

    /// The state, with all that was submitted.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take_over(&mut self.inbox().new);
        state
    }

    /// The state has changed.
    fn wake_worker(&self, state: MutexGuard<'_, State>, wakes: bool) {
        drop(state);
        let sleeps = std::mem::take(&mut self.inbox().worker_sleeps);
        self.notify_worker(sleeps && wakes);
    }

    fn notify_worker(&self, sleeps: bool) {
        if sleeps {
            self.work.notify_one();
        }
    }

    /// A mark was put or has come: tells those whose commands that concerns. There is one for every few commands, and who waits for the last of
    /// thousands would be in the worker's way.
    fn notify_progress(&self, state: &State) {
        if state.has_news() {
            self.notify_all(state);
        }
    }

    /// Something else is known of commands.
    fn notify_all(&self, state: &State) {
        if !state.waiting.is_empty() && PROGRESS_WAKES {
            self.progress.notify_all();
        }
    }

    /// Waits until something is new for who waits for this command.
    fn wait_progress<'a>(&self, mut state: MutexGuard<'a, State>, number: u64) -> MutexGuard<'a, State> {
        state.waiting.push(number);
        let mut state = self.progress.wait(state).unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = state.waiting.iter().position(|waiting| *waiting == number) {
            state.waiting.swap_remove(place);
        }
        state
    }

    /// The same, where each launch matters.
    fn wait_launches<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.waiting_for_launches += 1;
        let mut state = self.wait_progress(state, 0);
        state.waiting_for_launches -= 1;
        state
    }

    /// Waits until command `number` and all before it are complete, or the one of this ticket has failed.
    fn wait_for(&self, number: u64, ticket: Option<&Ticket>) {
        let mut state = self.lock();
        let number = number.min(state.submitted());
        state.wanted = state.wanted.max(number);
        while state.completed < number && ticket.is_none_or(|ticket| ticket.result().is_ok()) {
            state = match state.mark_behind(number) {
                Some(placed) => {
                    drop(state);
                    drop(self.complete(placed.behind, placed.mark.wait()));
                    self.lock()
                }
                None => self.wait_progress(state, number),
            };
        }
    }

    /// See [`Deferred::abandon`].
    fn abandon(&self) {
        let mut state = self.lock();
        self.close(&mut state);
        state.holders = Holders::default();
        let commands = state.abandon();
        self.settled.0.fetch_add(commands.len(), LAUNCHED);
        self.notify_all(&state);
        self.wake_worker(state, DROP_WAKES);
        // The commands are the program's: dropped without a lock.
        drop(commands);
    }

    /// The mark behind the first `behind` commands has come.
    fn complete(&self, behind: u64, result: Result<(), Error>) -> MutexGuard<'_, State> {
        // What was submitted meanwhile is no matter here, and who submits is left alone.
        let mut state = self.own();
        state.complete(behind, result);
        self.notify_progress(&state);
        state
    }

    /// Stops or starts the device queue as the holders want it now. Whoever changes them calls this afterwards; the last to
    /// get the lock sees all changes.
    fn apply(&self) -> Result<Level, Error> {
        let early = self.lock().wanted_level();
        let mut preemption = self.preemption.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = if DECIDES_LOCKED { self.lock().wanted_level() } else { early };
        preemption.bring(&*self.queue, wanted)?;
        Ok(preemption.reached())
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
