//! What comes behind what.

use crate::work::{LEGACY, Line, NON_BLOCKING, Work};
use cuda_suite::cu::{Api, Handle, done};
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) fn in_a_stream(work: &Work) -> Line {
    let (data, stream) = (work.data(2000)?, work.stream(NON_BLOCKING)?);
    for step in 0..200 {
        work.add(&data, step, stream)?;
        work.scale(&data, 3, stream)?;
    }
    work.sync(stream)?;
    Ok(format!("data={}", data.hash()?))
}

/// The legacy stream waits for blocking streams, and they for it.
pub(crate) fn legacy_and_blocking(work: &Work) -> Line {
    let data = work.data(500)?;
    let streams = [work.stream(0)?, work.stream(0)?];
    for step in 0..20 {
        work.spin(100, streams[0])?;
        work.add(&data, step, streams[0])?;
        work.scale(&data, 3, LEGACY)?;
        work.spin(100, LEGACY)?;
        work.add(&data, 7, LEGACY)?;
        work.scale(&data, 5, streams[1])?;
        work.add(&data, 1, LEGACY)?;
    }
    work.sync(LEGACY)?;
    Ok(format!("data={}", data.hash()?))
}

pub(crate) fn by_events(work: &Work) -> Line {
    let data = work.data(500)?;
    let streams = [work.stream(NON_BLOCKING)?, work.stream(NON_BLOCKING)?, work.stream(NON_BLOCKING)?];
    let event = work.event()?;
    for step in 0..60 {
        let (from, to) = (streams[step % 3], streams[(step + 1) % 3]);
        work.spin(20, from)?;
        work.add(&data, step as u32, from)?;
        work.scale(&data, 3, from)?;
        // SAFETY: an event and a stream of this case.
        unsafe {
            done((work.cu.cuEventRecord)(event, from))?;
            done((work.cu.cuStreamWaitEvent)(to, event, 0))?;
        }
    }
    streams.iter().try_for_each(|stream| work.sync(*stream))?;
    Ok(format!("data={}", data.hash()?))
}

/// An event is complete once what was before it is, and not before.
pub(crate) fn events_tell(work: &Work) -> Line {
    let (stream, event, flag) = (work.stream(NON_BLOCKING)?, work.event()?, Flag::new(work)?);
    flag.wait_in(work, stream)?;
    // SAFETY: an event and a stream of this case.
    let (early, query) = unsafe {
        done((work.cu.cuEventRecord)(event, stream))?;
        ((work.cu.cuEventQuery)(event), (work.cu.cuStreamQuery)(stream))
    };
    flag.set(1);
    // SAFETY: as above.
    let (sync, late, after) = unsafe {
        ((work.cu.cuEventSynchronize)(event), (work.cu.cuEventQuery)(event), (work.cu.cuStreamQuery)(stream))
    };
    Ok(format!("early={early} {query} sync={sync} late={late} {after}"))
}

/// Host functions run in their turn, and may call nothing.
pub(crate) fn host_functions(work: &Work) -> Line {
    struct Seen {
        cu: Api,
        calls: Mutex<Vec<i32>>,
    }
    unsafe extern "C" fn called(user: *mut c_void) {
        // SAFETY: the one below, which outlives the stream's work.
        let seen = unsafe { &*user.cast::<Seen>() };
        let mut context = std::ptr::null_mut();
        // SAFETY: a place for the answer.
        let code = unsafe { (seen.cu.cuCtxGetCurrent)(&raw mut context) };
        seen.calls.lock().expect("nobody panics").push(code);
    }
    let (data, stream) = (work.data(100)?, work.stream(0)?);
    let seen = Seen { cu: work.cu, calls: Mutex::default() };
    for step in 0..10 {
        work.add(&data, step, stream)?;
        // SAFETY: what it gets outlives the stream's work.
        done(unsafe { (work.cu.cuLaunchHostFunc)(stream, called, (&raw const seen).cast_mut().cast()) })?;
        work.scale(&data, 3, stream)?;
    }
    work.sync(stream)?;
    let calls = seen.calls.lock().expect("nobody panics");
    Ok(format!("data={} calls={} codes={:?}", data.hash()?, calls.len(), calls.first()))
}

