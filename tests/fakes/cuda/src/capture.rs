//! Stream capture.

use crate::context::thread;
use crate::engine::{Stream, Work};
use crate::function::*;
use crate::stream::find;
use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const NONE: c_int = 0;
const ACTIVE: c_int = 1;
const INVALIDATED: c_int = 2;
const GLOBAL: c_int = 0;
const RELAXED: c_int = 2;

/// A capture under way.
pub(crate) struct Capture {
    mode: c_int,
    thread: u64,
    origin: u64,
    works: Mutex<Vec<Work>>,
    is_broken: AtomicBool,
}

static CAPTURES: Mutex<Vec<Arc<Capture>>> = Mutex::new(Vec::new());

thread_local! {
    static MODE: Cell<c_int> = const { Cell::new(GLOBAL) };
}

impl Capture {
    pub(crate) fn record(&self, work: Work) -> Outcome {
        if self.is_broken() {
            return Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
        }
        self.works.lock().unwrap().push(work);
        Ok(())
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst)
    }

    pub(crate) fn invalidate(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }
}

/// A call that is potentially unsafe while somebody captures: refused, at the capture's cost, unless this thread is relaxed.
pub(crate) fn unsafe_call() -> Outcome {
    let mode = MODE.get();
    let captures = CAPTURES.lock().unwrap();
    let mut result = Ok(());
    for capture in captures.iter() {
        let is_own = capture.thread == thread() && capture.mode != RELAXED;
        let is_global = capture.mode == GLOBAL && mode == GLOBAL;
        if mode != RELAXED && (is_own || is_global) {
            capture.invalidate();
            result = Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        }
    }
    result
}

/// A stream takes part in the capture of another.
pub(crate) fn join(stream: &Stream, capture: &Arc<Capture>) -> Outcome {
    stream.capture.lock().unwrap().get_or_insert_with(|| Arc::clone(capture));
    Ok(())
}

/// A stream goes; with it, the capture that began with it.
pub(crate) fn abandon(stream: &Stream) {
    if let Some(capture) = stream.capture.lock().unwrap().take() {
        CAPTURES.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &capture));
    }
}

fn number(stream: &Arc<Stream>) -> u64 {
    Arc::as_ptr(stream) as u64
}

fn begin(null: Null, handle: usize, mode: c_int) -> Outcome {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed);
    let stream = find(null, handle)?;
    if stream.is_legacy {
        return Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    }
    let mut slot = stream.capture.lock().unwrap();
    if slot.is_some() {
        return Err(CUDA_ERROR_ILLEGAL_STATE);
    }
    let capture = Arc::new(Capture {
        mode,
        thread: thread(),
        origin: number(&stream),
        works: Mutex::default(),
        is_broken: AtomicBool::new(false),
    });
    CAPTURES.lock().unwrap().push(Arc::clone(&capture));
    *slot = Some(capture);
    Ok(())
}

fn end(null: Null, handle: usize, place: *mut usize) -> Outcome {
    let stream = find(null, handle)?;
    let capture = stream.capture.lock().unwrap().clone().ok_or(CUDA_ERROR_ILLEGAL_STATE)?;
    if capture.origin != number(&stream) {
        return Err(903); // CUDA_ERROR_STREAM_CAPTURE_UNMATCHED
    }
    if capture.mode != RELAXED && capture.thread != thread() {
        return Err(908); // CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD
    }
    for other in stream.context.streams() {
        let mut slot = other.capture.lock().unwrap();
        if slot.as_ref().is_some_and(|joined| Arc::ptr_eq(joined, &capture)) {
            *slot = None;
        }
    }
    CAPTURES.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &capture));
    if capture.is_broken() {
        answer(place, 0)?;
        return Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    }
    let works = capture.works.lock().unwrap().clone();
    answer(place, crate::graph::add(works))
}

functions! {
    plain {
        cuThreadExchangeStreamCaptureMode(place: *mut c_int) {
            // SAFETY: the program's mode, which is answered with the one before.
            let mode = unsafe { place.as_mut() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
            *mode = MODE.replace(*mode);
            Ok(())
        }
    }
    twins {
        cuStreamBeginCapture_v2 | cuStreamBeginCapture_v2_ptsz (null; handle: usize, mode: c_int) { begin(null, handle, mode) }
        cuStreamBeginCapture | cuStreamBeginCapture_ptsz (null; handle: usize) { begin(null, handle, GLOBAL) }
        cuStreamEndCapture | cuStreamEndCapture_ptsz (null; handle: usize, place: *mut usize) { end(null, handle, place) }
        cuStreamIsCapturing | cuStreamIsCapturing_ptsz (null; handle: usize, place: *mut c_int) {
            let stream = find(null, handle)?;
            if stream.is_legacy && stream.context.is_blocking_capture_on() {
                return Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
            }
            let capture = stream.capture.lock().unwrap();
            answer(place, capture.as_ref().map_or(NONE, |c| if c.is_broken() { INVALIDATED } else { ACTIVE }))
        }
    }
}
