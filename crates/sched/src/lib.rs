//! Policies and the scheduler core: events in, operations and the next wake-up out.
//!
//! [`Scheduler`] keeps the state of every queue of the machine and asks a [`Policy`] who may run on each device. It reads no
//! clock, does no I/O and starts no thread: its caller tells it the events and the time, carries out the operations, and comes
//! back at the time it names. So one and the same code schedules a machine, a single process, and a test in virtual time.
//!
//! One round, and the file of each step:
//!
//! 1. `scheduler`: an event changes the tables of `state`, or the phase of a queue (`readiness`: grace and lease), and with it how urgent the
//!    policy thinks it is (`ranks`).
//! 2. `placement`: the groups that changed are put in their place on each device: ready, or idle, at a priority.
//! 3. `decision`: the devices where something changed ask the policy; groups that span devices run everywhere or nowhere.
//! 4. `gates`: what this means for each process is compared with what it was last told; the differences are the operations.
//! 5. `grants` gives waiting groups their `max_suspend` due, `contention` says who may be preempted, `timers` wakes.
//!
//! `running` is a decision's answer to who runs; `few` and `marks` hold what is mostly one or two. Before a round, `foresight` knows of some who will be held back for certain.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod contention;
mod decision;
mod few;
mod foresight;
mod gates;
mod grants;
mod marks;
mod placement;
pub mod policy;
mod ranks;
mod readiness;
mod running;
mod scheduler;
mod state;
mod timers;
mod weights;

pub use contention::{Contender, Turn};
pub use policy::{POLICIES, Policy, PolicyInfo, PolicyKind};
pub use scheduler::{QueueView, Scheduler, Settings};
