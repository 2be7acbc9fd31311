//! How the end of what was launched is found when the program does not wait for it itself.
//!
//! That all is done at one moment does not make a queue idle: a program that is bound by its processor launches a kernel whenever it has
//! prepared one, and the device is done with it before the next one comes. If each such moment counted, others would be let in between two
//! kernels of one request. So it is believed of a queue that stands still from one look to the next. That is bounded: of a queue that always moves but of
//! which [`MOVING`] looks in a row have found nothing to do, without the program having waited itself meanwhile, it is believed too, or else one tiny kernel now and
//! then would keep others out for ever.
//!
//! Deliberately absent: gaps between what the program itself has waited for and its next launch; those are the scheduler's grace time.

use super::{Inner, Queue};
use crate::guest::clock;
use crate::thread;
use std::sync::atomic::Ordering;

/// Looks in a row that find all done until that is believed of a queue that moves.
pub(super) const MOVING: u32 = 20;

impl Queue {
    /// The watcher's look: finds out whether the queue is idle if nobody else does. Returns whether it should look again.
    pub(crate) fn watch(&'static self) -> bool {
        self.snapshot().is_ready() && self.gate_state().is_awaited() && self.find_end(false)
    }

    /// Looks at the device whether all is complete that was launched. Returns whether the queue still has work, as far as is known. Unless that is
    /// asked for at once, a mark is put only behind a queue that did not move since the last look, and only such a queue is idle.
    pub(super) fn find_end(&'static self, at_once: bool) -> bool {
        let now = self.snapshot();
        if now.inside() != 0 {
            return true;
        }
        // Waits for the lock: the watcher has nothing that others could wait for. A callback might.
        let inner = if thread::may_wait() { self.inner.lock().ok() } else { self.inner.try_lock().ok() };
        let Some(inner) = inner else { return true };
        let found = self.with_locked(inner, |Inner { hw, window, watched, found_done }| {
            // The slot may have begun another life meanwhile.
            if self.snapshot() != now {
                return Some((0, false));
            }
            let hw = hw.as_ref()?;
            let stands = at_once || watched.replace(now) == Some(now);
            if stands && !window.has_mark_behind(now.begun()) {
                window.tail(now.begun(), &**hw);
                let _ = hw.flush();
            }
            window.look(now.begun(), clock());
            let is_done = window.completed() == now.begun();
            *found_done = if is_done { found_done.saturating_add(1) } else { 0 };
            Some((window.completed(), is_done && (stands || *found_done > MOVING)))
        });
        let Some(Some((completed, is_over))) = found else { return false };
        self.slot.completed.fetch_max(completed, Ordering::AcqRel);
        if is_over {
            self.ended(now);
        }
        !is_over
    }
}
