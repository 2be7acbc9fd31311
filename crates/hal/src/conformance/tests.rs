//! Queues with one flaw each: the rules must find it. A suite that no flaw can break proves nothing.

use super::*;
use crate::sim::{SimCommand, SimDevice, SimQueue};
use crate::{Deactivate, Error, Interrupt, Mark};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use xsched_core::{DeviceKey, Level};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    IgnoresDeactivate,
    IgnoresInterrupt,
    LosesLaunchesWhileDeactivated,
    LaunchesTwice,
    SwapsLaunches,
    MarksAreCompleteAtOnce,
    SynchronizeReturnsAtOnce,
    HidesErrors,
    ClaimsLevel3,
    InterruptsOnly,
}

struct Broken {
    sim: SimQueue,
    flaw: Flaw,
    is_stopped: Mutex<bool>,
    kept_back: Mutex<Option<u64>>,
}

struct Fixture {
    device: SimDevice,
    queue: Arc<Broken>,
}

struct Done;

struct Command(SimCommand);

struct Failing;

impl Mark for Done {
    fn is_complete(&self) -> Result<bool, Error> {
        Ok(true)
    }
}

impl HwCommand for Command {
    fn launch(&mut self, queue: &dyn HwQueue) -> Result<(), Error> {
        let broken = (queue as &dyn std::any::Any).downcast_ref::<Broken>().unwrap();
        if broken.flaw == Flaw::LosesLaunchesWhileDeactivated && *broken.is_stopped.lock().unwrap() {
            return Ok(());
        }
        if broken.flaw == Flaw::SwapsLaunches && self.0.id.is_multiple_of(10) {
            *broken.kept_back.lock().unwrap() = Some(self.0.id);
            return Ok(());
        }
        broken.sim.launch(&mut self.0)?;
        if let Some(id) = broken.kept_back.lock().unwrap().take() {
            broken.sim.launch(&mut SimCommand { id, duration: self.0.duration })?;
        }
        if broken.flaw == Flaw::LaunchesTwice { broken.sim.launch(&mut self.0) } else { Ok(()) }
    }
}

impl HwCommand for Failing {
    fn launch(&mut self, _: &dyn HwQueue) -> Result<(), Error> {
        Err(Error::Vendor { call: "launch", code: -5 })
    }
}

impl HwQueue for Broken {
    fn device(&self) -> &DeviceKey {
        self.sim.device()
    }
    fn platform(&self) -> &'static str {
        "broken"
    }
    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        let result = command.launch(self);
        if self.flaw == Flaw::HidesErrors { Ok(()) } else { result }
    }
    fn flush(&self) -> Result<(), Error> {
        self.sim.flush()
    }
    fn synchronize(&self) -> Result<(), Error> {
        if self.flaw == Flaw::SynchronizeReturnsAtOnce { Ok(()) } else { self.sim.synchronize() }
    }
    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        if self.flaw == Flaw::MarksAreCompleteAtOnce { Ok(Box::new(Done)) } else { self.sim.mark() }
    }
    fn deactivate(&self) -> Option<&dyn Deactivate> {
        (self.flaw != Flaw::InterruptsOnly).then_some(self)
    }
    fn interrupt(&self) -> Option<&dyn Interrupt> {
        (self.flaw != Flaw::ClaimsLevel3).then_some(self)
    }
    fn level(&self) -> Level {
        Level::Interrupt
    }
}

impl Deactivate for Broken {
    fn deactivate(&self) -> Result<(), Error> {
        *self.is_stopped.lock().unwrap() = true;
        if self.flaw == Flaw::IgnoresDeactivate { Ok(()) } else { Deactivate::deactivate(&self.sim) }
    }
    fn reactivate(&self) -> Result<(), Error> {
        *self.is_stopped.lock().unwrap() = false;
        self.sim.reactivate()
    }
    fn wait_stopped(&self) -> Result<(), Error> {
        self.sim.wait_stopped()
    }
}

impl Interrupt for Broken {
    fn interrupt(&self) -> Result<(), Error> {
        match self.flaw {
            Flaw::IgnoresInterrupt | Flaw::IgnoresDeactivate => Ok(()),
            _ => Interrupt::interrupt(&self.sim),
        }
    }
    fn restore(&self) -> Result<(), Error> {
        self.sim.restore()
    }
}

impl Subject for Fixture {
    fn queue(&self) -> Arc<dyn HwQueue> {
        self.queue.clone()
    }
    fn command(&self, id: u64, duration: Duration) -> Box<dyn HwCommand> {
        Box::new(Command(SimCommand { id, duration }))
    }
    fn finished(&self) -> Vec<u64> {
        self.device.finished()
    }
    fn failing_command(&self) -> Option<Box<dyn HwCommand>> {
        Some(Box::new(Failing))
    }
    fn unit(&self) -> Duration {
        Duration::from_millis(20)
    }
}

fn with(flaw: Flaw) -> Fixture {
    let device = SimDevice::new(NonZeroUsize::MIN).unwrap();
    let sim = device.queue(Level::Interrupt);
    let queue = Broken { sim, flaw, is_stopped: Mutex::new(false), kept_back: Mutex::new(None) };
    Fixture { device, queue: Arc::new(queue) }
}

#[test]
fn every_flaw_is_found_by_its_rule() {
    for (flaw, expected) in [
        (Flaw::IgnoresDeactivate, "deactivate_holds_what_has_not_started"),
        (Flaw::IgnoresDeactivate, "launches_on_a_deactivated_queue_wait_in_line"),
        (Flaw::IgnoresInterrupt, "interrupt_stops_the_running_command"),
        (Flaw::LosesLaunchesWhileDeactivated, "launches_on_a_deactivated_queue_wait_in_line"),
        (Flaw::LosesLaunchesWhileDeactivated, "controls_are_idempotent"),
        (Flaw::LosesLaunchesWhileDeactivated, "many_preemptions_lose_nothing"),
        (Flaw::LaunchesTwice, "order_is_kept"),
        (Flaw::LaunchesTwice, "flush_is_enough_to_run"),
        (Flaw::SwapsLaunches, "order_is_kept"),
        (Flaw::SwapsLaunches, "calls_from_several_threads_keep_each_ones_order"),
        (Flaw::MarksAreCompleteAtOnce, "mark_completes_after_everything_before"),
        (Flaw::SynchronizeReturnsAtOnce, "order_is_kept"),
        (Flaw::SynchronizeReturnsAtOnce, "controls_return_while_a_thread_synchronizes"),
        (Flaw::HidesErrors, "launch_error_is_reported_and_leaves_the_queue_usable"),
        (Flaw::ClaimsLevel3, "level_agrees_with_capabilities"),
        (Flaw::InterruptsOnly, "level_agrees_with_capabilities"),
    ] {
        let rule = RULES.iter().find(|rule| rule.name == expected).unwrap();
        // On a machine that is slow enough, the device is done before a flaw can show.
        assert!((0..50).any(|_| run(*rule, with(flaw)).is_err()), "{expected} does not find {flaw:?}");
        assert_eq!(run(*rule, with(Flaw::None)), Ok(()));
    }
}

#[test]
fn a_rule_that_panics_is_broken() {
    let rule = Rule { name: "panics", check: |_| std::panic::resume_unwind(Box::new("on purpose")) };
    let violation = run(rule, with(Flaw::None)).unwrap_err();
    assert_eq!(violation.to_string(), "panics: panicked");
}
