//! Limits that a program is given from outside, beside its hints: they reach its queues, not the scheduler.

use crate::Level;

/// What a process may use at most; what is absent is as the program was started with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The highest preemption level to use.
    pub level: Option<Level>,
    /// The most commands in flight while somebody more urgent may come; at least 1.
    pub threshold: Option<u32>,
}
