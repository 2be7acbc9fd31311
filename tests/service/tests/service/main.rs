//! xserver as a service of a Debian system that boots, programs in containers, and the oldest system that there is to be.

mod booted;
mod containers;
mod old;
