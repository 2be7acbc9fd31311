//! The rules of a launch, each with a native queue that does what the test says.

use super::*;
use crate::config;
use std::sync::mpsc::channel;
use std::time::Instant;
use xsched_core::{DeviceKey, Limits};
use xsched_hal::{Error, HwCommand, Mark};
use xsched_ipc::guest::SharedPage;
use xsched_queue::gate::{Holder, Verdict};

/// Far longer than anything here takes, and far shorter than a test may hang.
const PATIENCE: Duration = Duration::from_secs(10);
const A_MOMENT: Duration = Duration::from_millis(50);
const SUSPEND: Verdict = Verdict { suspended: true, awaited: false, windowed: false, deep: false };
const WINDOW: Verdict = Verdict { suspended: false, awaited: false, windowed: true, deep: false };

/// A native queue whose commands are done as far as the test says.
#[derive(Debug)]
struct Native {
    key: DeviceKey,
    marks: AtomicU64,
    flushes: AtomicU64,
    /// Marks with a number up to this are complete.
    done: Arc<AtomicU64>,
    /// A mark is not made before this is open.
    door: Mutex<()>,
}

struct Number(u64, Arc<AtomicU64>);

impl Mark for Number {
    fn is_complete(&self) -> Result<bool, Error> {
        Ok(self.1.load(Ordering::SeqCst) >= self.0)
    }
}

impl HwQueue for Native {
    fn device(&self) -> &DeviceKey {
        &self.key
    }
    fn platform(&self) -> &'static str {
        "test"
    }
    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        command.launch(self)
    }
    fn flush(&self) -> Result<(), Error> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn synchronize(&self) -> Result<(), Error> {
        Ok(())
    }
    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        let _open = self.door.lock();
        Ok(Box::new(Number(self.marks.fetch_add(1, Ordering::SeqCst) + 1, Arc::clone(&self.done))))
    }
}

fn guest() -> &'static Guest {
    Box::leak(Box::new(Guest::new(SharedPage::create().unwrap(), config::config())))
}

fn queue(guest: &'static Guest) -> (&'static Queue, Arc<Native>) {
    let native = Arc::new(Native {
        key: DeviceKey::cpu(0),
        marks: AtomicU64::new(0),
        flushes: AtomicU64::new(0),
        done: Arc::default(),
        door: Mutex::default(),
    });
    (guest.adopt(native.clone(), true).unwrap(), native)
}

fn decree(guest: &Guest, verdict: Verdict) {
    guest.page().gate(0).unwrap().decree(guest.epoch(), verdict).unwrap();
}

