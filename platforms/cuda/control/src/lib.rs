//! Stopping, slicing and interrupting an NVIDIA GPU's work from user space, on the stock driver.
//!
//! The kernel driver's resource manager (RM) takes *controls* by `ioctl` on `/dev/nvidiactl`. [`Channels`] names what a CUDA context has there: one
//! channel group with its channels, as handles of the RM client that the CUDA library made for itself. [`Control`] is the open file
//! of that client, in the process itself or in another one that was handed it, and does things to the channels: all of them work without
//! privileges and without the CUDA library, so also while the library's locks are held, and while the process is stopped.
//!
//! [`abi`] has the layouts. docs/design/0026 says where they are from, and what to do with a driver that is not known; 0024 tells who uses it and when, docs/results/nvidia-preemption.md what was measured.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod abi;
mod channels;
mod control;

pub use channels::{Channels, Garbage, MAX_CHANNELS, MAX_GROUPS, decode, encode};
pub use control::{Control, Mode, Refusal};

/// The `kind` of a remote control (`xsched_hal::RemoteControl`) whose blob is [`encode`]d channels, and whose one file is their client's.
pub const KIND: u32 = 0x4e56_0001;
