//! Level Zero under XSched: the real loader, its queues and lists, and what each call means to the scheduler.
//!
//! Level 1 (block) on every Level Zero device. [`driver`] finds and calls the real `libze_loader.so.1`; [`queue`] is a command queue or
//! an immediate command list as a `HwQueue`; [`intercept`] stands in front of each function that reaches one. A function without a row
//! in [`intercept::table`] goes to the real loader untouched. [`probe`] answers `xcli doctor`.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod device;
mod driver;
pub mod intercept;
pub mod probe;
mod queue;
mod signal;

pub use intercept::{bind, claim_list, claim_queue};
