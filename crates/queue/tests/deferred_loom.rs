//! Deferred mode under loom: every order of steps that a few preemptions can make.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p xsched-queue --release --test deferred_loom`; with `--cfg xsched_weaken="name"` as well, for
//! any name in `deferred`, one of these tests must fail.

#![cfg(loom)]

use std::sync::Arc;
use xsched_core::sync::{AtomicBool, AtomicUsize, Ordering, thread};
use xsched_core::{DeviceKey, Level};
use xsched_hal::{Deactivate, Error, HwCommand, HwQueue, Mark};
use xsched_queue::deferred::{Deferred, LaunchConfig, Until, When};
use xsched_queue::gate::Holders;

const APPLICATION: Holders = Holders::APPLICATION;

/// Counts launches and remembers whether it is stopped; commands are complete as soon as they are launched.
struct Device {
    key: DeviceKey,
    launched: AtomicUsize,
    is_active: AtomicBool,
}

struct Command;

struct Passed;

impl HwQueue for Device {
    fn device(&self) -> &DeviceKey {
        &self.key
    }
    fn platform(&self) -> &'static str {
        "loom"
    }
    fn launch(&self, command: &mut dyn HwCommand) -> Result<(), Error> {
        // Relaxed: the tests see it only because deferred mode makes them.
        self.launched.fetch_add(1, Ordering::Relaxed);
        command.launch(self)
    }
    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
    fn synchronize(&self) -> Result<(), Error> {
        Ok(())
    }
    fn mark(&self) -> Result<Box<dyn Mark>, Error> {
        Ok(Box::new(Passed))
    }
    fn deactivate(&self) -> Option<&dyn Deactivate> {
        Some(self)
    }
}

