//! How processes talk: a socket for hello and control, and one page of shared memory per guest for everything that is frequent.
//!
//! Every byte from another process is checked before it is used: messages through `zerocopy` and bounds, the page through
//! atomics only (any bit pattern is valid) and through [`page::View`], which answers nothing but checked values.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod control;
pub mod page;
pub mod ring;
