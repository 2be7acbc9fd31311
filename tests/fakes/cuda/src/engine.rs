//! Streams as threads, and what orders them.

use crate::capture::Capture;
use crate::context::Context;
use crate::function::{CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED};
use std::ffi::c_int;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Work, which a graph may run more than once.
pub(crate) type Work = Arc<dyn Fn() + Send + Sync>;

/// Whether something is complete.
#[derive(Default)]
pub(crate) struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    /// Complete from the beginning.
    pub(crate) fn already() -> Arc<Done> {
        Arc::new(Done { is_done: Mutex::new(true), changed: Condvar::new() })
    }

    pub(crate) fn is_done(&self) -> bool {
        *self.is_done.lock().unwrap()
    }

    pub(crate) fn wait(&self) {
        let mut is_done = self.is_done.lock().unwrap();
        while !*is_done {
            is_done = self.changed.wait(is_done).unwrap();
        }
    }

    fn complete(&self) {
        *self.is_done.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

struct Command {
    after: Vec<Arc<Done>>,
    work: Work,
    done: Arc<Done>,
}

/// A stream.
pub(crate) struct Stream {
    pub(crate) context: Arc<Context>,
    /// Waits for the legacy stream, and it for this one.
    pub(crate) is_blocking: bool,
    pub(crate) is_legacy: bool,
    /// The newest command. Changed while the context's order is locked.
    newest: Mutex<Arc<Done>>,
    /// What the next command waits for besides.
    pub(crate) awaited: Mutex<Vec<Arc<Done>>>,
    pub(crate) capture: Mutex<Option<Arc<Capture>>>,
    commands: Sender<Command>,
}

impl Stream {
    pub(crate) fn new(context: &Arc<Context>, is_blocking: bool, is_legacy: bool) -> Arc<Stream> {
        let (commands, to_do) = channel();
        let context = Arc::clone(context);
        let worker = Arc::clone(&context);
        thread::Builder::new().name("fake-stream".into()).spawn(move || work(&worker, &to_do)).unwrap();
        let (newest, awaited, capture) = (Mutex::new(Done::already()), Mutex::default(), Mutex::default());
        Arc::new(Stream { context, is_blocking, is_legacy, newest, awaited, capture, commands })
    }

    /// The newest command.
    pub(crate) fn newest(&self) -> Arc<Done> {
        Arc::clone(&self.newest.lock().unwrap())
    }

    /// Puts work behind everything that it must come after; or into the graph that the stream captures.
    pub(crate) fn submit(&self, work: Work) -> Result<Arc<Done>, c_int> {
        if let Some(capture) = self.capture.lock().unwrap().as_ref() {
            capture.record(work)?;
            return Ok(Done::already());
        }
        if self.is_legacy && self.context.is_blocking_capture_on() {
            self.context.invalidate_blocking_captures();
            return Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        }
        let streams = self.context.streams();
        let mut after = std::mem::take(&mut *self.awaited.lock().unwrap());
        if self.is_legacy {
            after.extend(self.context.left());
        }
        let _order = self.context.order.lock().unwrap();
        for stream in streams.iter().filter(|stream| !std::ptr::eq(Arc::as_ptr(stream), self)) {
            if self.is_legacy && stream.is_blocking || self.is_blocking && stream.is_legacy {
                after.push(stream.newest());
            }
        }
        let done = Arc::<Done>::default();
        *self.newest.lock().unwrap() = Arc::clone(&done);
        let _ = self.commands.send(Command { after, work, done: Arc::clone(&done) });
        Ok(done)
    }

    /// A call that is not allowed on a capturing stream breaks the capture.
    pub(crate) fn require_no_capture(&self, code: c_int) -> Result<(), c_int> {
        match self.capture.lock().unwrap().as_ref() {
            None => Ok(()),
            Some(capture) if capture.is_broken() => Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED),
            Some(capture) => {
                capture.invalidate();
                Err(code)
            }
        }
    }
}

fn work(context: &Context, commands: &Receiver<Command>) {
    for Command { after, work, done } in commands {
        after.iter().for_each(|other| other.wait());
        context.wait_for_the_device();
        // Behind a fault nothing runs any more.
        if context.fault().is_ok() {
            work();
        }
        done.complete();
    }
}
