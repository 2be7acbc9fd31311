//! The words of the project: what every other crate means by a queue, a device, a level, a hint, an event.
//!
//! Layer 1 of the table in `ARCHITECTURE.md`: this crate uses none of ours. Plain data and parsing only: no I/O, no clock, no
//! threads, no environment. (`config` parses what `bin/*` and `runtime` read; it reads nothing itself.)

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod account;
pub mod config;
pub mod device;
pub mod event;
pub mod fact;
pub mod hint;
pub mod id;
pub mod level;
pub mod limits;
pub mod operation;
pub mod probe;
pub mod size;
pub mod status;
pub mod sync;
pub mod text;
pub mod time;

pub use config::Config;
pub use device::DeviceKey;
pub use event::Event;
pub use fact::{Fact, FactKind, Facts};
pub use hint::{Hint, HintKind, HintSource, Hints};
pub use id::{ClientId, DeviceId, GroupId, QueueId};
pub use level::Level;
pub use limits::Limits;
pub use operation::Operation;
pub use size::Size;
pub use text::{Problem, Value};
pub use time::Time;
