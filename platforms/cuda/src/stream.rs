//! Which queue a call means.
//!
//! A program names a stream by its handle, or means a default stream: the context's (*legacy*) or the thread's (*per-thread*). Null is the one or
//! the other by the function that gets it: its `_ptsz` and `_ptds` twins, which programs compiled with per-thread default streams call
//! under the plain name, take it for the thread's.
//!
//! Queues are found by a key: a stream's handle; a context's handle with its lowest bit set; or a token that stands for one thread in one context,
//! with the two lowest bits set (handles are addresses of aligned objects). A queue is made at the first launch, whoever made the stream.

use crate::capture::{self, Relaxed};
use crate::context;
use crate::driver::{
    CU_STREAM_LEGACY, CU_STREAM_PER_THREAD, CUDA_ERROR_INVALID_CONTEXT, CUDA_SUCCESS, Driver, Handle, driver,
};
use crate::queue::{CudaQueue, Stream};
use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xsched_hal::Error;
use xsched_runtime::claim::{self, Claim};
use xsched_runtime::library::own_folder;
use xsched_runtime::{PerLife, Queue, Registry, guest, is_automatic, report};

/// The streams that have launched. A queue's note is the handle of its context.
static QUEUES: Registry = Registry::new();

/// Queues whose stream is gone and whose work is not known to be complete.
static RETIRED: PerLife<Mutex<Vec<&'static Queue>>> = PerLife::new();

/// What a call names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    Made(usize),
    Legacy,
    PerThread,
}

impl Named {
    /// What a plain function means by this argument.
    #[inline]
    pub(crate) fn plain(handle: usize) -> Named {
        match handle {
            0 | CU_STREAM_LEGACY => Named::Legacy,
            CU_STREAM_PER_THREAD => Named::PerThread,
            _ => Named::Made(handle),
        }
    }

    /// What a `_ptsz` or `_ptds` function means by it.
    #[inline]
    pub(crate) fn per_thread(handle: usize) -> Named {
        match handle {
            CU_STREAM_LEGACY => Named::Legacy,
            0 | CU_STREAM_PER_THREAD => Named::PerThread,
            _ => Named::Made(handle),
        }
    }

    /// What the driver calls it, whichever function is asked.
    #[inline]
    fn name(self) -> Handle {
        match self {
            Named::Made(handle) => handle as Handle,
            Named::Legacy => CU_STREAM_LEGACY as Handle,
            Named::PerThread => CU_STREAM_PER_THREAD as Handle,
        }
    }

    /// Whether nothing of ours may touch it.
    pub(crate) fn is_capturing(self, driver: &Driver) -> bool {
        capture::is_capturing(driver, self.name())
    }

    /// Its key. `None` where a default stream means nothing: without a context, or in a callback of the driver's.
    #[inline(always)]
    pub(crate) fn key(self, driver: &Driver) -> Option<usize> {
        match self {
            Named::Made(handle) => Some(handle),
            Named::Legacy => driver.current_context().map(|context| context as usize | 1),
            Named::PerThread => token(driver.current_context()? as usize),
        }
    }
}

/// The queue that a launch goes to. `None`: the launch reaches no device (the stream captures), must not wait (a callback of the
/// driver's), or cannot be told apart; it passes as it is.
///
/// Always inlined, and no more than what an uncontended launch needs: between two launches the driver takes most of the nearest cache, so what counts is how
/// many lines of code and data lie on the way.
#[inline(always)]
pub(crate) fn find(named: Named) -> Option<&'static Queue> {
    let driver = driver()?;
    if !capture::is_any()
        && let Some(queue) = QUEUES.recall(named.key(driver)?)
        && queue.is_free()
    {
        return Some(queue);
    }
    find_slowly(driver, named)
}

#[cold]
#[inline(never)]
fn find_slowly(driver: &'static Driver, named: Named) -> Option<&'static Queue> {
    if capture::is_any() && named.is_capturing(driver) {
        return None;
    }
    let key = named.key(driver)?;
    let queue =
        QUEUES.find_or_insert(key, || if is_automatic() { adopt(driver, named, key) } else { None })?;
    if !queue.is_free() && driver.is_in_callback() {
        return None;
    }
    Some(queue)
}

/// The queue of a stream that has launched.
#[inline]
pub(crate) fn known(named: Named) -> Option<&'static Queue> {
    QUEUES.find(named.key(driver()?)?)
}

/// Makes a stream known to the program that names it through the API.
///
/// # Safety
/// A `CUstream`.
pub unsafe fn claim(stream: Handle) -> Result<Claim, claim::Error> {
    let driver = driver_or_load()?;
    let named = Named::plain(stream as usize);
    let key = named
        .key(driver)
        .ok_or(Error::Vendor { call: "cuCtxGetCurrent", code: CUDA_ERROR_INVALID_CONTEXT })?;
    claim_on(move || QUEUES.find_or_insert(key, || adopt(driver, named, key)), key)
}

/// The same for one that is known already, or is scheduled without the program's doing.
///
/// # Safety
/// As for [`claim()`].
pub unsafe fn claim_known(stream: Handle) -> Result<Claim, claim::Error> {
    if is_automatic() && crate::intercept::is_bound() {
        // SAFETY: by the caller. What cannot be made known is not known.
        return unsafe { claim(stream) }.map_err(|_| claim::Error::Gone);
    }
    let key =
        driver().and_then(|driver| Named::plain(stream as usize).key(driver)).ok_or(claim::Error::Gone)?;
    claim_on(move || QUEUES.find(key), key)
}

