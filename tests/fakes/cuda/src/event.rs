//! Events.

use crate::capture::{Capture, unsafe_call};
use crate::context::current;
use crate::engine::Done;
use crate::function::*;
use crate::stream::{HANDLES, find};
use std::collections::HashMap;
use std::ffi::{c_int, c_uint};
use std::sync::{Arc, LazyLock, Mutex};

/// `CUipcEventHandle`.
#[repr(C)]
struct IpcHandle([u8; 64]);

/// Where an event was recorded last.
#[derive(Clone)]
enum Place {
    Behind(Arc<Done>),
    Captured(Arc<Capture>),
}

static EVENTS: LazyLock<Mutex<HashMap<usize, Place>>> = LazyLock::new(Mutex::default);

fn place(event: usize) -> Result<Place, c_int> {
    EVENTS.lock().unwrap().get(&event).cloned().ok_or(CUDA_ERROR_INVALID_HANDLE)
}

/// The commands before the event, if it is not a captured one.
fn done(event: usize) -> Result<Arc<Done>, c_int> {
    match place(event)? {
        Place::Behind(done) => Ok(done),
        Place::Captured(_) => Err(907), // CUDA_ERROR_CAPTURED_EVENT
    }
}

fn record(null: Null, event: usize, stream: usize) -> Outcome {
    place(event)?;
    let stream = find(null, stream)?;
    let capture = stream.capture.lock().unwrap().clone();
    let at = match capture {
        Some(capture) => Place::Captured(capture),
        None => Place::Behind(stream.submit(Arc::new(|| ()))?),
    };
    EVENTS.lock().unwrap().insert(event, at);
    Ok(())
}

fn destroy(event: usize) -> Outcome {
    EVENTS.lock().unwrap().remove(&event).ok_or(CUDA_ERROR_INVALID_HANDLE)?;
    HANDLES.give(event);
    Ok(())
}

functions! {
    plain {
        cuEventCreate(place: *mut usize, _flags: c_uint) {
            current()?;
            unsafe_call()?;
            let event = HANDLES.take();
            EVENTS.lock().unwrap().insert(event, Place::Behind(Done::already()));
            answer(place, event)
        }
        cuIpcGetEventHandle(place: *mut IpcHandle, event: usize) {
            crate::event::place(event)?;
            let mut name = [0; 64];
            let (pid, event) = (std::process::id().to_ne_bytes(), event.to_ne_bytes());
            name.iter_mut().zip([&pid[..], &event].concat()).for_each(|(to, from)| *to = from);
            answer(place, IpcHandle(name))
        }
        // An event of this process alone, which is complete until it is recorded here.
        cuIpcOpenEventHandle(place: *mut usize, handle: IpcHandle) {
            current()?;
            if handle.0 == [0; 64] {
                return Err(CUDA_ERROR_INVALID_VALUE);
            }
            let event = HANDLES.take();
            EVENTS.lock().unwrap().insert(event, Place::Behind(Done::already()));
            answer(place, event)
        }
        cuEventDestroy_v2(event: usize) { destroy(event) }
        cuEventDestroy(event: usize) { destroy(event) }
        cuEventQuery(event: usize) {
            let done = done(event)?;
            unsafe_call()?;
            if done.is_done() { Ok(()) } else { Err(CUDA_ERROR_NOT_READY) }
        }
        cuEventSynchronize(event: usize) {
            let done = done(event)?;
            unsafe_call()?;
            done.wait();
            current().map_or_else(|code| if code == CUDA_ERROR_INVALID_CONTEXT { Ok(()) } else { Err(code) }, |_| Ok(()))
        }
    }
    twins {
        cuEventRecord | cuEventRecord_ptsz (null; event: usize, stream: usize) { record(null, event, stream) }
        cuEventRecordWithFlags | cuEventRecordWithFlags_ptsz (null; event: usize, stream: usize, _flags: c_uint) {
            record(null, event, stream)
        }
        cuStreamWaitEvent | cuStreamWaitEvent_ptsz (null; stream: usize, event: usize, _flags: c_uint) {
            let stream = find(null, stream)?;
            match place(event)? {
                Place::Captured(capture) => crate::capture::join(&stream, &capture),
                // A capturing stream waits for nothing outside.
                Place::Behind(done) if stream.capture.lock().unwrap().is_none() => {
                    stream.awaited.lock().unwrap().push(done);
                    Ok(())
                }
                Place::Behind(_) => stream.require_no_capture(905), // CUDA_ERROR_STREAM_CAPTURE_ISOLATION
            }
        }
    }
}
