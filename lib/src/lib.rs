//! libxsched.so: the one place of state in a guest process; binds the shims.
//!
//! However many stand-ins a process has, they all bind here, so it has one page, one agent, one link to xserver.

pub mod bind;
mod platforms;
pub mod probe;
