//! Queues: a thread each, which executes what it is given in order.

use crate::device::{self, Access};
use crate::ffi::CopyRegion;
use crate::kernel::Kernel;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Something that becomes true, and may become false again: an event, a fence.
#[derive(Debug, Default)]
pub(crate) struct Flag {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Flag {
    pub(crate) fn new(is_set: bool) -> Flag {
        Flag { is_set: Mutex::new(is_set), changed: Condvar::new() }
    }

    pub(crate) fn set(&self, value: bool) {
        *lock(&self.is_set) = value;
        self.changed.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *lock(&self.is_set)
    }

    /// Waits until it is set, or the device is lost, or so long. Whether it is set.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        wait_until(&self.changed, lock(&self.is_set), timeout, |is_set| *is_set || device::is_lost());
        self.is_set()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks now and then too, because the device may get lost without a word.
fn wait_until<T>(
    changed: &Condvar,
    mut value: MutexGuard<'_, T>,
    timeout: Duration,
    is_done: impl Fn(&T) -> bool,
) -> bool {
    const LOOK: Duration = Duration::from_millis(20);
    let end = Instant::now().checked_add(timeout);
    while !is_done(&value) {
        let left = end.map_or(LOOK, |end| end.saturating_duration_since(Instant::now()).min(LOOK));
        if left.is_zero() {
            return false;
        }
        value = changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

/// What a command does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Nothing: a barrier, an advice, a signal.
    Nothing,
    Launch(Kernel),
    Copy {
        to: usize,
        from: usize,
        size: usize,
    },
    CopyRegion {
        to: Place,
        from: Place,
    },
    Fill {
        to: usize,
        pattern: Vec<u8>,
        size: usize,
    },
    Reset(Arc<Flag>),
    Timestamp(usize),
}

/// A box of bytes in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) base: usize,
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) z: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) depth: usize,
    pub(crate) pitch: usize,
    pub(crate) slice: usize,
}

impl Place {
    pub(crate) fn new(base: usize, region: CopyRegion, pitch: u32, slice: u32) -> Place {
        let CopyRegion { x, y, z, width, height, depth } = region;
        let size = |n: u32| n as usize;
        Place {
            base,
            x: size(x),
            y: size(y),
            z: size(z),
            width: size(width),
            height: size(height),
            depth: size(depth).max(1),
            pitch: size(pitch),
            slice: size(slice),
        }
    }

    fn row(&self, y: usize, z: usize) -> usize {
        self.base + (self.z + z) * self.slice + (self.y + y) * self.pitch + self.x
    }
}

/// A command: waits, works, signals.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) waits: Vec<Arc<Flag>>,
    pub(crate) work: Work,
    pub(crate) signal: Option<Arc<Flag>>,
}

impl Command {
    fn run(&self, access: &Access) {
        for event in &self.waits {
            event.wait(Duration::MAX);
        }
        if device::is_lost() {
            return;
        }
        match &self.work {
            Work::Nothing => {}
            Work::Launch(kernel) => kernel.run(access),
            // SAFETY: here and below: the program's memory, as it said; it would be as wrong on a device.
            Work::Copy { to, from, size } => unsafe {
                std::ptr::copy(*from as *const u8, *to as *mut u8, *size)
            },
            Work::CopyRegion { to, from } => {
                for (z, y) in (0..from.depth).flat_map(|z| (0..from.height).map(move |y| (z, y))) {
                    let (source, target) = (from.row(y, z) as *const u8, to.row(y, z) as *mut u8);
                    // SAFETY: as above.
                    unsafe { std::ptr::copy(source, target, from.width) };
                }
            }
            Work::Fill { to, pattern, size } => {
                for (i, byte) in pattern.iter().cycle().take(*size).enumerate() {
                    // SAFETY: as above.
                    unsafe { *((to + i) as *mut u8) = *byte };
                }
            }
            Work::Reset(event) => event.set(false),
            // SAFETY: as above.
            Work::Timestamp(to) => unsafe { *(*to as *mut u64) = now() },
        }
        // A kernel that faults signals nothing.
        if let Some(event) = self.signal.as_ref().filter(|_| !device::is_lost()) {
            event.set(true);
        }
    }
}

/// The device's clock, in nanoseconds.
pub(crate) fn now() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Commands given at once, and the fence behind them.
type Batch = (Vec<Command>, Option<Arc<Flag>>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batch>,
    given: u64,
    done: u64,
    is_ending: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A queue and its thread.
#[derive(Debug)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
    is_synchronous: bool,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    pub(crate) fn new(is_synchronous: bool) -> Option<Queue> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("fake-ze-queue".into()).spawn({
            let (shared, access) = (shared.clone(), Access::new());
            move || shared.run(&access)
        });
        Some(Queue { shared, is_synchronous, thread: Some(thread.ok()?) })
    }

    /// Gives the device something to do. Whether all is well.
    pub(crate) fn give(&self, commands: Vec<Command>, fence: Option<Arc<Flag>>) -> bool {
        let mut state = lock(&self.shared.state);
        state.waiting.push_back((commands, fence));
        state.given += 1;
        let upto = state.given;
        drop(state);
        self.shared.changed.notify_all();
        !self.is_synchronous || self.wait_for(upto, Duration::MAX)
    }

    /// Waits until everything given so far is done, or so long. Whether it is done.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let upto = lock(&self.shared.state).given;
        self.wait_for(upto, timeout)
    }

    fn wait_for(&self, upto: u64, timeout: Duration) -> bool {
        wait_until(&self.shared.changed, lock(&self.shared.state), timeout, |state| {
            state.done >= upto || device::is_lost()
        });
        lock(&self.shared.state).done >= upto && !device::is_lost()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        lock(&self.shared.state).is_ending = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, access: &Access) {
        loop {
            let mut state = lock(&self.state);
            let (commands, fence) = loop {
                match state.waiting.pop_front() {
                    Some(batch) => break batch,
                    None if state.is_ending => return,
                    None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(state);
            for command in &commands {
                command.run(access);
            }
            if let Some(fence) = fence.filter(|_| !device::is_lost()) {
                fence.set(true);
            }
            lock(&self.state).done += 1;
            self.changed.notify_all();
        }
    }
}
