//! Contexts: primary and made ones, and which is current to a thread.

use crate::device::{Device, is_device};
use crate::engine::{Done, Stream};
use crate::function::*;
use crate::rm::Channels;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_uint};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// A context.
pub(crate) struct Context {
    pub(crate) device: Device,
    /// Held while a command is put in its place between the streams.
    pub(crate) order: Mutex<()>,
    streams: Mutex<Vec<Weak<Stream>>>,
    /// What destroyed streams have left to do.
    left: Mutex<Vec<Arc<Done>>>,
    legacy: Mutex<Option<Arc<Stream>>>,
    per_thread: Mutex<HashMap<u64, Arc<Stream>>>,
    fault: AtomicI32,
    channels: Option<Channels>,
}

/// All contexts that live, by handle.
static CONTEXTS: Mutex<Vec<(usize, Arc<Context>)>> = Mutex::new(Vec::new());
/// The primary contexts: device, references, handle.
static PRIMARY: Mutex<Vec<(Device, u32, usize)>> = Mutex::new(Vec::new());

static THREADS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static CURRENT: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static THREAD: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// This thread's number.
pub(crate) fn thread() -> u64 {
    THREAD.with(|thread| *thread)
}

impl Context {
    fn new(device: Device) -> Arc<Context> {
        Arc::new(Context {
            device,
            order: Mutex::default(),
            streams: Mutex::default(),
            left: Mutex::default(),
            legacy: Mutex::default(),
            per_thread: Mutex::default(),
            fault: AtomicI32::new(CUDA_SUCCESS),
            channels: Channels::new(device),
        })
    }

    /// Waits as long as its channels are stopped.
    pub(crate) fn wait_for_the_device(&self) {
        self.channels.iter().for_each(Channels::wait);
    }

    /// The error that every call answers since a kernel has failed.
    pub(crate) fn fault(&self) -> Outcome {
        match self.fault.load(Ordering::SeqCst) {
            CUDA_SUCCESS => Ok(()),
            code => Err(code),
        }
    }

    pub(crate) fn fail(&self, code: c_int) {
        self.fault.store(code, Ordering::SeqCst);
    }

    pub(crate) fn add(&self, stream: &Arc<Stream>) {
        self.streams.lock().unwrap().push(Arc::downgrade(stream));
    }

