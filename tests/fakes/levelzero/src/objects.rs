//! What handles point to.

use crate::engine::{Command, Flag, Queue};
use crate::ffi::Handle;
use std::sync::{Arc, Mutex};

/// A command list.
#[derive(Debug)]
pub(crate) enum List {
    /// Records.
    Regular(Mutex<Recording>),
    /// Executes at once.
    Immediate(Queue),
}

#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) commands: Vec<Command>,
    pub(crate) is_closed: bool,
}

/// Events of a pool, made when asked for.
#[derive(Debug)]
pub(crate) struct EventPool {
    pub(crate) count: u32,
}

/// A handle for an object, which is the program's to destroy.
pub(crate) fn handle<T>(object: T) -> Handle {
    Box::into_raw(Box::new(object)).cast()
}

/// The object behind a handle.
///
/// # Safety
/// `handle` came from [`handle`] with the same `T`, and was not destroyed.
pub(crate) unsafe fn object<'a, T>(handle: Handle) -> &'a T {
    // SAFETY: by the caller.
    unsafe { &*handle.cast::<T>() }
}

/// Destroys an object.
///
/// # Safety
/// As for [`object`], and nobody uses it any more.
pub(crate) unsafe fn destroy<T>(handle: Handle) {
    // SAFETY: by the caller.
    drop(unsafe { Box::from_raw(handle.cast::<T>()) });
}

/// An event or a fence: the device keeps it until it is done with it.
pub(crate) type Signal = Arc<Flag>;
