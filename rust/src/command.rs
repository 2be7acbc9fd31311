//! Commands: closures that XSched calls when a queue may run.
//!
//! C is given a number for each closure, not a pointer: a command that is dropped before it was launched is never called, and nobody would free it. The
//! closures are in a table by number; whoever is called takes his out, and what is left of a queue goes with it.

use crate::error::Error;
use crate::generated::Code;
use crate::library::Library;
use std::any::Any;
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Something that was submitted to a queue. Dropping it forgets it; it is launched all the same.
pub struct Command<'a> {
    library: &'static Library,
    queue: u64,
    handle: u64,
    panic: Arc<Mutex<Option<String>>>,
    _queue: std::marker::PhantomData<&'a ()>,
}

struct Submitted {
    queue: u64,
    launch: Box<dyn FnOnce() + Send>,
    panic: Arc<Mutex<Option<String>>>,
}

#[derive(Default)]
struct Table {
    last: usize,
    submitted: HashMap<usize, Submitted>,
}

impl<'a> Command<'a> {
    pub(crate) fn submit(
        library: &'static Library,
        queue: u64,
        launch: Box<dyn FnOnce() + Send>,
    ) -> Result<Command<'a>, Error> {
        let panic = Arc::default();
        let number = {
            let mut table = table();
            table.last += 1;
            let number = table.last;
            table.submitted.insert(number, Submitted { queue, launch, panic: Arc::clone(&panic) });
            number
        };
        let forget = |_: &Error| drop(table().submitted.remove(&number));
        let data = std::ptr::without_provenance_mut::<c_void>(number);
        let mut handle = 0;
        // SAFETY: the place for the handle is valid; `run` takes the number for what it is.
        unsafe { library.HwCommandCreateCallback(&raw mut handle, run, data) }.inspect_err(forget)?;
        let command = Command { library, queue, handle, panic, _queue: std::marker::PhantomData };
        // SAFETY: no pointers.
        unsafe { library.XQueueSubmit(queue, handle) }.inspect_err(forget)?;
        Ok(command)
    }

    /// Waits until the device has completed what it launched; while the queue is suspended, until it is resumed.
    ///
    /// # Errors
    /// [`Error::Panicked`] if the closure did; [`NotFound`](crate::ErrorKind::NotFound) if the command was dropped before its launch;
    /// [`NotAllowed`](crate::ErrorKind::NotAllowed) inside a closure of the same queue.
    pub fn wait(&self) -> Result<(), Error> {
        // SAFETY: no pointers.
        let answer = unsafe { self.library.XQueueWait(self.queue, self.handle) };
        match lock(&self.panic).clone() {
            Some(message) => Err(Error::Panicked(message)),
            None => answer,
        }
    }
}

impl Drop for Command<'_> {
    fn drop(&mut self) {
        // Gives the handle up, not the submission. SAFETY: no pointers.
        let _ = unsafe { self.library.HwCommandDestroy(self.handle) };
    }
}

impl std::fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// Forgets what was submitted to a queue that is gone, and was not launched.
pub(crate) fn forget_all_of(queue: u64) {
    let left: Vec<Submitted> = {
        let mut table = table();
        let numbers: Vec<usize> =
            table.submitted.iter().filter(|(_, of)| of.queue == queue).map(|(number, _)| *number).collect();
        numbers.iter().filter_map(|number| table.submitted.remove(number)).collect()
    };
    // Closures may do anything when they are dropped: not while the table is locked.
    drop(left);
}

extern "C" fn run(_queue: u64, data: *mut c_void) -> i32 {
    let Some(Submitted { launch, panic, .. }) = table().submitted.remove(&data.addr()) else {
        return Code::ErrorNotFound as i32;
    };
    match std::panic::catch_unwind(AssertUnwindSafe(launch)) {
        Ok(()) => Code::Success as i32,
        Err(payload) => {
            *lock(&panic) = Some(message(&*payload));
            Code::ErrorUnknown as i32
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it said nothing".into())
}

fn table() -> MutexGuard<'static, Table> {
    static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();
    lock(TABLE.get_or_init(Mutex::default))
}

/// Nothing that is locked here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
