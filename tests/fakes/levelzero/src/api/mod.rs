//! The driver's functions, by topic. Each has the signature of its namesake in level_zero/ze_api.h; null handles and null pointers are the
//! loader's validation layer's to find.

pub(crate) mod command;
pub(crate) mod driver;
pub(crate) mod memory;
pub(crate) mod module;
pub(crate) mod sync;

use crate::device;
use crate::ffi::{DEVICE_LOST, NOT_READY, SUCCESS, ZeResult};
use std::time::Duration;

/// The result of something that waited: done, lost, or not yet.
fn waited(is_done: bool) -> ZeResult {
    match is_done {
        true => SUCCESS,
        false if device::is_lost() => DEVICE_LOST,
        false => NOT_READY,
    }
}

/// A timeout in nanoseconds; the greatest means for ever.
fn timeout(nanoseconds: u64) -> Duration {
    if nanoseconds == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanoseconds) }
}
