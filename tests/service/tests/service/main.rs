//! xserver as a service of a Debian system that boots, and programs in containers.

mod booted;
mod containers;
