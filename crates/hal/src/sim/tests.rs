use super::*;
use crate::conformance::{self, Subject};
use crate::{Callback, Preemption};
use std::thread;

const UNIT: Duration = Duration::from_millis(20);

struct Fixture {
    device: SimDevice,
    queue: Arc<SimQueue>,
}

impl Fixture {
    fn new(slots: usize, level: Level) -> Fixture {
        let device = SimDevice::new(NonZeroUsize::new(slots).unwrap()).unwrap();
        let queue = Arc::new(device.queue(level));
        Fixture { device, queue }
    }

    fn launch(&self, id: u64, duration: Duration) {
        self.queue.launch(&mut SimCommand { id, duration }).unwrap();
    }
}

impl Subject for Fixture {
    fn queue(&self) -> Arc<dyn HwQueue> {
        self.queue.clone()
    }

    fn command(&self, id: u64, duration: Duration) -> Box<dyn HwCommand> {
        Box::new(SimCommand { id, duration })
    }

    fn finished(&self) -> Vec<u64> {
        self.device.finished()
    }

    fn failing_command(&self) -> Option<Box<dyn HwCommand>> {
        Some(Box::new(Callback::new(|_: &dyn HwQueue| Err(Error::Vendor { call: "launch", code: -5 }))))
    }
}

#[test]
fn sim_keeps_all_rules_at_every_level() {
    for level in [Level::Block, Level::Deactivate, Level::Interrupt] {
        assert_eq!(conformance::run_all(|| Fixture::new(2, level)), Ok(()), "{level}");
    }
}

#[test]
fn an_interrupted_command_keeps_its_remaining_time() {
    let sim = Fixture::new(1, Level::Interrupt);
    let began = Instant::now();
    sim.launch(1, UNIT * 4);
    thread::sleep(UNIT * 2);
    let mut preemption = Preemption::default();
    preemption.bring(&*sim.queue, Level::Interrupt).unwrap();
    let stopped = Instant::now();
    thread::sleep(UNIT * 10);
    preemption.bring(&*sim.queue, Level::Block).unwrap();
    let continued = Instant::now();
    sim.queue.synchronize().unwrap();
    let executed = (stopped - began) + continued.elapsed();
    assert!(executed >= UNIT * 4, "{executed:?}");
    let steps: Vec<_> = sim.device.trace().iter().map(|t| t.what).collect();
    assert_eq!(steps, [What::Started, What::Interrupted, What::Continued, What::Finished]);
}

#[test]
fn a_stopped_queue_leaves_its_slot_to_others() {
    let sim = Fixture::new(1, Level::Interrupt);
    let other = sim.device.queue(Level::Block);
    sim.launch(1, UNIT * 20);
    thread::sleep(UNIT);
    let mut preemption = Preemption::default();
    preemption.bring(&*sim.queue, Level::Interrupt).unwrap();
    other.launch(&mut SimCommand { id: 2, duration: UNIT }).unwrap();
    other.synchronize().unwrap();
    assert_eq!(sim.device.finished(), [2]);
    preemption.bring(&*sim.queue, Level::Block).unwrap();
    sim.queue.synchronize().unwrap();
    assert_eq!(sim.device.finished(), [2, 1]);
}

#[test]
fn two_queues_run_at_once_on_two_slots_and_in_turn_on_one() {
    for (slots, overlap) in [(2, true), (1, false)] {
        let sim = Fixture::new(slots, Level::Block);
        let other = sim.device.queue(Level::Block);
        sim.launch(1, UNIT * 5);
        other.launch(&mut SimCommand { id: 2, duration: UNIT * 5 }).unwrap();
        other.synchronize().unwrap();
        sim.queue.synchronize().unwrap();
        let steps: Vec<_> = sim.device.trace().iter().map(|t| t.what).collect();
        assert_eq!(steps.starts_with(&[What::Started, What::Started]), overlap, "{slots} slots");
    }
}

#[test]
fn asking_for_more_than_the_level_says_what_there_is() {
    let sim = Fixture::new(1, Level::Deactivate);
    let error = Preemption::default().bring(&*sim.queue, Level::Interrupt).unwrap_err();
    assert_eq!(error.to_string(), "level interrupt was asked of a queue on sim that has level deactivate");
}

#[test]
fn a_failed_step_holds_the_steps_before_and_is_tried_again() {
    let sim = Fixture::new(1, Level::Interrupt);
    let mut preemption = Preemption::default();
    preemption.bring(&*sim.queue, Level::Deactivate).unwrap();
    sim.queue.fail_controls(1);
    assert!(preemption.bring(&*sim.queue, Level::Interrupt).is_err());
    assert_eq!(preemption.reached(), Level::Deactivate);
    sim.queue.fail_controls(1);
    assert!(preemption.bring(&*sim.queue, Level::Block).is_err());
    preemption.bring(&*sim.queue, Level::Block).unwrap();
    sim.launch(1, Duration::ZERO);
    sim.queue.synchronize().unwrap();
    assert_eq!(sim.device.finished(), [1]);
}

#[test]
fn interrupting_an_active_queue_is_refused() {
    let sim = Fixture::new(1, Level::Interrupt);
    assert!(matches!(Interrupt::interrupt(&*sim.queue), Err(Error::NotAllowed { .. })));
    sim.launch(1, Duration::ZERO);
    sim.queue.synchronize().unwrap();
}

#[test]
fn a_lost_device_fails_every_call_and_frees_every_waiter() {
    let sim = Fixture::new(1, Level::Deactivate);
    sim.launch(1, Duration::from_secs(3600));
    let mark = sim.queue.mark().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| mark.wait());
        thread::sleep(UNIT);
        sim.device.lose();
        assert_eq!(waiter.join().unwrap(), Err(Error::Lost { call: "mark" }));
    });
    assert!(sim.queue.launch(&mut SimCommand { id: 2, duration: UNIT }).is_err());
    assert!(sim.queue.synchronize().is_err());
    assert!(Deactivate::deactivate(&*sim.queue).is_err());
}

#[test]
fn dropping_the_last_handle_ends_the_threads_and_marks_left_behind() {
    let sim = Fixture::new(3, Level::Block);
    sim.launch(1, Duration::from_secs(3600));
    let mark = sim.queue.mark().unwrap();
    let began = Instant::now();
    drop(sim);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(mark.wait(), Err(Error::Lost { call: "mark" }));
}

#[test]
fn ordered_errors_come_as_often_as_ordered() {
    let sim = Fixture::new(1, Level::Block);
    sim.queue.fail_launches(2);
    let launch = |id| sim.queue.launch(&mut SimCommand { id, duration: Duration::ZERO });
    assert_eq!([launch(1).is_err(), launch(2).is_err(), launch(3).is_err()], [true, true, false]);
    sim.queue.synchronize().unwrap();
    assert_eq!(sim.device.finished(), [3]);
}
