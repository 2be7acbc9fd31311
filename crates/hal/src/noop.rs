//! A queue without a device: each command is done as soon as it is launched.
//!
//! For tests of what is above a queue, and the least that an implementation needs.

use crate::{Error, HwCommand, HwQueue, Mark};
use std::sync::atomic::{AtomicU64, Ordering};
use xsched_core::DeviceKey;

/// See the module's text. Level 1.
#[derive(Debug)]
pub struct NoopQueue {
    device: DeviceKey,
    launched: AtomicU64,
}

impl NoopQueue {
    /// A queue that claims to be on `device`.
    pub fn new(device: DeviceKey) -> NoopQueue {
        NoopQueue { device, launched: AtomicU64::new(0) }
    }

    /// Commands launched so far without error.
    pub fn launched(&self) -> u64 {
        self.launched.load(Ordering::SeqCst)
    }
}

impl Default for NoopQueue {
    fn default() -> Self {
        NoopQueue::new(DeviceKey::named("noop", 0))
    }
}

impl HwQueue for NoopQueue {
    fn device(&self) -> &DeviceKey {
        &self.device
    }

    fn platform(&self) -> &'static str {
        "noop"
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        command.launch(self)?;
        self.launched.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn synchronize(&self) -> Result<(), Error> {
        Ok(())
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        Ok(Box::new(Passed))
    }
}

struct Passed;

impl Mark for Passed {
    fn is_complete(&self) -> Result<bool, Error> {
        Ok(true)
    }
}
