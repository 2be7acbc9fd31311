use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xsched_core::DeviceKey;
use xsched_hal::HwCommand;

const SETTINGS: Settings = Settings { work: Duration::from_millis(1), threshold: None, least: 1 };

/// A queue whose commands are done as far as the test says.
struct Fake(DeviceKey, AtomicU64, Arc<AtomicU64>);
struct FakeMark(u64, Arc<AtomicU64>);
impl Mark for FakeMark {
    fn is_complete(&self) -> Result<bool, Error> {
        Ok(self.1.load(Ordering::Relaxed) >= self.0)
    }
}
impl HwQueue for Fake {
    fn device(&self) -> &DeviceKey {
        &self.0
    }
    fn platform(&self) -> &'static str {
        "fake"
    }
    fn launch(&self, _: &mut dyn HwCommand) -> Result<(), Error> {
        Ok(())
    }
    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
    fn synchronize(&self) -> Result<(), Error> {
        Ok(())
    }
    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        Ok(Box::new(FakeMark(self.1.load(Ordering::Relaxed), self.2.clone())))
    }
    fn tail(&self) -> Result<Box<dyn Mark>, Error> {
        // As of a queue that is never seen idle.
        Ok(Box::new(FakeMark(u64::MAX, self.2.clone())))
    }
}

struct Run {
    window: Window,
    queue: Fake,
    now: Time,
    launched: u64,
}

impl Run {
    fn new() -> Run {
        let queue = Fake(DeviceKey::cpu(0), AtomicU64::new(0), Arc::default());
        Run { window: Window::default(), queue, now: Time::ZERO, launched: 0 }
    }
    /// One whose window has learnt how long its commands are.
    fn with_commands_of_100_us() -> Run {
        let mut run = Run::new();
        for done in 0..50 {
            run.done(done);
            run.launch_all();
            run.pass(Duration::from_micros(100));
        }
        run
    }
    fn done(&self, n: u64) {
        self.queue.2.store(n, Ordering::Relaxed);
    }
    fn launch(&mut self) -> bool {
        let admitted = self.window.admit(self.launched, SETTINGS, self.now, self.now) == Admission::Now;
        if admitted {
            self.launched += 1;
            self.queue.1.store(self.launched, Ordering::Relaxed);
            self.window.launched(self.launched, &self.queue, SETTINGS);
        }
        admitted
    }
    fn launch_all(&mut self) -> u64 {
        let before = self.launched;
        while self.launched - before < 10_000 && self.launch() {}
        self.launched - before
    }
    fn pass(&mut self, d: Duration) {
        self.now = self.now + d;
    }
}

#[test]
fn the_window_learns_how_many_commands_are_one_millisecond() {
    let mut run = Run::new();
    assert_eq!(run.launch_all(), UNLEARNT);
    for done in 1..200 {
        run.pass(Duration::from_micros(100));
        run.done(done);
        run.launch_all();
    }
    assert!((9..=11).contains(&(run.launched - run.window.completed())), "{:?} {}", run.window, run.launched);
}

#[test]
fn commands_longer_than_the_window_go_one_at_a_time() {
    let mut run = Run::new();
    run.launch_all();
    for done in 1..10 {
        for _ in 0..10 {
            run.pass(Duration::from_micros(400));
            assert_eq!(run.launch_all(), 0);
        }
        run.done(done);
        run.launch_all();
    }
    assert_eq!(run.launched - run.window.completed(), 1);
}

#[test]
fn a_program_that_keeps_two_long_commands_in_flight_itself_has_one_once_it_was_held_back() {
    const LONG: Duration = Duration::from_millis(10);
    let mut run = Run::new();
    let pair = |run: &mut Run| {
        run.pass(LONG);
        run.done(run.launched - 1);
        run.launch()
    };
    assert!(run.launch() && run.launch());
    for _ in 0..5 {
        assert!(pair(&mut run), "it waits for the one before the last itself, so nobody looks");
    }
    run.window.interrupted();
    run.window.held(Duration::from_millis(5));
    assert!(!pair(&mut run));
    for done in run.launched..run.launched + 5 {
        for _ in 0..20 {
            assert!(!run.launch(), "one at a time");
            run.pass(LONG / 20);
        }
        run.done(done);
        assert!(run.launch());
    }
    assert_eq!(run.window.per_command(), Some(LONG), "and now that is known");
}

