//! Immediate command lists: queues in themselves. Regular lists record; a queue executes them.

use super::PLACES;
use super::made::Made;
use super::queue::{comes_behind, owner};
use crate::driver::{
    Handle, QueueDesc, ZE_COMMAND_QUEUE_FLAG_IN_ORDER, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS,
    ZE_RESULT_NOT_READY, ZE_RESULT_SUCCESS, ZeResult, driver,
};
use crate::queue::{Turn, ZeQueue};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xsched_runtime::claim::{self, Claim};
use xsched_runtime::{Queue, Registry, guest, handlers, is_automatic, nested, report};

/// The program's immediate lists. A list's note is the address of its [`Turn`]; the lowest bit says that it executes synchronously.
static LISTS: Registry = Registry::new();

const SYNCHRONOUS: usize = 1;

/// The immediate list with this handle; `None` for a regular one.
#[inline]
pub(crate) fn find(handle: usize) -> Option<&'static Queue> {
    LISTS.find(handle)
}

/// Whether appending waits inside until the device is done.
#[inline]
pub(crate) fn is_synchronous(list: &Queue) -> bool {
    list.note.load(Ordering::Relaxed) & SYNCHRONOUS != 0
}

/// The list's turn.
#[inline]
pub(crate) fn turn(list: &Queue) -> &'static Turn {
    // SAFETY: a turn, which is never freed; `created` stores it before the list can be found.
    unsafe { &*std::ptr::with_exposed_provenance::<Turn>(list.note.load(Ordering::Acquire) & !SYNCHRONOUS) }
}

/// The list whose newest command signals this event.
pub(super) fn that_ends_with(event: Handle) -> Option<&'static Queue> {
    LISTS.find_where(|list| list.ends_with(event as usize).is_some())
}

/// Those that are not known as queues yet.
static MADE: Made = Made::new();

fn created(context: Handle, device: Handle, desc: QueueDesc, handle: Handle) -> Option<()> {
    if is_automatic() {
        return adopt(context, device, desc, handle);
    }
    MADE.keep(context, device, desc, handle);
    None
}

/// Makes an immediate list known to the program that names it through the API. [`claim::Error::Gone`] if we did not see it being made.
pub fn claim(handle: Handle) -> Result<Claim, claim::Error> {
    MADE.take(handle).and_then(|(context, device, desc)| adopt(context, device, desc, handle));
    let handle = handle as usize;
    Claim::new(move || find(handle), true, |_| ())
}

fn adopt(context: Handle, device: Handle, desc: QueueDesc, handle: Handle) -> Option<()> {
    let (driver, owner) = (driver()?, owner(context, device)?);
    let turn = Turn::new();
    let in_order = desc.flags & ZE_COMMAND_QUEUE_FLAG_IN_ORDER != 0;
    let native = Arc::new(ZeQueue::of_list(driver, owner, turn, handle));
    let Some(list) = guest().and_then(|guest| guest.adopt(native, in_order)) else {
        turn.give_back();
        return None;
    };
    let is_synchronous = usize::from(desc.mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    list.note.store(std::ptr::from_ref(turn).expose_provenance() | is_synchronous, Ordering::Release);
    LISTS.insert(handle as usize, list);
    Some(())
}

/// Takes an immediate list out. False if a call of ours is on it and does not end.
fn remove(handle: Handle) -> bool {
    MADE.take(handle);
    let Some(list) = find(handle as usize) else { return true };
    let turn = turn(list);
    let removed = LISTS.remove(handle as usize);
    if removed {
        turn.give_back();
    }
    removed
}

handlers! {
    places PLACES;

    create_immediate(context: Handle, device: Handle, desc: *const QueueDesc, list: *mut Handle) -> ZeResult, CREATE_IMMEDIATE =>
        |call, context, device, desc, list| {
            let result = nested(call);
            if result == ZE_RESULT_SUCCESS && !desc.is_null() && !list.is_null() {
                // SAFETY: the real function has read the one and written the other.
                let (desc, handle) = unsafe { (desc.read(), list.read()) };
                created(context, device, desc, handle);
            }
            result
        };

    /// Nothing of ours may touch the list once the real function has it.
    destroy(list: Handle) -> ZeResult, DESTROY => |call, handle| {
        // Rather than freed under a call of ours, a list is kept for ever.
        if remove(handle) { nested(call) } else { ZE_RESULT_SUCCESS }
    };

    synchronize(list: Handle, timeout: u64) -> ZeResult, SYNCHRONIZE => |call, handle, timeout| {
        let Some(list) = find(handle as usize) else { return nested(call) };
        if !comes_behind(list, timeout) {
            return ZE_RESULT_NOT_READY;
        }
        let then = list.snapshot();
        let result = nested(call);
        if result == ZE_RESULT_SUCCESS {
            list.synced(then);
        }
        result
    };

    begin_capture(list: Handle, next: usize) -> ZeResult, BEGIN_CAPTURE => |call, list, _| captures(call, list);
    begin_capture_exp(list: Handle, next: usize) -> ZeResult, BEGIN_CAPTURE_EXP => |call, list, _| captures(call, list);
    begin_capture_into(list: Handle, graph: Handle, next: usize) -> ZeResult, BEGIN_CAPTURE_INTO =>
        |call, list, _, _| captures(call, list);
    begin_capture_into_exp(list: Handle, graph: Handle, next: usize) -> ZeResult, BEGIN_CAPTURE_INTO_EXP =>
        |call, list, _, _| captures(call, list);
}

/// What is appended to a list that captures is recorded, a mark of ours too; so we leave such a list alone for good.
fn captures(call: &dyn Fn() -> ZeResult, list: Handle) -> ZeResult {
    if find(list as usize).is_some() {
        remove(list);
        report::once("an immediate list that captures a graph runs unscheduled from then on");
    }
    nested(call)
}
