//! Recordings: everything that the scheduler was told, with its time, and everything that it decided.
//!
//! The same entries in the same order make the same scheduler decide the same, so a recording can be replayed, and compared. A
//! [`Writer`] makes bytes of entries, a [`Reader`] entries of bytes; docs/formats/trace.md describes the bytes. Invariant: what a reader
//! accepts, a writer writes such that it reads the same; what it does not accept, it names with its place. Absent: files (xserver writes
//! them, xcli reads them), the scheduler, and what a policy is: its name is a text here.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bytes;
mod entry;
mod read;
mod write;

pub use entry::{End, Entry, Header};
pub use read::{Error, Reader};
pub use write::{Mark, Writer};

/// What a recording begins with.
pub const MAGIC: &[u8; 8] = b"XSTRACE\n";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u8 = 1;
/// The longest text in a recording, in bytes.
pub const MAX_TEXT: usize = 255;
