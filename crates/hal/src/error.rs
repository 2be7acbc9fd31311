//! What can go wrong on a device.

use xsched_core::Level;

/// Why a call on a queue failed. Cheap to clone: one failed mark may be reported to many waiters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The vendor's call failed.
    #[error("{call} failed with code {code}")]
    Vendor {
        /// The vendor's spelling of the call.
        call: &'static str,
        /// The vendor's code.
        code: i64,
    },
    /// The device is gone, or the driver has been torn down.
    #[error("{call}: the device is lost")]
    Lost {
        /// What was asked of it.
        call: &'static str,
    },
    /// More was asked than the queue can do.
    #[error("level {asked} was asked of a queue on {platform} that has level {has}")]
    Level {
        /// The level that was asked for.
        asked: Level,
        /// The level that the queue has.
        has: Level,
        /// The queue's platform.
        platform: &'static str,
    },
    /// A command met a queue that it was not made for.
    #[error("a command for {command} was launched on a queue on {queue}")]
    Platform {
        /// The command's platform.
        command: &'static str,
        /// The queue's platform.
        queue: &'static str,
    },
    /// A value out of its range.
    #[error("{call}: {what} is {value}, which is not valid")]
    Value {
        /// The call.
        call: &'static str,
        /// Which value.
        what: &'static str,
        /// What was given.
        value: i64,
    },
    /// The call does not fit the state.
    #[error("{call} is not allowed {why}")]
    NotAllowed {
        /// The call.
        call: &'static str,
        /// Fits behind "not allowed".
        why: &'static str,
    },
    /// A callback panicked.
    #[error("the callback of a command panicked")]
    Panicked,
    /// The command was taken out of its buffer before it was launched, by request.
    #[error("the command was discarded before it was launched")]
    Discarded,
    /// The system gave no thread.
    #[error("thread {name} could not be started: errno {errno}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// The system's errno, 0 if it told none.
        errno: i32,
    },
}
