//! A queue of this process, and the life of a launch.
//!
//! The launch path is [`Queue::launch`]: one atomic step in, one look at the gate, the vendor's call, one atomic step out. Everything
//! else is cold and happens only on idle↔ready edges, or while others wait or may come.

use crate::beyond::Beyond;
use crate::guest::{Guest, clock};
use crate::manager::Manager;
use crate::{errno, thread};
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use xsched_core::Level;
use xsched_hal::HwQueue;
use xsched_ipc::page::{Edge, EdgeKind, Page, Slot};
use xsched_queue::activity::Snapshot;
use xsched_queue::gate::{Epoch, GateState, GateWord};
use xsched_queue::window::{Admission, Settings, Window};

mod closed;
mod end;
mod own;

pub(crate) use own::Control;

/// How long a thread sleeps when another one has the lock of a queue, and how often until it goes on without: that one may be in a callback of
/// the program's, inside a call of ours, and wait for this thread.
const LOOK_AGAIN: Duration = Duration::from_micros(50);
const ADMIT_LOOKS: u32 = 200;
const RELEASE_LOOKS: u32 = 1_000;

/// A deep window is so many times as large: what is in it can be taken off the device, so it only has to be bounded, and to outlast a hiccup of the program's.
const DEEPER: u32 = 16;

/// States of a native queue: see [`Queue::release`].
const THERE: u32 = 0;
const GOING: u32 = 1;
const CLEARED: u32 = 2;

/// One native queue, in its slot.
///
/// What an uncontended launch looks at comes first, in one cache line.
#[repr(C, align(64))]
pub struct Queue {
    slot: &'static Slot,
    gate: AtomicPtr<GateWord>,
    /// Who holds this queue alone, see `own`.
    own: GateWord,
    /// Where the slot is in the page; `None` if the page had no room, see `beyond`.
    index: Option<u16>,
    guest: &'static Guest,
    generation: AtomicU32,
    /// The device's index in the page.
    device: AtomicU8,
    /// Number of the highest level that the native queue has; 0 while there is none.
    native_level: AtomicU8,
    /// What the program gave it is not told yet.
    pub(crate) hints_untold: AtomicBool,
    /// Odd while a native queue lives here, see `own`.
    life: AtomicU32,
    control: Mutex<Control>,
    /// The scheduler inside the process has been told to look here, and has not yet.
    pub(crate) is_news: AtomicBool,
    /// Most commands in flight, as the program wants it for this queue; 0 if it did not say.
    pub(crate) threshold: AtomicU32,
    /// Threads that wait at the closed gate.
    at_gate: AtomicU32,
    in_order: AtomicU32,
    /// The last event that the program got from this queue, with the low bits of the launch's number; 0 for none.
    last_event: AtomicU64,
    /// Free for the platform.
    pub note: AtomicUsize,
    /// Whether the native queue is [`THERE`], is [`GOING`] (whoever has the lock, or gets it, clears up), or is being [`CLEARED`] up.
    gone: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    hw: Option<Arc<dyn HwQueue>>,
    window: Window,
    /// The snapshot at which the end was looked for last, and how many looks in a row have found all done: see `end`.
    watched: Option<Snapshot>,
    found_done: u32,
}

/// A launch that has returned from the driver.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Launched {
    /// For [`Queue::synced`], if the launch itself waited for its command.
    pub then: Snapshot,
    /// The queue was idle before.
    pub was_idle: bool,
}

/// The user asked that nothing runs without a server, and there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

