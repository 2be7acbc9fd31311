//! A stream as a `HwQueue`: Level 1.
//!
//! It owns nothing: the program may destroy the stream at any time, and until then (`xsched_runtime::Queue::release`) every call here is made
//! under the lock that the release takes. A destroyed stream may still have work running: [`CudaQueue::close`] puts a last mark behind it,
//! and from then on the queue is that mark.
//!
//! Marks are events, recorded by the launching thread right behind its launch. A thread that launches nothing must not do that (an event in
//! a default stream makes other streams wait; one in a capturing stream becomes a node), so it asks about the whole stream instead.
//! Deliberately absent: Levels 2 and 3, whose capabilities come into this type.

use crate::capture::{self, Relaxed};
use crate::context::{Context, Event};
use crate::driver::{
    CU_STREAM_LEGACY, CU_STREAM_PER_THREAD, CUDA_ERROR_NOT_READY, CUDA_SUCCESS, Driver, Handle,
};
use crate::stream;
use std::ffi::c_int;
use std::sync::{Arc, OnceLock};
use xsched_core::{DeviceKey, Level};
use xsched_hal::{Error, HwCommand, HwQueue, Mark};

/// A stream of a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
    /// One that the program made: its `CUstream`.
    Made(usize),
    /// The context's default stream, which waits for all others but those made as non-blocking, and they for it.
    Legacy,
    /// The default stream of one thread, which only that thread can name: the thread's token.
    PerThread(usize),
}

impl Stream {
    /// What the driver calls it, in the right thread and context.
    fn name(self) -> Handle {
        match self {
            Stream::Made(handle) => handle as Handle,
            Stream::Legacy => CU_STREAM_LEGACY as Handle,
            Stream::PerThread(_) => CU_STREAM_PER_THREAD as Handle,
        }
    }
}

/// A stream of the program's.
#[derive(Debug)]
pub(crate) struct CudaQueue {
    context: Arc<Context>,
    stream: Stream,
    /// The last mark of a stream that is gone.
    last: OnceLock<Arc<Event>>,
}

impl CudaQueue {
    /// How far every stream can be preempted.
    pub(crate) const LEVEL: Level = Level::Block;

    pub(crate) fn new(context: Arc<Context>, stream: Stream) -> CudaQueue {
        CudaQueue { context, stream, last: OnceLock::new() }
    }

    /// The stream is about to go, while work of its may be running: marks its end, on a thread that may name it. False if that fails.
    pub(crate) fn close(&self) -> bool {
        let _relaxed = Relaxed::new(self.driver());
        self.record().is_ok_and(|event| self.last.set(Arc::new(event)).is_ok())
    }

    /// Whether a closed stream's work is complete.
    pub(crate) fn is_over(&self) -> bool {
        self.last.get().is_none_or(|last| {
            let _relaxed = Relaxed::new(self.driver());
            is_passed(last).unwrap_or(true)
        })
    }

    fn driver(&self) -> &'static Driver {
        self.context.driver()
    }

    fn context(&self) -> Handle {
        self.context.handle() as Handle
    }

    /// Whether the calling thread means this stream when it says its name.
    fn is_nameable(&self) -> bool {
        match self.stream {
            Stream::Made(_) => true,
            Stream::Legacy => self.driver().current_context() == Some(self.context()),
            Stream::PerThread(token) => {
                stream::has_token(token) && self.driver().current_context() == Some(self.context())
            }
        }
    }

    /// Records an event behind everything that this thread has launched.
    fn record(&self) -> Result<Event, Error> {
        let call = "cuEventRecord";
        if !self.is_nameable() || capture::is_capturing(self.driver(), self.stream.name()) {
            return Err(Error::NotAllowed { call, why: "on a stream that captures, or of another thread" });
        }
        let event = self.context.event().ok_or(Error::Lost { call: "cuEventCreate" })?;
        // SAFETY: an event of ours and a live stream of the same context, see the module's text.
        check(call, self.driver().cuEventRecord.map(|f| unsafe { f(event.handle(), self.stream.name()) }))?;
        Ok(event)
    }
}

