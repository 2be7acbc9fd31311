//! A simulated Level Zero driver, for tests on machines without such a device. It is no emulator: what runs are a few built-in kernels, each of
//! which takes the time that its argument says, and copies and fills of real bytes.
//!
//! The real loader loads it (`ZE_ENABLE_ALT_DRIVERS=<path>`) and gets its functions from the tables in [`tables`]. A command queue, or an immediate
//! list, is a thread that executes what it is given in order ([`engine`]); kernels of all queues, and of all processes that name one folder in
//! `FAKE_LEVELZERO_DEVICE`, take turns on the one device, each to its end ([`device`]). Handles are believed, as by real drivers.
//! Deliberately absent: images, metrics, peers, timestamps of kernels, IPC. Those functions are missing from the tables, and the
//! loader answers for them.
//!
//! Kernels, with their arguments: `spin` (u64 microseconds); `add` (pointer to u32s, u32 what to add, u32 count, u32 microseconds); `log` (pointer
//! to u64s of which the first counts the others, u64 what to log, u64 microseconds); `fault` (none), after which the device is lost.

mod api;
mod device;
mod engine;
mod ffi;
mod kernel;
mod objects;
pub mod tables;
