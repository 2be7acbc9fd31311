//! The preemptible queue: what stands between a program's launches and the device's own queue.
//!
//! Two ways to be preemptible. *Inline* ([`gate`], [`activity`], [`window`]): the calling thread launches, after one look at a
//! word. *Deferred* ([`deferred`]): commands wait in a buffer for a worker thread. The words of the inline way live in memory
//! shared with xserver; every change to them is one atomic step, so that neither side can undo what the other did.
//!
//! Layer 3: knows no vendor, no socket, no environment. Clocks come in as [`xsched_core::Time`].

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod activity;
pub mod deferred;
pub mod futex;
pub mod gate;
pub mod weaken;
pub mod window;