fn check(call: &'static str, result: Option<c_int>) -> Result<(), Error> {
    match result {
        Some(CUDA_SUCCESS) => Ok(()),
        Some(code) => Err(Error::Vendor { call, code: code.into() }),
        None => Err(Error::Lost { call }),
    }
}

/// The answer of a query: complete or not.
fn answer(call: &'static str, result: Option<c_int>) -> Result<bool, Error> {
    match result {
        Some(CUDA_ERROR_NOT_READY) => Ok(false),
        other => check(call, other).map(|()| true),
    }
}

fn is_passed(event: &Event) -> Result<bool, Error> {
    // SAFETY: an event of ours; its context is alive, or the queue that holds it would have been released.
    answer("cuEventQuery", event.driver().cuEventQuery.map(|f| unsafe { f(event.handle()) }))
}

impl HwQueue for CudaQueue {
    fn device(&self) -> &DeviceKey {
        self.context.device()
    }

    fn platform(&self) -> &'static str {
        "cuda"
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        let lost = Err(Error::Lost { call: "cuCtxPushCurrent" });
        // SAFETY: the context of a live stream.
        unsafe { self.driver().in_context(self.context(), || command.launch(self)) }.unwrap_or(lost)
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn synchronize(&self) -> Result<(), Error> {
        let call = "cuStreamSynchronize";
        if let Stream::PerThread(token) = self.stream
            && !stream::has_token(token)
        {
            return Err(Error::NotAllowed { call, why: "on the default stream of another thread" });
        }
        let _relaxed = Relaxed::new(self.driver());
        // SAFETY: a live stream and its context, see the module's text.
        let result = unsafe {
            self.driver().in_context(self.context(), || {
                self.driver().cuStreamSynchronize.map(|f| f(self.stream.name()))
            })
        };
        check(call, result.flatten())
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        if let Some(last) = self.last.get() {
            return Ok(Box::new(Passed(Arc::clone(last))));
        }
        let _relaxed = Relaxed::new(self.driver());
        self.record().map(|event| Box::new(Passed(Arc::new(event))) as Box<dyn Mark>)
    }

    fn tail(&self) -> Result<Box<dyn Mark>, Error> {
        match (self.last.get(), self.stream) {
            (Some(last), _) => Ok(Box::new(Passed(Arc::clone(last)))),
            (None, Stream::PerThread(_)) => Err(Error::NotAllowed {
                call: "cuStreamQuery",
                why: "on the default stream of another thread",
            }),
            (None, stream) => Ok(Box::new(Drained { context: Arc::clone(&self.context), stream })),
        }
    }

    fn has_tail(&self) -> bool {
        !matches!(self.stream, Stream::PerThread(_))
    }
}

/// A mark: an event of ours.
#[derive(Debug)]
struct Passed(Arc<Event>);

impl Mark for Passed {
    fn is_complete(&self) -> Result<bool, Error> {
        let _relaxed = Relaxed::new(self.0.driver());
        is_passed(&self.0)
    }
}

/// A mark: the stream has nothing left. It may tell later than it could, if more was launched; a legacy stream's waits for all blocking streams.
#[derive(Debug)]
struct Drained {
    context: Arc<Context>,
    stream: Stream,
}

impl Mark for Drained {
    fn is_complete(&self) -> Result<bool, Error> {
        let driver = self.context.driver();
        let ask = || {
            let _relaxed = Relaxed::new(driver);
            if capture::is_capturing(driver, self.stream.name()) {
                return Ok(false);
            }
            // SAFETY: a live stream, see the module's text; a default stream's context is current.
            answer("cuStreamQuery", driver.cuStreamQuery.map(|f| unsafe { f(self.stream.name()) }))
        };
        let asked = capture::asking(|| match self.stream {
            Stream::Made(_) => ask(),
            // SAFETY: the context of a live stream.
            _ => unsafe { driver.in_context(self.context.handle() as Handle, ask) }
                .unwrap_or(Err(Error::Lost { call: "cuCtxPushCurrent" })),
        });
        // While a capture is on, nothing is known.
        asked.unwrap_or(Ok(false))
    }
}
