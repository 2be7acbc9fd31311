//! What the scheduler wants done.

use crate::{ClientId, DeviceId, QueueId};

/// One thing to do. All operations are idempotent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Hold the process back on the device: its idle queues too.
    Suspend {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Let it go on.
    Resume {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Others want the device too: keep a small window in flight, and tell about idle edges at once.
    Contend {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Nobody else wants the device: no window, idle edges need not be told.
    Relax {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Look how far this queue has come and answer with [`crate::Event::QueueProgress`].
    Probe {
        /// Which.
        queue: QueueId,
    },
}