fn launch(queue: &'static Queue) {
    assert!(queue.launch(|| ()).is_ok());
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never comes that {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A thread that launches; it says so when it is through.
fn launcher(queue: &'static Queue) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || launch(queue))
}

#[test]
fn a_suspended_queue_does_not_launch_until_it_is_resumed_and_then_does() {
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, SUSPEND);
    let thread = launcher(queue);
    eventually("it is about to launch", || queue.snapshot().inside() == 1);
    std::thread::sleep(A_MOMENT);
    assert_eq!(queue.snapshot().launched(), 0);
    decree(guest, Verdict::default());
    eventually("it launches", || queue.snapshot().launched() == 1);
    thread.join().unwrap();
}

/// The kinds of what the guest has told since the last time.
fn told(guest: &Guest) -> Vec<EdgeKind> {
    let mut kinds = Vec::new();
    let _ = guest.page().ring.drain(|word| kinds.extend(Edge::from_word(word).map(|edge| edge.kind)));
    kinds
}

/// Closes the gate for good: no server is there that could be missed.
fn hold(guest: &Guest) {
    guest.page().gate(0).unwrap().hold(Holder::Application);
    decree(guest, Verdict { suspended: false, awaited: true, windowed: true, deep: false });
}

#[test]
fn held_back_and_awaited_then_the_thread_at_the_gate_says_when_all_that_was_launched_is_done() {
    let guest = guest();
    let (queue, native) = queue(guest);
    launch(queue);
    hold(guest);
    let thread = launcher(queue);
    eventually("it puts a mark behind the last command", || native.marks.load(Ordering::SeqCst) == 1);
    std::thread::sleep(A_MOMENT);
    assert!(!told(guest).contains(&EdgeKind::Done), "its command is not done");
    native.done.store(1, Ordering::SeqCst);
    eventually("it says so", || told(guest).contains(&EdgeKind::Done));
    assert_eq!((queue.slot.completed.load(Ordering::SeqCst), queue.snapshot().launched()), (1, 1));
    // The server may have missed it, or may want to know anew.
    eventually("it says so again", || told(guest).contains(&EdgeKind::Done));
    guest.page().gate(0).unwrap().let_go(Holder::Application);
    thread.join().unwrap();
}

#[test]
fn thread_in_a_vendors_call_then_nobody_says_that_all_is_done() {
    let guest = guest();
    let (queue, native) = queue(guest);
    let (enter, entered) = channel();
    let (leave, left) = channel::<()>();
    let inside = std::thread::spawn(move || {
        let call = || (enter.send(()).unwrap(), left.recv().unwrap());
        assert!(queue.launch(call).is_ok());
    });
    entered.recv().unwrap();
    native.done.store(u64::MAX, Ordering::SeqCst);
    hold(guest);
    let waiting = launcher(queue);
    eventually("it waits", || queue.snapshot().inside() == 2);
    std::thread::sleep(A_MOMENT);
    assert!(!told(guest).contains(&EdgeKind::Done));
    leave.send(()).unwrap();
    eventually("it says so", || told(guest).contains(&EdgeKind::Done));
    guest.page().gate(0).unwrap().let_go(Holder::Application);
    inside.join().unwrap();
    waiting.join().unwrap();
}

/// Held back, and what is launched can be taken off the device at any moment.
const FILL: Verdict = Verdict { suspended: true, awaited: false, windowed: true, deep: true };

#[test]
fn held_back_and_to_be_filled_then_launches_pass_until_the_window_is_full_and_the_rest_when_it_opens() {
    let guest = guest();
    let (queue, native) = queue(guest);
    decree(guest, FILL);
    // Two, as long as it is not known how long one is.
    (0..2).for_each(|_| launch(queue));
    assert_eq!((queue.snapshot().launched(), native.marks.load(Ordering::SeqCst)), (2, 2));
    let thread = launcher(queue);
    eventually("the third waits", || queue.snapshot().inside() == 1);
    std::thread::sleep(A_MOMENT);
    assert_eq!(queue.snapshot().launched(), 2, "and goes on waiting, however long nothing completes");
    native.done.store(1, Ordering::SeqCst);
    eventually("it passes when there is room", || queue.snapshot().launched() == 3);
    thread.join().unwrap();
    let thread = launcher(queue);
    std::thread::sleep(A_MOMENT);
    assert_eq!(queue.snapshot().launched(), 3);
    decree(guest, Verdict { suspended: false, ..FILL });
    native.done.store(u64::MAX, Ordering::SeqCst);
    eventually("it passes when the gate opens", || queue.snapshot().launched() == 4);
    thread.join().unwrap();
}

#[test]
fn at_the_closed_gate_then_a_launch_passes_when_the_queue_may_be_filled_and_not_if_the_program_holds_it_too()
{
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, Verdict { deep: false, ..FILL });
    let thread = launcher(queue);
    eventually("it waits", || queue.snapshot().inside() == 1);
    std::thread::sleep(A_MOMENT);
    assert_eq!(queue.snapshot().launched(), 0);
    guest.page().gate(0).unwrap().hold(Holder::Application);
    decree(guest, FILL);
    std::thread::sleep(A_MOMENT);
    assert_eq!(queue.snapshot().launched(), 0, "the program itself holds it");
    guest.page().gate(0).unwrap().let_go(Holder::Application);
    eventually("it passes", || queue.snapshot().launched() == 1);
    thread.join().unwrap();
}

