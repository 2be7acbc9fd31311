//! Priorities that hold for a while: scopes within scopes, ended in any order, by any thread.

use crate::error::Error;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a priority is set, and how what was there before the first scope is.
type Apply = Box<dyn Fn(Option<i32>) -> Result<(), Error> + Send + Sync>;

/// The scopes of one target. The latest that has not ended holds; without any, what was there before the first.
pub(crate) struct Scopes {
    apply: Apply,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last: u64,
    scopes: Vec<(u64, i32)>,
}

impl Scopes {
    pub(crate) fn new(
        apply: impl Fn(Option<i32>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Arc<Scopes> {
        Arc::new(Scopes { apply: Box::new(apply), open: Mutex::default() })
    }

    /// Begins one. If the value is refused, there is none.
    pub(crate) fn enter<'a>(self: &Arc<Self>, priority: i32) -> Result<PriorityScope<'a>, Error> {
        let mut open = self.lock();
        (self.apply)(Some(priority))?;
        open.last += 1;
        let number = open.last;
        open.scopes.push((number, priority));
        drop(open);
        Ok(PriorityScope { scopes: Arc::clone(self), number: Some(number), _target: PhantomData })
    }

    /// Sets what holds without a scope, by `set`; it reaches the target now if there is none.
    pub(crate) fn set_beneath(&self, set: impl FnOnce(bool) -> Result<(), Error>) -> Result<(), Error> {
        let open = self.lock();
        set(open.scopes.is_empty())
    }

    fn leave(&self, number: u64) -> Result<(), Error> {
        let mut open = self.lock();
        let was_latest = open.scopes.last().is_some_and(|(latest, _)| *latest == number);
        open.scopes.retain(|(other, _)| *other != number);
        if was_latest { (self.apply)(open.scopes.last().map(|(_, priority)| *priority)) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing in here is left half done by a panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A priority that holds until this is dropped. Of several of one target, the one that began last holds.
#[must_use = "the priority holds until this is dropped"]
pub struct PriorityScope<'a> {
    scopes: Arc<Scopes>,
    /// None once it has ended.
    number: Option<u64>,
    _target: PhantomData<&'a ()>,
}

impl PriorityScope<'_> {
    /// Ends it; unlike dropping it, tells whether that could be done.
    pub fn end(mut self) -> Result<(), Error> {
        self.number.take().map_or(Ok(()), |number| self.scopes.leave(number))
    }
}

impl Drop for PriorityScope<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            // The queue, or the library's side of it, may be gone: then there is nothing to restore.
            let _ = self.scopes.leave(number);
        }
    }
}

impl std::fmt::Debug for PriorityScope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PriorityScope").field("number", &self.number).finish_non_exhaustive()
    }
}
