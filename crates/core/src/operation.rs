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
    /// Somebody more urgent may come at any time: keep only a small window of work in flight.
    Window {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Nobody more urgent is about: no window.
    Unwindow {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Others are held back until this one is idle: have it tell its idle edges at once, and look whether it is idle already.
    Await {
        /// Whom.
        client: ClientId,
        /// Where.
        device: DeviceId,
    },
    /// Nobody waits for it: its idle edges need not be told.
    Unawait {
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
