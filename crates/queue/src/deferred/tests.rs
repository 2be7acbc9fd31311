use super::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xsched_hal::noop::NoopQueue;
use xsched_hal::sim::{SimCommand, SimDevice, SimQueue, What};
use xsched_hal::{Callback, Mark};

const UNIT: Duration = Duration::from_millis(20);
const APPLICATION: Holders = Holders::APPLICATION;

struct Fixture {
    device: SimDevice,
    sim: Arc<SimQueue>,
    deferred: Deferred,
}

fn on_sim(level: Level) -> Fixture {
    let device = SimDevice::new(NonZeroUsize::MIN).unwrap();
    let sim = Arc::new(device.queue(level));
    let deferred = Deferred::new(sim.clone(), level).unwrap();
    Fixture { device, sim, deferred }
}

impl Fixture {
    fn submit(&self, id: u64, duration: Duration) -> Ticket {
        self.deferred.submit(Box::new(SimCommand { id, duration }))
    }

    fn wait_for_start(&self, command: u64) {
        while !self.device.trace().iter().any(|t| t.command == command && t.what == What::Started) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn callback(f: impl FnOnce() + Send + 'static) -> Box<dyn HwCommand> {
    Box::new(Callback::new(|_: &dyn HwQueue| {
        f();
        Ok(())
    }))
}

#[test]
fn commands_run_in_order_and_the_queue_is_idle_afterwards() {
    let f = on_sim(Level::Block);
    assert_eq!(f.deferred.query(), Readiness::Idle);
    let tickets: Vec<_> = (0..100).map(|id| f.submit(id, Duration::ZERO)).collect();
    f.deferred.wait(&tickets[99]).unwrap();
    assert!(f.device.finished().into_iter().eq(0..100));
    f.deferred.wait(&tickets[0]).unwrap();
    assert_eq!(f.deferred.query(), Readiness::Idle);
    assert_eq!(f.deferred.counts(), (0, 0));
    assert!(!f.deferred.has_unlaunched());
}

#[test]
fn a_queue_that_nobody_waits_for_becomes_idle_by_itself() {
    let f = on_sim(Level::Block);
    f.submit(1, UNIT);
    assert_eq!(f.deferred.query(), Readiness::Ready);
    while f.deferred.query() == Readiness::Ready {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(f.device.finished(), [1]);
}

#[test]
fn in_flight_commands_stay_below_the_threshold() {
    let f = on_sim(Level::Block);
    f.deferred.set_launch_config(LaunchConfig { threshold: 4, batch: 2 }).unwrap();
    let most = Arc::new(AtomicU64::new(0));
    for id in 0..40 {
        let (device, most) = (f.device.clone(), most.clone());
        f.deferred.submit(Box::new(Callback::new(move |queue: &dyn HwQueue| {
            let before = device.finished().len() as u64;
            most.fetch_max(id + 1 - before, Ordering::SeqCst);
            queue.launch(&mut SimCommand { id, duration: UNIT / 20 })
        })));
    }
    f.deferred.wait_all().unwrap();
    assert!(f.device.finished().into_iter().eq(0..40));
    assert!(most.load(Ordering::SeqCst) <= 4, "{most:?} in flight");
}

#[test]
fn a_launch_config_out_of_range_is_refused() {
    let f = on_sim(Level::Block);
    for (threshold, batch) in [(0, 0), (4, 0), (4, 5)] {
        assert!(f.deferred.set_launch_config(LaunchConfig { threshold, batch }).is_err());
    }
}

#[test]
fn suspended_at_every_level_nothing_starts_and_all_runs_after_resume() {
    for level in [Level::Block, Level::Deactivate, Level::Interrupt] {
        let f = on_sim(level);
        (0..40).for_each(|id| drop(f.submit(id, UNIT / 10)));
        f.wait_for_start(0);
        for _ in 0..2 {
            f.deferred.suspend(APPLICATION, When::Now, Until::Quiet).unwrap();
        }
        let stopped_at = f.device.trace();
        f.submit(40, Duration::ZERO);
        std::thread::sleep(UNIT * 3);
        assert_eq!(f.device.trace(), stopped_at, "{level}");
        assert!(f.deferred.has_unlaunched());
        for _ in 0..2 {
            f.deferred.resume(APPLICATION).unwrap();
        }
        f.deferred.wait_all().unwrap();
        assert!(f.device.finished().into_iter().eq(0..41), "{level}");
    }
}

#[test]
fn quiet_at_level_3_does_not_wait_for_the_running_command() {
    let f = on_sim(Level::Interrupt);
    let long = f.submit(1, UNIT * 50);
    f.wait_for_start(1);
    f.deferred.suspend(APPLICATION, When::Now, Until::Quiet).unwrap();
    assert_eq!(f.device.trace().last().unwrap().what, What::Interrupted);
    f.deferred.resume(APPLICATION).unwrap();
    f.deferred.wait(&long).unwrap();
}

#[test]
fn the_queue_goes_on_when_the_last_holder_lets_go() {
    let f = on_sim(Level::Deactivate);
    for holder in [Holders::APPLICATION, Holders::LOCAL, Holders::SERVER] {
        f.deferred.suspend(holder, When::Now, Until::Held).unwrap();
    }
    let ticket = f.submit(1, Duration::ZERO);
    f.deferred.resume(Holders::LOCAL).unwrap();
    f.deferred.resume(Holders::APPLICATION).unwrap();
    std::thread::sleep(UNIT);
    assert!(f.device.trace().is_empty());
    f.deferred.resume(Holders::SERVER).unwrap();
    f.deferred.wait(&ticket).unwrap();
}

#[test]
fn a_suspension_for_later_begins_after_what_was_submitted() {
    for when in [When::Done, When::Idle] {
        let f = on_sim(Level::Block);
        (0..20).for_each(|id| drop(f.submit(id, UNIT / 10)));
        for _ in 0..2 {
            f.deferred.suspend(APPLICATION, when, Until::Held).unwrap();
            f.submit(20, Duration::ZERO);
            std::thread::sleep(UNIT);
            assert!(f.device.finished().into_iter().eq(0..20), "{when:?}");
        }
    }
}

#[test]
fn level_can_change_while_suspended() {
    let f = on_sim(Level::Interrupt);
    f.deferred.set_level(Level::Block).unwrap();
    f.submit(1, UNIT * 5);
    f.wait_for_start(1);
    f.deferred.suspend(APPLICATION, When::Now, Until::Held).unwrap();
    assert_eq!(f.device.trace().len(), 1);
    f.deferred.set_level(Level::Interrupt).unwrap();
    assert_eq!(f.device.trace().last().unwrap().what, What::Interrupted);
    f.deferred.set_level(Level::Block).unwrap();
    f.deferred.suspend(APPLICATION, When::Now, Until::Quiet).unwrap();
    assert_eq!(f.device.finished(), [1]);
}

#[test]
fn a_level_above_the_queues_is_refused() {
    let device = SimDevice::new(NonZeroUsize::MIN).unwrap();
    let sim = Arc::new(device.queue(Level::Deactivate));
    assert!(matches!(Deferred::new(sim.clone(), Level::Interrupt), Err(Error::Level { .. })));
    let deferred = Deferred::new(sim, Level::Block).unwrap();
    assert!(deferred.set_level(Level::Interrupt).is_err());
    deferred.set_level(Level::Deactivate).unwrap();
}

#[test]
fn a_failing_launch_is_reported_to_its_waiter_and_the_rest_runs() {
    let f = on_sim(Level::Block);
    f.sim.fail_launches(2);
    let tickets: Vec<_> = (0..4).map(|id| f.submit(id, Duration::ZERO)).collect();
    let results: Vec<_> = tickets.iter().map(|ticket| f.deferred.wait(ticket).is_ok()).collect();
    assert_eq!(results, [false, false, true, true]);
    assert!(f.deferred.wait_all().is_err());
    assert!(f.deferred.wait_all().is_ok(), "an error is told once");
    assert!(f.deferred.wait(&tickets[0]).is_err(), "but a ticket keeps its own");
    assert_eq!(f.device.finished(), [2, 3]);
}

#[test]
fn a_dead_device_fails_everything_and_hangs_nobody() {
    let f = on_sim(Level::Interrupt);
    let running = f.submit(1, Duration::from_secs(3600));
    f.wait_for_start(1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| f.deferred.wait(&running));
        std::thread::sleep(UNIT);
        f.device.lose();
        assert!(matches!(waiter.join().unwrap(), Err(Error::Lost { .. })));
    });
    let later: Vec<_> = (2..50).map(|id| f.submit(id, Duration::ZERO)).collect();
    assert!(later.iter().all(|ticket| f.deferred.wait(ticket).is_err()));
    assert!(f.deferred.suspend(APPLICATION, When::Now, Until::Quiet).is_err());
    assert_eq!(f.deferred.query(), Readiness::Idle);
}

#[test]
fn a_device_queue_that_does_not_start_again_hangs_nobody_at_the_end() {
    let f = on_sim(Level::Deactivate);
    f.deferred.suspend(APPLICATION, When::Now, Until::Held).unwrap();
    f.submit(1, Duration::ZERO);
    f.sim.fail_controls(100);
    assert!(f.deferred.resume(APPLICATION).is_err());
    drop(f.deferred);
    f.device.lose();
}

#[test]
fn a_failed_start_is_tried_again_by_the_next_resume() {
    let f = on_sim(Level::Deactivate);
    f.deferred.suspend(APPLICATION, When::Now, Until::Held).unwrap();
    let ticket = f.submit(1, Duration::ZERO);
    f.sim.fail_controls(1);
    assert!(f.deferred.resume(APPLICATION).is_err());
    f.deferred.resume(APPLICATION).unwrap();
    f.deferred.wait(&ticket).unwrap();
}

#[test]
fn dropping_a_suspended_queue_runs_everything() {
    for level in [Level::Block, Level::Deactivate, Level::Interrupt] {
        let f = on_sim(level);
        (0..40).for_each(|id| drop(f.submit(id, UNIT / 20)));
        f.deferred.suspend(Holders::SERVER, When::Now, Until::Asked).unwrap();
        drop(f.deferred);
        assert!(f.device.finished().into_iter().eq(0..40), "{level}");
    }
}

#[test]
fn discarded_commands_are_reported_and_never_run() {
    let f = on_sim(Level::Block);
    f.submit(1, Duration::ZERO);
    f.deferred.wait_all().unwrap();
    f.deferred.suspend(APPLICATION, When::Now, Until::Held).unwrap();
    let discarded = f.submit(2, Duration::ZERO);
    f.deferred.discard();
    assert_eq!(f.deferred.wait(&discarded), Err(Error::Discarded));
    assert!(!f.deferred.has_unlaunched());
    f.deferred.wait_all().unwrap();
    f.deferred.resume(APPLICATION).unwrap();
    f.submit(3, Duration::ZERO);
    f.deferred.wait_all().unwrap();
    assert_eq!(f.device.finished(), [1, 3]);
}

#[test]
fn a_direct_launch_comes_behind_what_was_submitted() {
    let f = on_sim(Level::Block);
    (0..30).for_each(|id| drop(f.submit(id, Duration::ZERO)));
    f.deferred.wait_launched();
    f.sim.launch(&mut SimCommand { id: 30, duration: Duration::ZERO }).unwrap();
    f.sim.synchronize().unwrap();
    assert!(f.device.finished().into_iter().eq(0..31));
}

#[test]
fn a_callback_may_submit_and_suspend_but_not_wait() {
    let deferred = Arc::new(Deferred::new(Arc::new(NoopQueue::default()), Level::Block).unwrap());
    let (its, seen) = (deferred.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let results = seen.clone();
    let ticket = deferred.submit(callback(move || {
        its.wait_launched();
        let inner = its.submit(callback(|| ()));
        results.lock().unwrap().push(its.wait(&inner).is_err());
        results.lock().unwrap().push(its.wait_all().is_err());
        results.lock().unwrap().push(its.suspend(APPLICATION, When::Done, Until::Held).is_err());
        results.lock().unwrap().push(its.suspend(APPLICATION, When::Now, Until::Quiet).is_ok());
        results.lock().unwrap().push(its.resume(APPLICATION).is_ok());
    }));
    deferred.wait(&ticket).unwrap();
    deferred.wait_all().unwrap();
    assert_eq!(*seen.lock().unwrap(), [true; 5]);
}

#[test]
fn a_panicking_callback_fails_its_command_only() {
    let deferred = Deferred::new(Arc::new(NoopQueue::default()), Level::Block).unwrap();
    let bad = deferred.submit(callback(|| std::panic::resume_unwind(Box::new("on purpose"))));
    let good = deferred.submit(callback(|| ()));
    assert_eq!(deferred.wait(&bad), Err(Error::Panicked));
    assert_eq!(deferred.wait(&good), Ok(()));
}

#[test]
fn a_suspension_from_outside_returns_while_the_worker_is_inside_a_launch() {
    let deferred = Deferred::new(Arc::new(NoopQueue::default()), Level::Block).unwrap();
    let (enter, entered) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    deferred.submit(callback(move || {
        enter.send(()).unwrap();
        left.recv().unwrap();
    }));
    entered.recv().unwrap();
    deferred.suspend(Holders::SERVER, When::Now, Until::Asked).unwrap();
    leave.send(()).unwrap();
    deferred.suspend(Holders::SERVER, When::Now, Until::Held).unwrap();
}

#[test]
fn many_threads_submit_wait_suspend_and_resume_without_loss() {
    let f = on_sim(Level::Interrupt);
    // Miri is slow, and needs no luck to see an error.
    let (count, rounds) = if cfg!(miri) { (10, 4) } else { (200, 100) };
    std::thread::scope(|scope| {
        for first in [0, 1000, 2000] {
            let f = &f;
            scope.spawn(move || {
                for id in first..first + count {
                    let ticket = f.submit(id, Duration::ZERO);
                    if id % 7 == 0 {
                        f.deferred.wait(&ticket).unwrap();
                    }
                }
            });
        }
        for holder in [Holders::LOCAL, Holders::SERVER] {
            let f = &f;
            scope.spawn(move || {
                for until in [Until::Asked, Until::Held, Until::Quiet].iter().cycle().take(rounds) {
                    f.deferred.suspend(holder, When::Now, *until).unwrap();
                    f.deferred.query();
                    f.deferred.resume(holder).unwrap();
                }
            });
        }
    });
    f.deferred.wait_all().unwrap();
    let finished = f.device.finished();
    assert_eq!(finished.len() as u64, 3 * count);
    for first in [0, 1000, 2000] {
        assert!(finished.iter().copied().filter(|id| id / 1000 == first / 1000).eq(first..first + count));
    }
}

#[test]
fn a_queue_whose_marks_fail_completes_its_commands_with_that_error() {
    struct NoMarks(NoopQueue);
    impl HwQueue for NoMarks {
        fn device(&self) -> &xsched_core::DeviceKey {
            self.0.device()
        }
        fn platform(&self) -> &'static str {
            "no marks"
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
            Err(Error::Vendor { call: "mark", code: -5 })
        }
    }
    let deferred = Deferred::new(Arc::new(NoMarks(NoopQueue::default())), Level::Block).unwrap();
    let ticket = deferred.submit(callback(|| ()));
    assert_eq!(deferred.wait(&ticket), Err(Error::Vendor { call: "mark", code: -5 }));
}

/// A way that is open as long as its word says so, and ends when that is gone.
struct Word(Arc<AtomicU64>);

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const GONE: u64 = 2;

impl Way for Word {
    fn is_open(&self) -> bool {
        self.0.load(Ordering::SeqCst) != CLOSED
    }
    fn pass(&self, launch: &mut dyn FnMut(Result<(), Error>)) -> bool {
        while !self.is_open() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let is_there = self.0.load(Ordering::SeqCst) != GONE;
        if is_there {
            launch(Ok(()));
        }
        is_there
    }
}

fn on_a_way(word: u64) -> (Arc<AtomicU64>, Deferred) {
    let word = Arc::new(AtomicU64::new(word));
    let way: Box<dyn Way> = Box::new(Word(word.clone()));
    (word, Deferred::with_way(Arc::new(NoopQueue::default()), Level::Block, Some(way)).unwrap())
}

#[test]
fn at_a_closed_way_nothing_is_claimed_and_what_was_launched_before_can_be_waited_for() {
    let (word, deferred) = on_a_way(OPEN);
    deferred.set_launch_config(LaunchConfig { threshold: 16, batch: 16 }).unwrap();
    let closes = word.clone();
    let first = deferred.submit(callback(move || closes.store(CLOSED, Ordering::SeqCst)));
    let second = deferred.submit(callback(|| ()));
    deferred.wait(&first).unwrap();
    assert_eq!(deferred.counts().0, 1);
    // The worker is on its way with the second one, and still nothing is in the middle of a launch.
    deferred.suspend(APPLICATION, When::Now, Until::Quiet).unwrap();
    deferred.discard();
    assert_eq!(deferred.wait(&second), Err(Error::Discarded));
    let third = deferred.submit(callback(|| ()));
    word.store(OPEN, Ordering::SeqCst);
    std::thread::sleep(UNIT);
    assert_eq!(deferred.counts().0, 1, "held by the application");
    deferred.resume(APPLICATION).unwrap();
    deferred.wait(&third).unwrap();
}

#[test]
fn a_way_that_ends_drops_what_is_left_and_nobody_waits_any_more() {
    let (word, deferred) = on_a_way(CLOSED);
    let ticket = deferred.submit(callback(|| panic!("launched")));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| deferred.wait(&ticket));
        std::thread::sleep(UNIT);
        word.store(GONE, Ordering::SeqCst);
        assert_eq!(waiting.join().unwrap(), Err(Error::Discarded));
    });
    assert_eq!(deferred.wait(&deferred.submit(callback(|| ()))), Err(Error::Discarded));
    assert!(!deferred.has_unlaunched());
}

#[test]
fn an_abandoned_queue_drops_what_it_has_and_takes_no_more() {
    let f = on_sim(Level::Block);
    let long = f.submit(1, UNIT * 10);
    f.wait_for_start(1);
    f.deferred.suspend(APPLICATION, When::Now, Until::Held).unwrap();
    let pending = f.submit(2, Duration::ZERO);
    f.deferred.abandon();
    assert!(matches!(f.deferred.wait(&long), Err(Error::Lost { .. })));
    assert_eq!(f.deferred.wait(&pending), Err(Error::Discarded));
    assert_eq!(f.deferred.wait(&f.submit(3, Duration::ZERO)), Err(Error::Discarded));
    f.deferred.end();
    f.deferred.end();
}
