//! What the program gave its queues, or all of them, on its way to the server.
//!
//! Each message says all that a queue, or the process, has been given, so that it does not matter which of them arrive twice. Invariant: what was
//! given is read and sent under one lock, so that the last message is the newest; a send does not wait. What finds no room in the socket is
//! sent by the agent, which also tells each new server everything.

use crate::agent::Link;
use crate::guest::Guest;
use crate::queue::Queue;
use std::sync::atomic::Ordering;
use xsched_ipc::guest::Session;
use xsched_ipc::wire::ProgramHints;

/// The process was given something.
pub(crate) fn of_process(guest: &Guest) {
    if !tell(guest.link().as_deref(), |session| process(guest, session)) {
        guest.process_untold.store(true, Ordering::SeqCst);
        guest.untold.store(true, Ordering::SeqCst);
    }
}

/// A queue was given something.
pub(crate) fn of_queue(queue: &Queue) {
    let guest = queue.guest();
    if !tell(guest.link().as_deref(), |session| queue.give_hints(session)) {
        queue.hints_untold.store(true, Ordering::SeqCst);
        guest.untold.store(true, Ordering::SeqCst);
    }
}

/// The agent's part: what was not told yet; to a new server all that was given.
pub(crate) fn tell_rest(guest: &Guest, session: &Session, is_new: bool) {
    let is_behind = guest.untold.swap(false, Ordering::SeqCst);
    if !is_behind && !is_new {
        return;
    }
    let mut is_left = false;
    let is_due = guest.process_untold.swap(false, Ordering::SeqCst)
        || is_new && guest.with_given(|hints| !hints.is_empty());
    if is_due && !process(guest, session) {
        guest.process_untold.store(true, Ordering::SeqCst);
        is_left = true;
    }
    for queue in guest.queues() {
        let is_due = queue.hints_untold.swap(false, Ordering::SeqCst) || is_new && queue.has_hints();
        if is_due && !queue.give_hints(session) {
            queue.hints_untold.store(true, Ordering::SeqCst);
            is_left = true;
        }
    }
    if is_left {
        guest.untold.store(true, Ordering::SeqCst);
    }
}

fn tell(link: Option<&Link>, say: impl FnOnce(&Session) -> bool) -> bool {
    link.is_some_and(|link| say(link.session()))
}

fn process(guest: &Guest, session: &Session) -> bool {
    guest.with_given(|hints| session.give(&ProgramHints { slot: None, hints: *hints }))
}
