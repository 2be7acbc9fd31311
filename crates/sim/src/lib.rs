//! Programs and devices in virtual time, under the real scheduler.
//!
//! A [`Workload`] says what there is: devices, programs, when their requests come and how long their commands take. [`run`] lets it
//! happen: launches look at gates, commands take device time, and what a guest would tell its server is told to a
//! [`Scheduler`](xsched_sched::Scheduler) as a guest would tell it. An [`Outcome`] says what became of each program, and holds its timeline,
//! which [`svg::draw`] makes a picture of. The same workload and seed have the same outcome, everywhere.
//!
//! Deliberately absent: a clock, I/O, threads; and what a guest pays for its launches, which is measured and not simulated.

#![forbid(unsafe_code)]

mod calendar;
mod device;
mod gates;
mod law;
mod machine;
mod outcome;
mod random;
mod read;
pub mod replay;
pub mod svg;
mod thread;
mod timeline;
mod workload;

pub use law::Law;
pub use machine::run;
pub use outcome::{Latencies, Outcome, Part, Remark};
pub use read::read;
pub use timeline::{Lane, State, Timeline};
pub use workload::{Arrivals, Change, DeviceSpec, Program, Sharing, Waits, What, Workload};
