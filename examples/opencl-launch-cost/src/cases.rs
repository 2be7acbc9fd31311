//! What is timed: blocks of launches of an empty kernel, in several surroundings.
//!
//! A block is prepared and cleaned up outside of its time, through the same library as its launches.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::cl::{Api, Launcher, check};

/// One way of launching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// For a person.
    pub(crate) name: &'static str,
    /// What happens between two launches.
    step: Step,
    /// A user event at the head of the queue keeps the device from working meanwhile.
    is_held: bool,
    /// Both sides of the pair are the native library: shows what the method itself makes of no difference.
    pub(crate) is_control: bool,
    /// Where this thread runs: on the first core, where a CPU device's worker is if the driver pins its workers, or on the last one.
    pub(crate) is_on_first_core: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Launch,
    LaunchEvent,
    LaunchFinish,
    LaunchEventWait,
}

/// All cases.
pub(crate) const CASES: [Case; 9] = [
    Case::new("native against native (control)", Step::Launch).held().control(),
    Case::new("launch, device held", Step::Launch).held(),
    Case::new("launch + event, device held", Step::LaunchEvent).held(),
    Case::new("launch, device working", Step::Launch),
    Case::new("launch + event, device working", Step::LaunchEvent),
    Case::new("launch + clFinish", Step::LaunchFinish),
    Case::new("launch + event + clWaitForEvents", Step::LaunchEventWait),
    Case::new("launch + clFinish, one core", Step::LaunchFinish).on_first_core(),
    Case::new("launch + event + clWaitForEvents, one core", Step::LaunchEventWait).on_first_core(),
];

impl Case {
    const fn new(name: &'static str, step: Step) -> Case {
        Case { name, step, is_held: false, is_control: false, is_on_first_core: false }
    }

    const fn held(self) -> Case {
        Case { is_held: true, ..self }
    }

    const fn control(self) -> Case {
        Case { is_control: true, ..self }
    }

    const fn on_first_core(self) -> Case {
        Case { is_on_first_core: true, ..self }
    }

    /// Times `calls` steps; returns nanoseconds per step.
    pub(crate) fn time(&self, api: &Api, on: &Launcher, calls: usize) -> Result<f64> {
        let hold = if self.is_held { Some(api.hold(on)?) } else { None };
        let mut event = std::ptr::null_mut();
        let mut failed = 0;
        let start = Instant::now();
        // One loop for each step, so that nothing but the calls is in it.
        match self.step {
            Step::Launch => (0..calls).for_each(|_| failed |= api.launch(on)),
            Step::LaunchEvent => (0..calls).for_each(|_| {
                failed |= api.launch_with_event(on, &mut event);
                failed |= api.release(event);
            }),
            Step::LaunchFinish => (0..calls).for_each(|_| {
                failed |= api.launch(on);
                failed |= api.finish(on);
            }),
            Step::LaunchEventWait => (0..calls).for_each(|_| {
                failed |= api.launch_with_event(on, &mut event);
                failed |= api.wait(&event);
                failed |= api.release(event);
            }),
        }
        let nanos = start.elapsed().as_nanos() as f64;
        if let Some(hold) = hold {
            api.let_go(hold)?;
        }
        check("clFinish", api.finish(on))?;
        ensure!(failed == 0, "a call of \"{}\" failed", self.name);
        Ok(nanos / calls as f64)
    }
}
