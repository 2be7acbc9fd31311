//! Types and values of the C interface, as `include/xsched/types.h` has them.
//!
//! What C passes may be any number, so enums come in as numbers and are read here.

use std::ffi::{c_int, c_void};
use xsched_core::{Hint, HintKind, Level};
use xsched_runtime::Manager;
use xsched_sched::PolicyKind;

pub(crate) type XQueueHandle = u64;
pub(crate) type HwQueueHandle = u64;
pub(crate) type HwCommandHandle = u64;
pub(crate) type Priority = i32;
pub(crate) type Utilization = i32;
pub(crate) type Timeslice = i64;
pub(crate) type Laxity = i64;
pub(crate) type Deadline = i64;

/// `XPreemptLevel`, `XQueueState`, `XSchedulerType`, `XPolicyType`: C enums.
pub(crate) type XPreemptLevel = c_int;
pub(crate) type XQueueState = c_int;
pub(crate) type XSchedulerType = c_int;
pub(crate) type XPolicyType = c_int;
/// `XHintKind`, a C enum.
pub(crate) type XHintKind = c_int;

/// `LaunchCallback`; null is a value that C can pass.
pub(crate) type LaunchCallback = Option<unsafe extern "C" fn(HwQueueHandle, *mut c_void) -> XResult>;

/// What every function answers; a program's callback may answer any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct XResult(pub(crate) c_int);

impl XResult {
    pub(crate) const SUCCESS: XResult = XResult(0);
    pub(crate) const HARDWARE: XResult = XResult(1);
    pub(crate) const INVALID_VALUE: XResult = XResult(2);
    pub(crate) const NOT_FOUND: XResult = XResult(3);
    pub(crate) const NOT_ALLOWED: XResult = XResult(4);
    pub(crate) const NOT_SUPPORTED: XResult = XResult(5);
    pub(crate) const UNKNOWN: XResult = XResult(999);
}

pub(crate) const STATE_IDLE: XQueueState = 1;
pub(crate) const STATE_READY: XQueueState = 2;

/// All bits of a set of flags.
const MASK_ALL: i64 = -1;

pub(crate) const CREATE_BLOCKING_SUBMIT: i64 = 1;
pub(crate) const SUSPEND_SYNC_HW_QUEUE: i64 = 1;
pub(crate) const SUSPEND_WAIT_ALL: i64 = 2;
pub(crate) const SUSPEND_WAIT_IDLE: i64 = 4;
pub(crate) const RESUME_DROP_COMMANDS: i64 = 1;

/// `kSchedulerAppManaged`, `kSchedulerLocal`, `kSchedulerGlobal`.
pub(crate) const APP_MANAGED: XSchedulerType = 1;
pub(crate) const LOCAL: XSchedulerType = 2;
pub(crate) const GLOBAL: XSchedulerType = 3;

/// The first number that is no policy of the interface: `kPolicyMax`.
pub(crate) const POLICY_MAX: XPolicyType = 12;

/// `TIMESLICE_UNLIMITED`, as it arrives.
pub(crate) const TIMESLICE_UNLIMITED: Timeslice = -1;

/// The flags that are set, of those that exist.
pub(crate) fn flags(given: i64, existing: &[i64]) -> Result<i64, XResult> {
    let all = existing.iter().fold(0, |all, flag| all | flag);
    match given {
        MASK_ALL => Ok(all),
        _ if given & !all == 0 => Ok(given),
        _ => Err(XResult::INVALID_VALUE),
    }
}

/// An `XPreemptLevel`.
pub(crate) fn level(number: i64) -> Result<Level, XResult> {
    let number = u8::try_from(number).map_err(|_| XResult::INVALID_VALUE)?;
    Level::from_number(number).ok_or(XResult::INVALID_VALUE)
}

/// A hint, if the value is in its range.
pub(crate) fn hint(kind: HintKind, value: i64) -> Result<Hint, XResult> {
    Hint::new(kind, value).map_err(|_| XResult::INVALID_VALUE)
}

/// Who is meant by an `XSchedulerType` and an `XPolicyType`.
pub(crate) fn manager(scheduler: XSchedulerType, policy: XPolicyType) -> Result<Manager, XResult> {
    match scheduler {
        APP_MANAGED => Ok(Manager::App),
        GLOBAL => Ok(Manager::Global),
        LOCAL => {
            let number = u32::try_from(policy).map_err(|_| XResult::INVALID_VALUE)?;
            match PolicyKind::from_number(number) {
                Some(policy) => Ok(Manager::Local(policy)),
                None if (1..POLICY_MAX).contains(&policy) => Err(XResult::NOT_SUPPORTED),
                None => Err(XResult::INVALID_VALUE),
            }
        }
        _ => Err(XResult::INVALID_VALUE),
    }
}
