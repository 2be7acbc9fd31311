//! Queues: `xsched/xqueue.h` but its commands.

use super::handles::{self, Asked, XQueue};
use super::types::{
    self, CREATE_BLOCKING_SUBMIT, HwQueueHandle, RESUME_DROP_COMMANDS, STATE_IDLE, STATE_READY,
    SUSPEND_SYNC_HW_QUEUE, SUSPEND_WAIT_ALL, SUSPEND_WAIT_IDLE, XPreemptLevel, XQueueHandle, XQueueState,
    XResult,
};
use super::{Answer, exports, place};
use xsched_queue::deferred::{LaunchConfig, Readiness, Until, When};
use xsched_runtime::claim::Error;
use xsched_runtime::may_wait;

exports! {
    /// Makes an XQueue of a hardware queue.
    fn XQueueCreate(xq: *mut XQueueHandle, hwq: HwQueueHandle, level: i64, flags: i64) = create;
    /// Resumes, drains and ends an XQueue.
    fn XQueueDestroy(xq: XQueueHandle) = destroy;
    /// Looks up the XQueue of a hardware queue.
    fn XQueueGet(xq: *mut XQueueHandle, hwq: HwQueueHandle) = get;
    /// Changes how far the queue is preempted.
    fn XQueueSetPreemptLevel(xq: XQueueHandle, level: XPreemptLevel) = set_preempt_level;
    /// Sets how much may be in flight.
    fn XQueueSetLaunchConfig(xq: XQueueHandle, threshold: i64, batch_size: i64) = set_launch_config;
    /// Waits until all is complete.
    fn XQueueWaitAll(xq: XQueueHandle) = wait_all;
    /// Looks whether the queue has work.
    fn XQueueQuery(xq: XQueueHandle, state: *mut XQueueState) = query;
    /// Suspends the queue.
    fn XQueueSuspend(xq: XQueueHandle, flags: i64) = suspend;
    /// Resumes the queue.
    fn XQueueResume(xq: XQueueHandle, flags: i64) = resume;
    /// Counts commands that are not known to be complete.
    fn XQueueProfileHwCommandCount(xq: XQueueHandle, count: *mut i64) = count_commands;
    /// Gives a hardware queue up.
    fn HwQueueDestroy(hwq: HwQueueHandle) = destroy_hw;
    /// Waits until all that was launched is complete.
    fn HwQueueSynchronize(hwq: HwQueueHandle) = synchronize_hw;
}

unsafe fn create(xq: *mut XQueueHandle, hwq: HwQueueHandle, level: i64, flags: i64) -> Answer {
    // SAFETY: by the caller.
    let place = unsafe { place(xq) }?;
    let level = types::level(level)?;
    let is_blocking = types::flags(flags, &[CREATE_BLOCKING_SUBMIT])? != 0;
    let claim = handles::hw_queue(hwq)?;
    claim.require(level)?;
    *place = handles::add_queue(&claim, XQueue { hw_queue: hwq, is_blocking }, Asked::Created)?;
    Ok(())
}

fn destroy(xq: XQueueHandle) -> Answer {
    handles::queue(xq)?;
    if !may_wait() {
        return Err(XResult::NOT_ALLOWED.into());
    }
    match handles::remove_queue(xq)?.map(|claim| claim.end()) {
        // The program has destroyed the native queue before: there is nothing left to end.
        None | Some(Ok(()) | Err(Error::Gone)) => Ok(()),
        Some(Err(error)) => Err(error.into()),
    }
}

unsafe fn get(xq: *mut XQueueHandle, hwq: HwQueueHandle) -> Answer {
    // SAFETY: by the caller.
    let place = unsafe { place(xq) }?;
    let claim = handles::hw_queue(hwq)?;
    claim.level()?;
    *place = match handles::queue_of(&claim) {
        Ok(handle) => handle,
        Err(_) if xsched_runtime::is_automatic() => {
            let more = XQueue { hw_queue: hwq, is_blocking: false };
            handles::add_queue(&claim, more, Asked::LookedUp)?
        }
        Err(none) => return Err(none),
    };
    Ok(())
}

fn set_preempt_level(xq: XQueueHandle, level: XPreemptLevel) -> Answer {
    let level = types::level(level.into())?;
    let (claim, _) = handles::queue(xq)?;
    // It is a demand, not a bound: what a queue can do is done.
    Ok(claim.require(level)?)
}

fn set_launch_config(xq: XQueueHandle, threshold: i64, batch_size: i64) -> Answer {
    let (claim, _) = handles::queue(xq)?;
    let read = |value| usize::try_from(value).map_err(|_| XResult::INVALID_VALUE);
    Ok(claim.set_launch_config(LaunchConfig { threshold: read(threshold)?, batch: read(batch_size)? })?)
}

fn wait_all(xq: XQueueHandle) -> Answer {
    Ok(handles::queue(xq)?.0.wait_all()?)
}

unsafe fn query(xq: XQueueHandle, state: *mut XQueueState) -> Answer {
    // SAFETY: by the caller.
    let place = unsafe { place(state) }?;
    *place = match handles::queue(xq)?.0.query()? {
        Readiness::Idle => STATE_IDLE,
        Readiness::Ready => STATE_READY,
    };
    Ok(())
}

fn suspend(xq: XQueueHandle, flags: i64) -> Answer {
    let flags = types::flags(flags, &[SUSPEND_SYNC_HW_QUEUE, SUSPEND_WAIT_ALL, SUSPEND_WAIT_IDLE])?;
    let (claim, _) = handles::queue(xq)?;
    let when = match flags {
        _ if flags & SUSPEND_WAIT_IDLE != 0 => When::Idle,
        _ if flags & SUSPEND_WAIT_ALL != 0 => When::Done,
        _ => When::Now,
    };
    let until = if flags & SUSPEND_SYNC_HW_QUEUE != 0 { Until::Quiet } else { Until::Held };
    Ok(claim.suspend(when, until)?)
}

fn resume(xq: XQueueHandle, flags: i64) -> Answer {
    let flags = types::flags(flags, &[RESUME_DROP_COMMANDS])?;
    Ok(handles::queue(xq)?.0.resume(flags != 0)?)
}

unsafe fn count_commands(xq: XQueueHandle, count: *mut i64) -> Answer {
    // SAFETY: by the caller.
    let place = unsafe { place(count) }?;
    *place = i64::try_from(handles::queue(xq)?.0.count()?).unwrap_or(i64::MAX);
    Ok(())
}

fn destroy_hw(hwq: HwQueueHandle) -> Answer {
    handles::remove_hw_queue(hwq)
}

fn synchronize_hw(hwq: HwQueueHandle) -> Answer {
    Ok(handles::hw_queue(hwq)?.synchronize()?)
}
