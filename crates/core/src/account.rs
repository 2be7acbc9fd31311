//! What xserver has counted: times, latencies, and what happened, in the shape of its JSON.
//!
//! Every time is in nanoseconds, and its name ends in `_ns`. Counts begin when the process attached (of the server: when it started) and
//! only grow, so that whoever reads twice knows what was between.

use crate::{ClientId, DeviceId, HintKind, QueueId, Time};
use serde::{Deserialize, Serialize};

/// What the server has counted as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// When this was read, on the server's clock.
    pub now: Time,
    /// When the server started, on the same clock.
    pub started: Time,
    /// Edges and other things that the scheduler was told.
    pub events: u64,
    /// Times that it was asked.
    pub decisions: u64,
    /// Processes that attached.
    pub attached: u64,
    /// Times that a process was suspended on a device.
    pub suspensions: u64,
    /// From the edge that led to a suspension until the gate was closed: what a preemption costs here, without what is in flight.
    pub closing: Latency,
    /// From there until the device had done what the process had in flight, where the guest said so.
    pub drain: Latency,
    /// How long processes with work were held back, each time.
    pub waits: Latency,
}

/// What was counted of one process on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The device.
    pub device_id: DeviceId,
    /// Had work and was not held back: the device was its own, or shared with equals.
    pub running_ns: u64,
    /// Had work and was held back.
    pub waiting_ns: u64,
    /// Was held back, with work or without.
    pub suspended_ns: u64,
    /// Times that it was suspended.
    pub suspensions: u64,
    /// See [`Totals::closing`].
    pub closing: Latency,
    /// See [`Totals::drain`].
    pub drain: Latency,
    /// See [`Totals::waits`].
    pub waits: Latency,
    /// For whom it waited, longest first.
    pub held_by: Vec<HeldBy>,
}

/// For whom a process waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// Who ran meanwhile.
    pub client: ClientId,
    /// For how long.
    pub ns: u64,
}

/// Many durations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum_ns: u64,
    /// Half of them are not longer; this and the next two are zero where only the sum is kept.
    pub p50_ns: u64,
    /// Nine of ten are not longer.
    pub p90_ns: u64,
    /// Of a hundred, 99 are not longer.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// How many are not longer than each of [`BOUNDS_NS`]; empty for single processes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<u64>,
}

/// Upper bounds of [`Latency::buckets`].
pub const BOUNDS_NS: [u64; 14] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
];

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// Counts up by one.
    pub seq: u64,
    /// When, on the server's clock.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A queue has something to run.
    Ready {
        /// Which.
        queue: QueueId,
        /// Whose.
        client: ClientId,
        /// On what.
        device: DeviceId,
    },
    /// It has nothing left to run.
    Idle {
        /// Which.
        queue: QueueId,
        /// Whose.
        client: ClientId,
        /// On what.
        device: DeviceId,
    },
    /// A process is held back.
    Suspend {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
        /// Whose becoming ready led to it; none: its time was over, or somebody changed something.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<ClientId>,
    },
    /// Its gate is closed.
    Closed {
        /// Whose.
        client: ClientId,
        /// Where.
        device: DeviceId,
        /// How long after what led to it.
        ns: u64,
    },
    /// It may go on.
    Resume {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// How far a queue has come: now and then, of each that has work.
    Progress {
        /// Which.
        queue: QueueId,
        /// Commands launched so far.
        launched: u64,
        /// Commands known to be completed so far.
        completed: u64,
    },
    /// A process attached.
    Joined {
        /// Who.
        client: ClientId,
    },
    /// A process left.
    Left {
        /// Who.
        client: ClientId,
    },
    /// The scheduler was told a hint of a process with all its queues, or of one queue.
    Hint {
        /// Of this process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<ClientId>,
        /// Of this queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue: Option<QueueId>,
        /// Which.
        name: HintKind,
        /// None: the default holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<i64>,
    },
    /// Another policy is in force.
    Policy {
        /// Its name.
        name: String,
    },
}
