//! Queues: streams as things that are scheduled.

use crate::command::{Command, forget_all_of};
use crate::error::Error;
use crate::generated::{
    CREATE_BLOCKING_SUBMIT, HintKind, Level, NO_DEADLINE, NO_LAXITY, QueueState, RESUME_DROP_COMMANDS,
    SUSPEND_SYNC_HW_QUEUE, SUSPEND_WAIT_ALL, SUSPEND_WAIT_IDLE,
};
use crate::library::{Library, library};
use crate::scopes::{PriorityScope, Scopes};
use std::ffi::c_void;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A stream that is scheduled.
///
/// Launches on the stream go on as ever; each waits while the queue is suspended, by this program or a scheduler. Two queues of one stream are
/// the same to XSched. Dropping a queue resumes it, waits until all that was submitted to it is complete, and ends it; the stream stays.
pub struct Queue {
    library: &'static Library,
    handle: u64,
    hardware: u64,
    scopes: Arc<Scopes>,
    /// What it was given outside of scopes; beyond 32 bits: nothing yet.
    priority: Arc<AtomicI64>,
    /// [`Suspended`]s that are there.
    holds: Mutex<usize>,
}

/// How a queue is made.
///
/// ```no_run
/// use xsched::{Level, Options};
///
/// # fn make(stream: *mut std::ffi::c_void) -> Result<(), xsched::Error> {
/// // SAFETY: the stream outlives the queue.
/// let queue = unsafe { Options::new().level(Level::Block).of_cuda_stream(stream)? };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    level: Level,
    flags: i64,
}

/// What [`Queue::suspend`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Wait {
    /// Nothing: what is in flight goes on.
    #[default]
    No,
    /// Until nothing of the queue runs on the device any more.
    InFlight,
    /// It is suspended once all that was launched or submitted so far is complete.
    All,
    /// It is suspended at the next moment at which it has nothing to do.
    Idle,
}

/// A queue that is suspended until this, and every other one of it, is dropped.
#[must_use = "the queue is resumed when this is dropped"]
#[derive(Debug)]
pub struct Suspended<'a> {
    queue: &'a Queue,
}

impl Options {
    /// Level 1, and [`Queue::submit`] returns at once.
    pub fn new() -> Options {
        Options { level: Level::Block, flags: 0 }
    }

    /// How far the queue shall be preempted; making it fails if the device cannot do that.
    pub fn level(self, level: Level) -> Options {
        Options { level, ..self }
    }

    /// [`Queue::submit`] returns once the command is launched.
    pub fn blocking_submit(self) -> Options {
        Options { flags: self.flags | CREATE_BLOCKING_SUBMIT, ..self }
    }

    /// A queue of a CUDA stream; null is the default stream of the current context.
    ///
    /// # Safety
    /// `stream` is null or a `CUstream` that outlives the queue.
    pub unsafe fn of_cuda_stream(self, stream: *mut c_void) -> Result<Queue, Error> {
        // SAFETY: by the caller; the place for the handle is valid.
        self.make(|library, hardware| unsafe { library.CudaQueueCreate(hardware, stream) })
    }

    /// A queue of an OpenCL command queue.
    ///
    /// # Safety
    /// `queue` is a `cl_command_queue` of the host's.
    pub unsafe fn of_opencl_queue(self, queue: *mut c_void) -> Result<Queue, Error> {
        // SAFETY: by the caller; the place for the handle is valid.
        self.make(|library, hardware| unsafe { library.OclQueueCreate(hardware, queue) })
    }

    /// A queue of a Level Zero command queue.
    ///
    /// # Safety
    /// `queue` is a `ze_command_queue_handle_t` of the device `device`, and outlives the queue.
    pub unsafe fn of_level_zero_queue(self, device: *mut c_void, queue: *mut c_void) -> Result<Queue, Error> {
        // SAFETY: by the caller; the place for the handle is valid.
        self.make(|library, hardware| unsafe { library.ZeQueueCreate(hardware, device, queue) })
    }

    /// A queue of an immediate command list of Level Zero's.
    ///
    /// # Safety
    /// `list` is an immediate `ze_command_list_handle_t` of the device `device`, and outlives the queue.
    pub unsafe fn of_level_zero_list(self, device: *mut c_void, list: *mut c_void) -> Result<Queue, Error> {
        // SAFETY: by the caller; the place for the handle is valid.
        self.make(|library, hardware| unsafe { library.ZeListreate(hardware, device, list) })
    }

