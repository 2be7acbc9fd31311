//! Preemptive scheduling for accelerators, from inside a program.
//!
//! A program that was started by `xcli run` is scheduled without a line of this. The crate is for programs that know more than a scheduler can
//! see: which of their streams are urgent, when, and when to hold one back.
//!
//! ```no_run
//! use std::time::Duration;
//! use xsched::{Policy, Queue, Scheduler, Wait};
//!
//! # fn launch() {}
//! # fn work(stream: *mut std::ffi::c_void) -> Result<(), xsched::Error> {
//! // Queue against queue in this process, without a server.
//! xsched::set_scheduler(Scheduler::Local, Some(Policy::Hpf))?;
//!
//! // SAFETY: the stream outlives the queue.
//! let queue = unsafe { Queue::of_cuda_stream(stream)? };
//! queue.set_priority(10)?;
//! queue.set_deadline(Some(Duration::from_millis(20)))?;
//! {
//!     let _urgent = queue.with_priority(20)?; // until the end of the block
//!     launch();
//! }
//! {
//!     let _held = queue.suspend(Wait::InFlight)?; // nothing of it is launched, and nothing runs
//! }
//! queue.submit(|| launch())?.wait()
//! # }
//! ```
//!
//! # Which libxsched
//!
//! There is one libxsched in a process, and it holds all state: the stand-in of a vendor's library opens it at its first call. This crate
//! takes, at its own first call, the one that is there; or the one beside a stand-in that is there; or the one that `XSCHED_LIB` names; or one in
//! `LD_LIBRARY_PATH`, beside the `xcli` in `PATH`, or that the loader finds. Nothing is linked, so a program that uses this crate runs where XSched is not
//! installed, and is told so:
//!
//! ```
//! # // Whatever this machine has installed, the example is about one that has nothing.
//! # unsafe { std::env::set_var("XSCHED_LIB", "/nonexistent/libxsched.so") };
//! match xsched::library_path() {
//!     Ok(path) => println!("scheduled by {}", path.display()),
//!     Err(error) => println!("runs unscheduled: {error}"),
//! }
//! # assert!(xsched::library_path().unwrap_err().to_string().contains("XSCHED_LIB"));
//! ```
//!
//! # Threads, forks, panics
//!
//! Everything here may be used from all threads. In the child of a fork the parent's queues are not known: calls answer
//! [`ErrorKind::NotFound`]. A panic in a submitted closure comes back as an error from [`Command::wait`].

mod command;
mod error;
mod generated;
mod library;
mod process;
mod queue;
mod scopes;

pub use command::Command;
pub use error::{Error, ErrorKind};
pub use generated::{
    HintKind, Level, PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN, PRIORITY_NO_EXECUTE, Policy, QueueState,
    Scheduler, UTILIZATION_DEFAULT, UTILIZATION_MAX, UTILIZATION_MIN,
};
pub use library::library_path;
pub use process::{set_kdeadline, set_scheduler, set_timeslice, with_priority};
pub use queue::{Options, Queue, Suspended, Wait};
pub use scopes::PriorityScope;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What is fixed about a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HintInfo {
    /// Its name in files and on the command line.
    pub name: &'static str,
    /// The environment variable by which a program is started with it.
    pub env: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// The smallest value.
    pub min: i64,
    /// The largest value.
    pub max: i64,
    /// The value where nobody gave one.
    pub default: i64,
}
