//! What xcli (or any control client) asks of xserver, and the answers: JSON, one message per packet.
//!
//! A request gets any number of [`Reply::Client`] and ends with exactly one other reply.

use serde::{Deserialize, Serialize};
use xsched_core::status::{ClientStatus, ServerStatus};
use xsched_core::{ClientId, HintKind, QueueId};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The server as a whole: answered by [`Reply::Server`].
    Status,
    /// All attached processes, one [`Reply::Client`] each, then [`Reply::Done`].
    List,
    /// Sets a hint; answered by [`Reply::Done`] with the number of queues it reached, or [`Reply::Refused`].
    Hint {
        /// For whom.
        target: Target,
        /// Which.
        kind: HintKind,
        /// In the hint's unit.
        value: i64,
    },
    /// The policy in force and those there are: [`Reply::Policy`].
    Policy,
    /// Changes the policy (root, the `xsched` group and the server's own user may): [`Reply::Policy`] or [`Reply::Refused`].
    SetPolicy {
        /// Its name.
        name: String,
    },
}

/// Whom a hint is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One queue.
    Queue(QueueId),
    /// All queues of an attached process.
    Client(ClientId),
    /// The same, by process id (as the server sees it).
    Pid(u32),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// One process; more follow.
    Client(ClientStatus),
    /// The server.
    Server(ServerStatus),
    /// The policy in force, and all there are with their help lines.
    Policy {
        /// In force.
        current: String,
        /// Name and help line of each.
        available: Vec<(String, String)>,
    },
    /// Done.
    Done {
        /// How many queues or processes it was about.
        count: u32,
        /// What the asker should know, e.g. that the policy in force does not read this hint.
        note: Option<String>,
    },
    /// Not done: who is refused what, and what is allowed.
    Refused(String),
}
