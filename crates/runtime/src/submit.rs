//! Commands that were submitted: the worker of a queue in deferred mode is one more thread that launches on it.
//!
//! Each of its launches goes the way of every launch (activity, gate, window), and its own calls into the vendor's library are counted, so that
//! the end of the process finds it outside. Marks are put under the lock that a release of the native queue takes.

use crate::guest::Guest;
use crate::queue::Queue;
use crate::{signals, thread};
use std::sync::Arc;
use xsched_core::{DeviceKey, Level};
use xsched_hal::{Error, HwCommand, HwQueue, Mark};
use xsched_queue::deferred::{Deferred, Way};

/// A worker for the queue, whose native queue this is.
pub(crate) fn start(queue: &'static Queue, hw: &Arc<dyn HwQueue>) -> Result<Deferred, Error> {
    if !hw.has_tail() {
        return Err(Error::NotAllowed { call: "submit", why: "on a queue that only one thread can name" });
    }
    crate::fork::watch_exit_again();
    // The program's handlers run on the program's threads.
    let _blocked = signals::Blocked::all();
    let worker = Arc::new(AsWorker { queue, hw: Arc::clone(hw) });
    Deferred::with_way(worker, Level::Block, Some(Box::new(Gated { queue })))
}

/// The way of every launch.
struct Gated {
    queue: &'static Queue,
}

impl Way for Gated {
    fn is_open(&self) -> bool {
        self.queue.gate_state().is_open() || self.queue.guest().is_exiting()
    }

    fn pass(&self, launch: &mut dyn FnMut(Result<(), Error>)) -> bool {
        thread::this_is_ours();
        let guest = self.queue.guest();
        let passed = self.queue.launch(|| guest.watcher.inside(guest, || launch(Ok(()))));
        match passed {
            Ok((launched, _)) => launched.is_some(),
            Err(_) => {
                launch(Err(Error::NotAllowed {
                    call: "launch",
                    why: "without xserver, as the settings say",
                }));
                true
            }
        }
    }
}

/// The native queue as the worker uses it. Level 1: who may launch is decided on the way.
struct AsWorker {
    queue: &'static Queue,
    hw: Arc<dyn HwQueue>,
}

impl AsWorker {
    fn under_lock<R>(
        &self,
        call: &'static str,
        work: impl FnOnce(&dyn HwQueue) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let guest = self.queue.guest();
        let done = guest.watcher.inside(guest, || self.queue.with_waiting(work));
        done.flatten().unwrap_or(Err(Error::Lost { call }))
    }
}

impl HwQueue for AsWorker {
    fn device(&self) -> &DeviceKey {
        self.hw.device()
    }

    fn platform(&self) -> &'static str {
        self.hw.platform()
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        self.hw.launch(command)
    }

    fn flush(&self) -> Result<(), Error> {
        self.under_lock("flush", |hw| hw.flush())
    }

    fn synchronize(&self) -> Result<(), Error> {
        self.hw.synchronize()
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        let mark = self.under_lock("mark", |hw| {
            // As a command: then the platform prepares the thread for it.
            let mut mark = Err(Error::Lost { call: "mark" });
            hw.launch(&mut Preparing(&mut mark))?;
            mark
        })?;
        Ok(Box::new(Guarded { guest: self.queue.guest(), mark }))
    }
}

/// Puts a mark.
struct Preparing<'a>(&'a mut Result<Box<dyn Mark>, Error>);

impl HwCommand for Preparing<'_> {
    fn launch(&mut self, queue: &dyn HwQueue) -> Result<(), Error> {
        *self.0 = queue.mark();
        Ok(())
    }
}

/// A mark that our threads do not ask about once the end of the process has begun.
struct Guarded {
    guest: &'static Guest,
    mark: Box<dyn Mark>,
}

impl Mark for Guarded {
    fn is_complete(&self) -> Result<bool, Error> {
        let lost = Err(Error::Lost { call: "the mark" });
        self.guest.watcher.inside(self.guest, || thread::nested(|| self.mark.is_complete())).unwrap_or(lost)
    }

    fn wait(&self) -> Result<(), Error> {
        if !thread::is_ours() {
            return thread::nested(|| self.mark.wait());
        }
        // Looked at again and again (as the trait provides it), so that our thread is inside the vendor's library for moments only.
        Looks(self).wait()
    }
}

struct Looks<'a>(&'a Guarded);

impl Mark for Looks<'_> {
    fn is_complete(&self) -> Result<bool, Error> {
        self.0.is_complete()
    }
}
