//! What xserver shows of itself: the data behind `xcli list`, in the shape of its JSON.

use crate::account::{Account, Totals};
use crate::{ClientId, DeviceId, DeviceKey, GroupId, HintKind, HintSource, Level, QueueId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The server as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Version of xserver.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Name of the policy in force.
    pub policy: String,
    /// Attached processes.
    pub clients: u32,
    /// Queues of all of them.
    pub queues: u32,
    /// Devices seen so far.
    pub devices: Vec<DeviceKey>,
    /// Hints that the policy in force reads.
    #[serde(default)]
    pub policy_reads: Vec<HintKind>,
    /// The highest priority that programs of the user who asks may have; none: any.
    #[serde(default)]
    pub priority_ceiling: Option<i64>,
    /// Whether the user who asks may steer the processes of all users, and change the policy.
    #[serde(default)]
    pub may_steer_all: bool,
    /// What it has counted.
    #[serde(default)]
    pub totals: Option<Totals>,
}

/// One process and its queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientStatus {
    /// Its number.
    pub client: ClientId,
    /// Its process id, as the kernel told.
    pub pid: u32,
    /// Its user, as the kernel told.
    pub uid: u32,
    /// Name of the program.
    pub program: String,
    /// The container that it is in, by its id or name, as its control group told.
    #[serde(default)]
    pub container: Option<String>,
    /// Its unit of suspension.
    pub group: GroupId,
    /// The name it shares with others, if any.
    pub group_name: Option<String>,
    /// The priority that it was started with and may not have: it was given a lower one, and nobody has changed that since.
    #[serde(default)]
    pub refused_priority: Option<i64>,
    /// The highest level that it may use, if it was given one.
    #[serde(default)]
    pub level_limit: Option<Limit<Level>>,
    /// The most commands that each of its queues may have in flight while somebody more urgent may come, if it was given a number.
    #[serde(default)]
    pub threshold: Option<Limit<u32>>,
    /// What was counted of it, by device.
    #[serde(default)]
    pub accounts: Vec<Account>,
    /// Its queues.
    pub queues: Vec<QueueStatus>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Its number.
    pub queue: QueueId,
    /// The device's number.
    pub device_id: DeviceId,
    /// The device.
    pub device: DeviceKey,
    /// How far it can be preempted.
    pub level: Level,
    /// Has something to run, as the scheduler believes.
    pub ready: bool,
    /// Held back by the scheduler.
    pub suspended: bool,
    /// Keeps only a small window in flight, because somebody more urgent may come.
    pub windowed: bool,
    /// Others are held back until it is idle.
    pub awaited: bool,
    /// Commands launched so far.
    pub launched: u64,
    /// Commands known to be completed (known only while others wait or may come, or when the program waited for them).
    pub completed: u64,
    /// Times it was suspended.
    pub suspensions: u64,
    /// Hints that hold.
    pub hints: BTreeMap<HintKind, i64>,
    /// Where each of them came from.
    #[serde(default)]
    pub origins: BTreeMap<HintKind, Origin>,
    /// What the policy has promised, or refused, to the process's group on the device.
    #[serde(default)]
    pub remark: Option<String>,
    /// For how long it had work.
    #[serde(default)]
    pub times: QueueTimes,
}

/// For how long a queue had work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTimes {
    /// While its process was not held back, in nanoseconds.
    pub running_ns: u64,
    /// While it was.
    pub waiting_ns: u64,
    /// Whether it has work now, as far as the server has looked: [`QueueStatus::ready`] may be an older belief, which nobody has been hurt by.
    #[serde(default)]
    pub has_work: bool,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who gave it.
    pub source: HintSource,
    /// The rule, as `FILE:LINE`, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A limit, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit<T> {
    /// The limit.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// The rules in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesStatus {
    /// Their file; none: there is no file, and so no rule.
    pub file: Option<String>,
    /// Each of them, in the order of the file.
    pub rules: Vec<RuleStatus>,
    /// What the operator should know: what a rule gives and nobody gets.
    pub notes: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Its line in the file.
    pub line: u32,
    /// Whom it matches.
    pub whom: String,
    /// What it gives.
    pub what: String,
    /// How many of the attached processes match.
    pub processes: u32,
}