    fn make(
        self,
        make_known: impl FnOnce(&'static Library, *mut u64) -> Result<(), Error>,
    ) -> Result<Queue, Error> {
        let library = library()?;
        let (mut hardware, mut handle) = (0, 0);
        make_known(library, &raw mut hardware)?;
        // SAFETY: the place for the handle is valid.
        let made = unsafe { library.XQueueCreate(&raw mut handle, hardware, self.level as i64, self.flags) };
        made.inspect_err(|_| {
            // SAFETY: no pointers.
            let _ = unsafe { library.HwQueueDestroy(hardware) };
        })?;
        let priority = Arc::new(AtomicI64::new(i64::MAX));
        let beneath = Arc::clone(&priority);
        let scopes = Scopes::new(move |value| {
            let value = value.unwrap_or_else(|| given_or_started_with(&beneath));
            // SAFETY: no pointers.
            unsafe { library.XHintPriority(handle, value) }
        });
        Ok(Queue { library, handle, hardware, scopes, priority, holds: Mutex::default() })
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl Queue {
    /// A queue of a CUDA stream; null is the default stream of the current context.
    ///
    /// # Safety
    /// `stream` is null or a `CUstream` that outlives the queue.
    pub unsafe fn of_cuda_stream(stream: *mut c_void) -> Result<Queue, Error> {
        // SAFETY: by the caller.
        unsafe { Options::new().of_cuda_stream(stream) }
    }

    /// A queue of an OpenCL command queue.
    ///
    /// # Safety
    /// `queue` is a `cl_command_queue` of the host's.
    pub unsafe fn of_opencl_queue(queue: *mut c_void) -> Result<Queue, Error> {
        // SAFETY: by the caller.
        unsafe { Options::new().of_opencl_queue(queue) }
    }

    /// Ends the queue as dropping it does, and tells whether that could be done.
    pub fn close(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Whether it has work. Does not wait.
    pub fn state(&self) -> Result<QueueState, Error> {
        let mut state = 0;
        // SAFETY: the place for the answer is valid.
        unsafe { self.library.XQueueQuery(self.handle, &raw mut state)? };
        Ok(if state == QueueState::Idle as i32 { QueueState::Idle } else { QueueState::Ready })
    }

    /// How many commands wait for their launch, or are not known to be complete.
    pub fn pending(&self) -> Result<u64, Error> {
        let mut count = 0;
        // SAFETY: the place for the answer is valid.
        unsafe { self.library.XQueueProfileHwCommandCount(self.handle, &raw mut count)? };
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Suspends the queue until what this returns is dropped: nothing more is launched. A scheduler may hold it back beyond that.
    pub fn suspend(&self, wait: Wait) -> Result<Suspended<'_>, Error> {
        let flags = match wait {
            Wait::No => 0,
            Wait::InFlight => SUSPEND_SYNC_HW_QUEUE,
            Wait::All => SUSPEND_WAIT_ALL,
            Wait::Idle => SUSPEND_WAIT_IDLE,
        };
        // Counted first: whoever lets go meanwhile does not resume it. Not locked while it waits.
        *self.holds() += 1;
        let suspended = Suspended { queue: self };
        // SAFETY: no pointers.
        unsafe { self.library.XQueueSuspend(self.handle, flags)? };
        Ok(suspended)
    }

    /// Drops commands that were submitted and are not launched, and resumes the queue, whoever holds a [`Suspended`] of it.
    pub fn resume_and_drop_commands(&self) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XQueueResume(self.handle, RESUME_DROP_COMMANDS) }
    }

    /// The priority that it was given here; until then what the program was started with. Scopes do not count.
    pub fn priority(&self) -> i32 {
        given_or_started_with(&self.priority)
    }

    /// Gives it a priority: [`PRIORITY_MIN`](crate::PRIORITY_MIN) to [`PRIORITY_MAX`](crate::PRIORITY_MAX), or
    /// [`PRIORITY_NO_EXECUTE`](crate::PRIORITY_NO_EXECUTE). While scopes are open, it holds when they have ended.
    pub fn set_priority(&self, priority: i32) -> Result<(), Error> {
        self.scopes.set_beneath(|is_in_force| {
            if is_in_force {
                // SAFETY: no pointers.
                unsafe { self.library.XHintPriority(self.handle, priority)? };
            }
            self.priority.store(priority.into(), Ordering::SeqCst);
            Ok(())
        })
    }

    /// A priority until what this returns is dropped.
    pub fn with_priority(&self, priority: i32) -> Result<PriorityScope<'_>, Error> {
        self.scopes.enter(priority)
    }

    /// Gives it a share of the device, in percent.
    pub fn set_utilization(&self, percent: u8) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XHintUtilization(self.handle, percent.into()) }
    }

    /// How long it may take from ready to done; none: as long as it takes.
    pub fn set_deadline(&self, deadline: Option<Duration>) -> Result<(), Error> {
        let deadline = deadline.map_or(Ok(NO_DEADLINE), microseconds)?;
        // SAFETY: no pointers.
        unsafe { self.library.XHintDeadline(self.handle, deadline) }
    }

    /// Priority `lax` until the queue has been ready for `laxity`, then `critical`.
    pub fn set_laxity(&self, laxity: Duration, lax: i32, critical: i32) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XHintLaxity(self.handle, microseconds(laxity)?, lax, critical) }
    }

    /// Takes the laxity back.
    pub fn clear_laxity(&self) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XHintLaxity(self.handle, NO_LAXITY, self.priority(), self.priority()) }
    }

    /// How far it is preempted; an error if the device cannot do that.
    pub fn set_level(&self, level: Level) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XQueueSetPreemptLevel(self.handle, level as i32) }
    }

    /// The most commands in flight, and how many submitted ones are launched in a row (1 to `threshold`).
    pub fn set_launch_config(&self, threshold: u32, batch_size: u32) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XQueueSetLaunchConfig(self.handle, threshold.into(), batch_size.into()) }
    }

    /// Puts a command behind all others of the queue and returns. `launch` is called once, on a thread of XSched's, as soon as the queue may run; what
    /// it launches on the stream passes without being held back. It must not wait for its own queue.
    pub fn submit(&self, launch: impl FnOnce() + Send + 'static) -> Result<Command<'_>, Error> {
        Command::submit(self.library, self.handle, Box::new(launch))
    }

    /// Waits until all that was launched or submitted so far is complete. The error is the first of a submitted command since the last call.
    pub fn wait(&self) -> Result<(), Error> {
        // SAFETY: no pointers.
        unsafe { self.library.XQueueWaitAll(self.handle) }
    }

    fn holds(&self) -> std::sync::MutexGuard<'_, usize> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&mut self) -> Result<(), Error> {
        let handle = std::mem::take(&mut self.handle);
        if handle == 0 {
            return Ok(());
        }
        // SAFETY: no pointers; the handles are given up here and nowhere else.
        let ended = unsafe { self.library.XQueueDestroy(handle) };
        // SAFETY: as above.
        let given_up = unsafe { self.library.HwQueueDestroy(self.hardware) };
        forget_all_of(handle);
        ended.and(given_up)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // In the child of a fork, the parent's handles are not known, and there is nothing to end.
        let _ = self.end();
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("handle", &self.handle)
            .field("priority", &self.priority())
            .finish_non_exhaustive()
    }
}

impl Drop for Suspended<'_> {
    fn drop(&mut self) {
        let mut holds = self.queue.holds();
        *holds -= 1;
        if *holds == 0 {
            // SAFETY: no pointers. If it fails, the queue is gone, and with it what held it.
            let _ = unsafe { self.queue.library.XQueueResume(self.queue.handle, 0) };
        }
    }
}

/// As C takes it.
pub(crate) fn microseconds(duration: Duration) -> Result<i64, Error> {
    i64::try_from(duration.as_micros()).map_err(|_| Error::OutOfRange {
        what: "a duration",
        value: format!("{duration:?}"),
        expected: "less than 292,000 years",
    })
}

fn given_or_started_with(priority: &AtomicI64) -> i32 {
    let info = HintKind::Priority.info();
    let started_with = || std::env::var(info.env).ok().and_then(|value| value.trim().parse().ok());
    let given = i32::try_from(priority.load(Ordering::SeqCst)).ok();
    given.or_else(started_with).unwrap_or_else(|| i32::try_from(info.default).unwrap_or(0))
}