impl Deactivate for Device {
    fn deactivate(&self) -> Result<(), Error> {
        self.is_active.store(false, Ordering::Relaxed);
        Ok(())
    }
    fn reactivate(&self) -> Result<(), Error> {
        self.is_active.store(true, Ordering::Relaxed);
        Ok(())
    }
    fn wait_stopped(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl HwCommand for Command {
    fn launch(&mut self, _: &dyn HwQueue) -> Result<(), Error> {
        Ok(())
    }
}

impl Mark for Passed {
    fn is_complete(&self) -> Result<bool, Error> {
        Ok(true)
    }
    fn wait(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Runs `test` with a fresh queue in every order of steps that `preemptions` can make (or `LOOM_MAX_PREEMPTIONS`).
fn model(preemptions: usize, level: Level, test: impl Fn(Deferred, Arc<Device>) + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(move || {
        let key = DeviceKey::named("loom", 0);
        let (launched, is_active) = (AtomicUsize::new(0), AtomicBool::new(true));
        let device = Arc::new(Device { key, launched, is_active });
        test(Deferred::new(device.clone(), level).unwrap(), device);
    });
}

fn launched(device: &Device) -> usize {
    device.launched.load(Ordering::Relaxed)
}

fn submit(deferred: &Deferred) -> xsched_queue::deferred::Ticket {
    deferred.submit(Box::new(Command))
}

#[test]
fn a_submit_reaches_a_worker_that_falls_asleep() {
    model(3, Level::Block, |deferred, device| {
        for n in 1..=2 {
            let ticket = submit(&deferred);
            deferred.wait(&ticket).unwrap();
            assert_eq!(launched(&device), n);
        }
    });
}

#[test]
fn nothing_is_launched_between_suspend_and_resume_and_all_is_afterwards() {
    model(2, Level::Block, |deferred, device| {
        submit(&deferred);
        submit(&deferred);
        deferred.suspend(APPLICATION, When::Now, Until::Held).unwrap();
        let then = launched(&device);
        thread::yield_now();
        assert_eq!(launched(&device), then);
        deferred.resume(APPLICATION).unwrap();
        deferred.wait_all().unwrap();
        assert_eq!(launched(&device), 2);
    });
}

#[test]
fn a_resume_reaches_a_worker_that_falls_asleep() {
    model(3, Level::Block, |deferred, device| {
        deferred.suspend(APPLICATION, When::Now, Until::Asked).unwrap();
        let ticket = submit(&deferred);
        deferred.resume(APPLICATION).unwrap();
        deferred.wait(&ticket).unwrap();
        assert_eq!(launched(&device), 1);
    });
}

#[test]
fn two_waiters_and_a_completion_miss_nothing() {
    model(2, Level::Block, |deferred, _| {
        let deferred = Arc::new(deferred);
        let first = submit(&deferred);
        let its = deferred.clone();
        let other = thread::spawn(move || its.wait(&first).unwrap());
        let second = submit(&deferred);
        deferred.wait(&second).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_full_window_goes_on() {
    model(2, Level::Block, |deferred, device| {
        deferred.set_launch_config(LaunchConfig { threshold: 1, batch: 1 }).unwrap();
        submit(&deferred);
        submit(&deferred);
        drop(deferred);
        assert_eq!(launched(&device), 2);
    });
}

#[test]
fn a_drop_waits_for_what_was_submitted_by_others() {
    model(2, Level::Block, |deferred, device| {
        let deferred = Arc::new(deferred);
        let its = deferred.clone();
        let other = thread::spawn(move || {
            submit(&its);
        });
        drop(deferred);
        other.join().unwrap();
        assert_eq!(launched(&device), 1);
    });
}

#[test]
fn a_drop_ends_a_suspended_queue_and_an_idle_one() {
    model(3, Level::Deactivate, |deferred, device| {
        deferred.suspend(Holders::SERVER, When::Now, Until::Asked).unwrap();
        submit(&deferred);
        drop(deferred);
        assert_eq!(launched(&device), 1);
        assert!(device.is_active.load(Ordering::Relaxed));
    });
    model(3, Level::Block, |deferred, _| drop(deferred));
}

#[test]
fn a_direct_launch_sees_the_launches_before_it() {
    model(3, Level::Block, |deferred, device| {
        submit(&deferred);
        while deferred.has_unlaunched() {
            thread::yield_now();
        }
        assert_eq!(launched(&device), 1);
    });
}

#[test]
fn waiting_for_launches_misses_none() {
    model(2, Level::Block, |deferred, device| {
        submit(&deferred);
        submit(&deferred);
        deferred.wait_launched();
        assert_eq!(launched(&device), 2);
    });
}

#[test]
fn the_device_is_stopped_while_one_holder_is_left() {
    model(2, Level::Deactivate, |deferred, device| {
        deferred.suspend(Holders::LOCAL, When::Now, Until::Asked).unwrap();
        let deferred = Arc::new(deferred);
        let its = deferred.clone();
        let other = thread::spawn(move || its.resume(Holders::LOCAL).unwrap());
        deferred.suspend(APPLICATION, When::Now, Until::Asked).unwrap();
        other.join().unwrap();
        assert!(!device.is_active.load(Ordering::Relaxed));
        deferred.resume(APPLICATION).unwrap();
        assert!(device.is_active.load(Ordering::Relaxed));
    });
}

#[test]
fn discarded_commands_are_accounted_for() {
    model(2, Level::Block, |deferred, device| {
        let ticket = submit(&deferred);
        deferred.discard();
        match deferred.wait(&ticket) {
            Ok(()) => assert_eq!(launched(&device), 1),
            Err(error) => assert_eq!((error, launched(&device)), (Error::Discarded, 0)),
        }
        deferred.wait_all().unwrap();
    });
}

#[test]
fn a_suspension_for_later_begins_after_what_was_submitted() {
    for when in [When::Done, When::Idle] {
        model(2, Level::Block, move |deferred, device| {
            submit(&deferred);
            deferred.suspend(APPLICATION, when, Until::Quiet).unwrap();
            assert_eq!(launched(&device), 1);
            submit(&deferred);
            thread::yield_now();
            assert_eq!(launched(&device), 1);
        });
    }
}
