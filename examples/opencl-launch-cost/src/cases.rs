//! What is timed: blocks of launches of an empty kernel, in several surroundings.
//!
//! A block is prepared and cleaned up outside of its time, through the same library as its launches.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};

use opencl_launch_cost::cl::{Api, Launcher, check};

/// One way of launching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// For a person.
    pub(crate) name: &'static str,
    /// What happens between two launches.
    step: Step,
    /// A user event at the head of the queue keeps the device from working meanwhile.
    is_held: bool,
    /// What the native library is compared with.
    pub(crate) other: Other,
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

/// What the native library is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// The stand-in.
    StandIn,
    /// Itself: shows what the method makes of no difference.
    Native,
    /// Itself after a pause that touches no memory: shows what the driver makes of being called a little later.
    NativeAndPause,
}

/// One side of a pair.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    /// The library.
    pub(crate) api: &'a Api,
    /// Turns of an empty loop before each launch.
    pub(crate) pause: u32,
}

/// Turns of [`Other::NativeAndPause`], about as long as what the stand-in adds.
pub(crate) const PAUSE: u32 = 40;

/// All cases.
pub(crate) const CASES: [Case; 11] = [
    Case::new("control: native, device held", Step::Launch).held().against(Other::Native),
    Case::new("control: native + pause, device held", Step::Launch).held().against(Other::NativeAndPause),
    Case::new("control: native + pause, device working", Step::Launch).against(Other::NativeAndPause),
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
        Case { name, step, is_held: false, other: Other::StandIn, is_on_first_core: false }
    }

    const fn held(self) -> Case {
        Case { is_held: true, ..self }
    }

    const fn against(self, other: Other) -> Case {
        Case { other, ..self }
    }

    const fn on_first_core(self) -> Case {
        Case { is_on_first_core: true, ..self }
    }

    /// Times `calls` steps; returns nanoseconds per step.
    pub(crate) fn time(&self, side: Side<'_>, on: &Launcher, calls: usize) -> Result<f64> {
        let Side { api, pause } = side;
        let hold = if self.is_held { Some(api.hold(on)?) } else { None };
        let mut event = std::ptr::null_mut();
        let mut failed = 0;
        let start = Instant::now();
        // One loop for each step, so that nothing but the calls is in it.
        match self.step {
            Step::Launch => (0..calls).for_each(|_| {
                (0..pause).for_each(|turn| {
                    black_box(turn);
                });
                failed |= api.launch(on);
            }),
            Step::LaunchEvent => (0..calls).for_each(|_| {
                failed |= api.launch_with_event(on, &mut event);
                failed |= api.release(&event);
            }),
            Step::LaunchFinish => (0..calls).for_each(|_| {
                failed |= api.launch(on);
                failed |= api.finish(on);
            }),
            Step::LaunchEventWait => (0..calls).for_each(|_| {
                failed |= api.launch_with_event(on, &mut event);
                failed |= api.wait(&event);
                failed |= api.release(&event);
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
