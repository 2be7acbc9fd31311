//! What simulated programs get, against what can be said beforehand: with pen and paper, or by a policy's promise.

use std::time::Duration;
use xsched_core::{Hint, HintKind, Level};
use xsched_sched::PolicyKind;
use xsched_sim::{Arrivals, Law, Outcome, Program, Sharing, Waits, Workload, run};

const MS: Duration = Duration::from_millis(1);

fn greedy(name: &str, given: &[(HintKind, i64)]) -> Program {
    let mut program = Program::greedy(name, MS / 10);
    given.iter().for_each(|&(kind, value)| program.hints.set(Hint::new(kind, value).unwrap()));
    program
}

fn outcome(policy: PolicyKind, sharing: Sharing, programs: Vec<Program>) -> Outcome {
    let mut workload = Workload::new(policy, 10_000 * MS);
    workload.devices[0].sharing = sharing;
    workload.programs = programs;
    run(&workload)
}

/// Each program's part of all that was done.
fn parts(outcome: &Outcome) -> Vec<f64> {
    let all: f64 = outcome.programs.iter().map(|part| part.share).sum();
    outcome.programs.iter().map(|part| 100.0 * part.share / all).collect()
}

fn assert_near(found: &[f64], wanted: &[f64], within: f64) {
    let off = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= within, "{found:.2?} instead of {wanted:.2?}");
}

#[test]
fn shares_go_by_utilization_whatever_the_device_does_with_several_queues() {
    for sharing in [Sharing::Fair, Sharing::InOrder] {
        for policy in [PolicyKind::Up, PolicyKind::Pup] {
            let programs = [60, 30, 10].map(|n| greedy(&n.to_string(), &[(HintKind::Utilization, n)]));
            assert_near(&parts(&outcome(policy, sharing, programs.into())), &[60.0, 30.0, 10.0], 1.0);
        }
    }
}

#[test]
fn equals_of_equal_priority_share_and_the_less_urgent_gets_what_is_left() {
    let priority = |n| [(HintKind::Priority, n)];
    let found = outcome(PolicyKind::Hpf, Sharing::Fair, vec![greedy("a", &[]), greedy("b", &[])]);
    assert_near(&parts(&found), &[50.0, 50.0], 1.0);
    let mut urgent = greedy("urgent", &priority(1));
    (urgent.arrivals, urgent.waits) = (Arrivals::Periodic { every: 10 * MS, burst: 1 }, Waits::Request);
    urgent.length = Law::Constant(4 * MS);
    let mut rest = greedy("rest", &priority(0));
    // It launches when it is known already, so it has no backlog from before.
    (rest.in_flight, rest.offset) = (100, Law::Constant(MS));
    let found = outcome(PolicyKind::Hpf, Sharing::InOrder, vec![urgent, rest]);
    // The rest waits for the grace of 0.2 ms after each request, too.
    assert_near(&[found.programs[0].share, found.programs[1].share].map(|s| 100.0 * s), &[40.0, 58.5], 1.0);
    // What is in flight is a window of 1 ms.
    let latencies = found.programs[0].latencies.unwrap();
    assert!(latencies.max <= 5 * MS + MS / 10, "{latencies:?}");
}

/// A queue with one server, random arrivals and exponential lengths: the time in the system is exponential.
#[test]
fn a_queue_behaves_as_queueing_theory_has_it() {
    let mut program = Program::greedy("m/m/1", MS);
    program.arrivals = Arrivals::Poisson(2 * MS);
    program.length = Law::Exponential(MS);
    let mut workload = Workload::new(PolicyKind::Hpf, Duration::from_secs(400));
    workload.programs = vec![program];
    let found = run(&workload);
    let part = &found.programs[0];
    assert!((part.share - 0.5).abs() < 0.01, "{}", part.share);
    // The mean is 1 / (1 - 0.5) ms; percentiles of an exponential distribution follow from it.
    let latencies = part.latencies.unwrap();
    let mean = 2.0;
    for (found, q) in [(latencies.p50, 0.5f64), (latencies.p90, 0.9), (latencies.p99, 0.99)] {
        let wanted = -mean * (1.0 - q).ln();
        let found = found.as_secs_f64() * 1e3;
        assert!((found / wanted - 1.0).abs() < 0.08, "{q}: {found} ms instead of {wanted} ms");
    }
}

/// What each level can do about commands of 20 ms that somebody urgent meets.
#[test]
fn an_urgent_request_waits_for_what_its_level_cannot_hold_back() {
    let worst = |level| {
        let mut urgent = greedy("urgent", &[(HintKind::Priority, 1)]);
        (urgent.arrivals, urgent.waits) = (Arrivals::Periodic { every: 97 * MS, burst: 1 }, Waits::Request);
        urgent.offset = Law::Constant(500 * MS);
        urgent.length = Law::Constant(MS);
        let mut batch = Program::greedy("batch", 20 * MS);
        batch.in_flight = 3;
        // As much as it likes: the window would help at Level 1.
        batch.window = Duration::from_secs(10);
        let mut workload = Workload::new(PolicyKind::Hpf, Duration::from_secs(20));
        (workload.devices[0].level, workload.devices[0].switch) =
            (level, if level == Level::Interrupt { MS } else { Duration::ZERO });
        workload.programs = vec![urgent, batch];
        run(&workload).programs[0].latencies.unwrap().max
    };
    let [block, deactivate, interrupt] = [Level::Block, Level::Deactivate, Level::Interrupt].map(worst);
    assert!(block > 50 * MS && block <= 61 * MS, "{block:?}");
    assert!(deactivate > 15 * MS && deactivate <= 21 * MS, "{deactivate:?}");
    assert_eq!(interrupt, 2 * MS);
}

#[test]
fn a_held_process_gets_its_due_and_its_longest_wait_says_so() {
    let hog = greedy("hog", &[(HintKind::Priority, 1)]);
    let found = outcome(PolicyKind::Hpf, Sharing::InOrder, vec![hog, greedy("starved", &[])]);
    let starved = &found.programs[1];
    assert!(
        starved.longest_held <= 2_001 * MS && starved.longest_held >= 1_900 * MS,
        "{:?}",
        starved.longest_held
    );
    assert!(starved.preemptions >= 4 && starved.requests > 0, "{starved:?}");
}

#[test]
fn a_hint_that_is_changed_and_a_program_that_ends_take_effect_at_once() {
    use xsched_sim::{Change, What};
    let mut workload = Workload::new(PolicyKind::Hpf, 4_000 * MS);
    let mut first = greedy("first", &[(HintKind::Priority, 1)]);
    first.stop = Some(3_000 * MS);
    workload.programs = vec![first, greedy("second", &[])];
    workload.settings.max_suspend = Duration::from_secs(100);
    let hints = vec![Hint::new(HintKind::Priority, 2).unwrap()];
    let what = What::Program { program: 1, hints, facts: Vec::new() };
    workload.changes = vec![Change { at: 1_000 * MS, what }];
    let found = run(&workload);
    assert_near(
        &found.programs.iter().map(|part| 100.0 * part.share).collect::<Vec<_>>(),
        &[25.0, 75.0],
        0.5,
    );
    let first = &found.programs[0];
    assert!(first.longest_held > 1_990 * MS && first.unfinished > 0, "{first:?}");
}
