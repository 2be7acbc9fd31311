//! Real processes, a real xserver, a real OpenCL driver. What happened and in which order is asserted, with generous bounds; exact
//! times are for benchmarks.

mod chaos;
mod cuda;
mod devices;
mod exits;
mod forks;
mod guest_lives;
mod interrupts;
mod layers;
mod limits;
mod operate;
mod policies;
mod priorities;
mod recordings;
mod results;
mod rules;
mod rust_crate;
mod server_lives;
mod settings;
mod soak;
mod threads;
mod turns;
mod urgency;
mod windows;
