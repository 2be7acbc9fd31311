//! What a queue and a command are on a device, and how far a queue can be preempted.
//!
//! Layer 2: knows no vendor, no socket, no environment. A platform implements [`HwQueue`] (and, where the device can,
//! [`Deactivate`] and [`Interrupt`]); everything above works with these traits only. The level of a queue is never claimed, it
//! follows from what the queue has.
//!
//! [`conformance`] holds the rules that every implementation keeps, as functions to put a queue through; [`sim`] is a device of
//! plain threads with all three levels; [`noop`] is a queue whose commands are done at once.
//!
//! Deliberately absent: the completion of single commands (a [`Mark`] behind some of them costs the device less, and a queue knows
//! where it put its marks), and copies of arguments (a command is whatever launches itself).

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod command;
pub mod conformance;
pub mod error;
pub mod noop;
pub mod preempt;
pub mod queue;
pub mod sim;

pub use command::{Callback, HwCommand};
pub use error::Error;
pub use preempt::{Controls, Deactivate, Interrupt, Preemption, RemoteControl};
pub use queue::{HwQueue, Mark};
