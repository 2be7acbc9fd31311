//! The watcher: finds out that queues have become idle when the program does not wait for them itself.
//!
//! A thread of ours that exists only while somebody wants to know, that is while others are held back until this process is idle; it
//! asks the vendor's library, so it is not the agent. It ends itself after a while without need.

use crate::guest::Guest;
use crate::{fork, report};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(1);
/// Looks without need before the thread ends.
const NEEDLESS: u32 = 2_000;

const ABSENT: u32 = 0;
const PRESENT: u32 = 1;

/// Whether the thread is there.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    state: AtomicU32,
    /// Threads of ours that may be inside the vendor's library.
    looks: AtomicU32,
}

impl Watcher {
    /// There may be something to watch.
    pub(crate) fn wake(&self, guest: &'static Guest) {
        if self.state.load(Ordering::Relaxed) == PRESENT
            || self.state.swap(PRESENT, Ordering::AcqRel) == PRESENT
        {
            return;
        }
        fork::watch_exit_again();
        if let Err(e) = crate::agent::spawn("xsched-watcher", move || guest.watcher.run(guest)) {
            self.state.store(ABSENT, Ordering::Release);
            report::once(&format!("cannot start a thread to watch the device's progress: {e}"));
        }
    }

    /// Lets no thread come.
    #[cfg(test)]
    pub(crate) fn keep_away(&self) {
        self.state.store(PRESENT, Ordering::SeqCst);
    }

    /// Whether the thread is there.
    #[cfg(test)]
    pub(crate) fn is_present(&self) -> bool {
        self.state.load(Ordering::SeqCst) == PRESENT
    }

    /// At the end of the process, after `exiting` is set: waits until our threads are out of the vendor's library, and stay out, for
    /// that is torn down next. At most a moment: one may wait in there for this very thread.
    pub(crate) fn keep_out(&self) {
        for _ in 0..100 {
            if self.looks.load(Ordering::SeqCst) == 0 {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn run(&self, guest: &'static Guest) {
        loop {
            let mut needless = 0;
            while needless < NEEDLESS && !guest.is_exiting() {
                std::thread::sleep(LOOK);
                needless = if self.look(guest) { 0 } else { needless + 1 };
            }
            // Whoever called `wake` before this counted on us: one look more.
            self.state.store(ABSENT, Ordering::SeqCst);
            if !self.look(guest) || self.state.swap(PRESENT, Ordering::SeqCst) == PRESENT {
                return;
            }
        }
    }

    /// Looks at all queues. Returns whether to look again.
    fn look(&self, guest: &Guest) -> bool {
        self.inside(guest, || {
            let queues = guest.queues().into_iter();
            queues.fold(false, |is_needed, queue| is_needed | queue.watch())
        })
        .unwrap_or(false)
    }

    /// Does something inside the vendor's library on a thread of ours; `None`, and nothing, once the end of the process has begun.
    pub(crate) fn inside<R>(&self, guest: &Guest, work: impl FnOnce() -> R) -> Option<R> {
        // SYNC POINT with `Guest::open_for_good` and `keep_out`: one sets exiting and then reads looks, the other the reverse.
        self.looks.fetch_add(1, Ordering::SeqCst);
        let result = (!guest.is_exiting()).then(work);
        self.looks.fetch_sub(1, Ordering::SeqCst);
        result
    }
}