#[test]
fn an_idle_queue_of_a_suspended_process_does_not_launch_either() {
    let guest = guest();
    let (busy, _) = queue(guest);
    launch(busy);
    decree(guest, SUSPEND);
    let (idle, _) = queue(guest);
    let thread = launcher(idle);
    std::thread::sleep(A_MOMENT);
    assert_eq!(idle.snapshot().launched(), 0);
    guest.open_for_good();
    thread.join().unwrap();
}

#[test]
fn in_a_callback_of_the_vendors_a_launch_is_counted_and_never_waits() {
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, Verdict { suspended: true, awaited: false, windowed: true, deep: false });
    // A holder inside the process: no missing server opens this gate.
    guest.page().gate(0).unwrap().hold(Holder::Application);
    let thread = std::thread::spawn(move || thread::in_callback(|| launch(queue)));
    eventually("it is through", || thread.is_finished());
    assert_eq!((queue.snapshot().launched(), queue.snapshot().is_ready()), (1, true));
}

#[test]
fn in_a_call_that_the_vendors_library_makes_a_launch_is_counted_and_never_waits() {
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, SUSPEND);
    guest.page().gate(0).unwrap().hold(Holder::Application);
    let thread = std::thread::spawn(move || thread::nested(|| launch(queue)));
    eventually("it is through", || thread.is_finished());
    assert_eq!(queue.snapshot().launched(), 1);
}

#[test]
fn before_a_thread_waits_at_the_gate_what_its_process_launched_is_flushed() {
    let guest = guest();
    let (busy, native) = queue(guest);
    let (_, untouched) = queue(guest);
    launch(busy);
    decree(guest, SUSPEND);
    let (other, _) = queue(guest);
    let thread = launcher(other);
    eventually("the busy one is flushed", || native.flushes.load(Ordering::SeqCst) > 0);
    assert_eq!(untouched.flushes.load(Ordering::SeqCst), 0, "nothing was launched there");
    guest.open_for_good();
    thread.join().unwrap();
}

#[test]
fn nobody_about_then_no_launch_waits_for_another_and_no_mark_is_made() {
    let guest = guest();
    let (queue, native) = queue(guest);
    (0..1000).for_each(|_| launch(queue));
    assert_eq!((queue.snapshot().launched(), native.marks.load(Ordering::SeqCst)), (1000, 0));
}

#[test]
fn somebody_more_urgent_about_then_few_launches_are_in_flight_and_more_follow_what_completes() {
    let guest = guest();
    let (queue, native) = queue(guest);
    decree(guest, WINDOW);
    let (say, hear) = channel();
    let thread = std::thread::spawn(move || {
        (0..8).for_each(|n| {
            launch(queue);
            let _ = say.send(n);
        })
    });
    // Patience is 25 ms while nothing is learnt: what is done meanwhile decides.
    let mut passed = 0;
    while passed < 8 {
        if hear.recv_timeout(PATIENCE).is_ok() {
            passed += 1;
            native.done.store(native.marks.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }
    // On a slow machine that patience is over before much is done, and what follows is not marked.
    assert!(native.marks.load(Ordering::SeqCst) >= 1, "progress is marked");
    thread.join().unwrap();
}

#[test]
fn a_threshold_given_from_outside_holds_instead_of_the_own_one_until_it_is_taken_back() {
    let guest = guest();
    assert_eq!((guest.threshold(), guest.highest_level()), (None, Level::Interrupt));
    let (queue, _native) = queue(guest);
    assert_eq!(queue.settings(queue.gate_state(), &Window::default()).threshold, None);
    guest.set_limits(Limits { level: None, threshold: Some(1) });
    assert_eq!(queue.settings(queue.gate_state(), &Window::default()).threshold, Some(1));
    guest.set_limits(Limits::default());
    assert_eq!(queue.settings(queue.gate_state(), &Window::default()).threshold, None);
}

#[test]
fn a_level_given_from_outside_holds_for_queues_that_are_there_and_those_to_come() {
    let guest = guest();
    let (first, _native) = queue(guest);
    let level = |queue: &Queue| queue.slot.tag().unwrap().level;
    // The native queue has no more than that.
    assert_eq!(level(first), Level::Block);
    first.native_level.store(Level::Interrupt.number(), Ordering::SeqCst);
    guest.set_limits(Limits { level: Some(Level::Deactivate), threshold: None });
    assert_eq!(level(first), Level::Deactivate);
    guest.set_limits(Limits::default());
    assert_eq!(level(first), Level::Interrupt);
    guest.set_limits(Limits { level: Some(Level::Block), threshold: None });
    let (second, _native) = queue(guest);
    assert_eq!([level(first), level(second)], [Level::Block; 2]);
}

#[test]
fn nothing_completes_then_a_thousand_launches_pass_although_somebody_may_come() {
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, WINDOW);
    let start = Instant::now();
    (0..1000).for_each(|_| launch(queue));
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(queue.snapshot().launched(), 1000);
}

#[test]
fn the_agent_can_open_the_gates_while_a_thread_of_ours_hangs_in_the_vendors_library() {
    let guest = guest();
    let (first, native) = queue(guest);
    let (second, _) = queue(guest);
    decree(guest, WINDOW);
    // This one hangs where the vendor makes our mark, with the queue's lock.
    let shut = native.door.lock().unwrap();
    let hung = launcher(first);
    eventually("it hangs", || first.snapshot().launched() == 1);
    decree(guest, SUSPEND);
    let waiting = launcher(second);
    eventually("another waits", || second.snapshot().inside() == 1);
    // All that the agent does when the server is gone.
    let agent = std::thread::spawn(move || {
        guest.set_link(None);
        guest.part(guest.epoch());
    });
    eventually("the other goes on", || second.snapshot().launched() == 1);
    eventually("the agent is done", || agent.is_finished());
    drop(shut);
    hung.join().unwrap();
    waiting.join().unwrap();
}

#[test]
fn without_anybody_who_waits_there_is_no_watcher() {
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, WINDOW);
    (0..3).for_each(|_| launch(queue));
    assert!(!guest.watcher.is_present());
    decree(guest, Verdict { suspended: false, awaited: true, windowed: false, deep: false });
    launch(queue);
    assert!(guest.watcher.is_present());
    guest.open_for_good();
}

