//! A thread at a closed gate: it sleeps until the gate opens, and looks now and then whether the server is still alive.
//!
//! Meanwhile it is the one that knows the end of what was launched before: as long as it waits to launch, the queue is not idle, and
//! the watcher has nothing to say about it. A policy that keeps accounts waits for that end (the server still *awaits* the process).

use super::{Inner, LOOK_AGAIN, Queue, Refused};
use crate::guest::clock;
use std::sync::atomic::Ordering;
use std::time::Duration;
use xsched_core::Time;
use xsched_core::config::OnNoServer;
use xsched_ipc::page::EdgeKind;
use xsched_queue::gate::Holder;

/// How long a thread sleeps at a closed gate before it looks whether the server is still alive.
const LOOK_AFTER: Duration = Duration::from_millis(100);
/// The longest that it sleeps while others wait for what the queue had launched before.
const LOOK_FOR_END: Duration = Duration::from_micros(500);

impl Queue {
    /// Waits until no holder keeps the gate closed, or there is room in a deep window for one more behind `launched` commands: answers whether it is that.
    pub(super) fn wait_open(&'static self, launched: u64) -> Result<bool, Refused> {
        if self.is_to_be_filled(launched) {
            return Ok(true);
        }
        // What completes from now on was not alone on the device, or is told by its last mark only: nothing to learn from.
        self.with(|inner| inner.window.held_back(launched, clock()));
        let since = clock();
        let is_first = self.at_gate.fetch_add(1, Ordering::AcqRel) == 0;
        let opened = self.sleep_at_gate(launched);
        self.at_gate.fetch_sub(1, Ordering::AcqRel);
        self.with(|inner| {
            inner.window.interrupted();
            // All threads at the gate see the same hold.
            if is_first {
                inner.window.held(clock().since(since));
            }
        });
        opened
    }

    /// Whether the queue is held back and may be filled up, and there is room. Not where another thread is at work on it.
    fn is_to_be_filled(&'static self, launched: u64) -> bool {
        let gate = self.gate_state();
        gate.is_to_be_filled()
            && self.with(|inner| {
                let settings = self.settings(gate, &inner.window);
                inner.window.has_room(launched, settings, clock())
            }) == Some(true)
    }

    fn sleep_at_gate(&'static self, launched: u64) -> Result<bool, Refused> {
        let (mut look_again, mut pause) = (Time::ZERO, LOOK_AGAIN);
        loop {
            let (process, own) = (self.gate().state(), self.own.state());
            let gate = process.and(own);
            if gate.is_open() || self.guest.is_exiting() {
                return Ok(false);
            }
            if self.is_to_be_filled(launched) {
                return Ok(true);
            }
            if process.is_held_by(Holder::Local) && self.guest.config.on_no_server == OnNoServer::Fail {
                return Err(Refused);
            }
            if clock() >= look_again {
                // A server that is frozen from the start is found out at the second look.
                if look_again > Time::ZERO
                    && process.is_held_by(Holder::Server)
                    && self.guest.rescue_if_stale()
                {
                    continue;
                }
                // Each time: a queue that another thread was busy with was left out.
                self.guest.flush_all();
                look_again = clock() + LOOK_AFTER;
            }
            // Whichever is closed is waited for; then the other one is looked at again.
            let wait = |bound| {
                if own.is_open() { self.gate().wait(process, bound) } else { self.own.wait(own, bound) }
            };
            if !gate.is_awaited() {
                wait(LOOK_AFTER);
            } else if self.has_ended() {
                self.tell(EdgeKind::Done);
                wait(LOOK_AFTER);
                pause = LOOK_AGAIN;
            } else {
                wait(pause);
                pause = (pause * 2).min(LOOK_FOR_END);
            }
        }
    }

    /// Whether all that was launched is done. Only a thread that waits at the gate may ask: as long as it does, the queue is not idle, and
    /// the watcher has nothing to say about it.
    fn has_ended(&'static self) -> bool {
        let now = self.snapshot();
        let launched = now.launched();
        // The others may be about to return from the vendor's call.
        if u64::from(self.at_gate.load(Ordering::Acquire)) != now.inside() {
            return false;
        }
        let completed = self.with(|Inner { hw, window, .. }| {
            let hw = hw.as_ref()?;
            if !window.has_mark_behind(launched) {
                window.mark(launched, &**hw);
                let _ = hw.flush();
            }
            window.look(launched, clock());
            Some(window.completed())
        });
        let Some(Some(completed)) = completed else { return false };
        self.slot.completed.fetch_max(completed, Ordering::AcqRel);
        completed >= launched
    }
}
