//! The rules themselves. Each gets a subject of its own.

use super::{Finding, Rule, Subject};
use crate::Preemption;
use std::thread;
use std::time::{Duration, Instant};
use xsched_core::Level;

macro_rules! rules {
    ($($(#[$doc:meta])* fn $name:ident($subject:ident) $body:block)*) => {
        /// Every rule.
        pub const RULES: &[Rule] = &[$(Rule { name: stringify!($name), check: $name }),*];
        $($(#[$doc])* pub fn $name($subject: &dyn Subject) -> Finding $body)*
    };
}

rules! {
    /// The level says what the queue has, and a queue that can interrupt can deactivate.
    fn level_agrees_with_capabilities(subject) {
        let queue = subject.queue();
        let (deactivate, interrupt) = (queue.deactivate().is_some(), queue.interrupt().is_some());
        let expected = match (deactivate, interrupt) {
            (true, true) => Level::Interrupt,
            (true, false) => Level::Deactivate,
            (false, false) => Level::Block,
            (false, true) => return Err("it can interrupt but not deactivate".into()),
        };
        expect(queue.level() == expected, || format!("level {} where {expected} fits", queue.level()))
    }

    /// Commands launched by one thread are executed in that order, each once.
    fn order_is_kept(subject) {
        launch_all(subject, 0..50, Duration::ZERO)?;
        // Not done when the queue is synchronized, however slowly this thread got here.
        launch_all(subject, 50..51, subject.unit())?;
        fails_never(subject.queue().synchronize())?;
        expect_finished(subject, 0..51)
    }

    /// A queue with nothing to do is synchronized at once, also a second time.
    fn synchronize_of_an_empty_queue_returns(subject) {
        fails_never(subject.queue().synchronize())?;
        fails_never(subject.queue().synchronize())
    }

    /// What is launched and flushed is executed without any further call.
    fn flush_is_enough_to_run(subject) {
        launch_all(subject, 0..3, Duration::ZERO)?;
        fails_never(subject.queue().flush())?;
        let end = Instant::now() + subject.unit() * 100;
        while subject.finished().len() < 3 && Instant::now() < end {
            thread::sleep(subject.unit() / 10);
        }
        expect_finished(subject, 0..3)
    }

    /// A mark on an empty queue is complete, at once or soon.
    fn mark_on_an_empty_queue_completes(subject) {
        fails_never(fails_never(subject.queue().mark())?.wait())
    }

    /// A mark is complete only after everything launched before it, and then stays so.
    fn mark_completes_after_everything_before(subject) {
        launch_all(subject, 0..2, subject.unit())?;
        let mark = fails_never(subject.queue().mark())?;
        launch_all(subject, 2..3, subject.unit() * 3)?;
        // Asked before the commands are counted: had it been complete, both would be there.
        let too_early = fails_never(mark.is_complete())? && subject.finished().len() < 2;
        expect(!too_early, || "complete before the commands in front of it".into())?;
        fails_never(mark.wait())?;
        let finished = subject.finished();
        expect(finished.starts_with(&[0, 1]), || format!("complete while only {finished:?} were"))?;
        expect(fails_never(mark.is_complete())?, || "complete, then no longer".into())?;
        fails_never(subject.queue().synchronize())?;
        expect(fails_never(mark.is_complete())?, || "complete, then no longer".into())?;
        expect_finished(subject, 0..3)
    }

    /// A launch that fails is reported, gives the device nothing, and spoils nothing.
    fn launch_error_is_reported_and_leaves_the_queue_usable(subject) {
        let Some(mut failing) = subject.failing_command() else { return Ok(()) };
        launch_all(subject, 0..1, Duration::ZERO)?;
        let result = subject.queue().launch(failing.as_mut());
        expect(result.is_err(), || "the launch of a failing command succeeded".into())?;
        launch_all(subject, 1..2, Duration::ZERO)?;
        fails_never(subject.queue().synchronize())?;
        expect_finished(subject, 0..2)
    }

    /// Several threads may launch, mark and synchronize at once; each one's order is kept and nothing is lost or run twice.
    fn calls_from_several_threads_keep_each_ones_order(subject) {
        const EACH: u64 = 25;
        let results = thread::scope(|scope| {
            let work = |first: u64| move || {
                launch_all(subject, first..first + EACH, Duration::ZERO)?;
                fails_never(fails_never(subject.queue().mark())?.wait())?;
                fails_never(subject.queue().synchronize())
            };
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(work(i * EACH))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or(Err("a thread panicked".into()))).collect::<Vec<_>>()
        });
        results.into_iter().collect::<Result<(), _>>()?;
        let finished = subject.finished();
        expect(finished.len() == 4 * EACH as usize, || format!("{} of 100 commands ran", finished.len()))?;
        for first in (0..4).map(|i| i * EACH) {
            let own = finished.iter().copied().filter(|id| (first..first + EACH).contains(id));
            expect(own.eq(first..first + EACH), || format!("lost, twice or out of order: {finished:?}"))?;
        }
        Ok(())
    }

    /// A deactivated queue starts nothing more, loses nothing, and goes on when it is reactivated.
    fn deactivate_holds_what_has_not_started(subject) {
        let queue = subject.queue();
        let Some(control) = queue.deactivate() else { return Ok(()) };
        launch_all(subject, 0..6, subject.unit())?;
        fails_never(queue.flush())?;
        fails_never(control.deactivate())?;
        fails_never(control.wait_stopped())?;
        let stopped_at = subject.finished().len();
        expect(stopped_at < 6, || "everything had run when deactivate returned".into())?;
        thread::sleep(subject.unit() * 4);
        let later = subject.finished().len();
        expect(later == stopped_at, || format!("{stopped_at} commands had run, later {later}"))?;
        fails_never(control.reactivate())?;
        fails_never(queue.synchronize())?;
        expect_finished(subject, 0..6)
    }

    /// A deactivated queue takes launches and marks; they wait in line.
    fn launches_on_a_deactivated_queue_wait_in_line(subject) {
        let queue = subject.queue();
        let Some(control) = queue.deactivate() else { return Ok(()) };
        fails_never(control.deactivate())?;
        launch_all(subject, 0..3, Duration::ZERO)?;
        let mark = fails_never(queue.mark())?;
        fails_never(queue.flush())?;
        thread::sleep(subject.unit() * 2);
        expect_finished(subject, 0..0)?;
        expect(!fails_never(mark.is_complete())?, || "a mark behind held commands was complete".into())?;
        fails_never(control.reactivate())?;
        fails_never(mark.wait())?;
        expect_finished(subject, 0..3)
    }

    /// Stopping a stopped queue and starting a started one changes nothing; one call undoes many.
    fn controls_are_idempotent(subject) {
        let queue = subject.queue();
        let Some(control) = queue.deactivate() else { return Ok(()) };
        fails_never(control.reactivate())?;
        fails_never(control.deactivate())?;
        fails_never(control.deactivate())?;
        if let Some(interrupt) = queue.interrupt() {
            fails_never(interrupt.restore())?;
            fails_never(interrupt.interrupt())?;
            fails_never(interrupt.interrupt())?;
            fails_never(interrupt.restore())?;
            fails_never(interrupt.restore())?;
        }
        launch_all(subject, 0..3, Duration::ZERO)?;
        fails_never(control.reactivate())?;
        fails_never(control.reactivate())?;
        fails_never(queue.synchronize())?;
        expect_finished(subject, 0..3)
    }

    /// Controls return while another thread waits inside the driver, and that thread goes on afterwards.
    fn controls_return_while_a_thread_synchronizes(subject) {
        let queue = subject.queue();
        let Some(control) = queue.deactivate() else { return Ok(()) };
        launch_all(subject, 0..3, subject.unit())?;
        thread::scope(|scope| {
            let waiter = scope.spawn(|| fails_never(queue.synchronize()));
            thread::sleep(subject.unit() / 2);
            fails_never(control.deactivate())?;
            fails_never(control.reactivate())?;
            waiter.join().unwrap_or(Err("the waiter panicked".into()))
        })?;
        expect_finished(subject, 0..3)
    }

    /// An interrupted command stops long before its end, and completes once, after it was restored.
    fn interrupt_stops_the_running_command(subject) {
        let queue = subject.queue();
        let (Some(deactivate), Some(interrupt)) = (queue.deactivate(), queue.interrupt()) else { return Ok(()) };
        let long = subject.unit() * 10;
        launch_all(subject, 0..1, long)?;
        launch_all(subject, 1..3, Duration::ZERO)?;
        fails_never(queue.flush())?;
        thread::sleep(subject.unit());
        fails_never(deactivate.deactivate())?;
        fails_never(interrupt.interrupt())?;
        expect_finished(subject, 0..0)?;
        fails_never(deactivate.wait_stopped())?;
        thread::sleep(long * 2);
        expect_finished(subject, 0..0)?;
        fails_never(interrupt.restore())?;
        fails_never(deactivate.reactivate())?;
        fails_never(queue.synchronize())?;
        expect_finished(subject, 0..3)
    }

    /// Stopping and starting a working queue many times, at every level it has, loses and repeats nothing.
    fn many_preemptions_lose_nothing(subject) {
        let queue = subject.queue();
        let mut preemption = Preemption::default();
        launch_all(subject, 0..20, subject.unit() / 10)?;
        fails_never(queue.flush())?;
        for round in 0..20 {
            let level = if round % 2 == 0 { queue.level() } else { queue.level().min(Level::Deactivate) };
            fails_never(preemption.bring(&*queue, level))?;
            launch_all(subject, 20 + round..21 + round, Duration::ZERO)?;
            thread::sleep(subject.unit() / 20);
            fails_never(preemption.bring(&*queue, Level::Block))?;
            thread::sleep(subject.unit() / 20);
        }
        fails_never(queue.synchronize())?;
        expect_finished(subject, 0..40)
    }
}

fn launch_all(subject: &dyn Subject, ids: std::ops::Range<u64>, duration: Duration) -> Finding {
    let queue = subject.queue();
    ids.into_iter().try_for_each(|id| fails_never(queue.launch(subject.command(id, duration).as_mut())))
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(what()) }
}

fn expect_finished(subject: &dyn Subject, ids: std::ops::Range<u64>) -> Finding {
    let finished = subject.finished();
    expect(finished.iter().copied().eq(ids.clone()), || {
        format!("expected {ids:?} to have run, found {finished:?}")
    })
}

fn fails_never<T>(result: Result<T, crate::Error>) -> Result<T, String> {
    result.map_err(|error| format!("unexpected error: {error}"))
}
