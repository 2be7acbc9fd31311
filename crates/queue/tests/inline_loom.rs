//! Proofs by loom of the inline way: gate and activity words.
//!
//! Run by `cargo xtask loom`, as the code stands and with each name of `weakenable!` weakened, which must fail.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::time::Duration;
use xsched_queue::activity::Activity;
use xsched_queue::gate::{Epoch, GateWord, Holder, Verdict};

const SUSPEND: Verdict = Verdict { suspended: true, awaited: false, windowed: false, deep: false };
const FREE: Verdict = Verdict { suspended: false, awaited: false, windowed: false, deep: false };
const AWAIT: Verdict = Verdict { suspended: false, awaited: true, windowed: false, deep: false };

fn wait_open(gate: &GateWord) {
    loop {
        let state = gate.state();
        if state.is_open() {
            return;
        }
        gate.wait(state, Duration::from_secs(1));
    }
}

#[test]
fn a_launch_that_waits_at_a_gate_goes_on_when_the_server_resumes() {
    loom::model(|| {
        let gate = Arc::new(GateWord::new(Epoch::FIRST));
        gate.decree(Epoch::FIRST, SUSPEND).unwrap();
        let launcher = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || wait_open(&gate))
        };
        gate.decree(Epoch::FIRST, FREE).unwrap();
        launcher.join().unwrap();
    });
}

#[test]
fn no_holder_undoes_another() {
    loom::model(|| {
        let gate = Arc::new(GateWord::new(Epoch::FIRST));
        gate.hold(Holder::Application);
        let server = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.decree(Epoch::FIRST, SUSPEND).unwrap();
                gate.decree(Epoch::FIRST, FREE).unwrap();
            })
        };
        gate.hold(Holder::Local);
        gate.let_go(Holder::Application);
        server.join().unwrap();
        assert!(gate.state().is_held_by(Holder::Local));
        assert!(!gate.state().is_held_by(Holder::Application) && !gate.state().is_held_by(Holder::Server));
    });
}

#[test]
fn whoever_rescues_himself_stays_free_whatever_the_old_server_does() {
    loom::model(|| {
        let gate = Arc::new(GateWord::new(Epoch::FIRST));
        let server = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                let _ = gate.decree(Epoch::FIRST, SUSPEND);
            })
        };
        let waiter = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || wait_open(&gate))
        };
        assert!(gate.rescue(Epoch::FIRST));
        server.join().unwrap();
        waiter.join().unwrap();
        assert!(gate.state().is_open(), "{:?}", gate.state());
    });
}

#[test]
fn an_idle_edge_is_told_or_seen_when_others_begin_to_wait() {
    loom::model(|| {
        let both = Arc::new((GateWord::new(Epoch::FIRST), Activity::new()));
        let begun = both.1.begin();
        both.1.raise();
        both.1.end();
        let guest = {
            let both = Arc::clone(&both);
            thread::spawn(move || {
                assert!(both.1.try_idle(begun.then));
                both.0.state().is_awaited()
            })
        };
        both.0.decree(Epoch::FIRST, AWAIT).unwrap();
        let seen = !both.1.look().is_ready();
        let told = guest.join().unwrap();
        assert!(seen || told, "the server would wait for a queue that is idle");
    });
}

#[test]
fn a_queue_with_a_launch_on_its_way_is_never_idle() {
    loom::model(|| {
        let activity = Arc::new(Activity::new());
        let launched = Arc::new(AtomicBool::new(false));
        let launcher = {
            let (activity, launched) = (Arc::clone(&activity), Arc::clone(&launched));
            thread::spawn(move || {
                if activity.begin().was_idle {
                    activity.raise();
                }
                launched.store(true, Ordering::Relaxed);
                activity.end();
            })
        };
        // Another thread waits for the queue and finds it empty, unless it saw the launch.
        let then = activity.snapshot();
        let saw = launched.load(Ordering::Relaxed);
        let idle = activity.try_idle(then);
        launcher.join().unwrap();
        if idle {
            assert!(saw && then.inside() == 0, "{then:?}");
        }
    });
}

#[test]
fn a_launch_is_told_or_the_server_cannot_believe_that_the_queue_is_idle() {
    loom::model(|| {
        let activity = Arc::new(Activity::new());
        let begun = activity.begin();
        activity.raise();
        activity.end();
        assert!(activity.try_idle(begun.then));
        let launcher = {
            let activity = Arc::clone(&activity);
            thread::spawn(move || activity.begin().was_idle && activity.raise())
        };
        let believed = activity.reclaim().is_ok();
        let told = launcher.join().unwrap();
        assert!(told || !believed, "ready, and the server thinks it is idle");
        assert!(!told || believed, "told without need");
    });
}

#[test]
fn what_was_launched_is_seen_by_whoever_finds_the_queue_idle() {
    loom::model(|| {
        let activity = Arc::new(Activity::new());
        let result = Arc::new(loom::cell::UnsafeCell::new(0));
        let launcher = {
            let (activity, result) = (Arc::clone(&activity), Arc::clone(&result));
            thread::spawn(move || {
                let begun = activity.begin();
                activity.raise();
                // SAFETY: read by others only after the end of this launch.
                result.with_mut(|r| unsafe { *r = 1 });
                activity.end();
                let _ = begun;
            })
        };
        let then = activity.snapshot();
        if then.launched() == 1 {
            // SAFETY: the launch has ended.
            assert_eq!(result.with(|r| unsafe { *r }), 1);
        }
        launcher.join().unwrap();
    });
}
