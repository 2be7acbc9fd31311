//! What the platforms of this process offer for stopping it on its devices: for the agent to tell xserver of.

use std::sync::OnceLock;
use xsched_hal::Controls;

/// Platforms that offer something: there is one such library in a process at most, for now.
static OFFERED: OnceLock<&'static dyn Controls> = OnceLock::new();

/// A platform can stop what this process has on its devices. The first one counts.
pub fn offer(controls: &'static dyn Controls) {
    let _the_first_counts = OFFERED.set(controls);
}

/// What is offered.
pub fn offered() -> Option<&'static dyn Controls> {
    OFFERED.get().copied()
}
