//! What stands in a recording.

use xsched_core::{ClientId, DeviceId, Event, Operation, Time};

/// What holds for the whole recording: names with their values, all of them texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header(pub Vec<(String, String)>);

impl Header {
    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The scheduler was told this.
    Event(Event),
    /// It was asked: what it wanted done, and when it wanted to be asked again.
    Decision {
        /// In its order.
        operations: Vec<Operation>,
        /// Later than the decision; `None` if nothing is under way.
        next: Option<Time>,
    },
    /// It went on with the policy of this name.
    Policy(String),
    /// What a process is, for people.
    Client {
        /// Its number.
        client: ClientId,
        /// Its process.
        pid: u32,
        /// Its program.
        program: String,
    },
    /// What a device is, for people.
    Device {
        /// Its number.
        device: DeviceId,
        /// Its key.
        key: String,
    },
    /// The recording is over. Nothing follows.
    End(End),
}

/// Why a recording is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server ended.
    Closed,
    /// It had become as large as it may be.
    Full,
}