#[test]
fn commands_that_have_become_longer_than_a_turn_are_found_out_by_the_turns() {
    let mut run = Run::with_commands_of_100_us();
    // From now on a command takes longer than a turn of 8 ms, and there is always one behind it if it is let.
    let (turn, mut passed) = (Duration::from_millis(8), Vec::new());
    for _ in 0..10 {
        run.done(run.launched);
        let before = run.launched;
        for _ in 0..80 {
            while run.launched - before < 2 && run.launch() {}
            run.pass(turn / 80);
        }
        passed.push(run.launched - before);
        run.window.held_back(run.launched, run.now);
        run.pass(Duration::from_millis(5));
        run.window.interrupted();
    }
    assert_eq!(passed.last(), Some(&1), "{passed:?} {:?}", run.window);
    assert!(run.window.per_command().is_some_and(|one| one <= turn), "no more than is known");
}

#[test]
fn a_pause_of_the_program_before_it_is_held_back_is_not_taken_for_the_length_of_a_command() {
    let mut run = Run::with_commands_of_100_us();
    let known = run.window.per_command();
    // All is done at once, and nobody looks: the program computes something.
    run.done(run.launched);
    run.pass(Duration::from_millis(400));
    run.window.held_back(run.launched, run.now);
    assert_eq!(run.window.per_command(), known);
}

#[test]
fn who_is_held_back_for_long_has_more_in_flight_by_the_mean_of_his_holds() {
    let ms = Duration::from_millis;
    let mut window = Window::default();
    let mut after = |holds: &[u64]| {
        holds.iter().for_each(|hold| window.held(ms(*hold)));
        window.widened(SETTINGS).work
    };
    assert_eq!(after(&[20]), ms(1), "too few are known");
    assert_eq!(after(&[20; 7]), ms(4), "never more than four times as much");
    assert_eq!(after(&[8; 8]), ms(2));
    assert_eq!(
        after(&[24, 0, 0, 24, 0, 0, 24, 0]),
        Duration::from_micros(2_250),
        "requests that begin with two short ones"
    );
    assert_eq!(after(&[3; 8]), ms(1), "and never less than the user has it");
}

#[test]
fn launches_behind_something_that_does_not_complete_pass_after_a_while() {
    let mut run = Run::new();
    assert_eq!(run.launch_all(), UNLEARNT);
    run.pass(FIRST_PATIENCE - Duration::from_micros(1));
    assert_eq!(run.launch_all(), 0);
    run.pass(Duration::from_micros(1));
    assert_eq!(run.launch_all(), 10_000);
    run.done(run.launched - 300);
    run.pass(Duration::from_millis(1));
    run.launch_all();
    assert!(run.window.completed() > 0);
}

#[test]
fn launches_behind_something_that_does_not_complete_pass_although_no_turn_is_long_enough() {
    let mut run = Run::new();
    assert_eq!(run.launch_all(), UNLEARNT);
    let turn = FIRST_PATIENCE / 4;
    for _ in 0..3 {
        assert_eq!(run.launch_all(), 0);
        run.pass(turn);
        assert_eq!(run.launch_all(), 0);
        run.window.interrupted();
        run.pass(Duration::from_secs(1));
    }
    assert_eq!(run.launch_all(), 0);
    run.pass(turn);
    assert_eq!(run.launch_all(), 10_000);
    run.window.interrupted();
    assert_eq!(run.launch_all(), 10_000, "the next turn does not wait again");
    run.done(10);
    run.launch_all();
    assert!(!run.window.stalled);
}

#[test]
fn a_pause_of_an_hour_is_not_taken_for_the_length_of_a_command() {
    let mut run = Run::new();
    for done in 1..50 {
        run.launch_all();
        run.pass(Duration::from_micros(100));
        run.done(done);
    }
    let before = run.window.per_command().unwrap();
    for pause in [3600, 1] {
        run.done(run.launched);
        run.pass(Duration::from_secs(pause));
        run.launch_all();
        run.pass(Duration::from_secs(pause));
        run.window.all_done(run.launched, SETTINGS, run.now);
        run.launch_all();
    }
    assert!(run.window.per_command().unwrap() <= before, "{:?}", run.window);
}

#[test]
fn commands_of_an_hour_do_not_make_a_stall_last_for_hours() {
    let mut run = Run::new();
    assert_eq!(run.launch_all(), UNLEARNT);
    // Seen to be unfinished all the time.
    while run.now < Time::ZERO + Duration::from_secs(3600) {
        run.window.look(run.launched, run.now);
        run.pass(Duration::from_secs(60));
    }
    run.done(run.launched);
    assert!(run.launch_all() > 0);
    assert!(run.window.per_command() > Some(Duration::from_secs(60)), "{:?}", run.window);
    run.pass(MOST_PATIENCE - Duration::from_micros(1));
    assert_eq!(run.launch_all(), 0);
    run.pass(Duration::from_micros(1));
    assert_eq!(run.launch_all(), 10_000);
}

