//! What the scheduler is told.

use crate::{ClientId, DeviceId, Fact, GroupId, Hint, HintKind, Hints, QueueId};

/// One thing that happened. Events name their subjects by id only; what an id does not fit is ignored by the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process attached. It belongs to `group`, alone or with others.
    ClientJoined {
        /// Who.
        client: ClientId,
        /// Its unit of suspension.
        group: GroupId,
    },
    /// A process belongs to another unit of suspension from now on: it shares something with the processes there.
    ClientMoved {
        /// Who.
        client: ClientId,
        /// Its unit of suspension.
        group: GroupId,
    },
    /// A process ended or was dropped; its queues are gone with it.
    ClientLeft {
        /// Who.
        client: ClientId,
    },
    /// A queue was made. It starts idle.
    QueueCreated {
        /// Which.
        queue: QueueId,
        /// Whose.
        client: ClientId,
        /// On what.
        device: DeviceId,
        /// With these hints.
        hints: Hints,
    },
    /// A queue was released.
    QueueDestroyed {
        /// Which.
        queue: QueueId,
    },
    /// A queue has something to run.
    QueueReady {
        /// Which.
        queue: QueueId,
    },
    /// A queue has nothing left to run. Believed after the grace time, if it did not become ready again.
    QueueIdle {
        /// Which.
        queue: QueueId,
    },
    /// The answer to [`crate::Operation::Probe`]: how far the queue has come. Numbers that moved renew its lease.
    QueueProgress {
        /// Which.
        queue: QueueId,
        /// Commands launched so far.
        launched: u64,
        /// Commands known to be completed so far.
        completed: u64,
    },
    /// A hint for one queue.
    QueueHint {
        /// Which.
        queue: QueueId,
        /// The hint.
        hint: Hint,
    },
    /// A hint for all queues of a process, those to come included.
    ClientHint {
        /// Who.
        client: ClientId,
        /// The hint.
        hint: Hint,
    },
    /// A hint is taken back from a process and all its queues: the default holds.
    ClientUnset {
        /// Who.
        client: ClientId,
        /// Which.
        kind: HintKind,
    },
    /// What the system says about a process.
    ClientFact {
        /// Who.
        client: ClientId,
        /// What.
        fact: Fact,
    },
}