    /// All streams.
    pub(crate) fn streams(&self) -> Vec<Arc<Stream>> {
        let mut streams = self.streams.lock().unwrap();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn is_blocking_capture_on(&self) -> bool {
        self.streams().iter().any(|stream| stream.is_blocking && stream.capture.lock().unwrap().is_some())
    }

    pub(crate) fn invalidate_blocking_captures(&self) {
        for stream in self.streams().iter().filter(|stream| stream.is_blocking) {
            if let Some(capture) = stream.capture.lock().unwrap().as_ref() {
                capture.invalidate();
            }
        }
    }

    /// A stream goes, with work left.
    pub(crate) fn leave(&self, stream: &Stream) {
        self.left.lock().unwrap().push(stream.newest());
    }

    /// What destroyed streams have left to do.
    pub(crate) fn left(&self) -> Vec<Arc<Done>> {
        let mut left = self.left.lock().unwrap();
        left.retain(|done| !done.is_done());
        left.clone()
    }

    /// Waits for all of it.
    pub(crate) fn wait(&self) -> Outcome {
        let newest: Vec<Arc<Done>> = self.streams().iter().map(|stream| stream.newest()).collect();
        newest.iter().chain(&self.left()).for_each(|done| done.wait());
        self.fault()
    }
}

/// The current context, without a fault.
pub(crate) fn current() -> Result<Arc<Context>, c_int> {
    let handle = CURRENT.with_borrow(|stack| stack.last().copied()).filter(|handle| *handle != 0);
    let context = by_handle(handle.ok_or(CUDA_ERROR_INVALID_CONTEXT)?)?;
    context.fault().map(|()| context)
}

pub(crate) fn by_handle(handle: usize) -> Result<Arc<Context>, c_int> {
    let contexts = CONTEXTS.lock().unwrap();
    let found = contexts.iter().find(|(known, _)| *known == handle);
    found.map(|(_, context)| Arc::clone(context)).ok_or(CUDA_ERROR_INVALID_CONTEXT)
}

pub(crate) fn handle_of(context: &Arc<Context>) -> usize {
    let contexts = CONTEXTS.lock().unwrap();
    contexts.iter().find(|(_, known)| Arc::ptr_eq(known, context)).map_or(0, |(handle, _)| *handle)
}

/// The default stream that null means.
pub(crate) fn default_stream(null: Null) -> Result<Arc<Stream>, c_int> {
    let context = current()?;
    let make = |is_legacy: bool| {
        let stream = Stream::new(&context, !is_legacy, is_legacy);
        context.add(&stream);
        stream
    };
    Ok(match null {
        Null::Legacy => Arc::clone(context.legacy.lock().unwrap().get_or_insert_with(|| make(true))),
        Null::PerThread => {
            Arc::clone(context.per_thread.lock().unwrap().entry(thread()).or_insert_with(|| make(false)))
        }
    })
}

/// Handles are addresses that are used again, the newest first, as with allocators.
fn new_handle(context: Arc<Context>) -> usize {
    let handle = crate::stream::HANDLES.take();
    CONTEXTS.lock().unwrap().push((handle, context));
    handle
}

fn end(handle: usize) -> Outcome {
    let context = by_handle(handle)?;
    let _ = context.wait();
    CONTEXTS.lock().unwrap().retain(|(known, _)| *known != handle);
    CURRENT.with_borrow_mut(|stack| stack.retain(|known| *known != handle));
    context.legacy.lock().unwrap().take();
    context.per_thread.lock().unwrap().clear();
    crate::stream::forget(&context);
    crate::stream::HANDLES.give(handle);
    Ok(())
}

fn set(handle: usize) -> Outcome {
    if handle != 0 {
        by_handle(handle)?;
    }
    CURRENT.with_borrow_mut(|stack| {
        stack.pop();
        if handle != 0 {
            stack.push(handle);
        }
    });
    Ok(())
}

fn release(device: c_int) -> Outcome {
    let device = is_device(device)?;
    let mut primary = PRIMARY.lock().unwrap();
    let at = primary.iter().position(|(d, ..)| *d == device).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
    primary[at].1 -= 1;
    if primary[at].1 == 0 {
        let (_, _, handle) = primary.remove(at);
        drop(primary);
        return end(handle);
    }
    Ok(())
}

fn reset(device: c_int) -> Outcome {
    let device = is_device(device)?;
    let mut primary = PRIMARY.lock().unwrap();
    if let Some(at) = primary.iter().position(|(d, ..)| *d == device) {
        let (_, _, handle) = primary.remove(at);
        drop(primary);
        return end(handle);
    }
    Ok(())
}

functions! {
    plain {
        cuDevicePrimaryCtxRetain(place: *mut usize, device: c_int) {
            let device = is_device(device)?;
            let mut primary = PRIMARY.lock().unwrap();
            if let Some((_, references, handle)) = primary.iter_mut().find(|(d, ..)| *d == device) {
                *references += 1;
                return answer(place, *handle);
            }
            let handle = new_handle(Context::new(device));
            primary.push((device, 1, handle));
            answer(place, handle)
        }
        cuDevicePrimaryCtxRelease(device: c_int) { release(device) }
        cuDevicePrimaryCtxRelease_v2(device: c_int) { release(device) }
        cuDevicePrimaryCtxReset(device: c_int) { reset(device) }
        cuDevicePrimaryCtxReset_v2(device: c_int) { reset(device) }
        cuDevicePrimaryCtxGetState(device: c_int, flags: *mut c_uint, active: *mut c_int) {
            let device = is_device(device)?;
            answer(flags, 0)?;
            answer(active, c_int::from(PRIMARY.lock().unwrap().iter().any(|(d, ..)| *d == device)))
        }
        cuCtxCreate_v2(place: *mut usize, _flags: c_uint, device: c_int) {
            let handle = new_handle(Context::new(is_device(device)?));
            CURRENT.with_borrow_mut(|stack| stack.push(handle));
            answer(place, handle)
        }
        cuCtxDestroy_v2(handle: usize) { end(handle) }
        cuCtxGetCurrent(place: *mut usize) {
            answer(place, CURRENT.with_borrow(|stack| stack.last().copied()).unwrap_or(0))
        }
        cuCtxSetCurrent(handle: usize) { set(handle) }
        cuCtxPushCurrent_v2(handle: usize) {
            by_handle(handle)?;
            CURRENT.with_borrow_mut(|stack| stack.push(handle));
            Ok(())
        }
        cuCtxPopCurrent_v2(place: *mut usize) {
            let popped = CURRENT.with_borrow_mut(Vec::pop).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
            answer(place, popped)
        }
        cuCtxGetDevice(place: *mut c_int) { answer(place, current()?.device.number()) }
        cuCtxSynchronize() {
            crate::capture::unsafe_call()?;
            current()?.wait()
        }
    }
    twins {}
}