#[test]
fn a_tail_of_a_busy_queue_does_not_hide_the_progress_of_what_is_launched_behind_it() {
    let mut run = Run::new();
    assert!(run.launch());
    run.launched += 1;
    run.window.tail(run.launched, &run.queue);
    assert!(run.window.has_mark_behind(run.launched));
    run.done(run.launched);
    run.window.look(run.launched, run.now);
    assert_eq!(run.window.completed(), 1, "the tail does not know");
    assert!(run.launch());
    run.done(run.launched);
    run.window.look(run.launched, run.now);
    assert_eq!(run.window.completed(), run.launched);
}

#[test]
fn a_queue_that_is_only_followed_has_few_marks_and_shows_progress() {
    let mut run = Run::new();
    for _ in 0..1000 {
        run.launched += 1;
        run.queue.1.store(run.launched, Ordering::Relaxed);
        run.window.follow(run.launched, &run.queue);
    }
    assert!(run.window.marks.len() <= 46, "{:?}", run.window);
    for done in (100..=900).step_by(100) {
        run.done(done);
        assert!(
            run.window.look(run.launched, run.now),
            "nothing to be seen between {} and {done}",
            done - 100
        );
    }
    // What is launched alone is marked at once.
    run.window.all_done(run.launched, SETTINGS, run.now);
    run.launched += 1;
    run.window.follow(run.launched, &run.queue);
    assert!(run.window.has_mark_behind(run.launched));
}

#[test]
fn waiting_for_the_queue_empties_the_window() {
    let mut run = Run::new();
    run.launch_all();
    run.window.all_done(run.launched, SETTINGS, run.now);
    assert_eq!(run.window.completed(), run.launched);
    assert!(run.window.has_mark_behind(run.launched));
    assert_eq!(run.launch_all(), UNLEARNT);
}

#[test]
fn a_program_that_waits_after_each_short_burst_is_left_alone() {
    let mut run = Run::new();
    for _ in 0..3 {
        while run.launched % 5 != 4 {
            run.done(run.launched);
            assert!(run.launch());
        }
        run.pass(Duration::from_millis(1));
        assert!(run.launch());
        run.window.all_done(run.launched, SETTINGS, run.now);
    }
    assert!((0..5).all(|_| run.launch()), "{:?}", run.window);
    assert!(!run.launch());
}

#[test]
fn a_queue_that_is_held_back_is_filled_up_and_no_further_however_long_it_takes_and_learns_nothing_meanwhile()
{
    let mut run = Run::new();
    let deep = Settings { work: Duration::from_millis(16), least: 2, ..SETTINGS };
    for done in 1..200 {
        run.pass(Duration::from_micros(100));
        run.done(done);
        run.launch_all();
    }
    let before = run.window.per_command().unwrap();
    for _ in 0..3 {
        let mut filled = 0;
        while run.window.has_room(run.launched, deep, run.now) {
            run.launched += 1;
            run.queue.1.store(run.launched, Ordering::Relaxed);
            run.window.launched(run.launched, &run.queue, deep);
            filled += 1;
        }
        let in_flight = run.launched - run.window.completed();
        assert!((145..=175).contains(&in_flight), "{in_flight} commands of 0.1 ms, {filled} new");
        run.pass(Duration::from_secs(1));
        assert!(!run.window.has_room(run.launched, deep, run.now));
        // It goes on, and is held back again when all but a few are done.
        run.done(run.launched - 5);
        run.pass(Duration::from_millis(16));
        assert!(run.window.has_room(run.launched, deep, run.now));
        assert!(run.window.per_command().unwrap() <= before, "{:?}", run.window);
    }
}

#[test]
fn commands_longer_than_a_deep_window_go_two_at_a_time() {
    let mut run = Run::new();
    let deep = Settings { work: Duration::from_millis(16), least: 2, ..SETTINGS };
    for done in 1..10 {
        run.pass(Duration::from_millis(100));
        run.launch_all();
        run.done(done);
    }
    run.window.look(run.launched, run.now);
    while run.window.admit(run.launched, deep, run.now, run.now) == Admission::Now {
        run.launched += 1;
        run.queue.1.store(run.launched, Ordering::Relaxed);
        run.window.launched(run.launched, &run.queue, deep);
    }
    assert_eq!(run.launched - run.window.completed(), 2);
}

#[test]
fn a_threshold_counts_commands_instead() {
    let mut run = Run::new();
    let settings = Settings { threshold: Some(5), ..SETTINGS };
    while run.window.admit(run.launched, settings, run.now, run.now) == Admission::Now && run.launched < 100 {
        run.launched += 1;
        run.queue.1.store(run.launched, Ordering::Relaxed);
        run.window.launched(run.launched, &run.queue, settings);
    }
    assert_eq!(run.launched, 5);
}
