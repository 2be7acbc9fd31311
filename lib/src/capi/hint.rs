//! Hints: `xsched/hint.h`.

use super::types::{
    self, Deadline, Laxity, Priority, TIMESLICE_UNLIMITED, Timeslice, Utilization, XPolicyType, XQueueHandle,
    XResult, XSchedulerType,
};
use super::{Answer, exports, handles};
use xsched_core::HintKind;
use xsched_runtime::{set_hint, set_manager};

exports! {
    /// Says who schedules this process.
    fn XHintSetScheduler(scheduler: XSchedulerType, policy: XPolicyType) = set_scheduler;
    /// Gives the queue a priority.
    fn XHintPriority(xq: XQueueHandle, priority: Priority) = give_priority;
    /// Gives the queue a share.
    fn XHintUtilization(xq: XQueueHandle, utilization: Utilization) = give_utilization;
    /// Sets the length of a turn.
    fn XHintTimeslice(timeslice: Timeslice) = give_timeslice;
    /// Says when the queue becomes critical.
    fn XHintLaxity(xq: XQueueHandle, laxity: Laxity, lax_prio: Priority, crit_prio: Priority) = give_laxity;
    /// Says how long the queue may take.
    fn XHintDeadline(xq: XQueueHandle, deadline: Deadline) = give_deadline;
    /// Says how many deadlines run at a time.
    fn XHintKDeadline(k: usize) = give_k_deadline;
}

fn set_scheduler(scheduler: XSchedulerType, policy: XPolicyType) -> Answer {
    set_manager(types::manager(scheduler, policy)?);
    Ok(())
}

/// All of the hints, or, if one is out of its range, none.
fn give(xq: XQueueHandle, hints: &[(HintKind, i64)]) -> Answer {
    let (claim, _) = handles::queue(xq)?;
    let hints: Vec<_> =
        hints.iter().map(|(kind, value)| types::hint(*kind, *value)).collect::<Result<_, _>>()?;
    Ok(claim.set_hints(&hints)?)
}

fn give_priority(xq: XQueueHandle, priority: Priority) -> Answer {
    give(xq, &[(HintKind::Priority, priority.into())])
}

fn give_utilization(xq: XQueueHandle, utilization: Utilization) -> Answer {
    give(xq, &[(HintKind::Utilization, utilization.into())])
}

fn give_timeslice(timeslice: Timeslice) -> Answer {
    let longest = HintKind::Timeslice.info().max;
    let timeslice = if timeslice == TIMESLICE_UNLIMITED { longest } else { timeslice };
    set_hint(types::hint(HintKind::Timeslice, timeslice)?);
    Ok(())
}

fn give_laxity(xq: XQueueHandle, laxity: Laxity, lax_prio: Priority, crit_prio: Priority) -> Answer {
    give(
        xq,
        &[
            (HintKind::Laxity, laxity),
            (HintKind::LaxPriority, lax_prio.into()),
            (HintKind::CriticalPriority, crit_prio.into()),
        ],
    )
}

fn give_deadline(xq: XQueueHandle, deadline: Deadline) -> Answer {
    give(xq, &[(HintKind::Deadline, deadline)])
}

fn give_k_deadline(k: usize) -> Answer {
    let k = i64::try_from(k).map_err(|_| XResult::INVALID_VALUE)?;
    set_hint(types::hint(HintKind::Kdeadline, k)?);
    Ok(())
}
