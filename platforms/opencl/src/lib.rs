//! OpenCL under XSched: the real library, its queues, and what each call means to the scheduler.
//!
//! Level 1 (block) on every OpenCL device. [`driver`] finds and calls the real `libOpenCL.so.1`; [`queue`] is an OpenCL command
//! queue as a `HwQueue`; [`intercept`] stands in front of each function that reaches a queue. A function without a row in
//! [`intercept::table`] goes to the real library untouched. [`probe`] answers `xcli doctor`.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod device;
mod driver;
mod drivers;
pub mod intercept;
pub mod layer;
pub mod probe;
mod queue;
mod user_event;

pub use intercept::{bind, claim};
