//! What a command waits for and whether its event is asked for: the tail of every `clEnqueue…` call.

use super::{Code, Event, Result};
use opencl_sys::{cl_event, cl_int, cl_uint};
use std::marker::PhantomData;
use std::ptr;

/// A wait list, well-formed or not, and the wish for an event.
pub(crate) struct After<'a> {
    list: Vec<cl_event>,
    count: cl_uint,
    wants_event: bool,
    events: PhantomData<&'a Event>,
}

/// No wait list; the command's event is returned.
pub(crate) fn now() -> After<'static> {
    after(&[])
}

/// Waits for `events`; the command's event is returned.
pub(crate) fn after<'a>(events: &[&'a Event]) -> After<'a> {
    let list: Vec<_> = events.iter().map(|event| event.raw()).collect();
    After { count: list.len() as cl_uint, list, wants_event: true, events: PhantomData }
}

impl After<'_> {
    /// Passes a null event pointer, as most programs do; the event returned is then null.
    pub(crate) fn quiet(mut self) -> Self {
        self.wants_event = false;
        self
    }

    /// Passes `count` beside the list, whatever its length. Only null lists and counts below the length keep
    /// the call sound.
    pub(crate) fn with_count(mut self, count: u32) -> Self {
        assert!(
            self.list.is_empty() || count as usize <= self.list.len(),
            "the driver would read past the list"
        );
        self.count = count;
        self
    }

    /// Runs an enqueue function with its three last arguments.
    pub(crate) fn enqueue(
        &self,
        function: impl FnOnce(cl_uint, *const cl_event, *mut cl_event) -> cl_int,
    ) -> Result<Event> {
        let mut event = ptr::null_mut();
        let list = if self.list.is_empty() { ptr::null() } else { self.list.as_ptr() };
        let slot = if self.wants_event { &raw mut event } else { ptr::null_mut() };
        let code = Code(function(self.count, list, slot));
        code.ok()?;
        Ok(Event::own(event))
    }
}
