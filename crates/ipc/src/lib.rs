//! How processes talk: a socket for hello and control, and one page of shared memory per guest for everything that is frequent.
//!
//! Every byte from another process is checked before it is used: messages through `zerocopy` and bounds, the page through
//! atomics only (any bit pattern is valid) and through checked reads. Both ends of the socket know who the other is, from the
//! kernel ([`peer`]). Nothing here waits without a bound, and nothing here reads the environment.
//!
//! A guest uses [`guest`], xserver uses [`server`], xcli uses [`control`]; [`wire`] is what they say to each other.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod page;
pub mod ring;

// Sockets and shared memory; loom models the two above only.
#[cfg(not(loom))]
pub mod address;
#[cfg(not(loom))]
pub mod control;
#[cfg(not(loom))]
mod dispose;
#[cfg(not(loom))]
pub mod error;
#[cfg(not(loom))]
pub mod guest;
#[cfg(not(loom))]
pub mod heartbeat;
#[cfg(not(loom))]
pub mod memory;
#[cfg(not(loom))]
pub mod number;
#[cfg(not(loom))]
pub mod peer;
#[cfg(not(loom))]
pub mod server;
#[cfg(not(loom))]
mod socket;
#[cfg(not(loom))]
pub mod wire;

#[cfg(not(loom))]
pub use error::Error;