#[test]
fn the_watcher_finds_out_that_a_queue_is_idle_whose_program_does_not_wait() {
    let guest = guest();
    let (queue, native) = queue(guest);
    decree(guest, Verdict { suspended: false, awaited: true, windowed: false, deep: false });
    launch(queue);
    std::thread::sleep(A_MOMENT);
    assert!(queue.snapshot().is_ready(), "its command is not done");
    native.done.store(u64::MAX, Ordering::SeqCst);
    eventually("it is idle", || !queue.snapshot().is_ready());
    guest.open_for_good();
}

/// Launches, with a mark behind it as if others waited; there is no watcher that looks on its own.
fn launch_marked(queue: &'static Queue) {
    launch(queue);
    let begun = queue.snapshot().begun();
    queue.with(|Inner { hw, window, .. }| window.mark(begun, &**hw.as_ref().unwrap())).unwrap();
}

#[test]
fn all_is_done_for_a_moment_between_two_launches_then_the_queue_is_not_idle_until_it_stands_still() {
    let guest = guest();
    let (queue, native) = queue(guest);
    native.done.store(u64::MAX, Ordering::SeqCst);
    for _ in 0..end::MOVING {
        launch_marked(queue);
        assert!(queue.find_end(false), "it moved since the last look");
        assert!(queue.snapshot().is_ready());
        assert_eq!(
            queue.slot.completed.load(Ordering::SeqCst),
            queue.snapshot().begun(),
            "but progress is said"
        );
    }
    assert!(!queue.find_end(false));
    assert!(!queue.snapshot().is_ready());
}

#[test]
fn look_after_look_finds_nothing_to_do_then_a_queue_that_moves_is_idle_in_between_until_it_has_work_again() {
    let guest = guest();
    let (queue, native) = queue(guest);
    native.done.store(u64::MAX, Ordering::SeqCst);
    let is_idle = || {
        launch_marked(queue);
        !queue.find_end(false)
    };
    assert!((0..end::MOVING).all(|_| !is_idle()));
    assert!((0..end::MOVING).all(|_| is_idle()), "it would keep others out for ever");
    native.done.store(0, Ordering::SeqCst);
    assert!(!is_idle());
    native.done.store(u64::MAX, Ordering::SeqCst);
    assert!((0..end::MOVING).all(|_| !is_idle()), "what was seen before counts no more");
}

