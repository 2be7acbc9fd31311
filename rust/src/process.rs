//! What holds for the whole process.

use crate::error::Error;
use crate::generated::{HintKind, Policy, Scheduler};
use crate::library::library;
use crate::queue::microseconds;
use crate::scopes::{PriorityScope, Scopes};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Says who schedules this process from now on: xserver, a scheduler in the process by `policy`, or the program itself.
///
/// May be called at any time; no queue is lost. Queues that the program itself has suspended stay suspended. `policy` is for
/// [`Scheduler::Local`], and not looked at otherwise: xserver's policy is the machine's.
///
/// ```no_run
/// use xsched::{Policy, Scheduler};
///
/// xsched::set_scheduler(Scheduler::Local, Some(Policy::Hpf))?;
/// xsched::set_scheduler(Scheduler::Global, None)?;
/// # Ok::<(), xsched::Error>(())
/// ```
pub fn set_scheduler(scheduler: Scheduler, policy: Option<Policy>) -> Result<(), Error> {
    // SAFETY: no pointers.
    unsafe { library()?.XHintSetScheduler(scheduler as i32, policy.map_or(0, |policy| policy as i32)) }
}

/// The length of a turn, for all queues of the process.
pub fn set_timeslice(length: Duration) -> Result<(), Error> {
    // SAFETY: no pointers.
    unsafe { library()?.XHintTimeslice(microseconds(length)?) }
}

/// How many deadlines run side by side.
pub fn set_kdeadline(k: usize) -> Result<(), Error> {
    // SAFETY: no pointers.
    unsafe { library()?.XHintKDeadline(k) }
}

/// A priority for all queues of the process, those to come included, until what this returns is dropped. A queue's own priority goes before it.
///
/// ```no_run
/// # fn answer_the_request() {}
/// let urgent = xsched::with_priority(10)?;
/// answer_the_request();
/// drop(urgent);
/// # Ok::<(), xsched::Error>(())
/// ```
pub fn with_priority(priority: i32) -> Result<PriorityScope<'static>, Error> {
    static SCOPES: OnceLock<Arc<Scopes>> = OnceLock::new();
    let apply = |priority: Option<i32>| {
        let kind = HintKind::Priority as u32;
        let library = library()?;
        // SAFETY: no pointers.
        unsafe {
            match priority {
                Some(priority) => library.XProcessHint(kind, priority.into()),
                None => library.XProcessUnhint(kind),
            }
        }
    };
    SCOPES.get_or_init(|| Scopes::new(apply)).enter(priority)
}
