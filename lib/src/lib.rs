//! libxsched.so: the one place of state in a guest process; binds the shims, and is the C interface ([`capi`]).
//!
//! However many stand-ins a process has, they all bind here, so it has one page, one agent, one link to xserver.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod bind;
pub mod capi;
mod platforms;
pub mod probe;