#[test]
fn the_program_waits_itself_now_and_then_then_looks_that_found_nothing_to_do_are_counted_anew() {
    let guest = guest();
    // No watcher: it would look as well.
    guest.watcher.keep_away();
    let (queue, native) = queue(guest);
    decree(guest, Verdict { suspended: false, awaited: true, windowed: false, deep: false });
    native.done.store(u64::MAX, Ordering::SeqCst);
    for _ in 0..3 {
        for _ in 0..end::MOVING {
            launch(queue);
            assert!(queue.find_end(false), "within one request");
        }
        queue.synced(queue.snapshot());
        assert!(!queue.snapshot().is_ready());
    }
    guest.open_for_good();
}

#[test]
fn asked_at_once_then_a_queue_that_has_just_moved_is_idle_too() {
    let guest = guest();
    let (queue, native) = queue(guest);
    native.done.store(u64::MAX, Ordering::SeqCst);
    launch(queue);
    assert!(!queue.look_at_device());
    assert!(!queue.snapshot().is_ready());
}

#[test]
fn awaited_and_not_windowed_then_few_launches_are_marked() {
    let guest = guest();
    let (queue, native) = queue(guest);
    decree(guest, Verdict { suspended: false, awaited: true, windowed: false, deep: false });
    (0..1000).for_each(|_| launch(queue));
    // And the watcher's own, each time that it finds the queue where it was.
    let marks = native.marks.load(Ordering::SeqCst);
    assert!((1..=100).contains(&marks), "{marks}");
    guest.open_for_good();
}

#[test]
fn once_the_end_of_the_process_has_begun_no_server_closes_a_gate() {
    let guest = guest();
    let (queue, _) = queue(guest);
    let epoch = guest.epoch();
    guest.open_for_good();
    let late = guest.page().gate(0).unwrap().decree(epoch, SUSPEND);
    assert!(late.is_err());
    launch(queue);
}

#[test]
fn a_launch_that_waits_and_marks_leaves_errno_alone() {
    let guest = guest();
    let (queue, _) = queue(guest);
    decree(guest, Verdict { suspended: true, awaited: true, windowed: true, deep: false });
    let thread = std::thread::spawn(move || {
        ::errno::set_errno(::errno::Errno(4711));
        launch(queue);
        ::errno::errno().0
    });
    eventually("it waits", || queue.snapshot().inside() == 1);
    decree(guest, Verdict { suspended: false, awaited: true, windowed: true, deep: false });
    assert_eq!(thread.join().unwrap(), 4711);
    guest.open_for_good();
}

/// What is dropped with a queue, and takes its time.
struct Slow(DeviceKey, Arc<AtomicU64>);

impl Drop for Slow {
    fn drop(&mut self) {
        std::thread::sleep(A_MOMENT / 5);
        self.1.store(1, Ordering::SeqCst);
    }
}

impl HwQueue for Slow {
    fn device(&self) -> &DeviceKey {
        &self.0
    }
    fn platform(&self) -> &'static str {
        "test"
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
        Err(Error::Lost { call: "mark" })
    }
}

#[test]
fn another_thread_clears_up_a_queue_that_goes_then_the_release_returns_when_all_of_it_is_gone() {
    let guest = guest();
    for _ in 0..20 {
        let gone = Arc::<AtomicU64>::default();
        let queue = guest.adopt(Arc::new(Slow(DeviceKey::cpu(0), gone.clone())), true).unwrap();
        let (begun, begins) = channel();
        let other = std::thread::spawn(move || {
            queue.with(|_| {
                begun.send(()).unwrap();
                while queue.gone.load(Ordering::SeqCst) == THERE {
                    std::hint::spin_loop();
                }
            });
        });
        begins.recv().unwrap();
        assert!(queue.release());
        assert_eq!(gone.load(Ordering::SeqCst), 1, "the native queue would be freed under a call of ours");
        other.join().unwrap();
    }
}
