//! The watcher: finds out that queues have become idle when the program does not wait for them itself.
//!
//! A thread of ours that exists only while somebody wants to know, that is while others are held back until this process is idle; it
//! asks the vendor's library, so it is not the agent. It ends itself after a while without need.

use crate::guest::Guest;
use crate::report;
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
}

impl Watcher {
    /// There may be something to watch.
    pub(crate) fn wake(&self, guest: &'static Guest) {
        if self.state.load(Ordering::Relaxed) == PRESENT
            || self.state.swap(PRESENT, Ordering::AcqRel) == PRESENT
        {
            return;
        }
        if let Err(e) = crate::agent::spawn("xsched-watcher", move || guest.watcher.run(guest)) {
            self.state.store(ABSENT, Ordering::Release);
            report::once(&format!("cannot start a thread to watch the device's progress: {e}"));
        }
    }

    fn run(&self, guest: &'static Guest) {
        let mut needless = 0;
        while needless < NEEDLESS && !guest.is_exiting() {
            std::thread::sleep(LOOK);
            let mut needed = false;
            for queue in guest.queues() {
                needed |= queue.watch();
            }
            needless = if needed { 0 } else { needless + 1 };
        }
        self.state.store(ABSENT, Ordering::Release);
    }
}
