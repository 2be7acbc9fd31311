//! What a launch pays at the gate: nanoseconds on words that nobody else touches, as on a device that is not shared.
//!
//! `cargo bench -p xsched-queue` prints; nothing is asserted.

use criterion::Criterion;
use std::hint::black_box;
use xsched_queue::activity::Activity;
use xsched_queue::gate::{Epoch, GateWord};

fn main() {
    let mut c = Criterion::default().configure_from_args();
    let gate = GateWord::new(Epoch::FIRST);
    let activity = Activity::new();
    // As in a queue that has work: the edges are below.
    activity.raise();
    c.bench_function("gate: look", |b| b.iter(|| black_box(&gate).state().is_free()));
    c.bench_function("activity: begin and end", |b| {
        b.iter(|| {
            let begun = black_box(&activity).begin();
            activity.end();
            begun
        })
    });
    c.bench_function("launch: begin, look, end", |b| {
        b.iter(|| {
            let begun = black_box(&activity).begin();
            let is_free = black_box(&gate).state().is_free();
            activity.end();
            (begun, is_free)
        })
    });
    c.bench_function("launch and wait: begin, ready, look, end, idle", |b| {
        b.iter(|| {
            let begun = black_box(&activity).begin();
            if begun.was_idle {
                activity.raise();
            }
            let is_free = black_box(&gate).state().is_free();
            activity.end();
            (is_free, activity.try_idle(begun.then))
        })
    });
    c.final_summary();
}