impl Queue {
    /// A queue in this slot, or in one of its own that no server reads.
    pub(crate) fn new(guest: &'static Guest, index: Option<u16>) -> Option<&'static Queue> {
        let page = guest.page();
        let slot = match index {
            Some(index) => page.slot(index)?,
            None => Box::leak(Box::default()),
        };
        Some(Box::leak(Box::new(Queue {
            guest,
            slot,
            index,
            generation: AtomicU32::new(0),
            device: AtomicU8::new(0),
            gate: AtomicPtr::new(std::ptr::from_ref(page.gate(0)?).cast_mut()),
            native_level: AtomicU8::new(0),
            hints_untold: AtomicBool::new(false),
            own: GateWord::new(Epoch::FIRST),
            life: AtomicU32::new(0),
            control: Mutex::default(),
            is_news: AtomicBool::new(false),
            threshold: AtomicU32::new(0),
            at_gate: AtomicU32::new(0),
            in_order: AtomicU32::new(0),
            last_event: AtomicU64::new(0),
            note: AtomicUsize::new(0),
            gone: AtomicU32::new(THERE),
            inner: Mutex::default(),
        })))
    }

    /// A native queue moves in, to be preempted by `highest` at most. Nobody launches on it yet.
    pub(crate) fn occupy(
        &'static self,
        hw: Arc<dyn HwQueue>,
        device: u8,
        highest: Level,
        in_order: bool,
    ) -> Option<()> {
        let gate = self.guest.page().gate(device)?;
        let native = hw.level();
        let level = native.min(highest);
        self.gate.store(std::ptr::from_ref(gate).cast_mut(), Ordering::Release);
        self.device.store(device, Ordering::Relaxed);
        self.in_order.store(u32::from(in_order), Ordering::Relaxed);
        self.last_event.store(0, Ordering::Relaxed);
        let tag = match self.index {
            Some(index) => self.guest.page().occupy(index, device, level)?,
            None => self.slot.occupy(device, level),
        };
        self.generation.store(tag.generation, Ordering::Release);
        self.native_level.store(native.number(), Ordering::SeqCst);
        // Last: without a native queue, nobody looks at the rest.
        let mut inner = self.inner.lock().ok()?;
        *inner = Inner { hw: Some(hw), ..Inner::default() };
        drop(inner);
        self.begin_life();
        self.tell(EdgeKind::Created);
        Some(())
    }

    /// It is preempted by `highest` at most from now on; the server hears of it. Takes no lock: this may be the agent.
    pub(crate) fn limit_level(&'static self, highest: Level) {
        let generation = self.generation.load(Ordering::Acquire);
        let Some(native) = Level::from_number(self.native_level.load(Ordering::SeqCst)) else { return };
        if self.slot.set_level(generation, native.min(highest)) {
            self.tell(EdgeKind::Created);
        }
    }

    /// The native queue is about to be released by its owner: nothing of ours begins to use it any more. False if something of ours may be
    /// using it at this moment (this is a callback, and some thread, perhaps this one, is in a call of ours): then it must outlive that.
    /// Called once, by whoever took the queue out of its registry.
    pub fn release(&'static self) -> bool {
        let _errno = errno::Keep::new();
        self.end_life();
        self.gone.store(GOING, Ordering::SeqCst);
        // Whoever has the lock clears up: this thread if it is to be had soon, else the one that has it, or gets it next.
        for _ in 0..RELEASE_LOOKS {
            self.with(|_| ());
            if self.gone.load(Ordering::SeqCst) == THERE {
                return true;
            }
            if !thread::may_wait() {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        false
    }

    /// Whether a release that answered false has come to its end meanwhile.
    pub fn is_released(&self) -> bool {
        self.gone.load(Ordering::SeqCst) == THERE
    }

    /// Takes out what belongs to a native queue that is gone. Once: by whoever takes the state on.
    fn clear_up(&'static self, mut inner: MutexGuard<'_, Inner>) {
        if self.gone.compare_exchange(GOING, CLEARED, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return;
        }
        let left = std::mem::take(&mut *inner);
        if self.index.is_none() && self.snapshot().is_ready() {
            self.beyond(Beyond::end).into_iter().for_each(|edge| self.guest.tell(edge));
        }
        self.slot.vacate();
        drop(inner);
        // Marks are native events: released outside of the lock, and before the native queue goes, which `release` waits for.
        drop(left);
        self.gone.store(THERE, Ordering::SeqCst);
        self.tell(EdgeKind::Destroyed);
        self.guest.reclaim(self);
    }

    /// Launches: `call` is the vendor's call on this thread. While the process is suspended this waits first.
    #[inline]
    pub fn launch<R>(&'static self, call: impl FnOnce() -> R) -> Result<(R, Launched), Refused> {
        let begun = self.slot.activity.begin();
        let is_told = begun.was_idle && self.raise();
        let gate = self.gate_state();
        if !gate.is_free() {
            self.admit(gate, begun.then)?;
        }
        let result = thread::nested(call);
        self.slot.activity.end();
        if is_told || gate.is_awaited() || gate.is_windowed() {
            self.mark(gate, begun.then);
        }
        Ok((result, Launched { then: begun.then, was_idle: begun.was_idle }))
    }

    /// What the queue has launched so far: before a call that waits for all of it, for [`Queue::synced`].
    #[inline]
    pub fn snapshot(&self) -> Snapshot {
        self.slot.activity.snapshot()
    }

    /// All that was launched before `then` is done.
    pub fn synced(&'static self, then: Snapshot) {
        if self.ended(then) {
            let _errno = errno::Keep::new();
            // The program waits itself, and so lets others in itself: see `end`.
            self.with(|inner| inner.found_done = 0);
        }
    }

    /// The same, whoever has found out. Returns whether others wait for that.
    fn ended(&'static self, then: Snapshot) -> bool {
        if !self.slot.activity.try_idle(then) {
            return false;
        }
        let beyond = if self.index.is_none() { self.beyond(Beyond::end) } else { None };
        let gate = self.gate_state();
        if self.slot.completed.swap(then.begun(), Ordering::AcqRel) != then.begun() && !gate.is_free() {
            let _errno = errno::Keep::new();
            self.with(|inner| {
                let settings = self.settings(gate, &inner.window);
                inner.window.all_done(then.begun(), settings, clock());
            });
        }
        if gate.is_awaited() {
            let _errno = errno::Keep::new();
            beyond.into_iter().for_each(|edge| self.guest.tell(edge));
            self.tell(EdgeKind::Idle);
        }
        gate.is_awaited()
    }

    /// The program got this event from the launch. (Its value is only compared.)
    #[inline]
    pub fn gave_event(&self, event: usize, launched: Launched) {
        let (event, then) = (event as u64, launched.then);
        let packed = if then.inside() == 0 { event << 16 | then.begun() & 0xffff } else { 0 };
        self.last_event.store(packed, Ordering::Relaxed);
    }

    /// The program knows that this event, of this queue, is complete. If it is of the newest launch of an in-order queue, all is.
    pub fn event_done(&'static self, event: usize) {
        if let Some(then) = self.ends_with(event) {
            self.synced(then);
        }
    }

    /// For [`Queue::synced`] when this event will be complete: if it is of the newest launch of an in-order queue.
    pub fn ends_with(&self, event: usize) -> Option<Snapshot> {
        let now = self.snapshot();
        let packed = (event as u64) << 16 | now.begun() & 0xffff;
        (self.is_in_order() && self.last_event.load(Ordering::Relaxed) == packed).then_some(now)
    }

    /// Whether it has a slot that the server reads.
    pub(crate) fn is_listed(&self) -> bool {
        self.index.is_some()
    }

    /// Nobody holds it back, waits for it or may want its place: a launch goes straight through.
    #[inline]
    pub fn is_free(&self) -> bool {
        self.gate_state().is_free()
    }

    /// The native queue; `None` if it is gone, or if another thread is at work on it.
    pub fn hw(&'static self) -> Option<Arc<dyn HwQueue>> {
        self.with(|inner| inner.hw.clone()).flatten()
    }

    /// Whether commands run in the order of their launches.
    pub fn is_in_order(&self) -> bool {
        self.in_order.load(Ordering::Relaxed) != 0
    }

    /// The program changed the order of execution. Once out of order, always treated so: events of before say nothing.
    pub fn set_in_order(&self, in_order: bool) {
        if !in_order {
            self.in_order.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the guest that made this queue is this process and not its parent.
    pub fn is_current(&self) -> bool {
        crate::guest::existing().is_some_and(|guest| std::ptr::eq(guest, self.guest))
    }

    #[inline]
    fn gate(&self) -> &GateWord {
        // SAFETY: points into the page, which stays mapped as long as the process lives.
        unsafe { &*self.gate.load(Ordering::Acquire) }
    }

    /// What may be in flight, by what the gate says and how long the queue is usually held back.
    fn settings(&self, gate: GateState, window: &Window) -> Settings {
        let threshold = match self.threshold.load(Ordering::Relaxed) {
            0 => self.guest.threshold(),
            own => Some(self.guest.allowed_threshold().map_or(own, |most| own.min(most))),
        };
        let work = self.guest.config.window;
        match gate.is_deep() {
            true => Settings { work: work.saturating_mul(DEEPER), threshold, least: 2 },
            false => window.widened(Settings { work, threshold, least: 1 }),
        }
    }

    /// The queue is ready. Returns whether the server had to be told.
    #[cold]
    fn raise(&'static self) -> bool {
        if self.index.is_none() {
            let _errno = errno::Keep::new();
            self.beyond(Beyond::begin).into_iter().for_each(|edge| self.guest.tell(edge));
        }
        let is_told = self.slot.activity.raise();
        if is_told {
            let _errno = errno::Keep::new();
            self.tell(EdgeKind::Ready);
        }
        is_told
    }

    /// What becomes of all queues that have no slot in the page, by something that happens to this one.
    #[cold]
    fn beyond(&self, what: fn(&Beyond, &Page, u8) -> Option<Edge>) -> Option<Edge> {
        what(&self.guest.beyond, self.guest.page(), self.device.load(Ordering::Relaxed))
    }

    /// Tells whoever schedules this process.
    fn tell(&'static self, kind: EdgeKind) {
        // SYNC POINT with `Guest::set_manager`: what is told is in the activity word before it is looked whom to tell, and a new scheduler reads
        // all words after it was made known.
        fence(Ordering::SeqCst);
        match (self.guest.manager(), self.index) {
            (Manager::Local(_), _) => self.guest.local.news(self),
            (Manager::Global, Some(slot)) => {
                self.guest.tell(Edge { kind, slot, generation: self.generation.load(Ordering::Acquire) });
            }
            _ => {}
        }
    }

    /// Something about it has changed that the scheduler inside the process reads.
    pub(crate) fn tell_local(&'static self) {
        fence(Ordering::SeqCst);
        if let Manager::Local(_) = self.guest.manager() {
            self.guest.local.news(self);
        }
    }

    /// The gate is not free: waits while it is closed, then while the window is full.
    #[cold]
    fn admit(&'static self, gate: GateState, then: Snapshot) -> Result<(), Refused> {
        let _errno = errno::Keep::new();
        if !thread::may_wait() {
            return Ok(());
        }
        if gate.is_ordered() {
            self.keep_order();
        }
        let launched = then.begun().saturating_sub(1 + then.inside());
        if !gate.is_open() && self.wait_open(launched).inspect_err(|_| self.slot.activity.end())? {
            return Ok(());
        }
        let since = clock();
        let (mut flushed, mut busy) = (false, 0);
        loop {
            let gate = self.gate_state();
            if !gate.is_open() && self.wait_open(launched).inspect_err(|_| self.slot.activity.end())? {
                return Ok(());
            }
            if !gate.is_windowed() {
                return Ok(());
            }
            let admission = self.with(|inner| {
                let settings = self.settings(gate, &inner.window);
                let admission = inner.window.admit(launched, settings, since, clock());
                self.slot.completed.fetch_max(inner.window.completed(), Ordering::AcqRel);
                admission
            });
            let time = match admission {
                Some(Admission::Now) => return Ok(()),
                Some(Admission::NotBefore(time)) => time,
                None if busy == ADMIT_LOOKS => return Ok(()),
                None => {
                    busy += 1;
                    clock() + LOOK_AGAIN
                }
            };
            if !flushed {
                self.guest.flush_all();
                flushed = true;
            }
            std::thread::sleep(time.since(clock()));
        }
    }

    /// After a launch while others wait or may come (or, after one that the server was told of, are about to): progress is marked now and
    /// then, and each time on a queue whose end nobody else can find.
    #[cold]
    fn mark(&'static self, gate: GateState, then: Snapshot) {
        let _errno = errno::Keep::new();
        self.with(|Inner { hw, window, .. }| match hw {
            Some(hw) if !hw.has_tail() && (gate.is_awaited() || !gate.is_windowed()) => {
                window.mark(then.begun(), &**hw)
            }
            // Nobody minds how much is in flight: what is asked for is whether it moves on.
            Some(hw) if gate.is_awaited() && !gate.is_windowed() => window.follow(then.begun(), &**hw),
            Some(hw) if !gate.is_free() => {
                let settings = self.settings(gate, window);
                window.launched(then.begun(), &**hw, settings);
            }
            _ => {}
        });
        if self.index.is_none() {
            self.beyond(Beyond::move_on).into_iter().for_each(|edge| self.guest.tell(edge));
        }
        if gate.is_awaited() {
            self.guest.watcher.wake(self.guest);
        }
    }

    pub(crate) fn flush(&'static self) {
        self.with(|inner| inner.hw.as_ref().map(|hw| hw.flush()));
    }

    /// The same as [`Queue::with`], for a thread of ours that nobody waits for inside the vendor's library: waits for the lock.
    pub(crate) fn with_waiting<R>(&'static self, work: impl FnOnce(&dyn HwQueue) -> R) -> Option<R> {
        let inner = self.inner.lock().ok()?;
        self.with_locked(inner, |inner| inner.hw.as_deref().map(work)).flatten()
    }

    /// Works on what the lock protects, vendor's calls included; `None` if the native queue is gone, or if another thread has the lock. That is
    /// not waited for: the other one may be inside a vendor's call, there in a callback of the program's, and wait for us.
    fn with<R>(&'static self, work: impl FnOnce(&mut Inner) -> R) -> Option<R> {
        self.with_locked(self.inner.try_lock().ok()?, work)
    }

    fn with_locked<R>(
        &'static self,
        mut inner: MutexGuard<'_, Inner>,
        work: impl FnOnce(&mut Inner) -> R,
    ) -> Option<R> {
        let result = (self.gone.load(Ordering::SeqCst) == THERE).then(|| thread::nested(|| work(&mut inner)));
        drop(inner);
        // Looked at behind the unlock: whoever set it then either finds the lock free or is seen here.
        if self.gone.load(Ordering::SeqCst) != THERE
            && let Ok(inner) = self.inner.try_lock()
        {
            self.clear_up(inner);
        }
        result
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("index", &self.index)
            .field("activity", &self.snapshot())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
