//! A queue without a device whose commands are done when its program says so (`Queue::synced`), and never before.

use xsched_core::DeviceKey;
use xsched_hal::{Error, HwCommand, HwQueue, Mark};

/// See the module's text. Level 1.
pub(crate) struct EndlessQueue(DeviceKey);

impl Default for EndlessQueue {
    fn default() -> Self {
        EndlessQueue(DeviceKey::named("endless", 0))
    }
}

impl HwQueue for EndlessQueue {
    fn device(&self) -> &DeviceKey {
        &self.0
    }

    fn platform(&self) -> &'static str {
        "endless"
    }

    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        command.launch(self)
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn synchronize(&self) -> Result<(), Error> {
        Ok(())
    }

    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        Ok(Box::new(Ahead))
    }
}

struct Ahead;

impl Mark for Ahead {
    fn is_complete(&self) -> Result<bool, Error> {
        Ok(false)
    }
}
