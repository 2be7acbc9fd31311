//! Launches that cannot start before the program itself says so, which it does only when all of them are accepted.

use crate::cl::{Cl, Work, check};
use crate::text::{hear, say};
use std::ptr::null_mut;

/// What the launches wait for.
#[derive(Clone, Copy)]
pub(crate) enum Gate {
    /// Each for a user event.
    Event,
    /// All for a barrier in their queue, which waits for a command of another queue, which waits for a user event.
    OtherQueue,
}

/// Launches `count` kernels behind the gate, says so, waits for a line, opens the gate, and says what came out.
pub(crate) fn launch(gate: Gate, count: u32) -> Result<(), String> {
    let cl = Cl::get()?;
    let work = Work::new(cl)?;
    // What a program does before: XSched learns how long its commands are.
    work.steps(30)?;
    work.put_zeros()?;
    let event = work.user_event()?;
    let mut waits = event;
    if let Gate::OtherQueue = gate {
        let other = work.another_queue()?;
        let mut done = null_mut();
        // SAFETY: our own queues and events; so below.
        let marked = unsafe { (cl.clEnqueueMarkerWithWaitList)(other, 1, &raw const event, &raw mut done) };
        check("clEnqueueMarkerWithWaitList", marked)?;
        // SAFETY: as above.
        check("clFlush", unsafe { (cl.clFlush)(other) })?;
        // SAFETY: as above.
        let waiting =
            unsafe { (cl.clEnqueueBarrierWithWaitList)(work.queue, 1, &raw const done, null_mut()) };
        check("clEnqueueBarrierWithWaitList", waiting)?;
        waits = null_mut();
    }
    for _ in 0..count {
        work.triple_behind(waits)?;
    }
    // SAFETY: as above.
    check("clFlush", unsafe { (cl.clFlush)(work.queue) })?;
    say(&format!("accepted {count}"));
    hear();
    // SAFETY: as above.
    check("clSetUserEventStatus", unsafe { (cl.clSetUserEventStatus)(event, 0) })?;
    let right = (0..count).fold(0u32, |x, _| x.wrapping_mul(3).wrapping_add(1));
    let values = work.values()?;
    say(if values.iter().all(|value| *value == right) { "behind right" } else { "behind WRONG" });
    Ok(())
}

/// So often: launches a kernel behind a user event, sets that, and waits. Nothing is flushed before the event is set.
pub(crate) fn set_late(count: u32) -> Result<(), String> {
    let cl = Cl::get()?;
    let work = Work::new(cl)?;
    work.put_zeros()?;
    for _ in 0..count {
        let event = work.user_event()?;
        work.triple_behind(event)?;
        // SAFETY: our own event and queue.
        check("clSetUserEventStatus", unsafe { (cl.clSetUserEventStatus)(event, 0) })?;
        // SAFETY: as above.
        check("clReleaseEvent", unsafe { (cl.clReleaseEvent)(event) })?;
        // SAFETY: as above.
        check("clFinish", unsafe { (cl.clFinish)(work.queue) })?;
    }
    say("set late");
    Ok(())
}
