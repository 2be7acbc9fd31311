//! Streams by their handles.

use crate::context::{self, Context, current};
use crate::engine::Stream;
use crate::function::*;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Arc, Mutex};

const CU_STREAM_NON_BLOCKING: c_uint = 1;

/// Handles of all kinds: addresses that are given out again, the one given back last first.
pub(crate) struct Handles(Mutex<Vec<usize>>);

pub(crate) static HANDLES: Handles = Handles(Mutex::new(Vec::new()));

impl Handles {
    pub(crate) fn take(&self) -> usize {
        let free = self.0.lock().unwrap().pop();
        free.unwrap_or_else(|| Box::into_raw(Box::new([0u64; 8])) as usize)
    }

    pub(crate) fn give(&self, handle: usize) {
        self.0.lock().unwrap().push(handle);
    }
}

static STREAMS: Mutex<Vec<(usize, Arc<Stream>)>> = Mutex::new(Vec::new());

/// The stream that a call means.
pub(crate) fn find(null: Null, handle: usize) -> Result<Arc<Stream>, c_int> {
    match handle {
        0 => return context::default_stream(null),
        1 => return context::default_stream(Null::Legacy),
        2 => return context::default_stream(Null::PerThread),
        _ => {}
    }
    let streams = STREAMS.lock().unwrap();
    let found = streams.iter().find(|(known, _)| *known == handle).map(|(_, stream)| Arc::clone(stream));
    drop(streams);
    let stream = found.ok_or(CUDA_ERROR_INVALID_HANDLE)?;
    stream.context.fault().map(|()| stream)
}

/// A context's streams go with it.
pub(crate) fn forget(context: &Arc<Context>) {
    STREAMS.lock().unwrap().retain(|(handle, stream)| {
        let stays = !Arc::ptr_eq(&stream.context, context);
        if !stays {
            HANDLES.give(*handle);
        }
        stays
    });
}

fn create(place: *mut usize, flags: c_uint) -> Outcome {
    let context = current()?;
    let stream = Stream::new(&context, flags & CU_STREAM_NON_BLOCKING == 0, false);
    context.add(&stream);
    let handle = HANDLES.take();
    STREAMS.lock().unwrap().push((handle, stream));
    answer(place, handle)
}

fn destroy(handle: usize) -> Outcome {
    let mut streams = STREAMS.lock().unwrap();
    let at = streams.iter().position(|(known, _)| *known == handle).ok_or(CUDA_ERROR_INVALID_HANDLE)?;
    let (_, stream) = streams.remove(at);
    drop(streams);
    crate::capture::abandon(&stream);
    stream.context.leave(&stream);
    HANDLES.give(handle);
    Ok(())
}

functions! {
    plain {
        cuStreamCreate(place: *mut usize, flags: c_uint) { create(place, flags) }
        cuStreamCreateWithPriority(place: *mut usize, flags: c_uint, _priority: c_int) { create(place, flags) }
        // Priorities are taken, and change nothing.
        cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) {
            current()?;
            answer(least, 0)?;
            answer(greatest, -5)
        }
        cuStreamDestroy_v2(handle: usize) { destroy(handle) }
        cuStreamDestroy(handle: usize) { destroy(handle) }
    }
    twins {
        cuStreamSynchronize | cuStreamSynchronize_ptsz (null; handle: usize) {
            let stream = find(null, handle)?;
            stream.require_no_capture(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)?;
            crate::capture::unsafe_call()?;
            stream.newest().wait();
            stream.context.fault()
        }
        cuStreamQuery | cuStreamQuery_ptsz (null; handle: usize) {
            let stream = find(null, handle)?;
            stream.require_no_capture(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)?;
            if stream.is_legacy && stream.context.is_blocking_capture_on() {
                stream.context.invalidate_blocking_captures();
                return Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
            }
            crate::capture::unsafe_call()?;
            let others = stream.context.streams();
            let is_done = stream.newest().is_done()
                && (!stream.is_legacy || others.iter().all(|s| !s.is_blocking || s.newest().is_done()));
            if is_done { Ok(()) } else { Err(CUDA_ERROR_NOT_READY) }
        }
        cuStreamGetCtx | cuStreamGetCtx_ptsz (null; handle: usize, place: *mut usize) {
            answer(place, context::handle_of(&find(null, handle)?.context))
        }
        cuStreamGetFlags | cuStreamGetFlags_ptsz (null; handle: usize, place: *mut c_uint) {
            answer(place, c_uint::from(!find(null, handle)?.is_blocking))
        }
        cuLaunchHostFunc | cuLaunchHostFunc_ptsz (null; handle: usize, callback: Option<extern "C" fn(*mut c_void)>, user: usize) {
            let callback = callback.ok_or(CUDA_ERROR_INVALID_VALUE)?;
            let work = move || in_callback(|| callback(user as *mut c_void));
            find(null, handle)?.submit(Arc::new(work)).map(drop)
        }
    }
}
