//! Commands: work that can be launched later, on another thread.
//!
//! A command is launched at most once and dropped right after that. It need not outlive its own execution: what the device
//! reads later has to be kept alive by the driver or the program, as with a direct launch.

use crate::{Error, HwQueue};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Work for a queue.
pub trait HwCommand: Send {
    /// Hands the work to the device behind `queue`; returns once the driver took it. Called by [`HwQueue::launch`] only, once, on
    /// any thread. An error means that the device got nothing.
    fn launch(&mut self, queue: &dyn HwQueue) -> Result<(), Error>;
}

/// A command that calls back: the callback does the launch. See [`Callback::new`].
pub struct Callback<F>(Option<F>);

impl<F: FnOnce(&dyn HwQueue) -> Result<(), Error> + Send> Callback<F> {
    /// `callback` launches what it wants on the queue that it is given. If it panics, the command fails.
    pub fn new(callback: F) -> Callback<F> {
        Callback(Some(callback))
    }
}

impl<F: FnOnce(&dyn HwQueue) -> Result<(), Error> + Send> HwCommand for Callback<F> {
    fn launch(&mut self, queue: &dyn HwQueue) -> Result<(), Error> {
        let callback =
            self.0.take().ok_or(Error::NotAllowed { call: "launch", why: "twice for one command" })?;
        // Unwind safety: the callback is consumed, so nothing of it is seen after a panic.
        catch_unwind(AssertUnwindSafe(|| callback(queue))).unwrap_or(Err(Error::Panicked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noop::NoopQueue;

    #[test]
    fn a_callback_that_panics_fails_its_command() {
        let queue = NoopQueue::default();
        let mut command = Callback::new(|_: &dyn HwQueue| std::panic::resume_unwind(Box::new("on purpose")));
        assert_eq!(queue.launch(&mut command), Err(Error::Panicked));
    }

    #[test]
    fn a_second_launch_is_refused() {
        let queue = NoopQueue::default();
        let mut command = Callback::new(|_: &dyn HwQueue| Ok(()));
        assert_eq!(queue.launch(&mut command), Ok(()));
        assert!(matches!(queue.launch(&mut command), Err(Error::NotAllowed { .. })));
    }
}
