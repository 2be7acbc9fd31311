//! CUDA under XSched: the real driver library, its streams, and what each call means to the scheduler.
//!
//! Level 1 (block). [`driver`] finds and calls the real `libcuda.so.1`; [`stream`] knows which queue a call means, the default streams
//! included; [`queue`] is a stream as a `HwQueue`; [`context`] keeps what a context has of ours; [`capture`] keeps our own calls out of what a
//! program records; [`rm`] learns by what a context can be stopped; [`intercept`] stands in front of each function that reaches a stream. A function without a row in
//! [`intercept::table`] goes to the real library untouched. [`probe`] answers `xcli doctor`.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod capture;
mod context;
mod device;
mod driver;
pub mod intercept;
pub mod probe;
mod queue;
mod rm;
mod stream;

pub use intercept::bind;
pub use rm::{Seen, seen};
pub use stream::{claim, claim_known};
