//! The part of XSched that lives in a guest process: its queues, its page, its way to xserver.
//!
//! A platform makes a [`Registry`] and sends every call that reaches a device queue through [`Queue::launch`]. The calling thread
//! itself launches; it looks at two words in the page and waits only while its process is suspended. Everything else is done by
//! threads of ours: the *agent* (socket) or the scheduler inside the process ([`manager()`] says which) and, only while others wait, the
//! *watcher* (progress). A program that schedules from inside itself has a [`Claim`] on each queue that it names.
//!
//! A guest is somebody's production job: nothing here panics on purpose, prints more than a line about a problem, changes the
//! caller's errno, or waits without a bound for another process. When in doubt, the program runs on unscheduled.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod agent;
mod beyond;
mod bonds;
pub mod claim;
pub mod config;
mod errno;
mod fork;
mod given;
mod guest;
pub mod intercept;
mod lending;
pub mod library;
mod local;
mod manager;
mod offered;
pub mod probe;
mod queue;
mod registry;
pub mod report;
mod signals;
mod submit;
mod thread;
mod vigil;
mod watcher;

pub use bonds::share;
pub use claim::Claim;
pub use errno::Keep as KeepErrno;
pub use fork::{PerLife, is_this_life};
pub use guest::{guest, set_hint, unset_hint};
pub use manager::{Manager, is_automatic, manager, set_manager};
pub use offered::{offer, offered};
pub use queue::{Launched, Queue, Refused};
pub use registry::Registry;
pub use thread::{in_callback, is_nested, may_wait, nested};