/// Host functions that launch nothing but wait until the thread that put them there, and launches on, lets them go.
pub(crate) fn host_functions_that_wait(work: &Work) -> Line {
    unsafe extern "C" fn waits(user: *mut c_void) {
        // SAFETY: a word that outlives the stream's work.
        let word = unsafe { &*user.cast::<AtomicU32>() };
        while word.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    }
    let (data, other) = (work.data(100)?, work.data(100)?);
    let (stream, side) = (work.stream(NON_BLOCKING)?, work.stream(NON_BLOCKING)?);
    for step in 0..5 {
        let word = AtomicU32::new(0);
        work.add(&data, step, stream)?;
        // SAFETY: what it gets outlives the stream's work, which is waited for below.
        done(unsafe { (work.cu.cuLaunchHostFunc)(stream, waits, (&raw const word).cast_mut().cast()) })?;
        for _ in 0..100 {
            work.scale(&data, 3, stream)?;
            work.add(&other, step, side)?;
        }
        word.store(1, Ordering::SeqCst);
        work.sync(stream)?;
    }
    work.sync(side)?;
    Ok(format!("data={} other={}", data.hash()?, other.hash()?))
}

/// A word that streams wait for and the host sets.
struct Flag {
    cu: Api,
    word: *mut u32,
}

impl Flag {
    fn new(work: &Work) -> Result<Flag, i32> {
        let mut word: Handle = std::ptr::null_mut();
        // SAFETY: a place for the answer, which is then zeroed.
        unsafe {
            done((work.cu.cuMemHostAlloc)(&raw mut word, 4096, 2))?;
            word.cast::<u32>().write(0);
        }
        Ok(Flag { cu: work.cu, word: word.cast() })
    }

    fn set(&self, value: u32) {
        // SAFETY: a word that lives as long as this, and that the device reads too.
        unsafe { AtomicU32::from_ptr(self.word) }.store(value, Ordering::SeqCst);
    }

    fn wait_in(&self, work: &Work, stream: Handle) -> Result<(), i32> {
        // SAFETY: the word outlives the wait, which this case ends.
        done(unsafe { (work.cu.cuStreamWaitValue32_v2)(stream, self.word as u64, 1, 0) })
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        // SAFETY: allocated above, and no stream waits any more.
        unsafe { (self.cu.cuMemFreeHost)(self.word.cast()) };
    }
}

/// A thousand launches behind a wait that the same thread ends afterwards.
pub(crate) fn behind_a_wait(work: &Work) -> Line {
    let (data, stream, flag) = (work.data(100)?, work.stream(NON_BLOCKING)?, Flag::new(work)?);
    flag.wait_in(work, stream)?;
    for _ in 0..1000 {
        work.add(&data, 1, stream)?;
    }
    flag.set(1);
    work.sync(stream)?;
    Ok(format!("data={}", data.hash()?))
}

/// One stream waits for what another one writes later.
pub(crate) fn wait_and_write(work: &Work) -> Line {
    let (data, flag) = (work.data(100)?, Flag::new(work)?);
    let (waits, writes) = (work.stream(NON_BLOCKING)?, work.stream(NON_BLOCKING)?);
    flag.wait_in(work, waits)?;
    work.scale(&data, 3, waits)?;
    work.spin(500, writes)?;
    work.add(&data, 7, writes)?;
    // SAFETY: the word outlives the write.
    done(unsafe { (work.cu.cuStreamWriteValue32_v2)(writes, flag.word as u64, 1, 0) })?;
    work.sync(waits)?;
    work.sync(writes)?;
    Ok(format!("data={}", data.hash()?))
}