fn claim_on(find: impl Fn() -> Option<&'static Queue>, key: usize) -> Result<Claim, claim::Error> {
    Claim::new(find, crate::intercept::is_bound(), move |is_over| {
        if is_over {
            retire(key);
        }
    })
}

/// The real library, found now if no stand-in has been called yet.
fn driver_or_load() -> Result<&'static Driver, claim::Error> {
    if let Some(driver) = driver() {
        return Ok(driver);
    }
    let lost = Error::Lost { call: "the real CUDA driver library" };
    crate::driver::load(&own_folder()).map_err(|why| {
        report::once(&why);
        lost.into()
    })
}

#[cold]
fn adopt(driver: &'static Driver, named: Named, key: usize) -> Option<&'static Queue> {
    let guest = guest()?;
    sweep();
    let _relaxed = Relaxed::new(driver);
    let (context, stream) = match named {
        Named::Made(handle) => {
            let mut context: Handle = std::ptr::null_mut();
            // SAFETY: the program passes it as a stream; for any other value the real function would fare no better.
            let result = unsafe { driver.cuStreamGetCtx?(handle as Handle, &raw mut context) };
            if result != CUDA_SUCCESS || context.is_null() {
                return None;
            }
            (context, Stream::Made(handle))
        }
        Named::Legacy => (driver.current_context()?, Stream::Legacy),
        Named::PerThread => (driver.current_context()?, Stream::PerThread(key)),
    };
    let context = context::attach(driver, context)?;
    let note = context.handle();
    let queue = guest.adopt(Arc::new(CudaQueue::new(context, stream)), true)?;
    queue.note.store(note, Ordering::Relaxed);
    Some(queue)
}

/// The queues of a context.
pub(crate) fn of_context(context: usize) -> Vec<&'static Queue> {
    let mut queues: Vec<_> = QUEUES.all().into_iter().map(|(_, queue)| queue).collect();
    if let Ok(retired) = RETIRED.get().lock() {
        queues.extend(retired.iter().copied());
    }
    queues.retain(|queue| queue.note.load(Ordering::Relaxed) == context);
    queues
}

/// The stream with this key is about to go. It may leave work behind, which counts until it is complete.
pub(crate) fn retire(key: usize) {
    sweep();
    let Some(queue) = QUEUES.take(key) else { return };
    queue.end_submissions();
    let is_closed = queue.snapshot().is_ready() && with_hw(queue, CudaQueue::close).unwrap_or(false);
    match RETIRED.get().lock() {
        Ok(mut retired) if is_closed => retired.push(queue),
        _ => release(queue),
    }
}

/// A context is about to go, with its streams and events: nothing of ours touches them any more.
pub(crate) fn forget_context(context: usize) {
    for (key, queue) in QUEUES.all() {
        if queue.note.load(Ordering::Relaxed) == context
            && let Some(queue) = QUEUES.take(key)
        {
            release(queue);
        }
    }
    retired(|queue| queue.note.load(Ordering::Relaxed) == context).into_iter().for_each(release);
}

/// Ends the queues of destroyed streams whose work is complete by now.
fn sweep() {
    for queue in retired(|queue| with_hw(queue, CudaQueue::is_over).unwrap_or(false)) {
        queue.synced(queue.snapshot());
        release(queue);
    }
}

/// Takes those queues out of the retired ones that fit.
fn retired(fits: impl Fn(&'static Queue) -> bool) -> Vec<&'static Queue> {
    let Ok(mut all) = RETIRED.get().lock() else { return Vec::new() };
    if all.is_empty() {
        return Vec::new();
    }
    let (out, left) = all.iter().copied().partition(|queue| fits(queue));
    *all = left;
    out
}

fn with_hw<R>(queue: &'static Queue, work: impl FnOnce(&CudaQueue) -> R) -> Option<R> {
    let hw: Arc<dyn Any> = queue.hw()?;
    hw.downcast_ref().map(work)
}

/// Ends a queue. If the watcher is asking the driver about it at this moment, waits for that: the stream goes next.
fn release(queue: &'static Queue) {
    const MOST: u32 = 500;
    if queue.release() {
        return;
    }
    for _ in 0..MOST {
        if queue.is_released() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The tokens of a thread, by context. Gone with the thread, and its default streams with it.
struct Tokens(RefCell<Vec<(usize, usize)>>);

thread_local! {
    static TOKENS: Tokens = const { Tokens(RefCell::new(Vec::new())) };
}

impl Drop for Tokens {
    fn drop(&mut self) {
        for (_, token) in self.0.take() {
            retire(token);
        }
    }
}

/// Stands for the calling thread in a context. `None` at the thread's end.
#[inline(never)]
fn token(context: usize) -> Option<usize> {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    TOKENS
        .try_with(|tokens| {
            let mut tokens = tokens.0.try_borrow_mut().ok()?;
            if let Some((_, token)) = tokens.iter().find(|(known, _)| *known == context) {
                return Some(*token);
            }
            let token = NEXT.fetch_add(1, Ordering::Relaxed) << 4 | 3;
            tokens.push((context, token));
            Some(token)
        })
        .ok()
        .flatten()
}

/// Whether this token is the calling thread's.
pub(crate) fn has_token(token: usize) -> bool {
    TOKENS
        .try_with(|tokens| {
            tokens.0.try_borrow().is_ok_and(|tokens| tokens.iter().any(|(_, known)| *known == token))
        })
        // At the thread's end, its own tokens are all that is asked for.
        .unwrap_or(true)
}
