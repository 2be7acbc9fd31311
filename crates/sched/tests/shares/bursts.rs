//! Policies that go by how long programs use the device at a time: PSL, MLFQ, SRTF.

use crate::machine::{Device, Machine, Program};
use crate::{MS, SECOND, assert_near, coarse as busy};
use proptest::prelude::*;
use std::time::Duration;
use xsched_sched::PolicyKind;

/// A program that asks for a little now and then.
fn interactive(burst: Duration, pause: Duration) -> Program {
    Program { kernel: burst, in_flight: 1, pause: Some(pause), ..busy(20) }
}

/// After a second of learning, for ten.
fn run(policy: PolicyKind, programs: &[Program]) -> Machine {
    let mut machine = Machine::under(policy, Device::InOrder, programs);
    machine.run(SECOND);
    machine.forget();
    machine.run(10 * SECOND);
    machine
}

#[test]
fn psl_short_bursts_are_served_first_within_their_share_and_shares_stay_those_of_up() {
    // The others rest, too, but their bursts are longer than a turn.
    let mut programs = vec![Program { burst: 10, ..interactive(MS, 20 * MS) }; 3];
    programs.push(interactive(2 * MS, 18 * MS));
    let (psl, up) = (run(PolicyKind::Psl, &programs), run(PolicyKind::Up, &programs));
    let [fast, slow] = [&psl, &up].map(|machine| machine.response(3, 0.1));
    assert!(fast < 5 * MS && slow > fast + 2 * MS, "{fast:?} under PSL, {slow:?} under UP");
    // It comes back sooner, so it asks for a little more; nobody else is less served for that.
    assert_near(&psl.shares(), &up.shares(), 3.0);
}

#[test]
fn psl_short_bursts_without_end_get_their_share_and_no_more() {
    let programs = [interactive(MS, MS / 2), busy(80)];
    // The grace of 0.2 ms after each of its bursts is its own.
    assert_near(&run(PolicyKind::Psl, &programs).shares(), &[20.0 / 1.2, 83.3], 2.0);
}

#[test]
fn mlfq_interactive_program_goes_before_batch_programs() {
    let programs = [interactive(2 * MS, 18 * MS), busy(50), busy(50), busy(50)];
    let machine = run(PolicyKind::Mlfq, &programs);
    // Its own 2 ms, what is in flight, and now and then somebody who was lifted.
    let response = machine.response(0, 0.1);
    assert!(response < 6 * MS, "{response:?}");
    assert!(machine.shares()[0] > 8.0, "{:?}", machine.shares());
    let others = &machine.shares()[1..];
    let mean = others.iter().sum::<f64>() / 3.0;
    assert_near(others, &[mean; 3], 4.0);
}

#[test]
fn mlfq_everybody_rises_again_then_batch_work_does_not_starve_below_short_work() {
    // Together they ask for more than there is.
    let mut programs = vec![interactive(4 * MS, 5 * MS); 4];
    programs.push(busy(50));
    let machine = run(PolicyKind::Mlfq, &programs);
    let longest = machine.longest_waits()[4];
    assert!(longest < Duration::from_millis(1_200), "{longest:?}");
    assert!(machine.shares()[4] > 0.4, "{:?}", machine.shares());
}

#[test]
fn mlfq_turns_are_longer_for_those_who_use_them_up() {
    let machine = run(PolicyKind::Mlfq, &[busy(50), busy(50)]);
    // Turns of 40 ms and once in a second those of the other levels.
    let turns = machine.turns();
    assert!((250..=450).contains(&turns), "{turns}");
    assert_near(&machine.shares(), &[50.0, 50.0], 3.0);
}

#[test]
fn srtf_the_shorter_goes_first() {
    let job = |kernels| Program { burst: kernels, ..interactive(MS, 30 * MS) };
    let programs = [job(2), job(10), job(50)];
    let (srtf, up) = (run(PolicyKind::Srtf, &programs), run(PolicyKind::Up, &programs));
    let [short, middle, long] = [0, 1, 2].map(|n| srtf.response(n, 0.5));
    assert!(short < 5 * MS && middle < 17 * MS && long < 90 * MS, "{short:?} {middle:?} {long:?}");
    let mean = |machine: &Machine| (0..3).map(|n| machine.response(n, 0.5)).sum::<Duration>();
    assert!(mean(&srtf) <= mean(&up), "{:?} under SRTF, {:?} under UP", mean(&srtf), mean(&up));
}

#[test]
fn srtf_nobody_waits_without_end() {
    // The short ones alone want more than there is.
    let mut programs = vec![interactive(4 * MS, 5 * MS); 4];
    programs.push(busy(50));
    let machine = run(PolicyKind::Srtf, &programs);
    let longest = machine.longest_waits()[4];
    assert!(longest < Duration::from_millis(550), "{longest:?}");
}

#[test]
fn srtf_programs_without_an_end_have_turns_like_equals() {
    let machine = run(PolicyKind::Srtf, &[busy(50), busy(50), busy(50)]);
    assert_near(&machine.shares(), &[33.3, 33.3, 33.3], 1.0);
    let longest = machine.longest_waits()[0];
    assert!(longest < 30 * MS, "{longest:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn psl_busy_programs_get_their_shares(programs in crate::programs()) {
        let mut machine = Machine::under(PolicyKind::Psl, Device::Fair, &programs);
        machine.run(10 * SECOND);
        assert_near(&machine.shares(), &crate::wanted(&programs), 1.0);
        prop_assert!(machine.utilization() > 95.0);
    }

    #[test]
    fn srtf_waits_are_bounded(programs in any_programs()) {
        let machine = run(PolicyKind::Srtf, &programs);
        for longest in machine.longest_waits() {
            // Patience, and for each of the others a turn, with a kernel of 20 ms at its end.
            prop_assert!(longest < Duration::from_millis(600) + 30 * MS * 6, "{longest:?} {programs:?}");
        }
    }

    #[test]
    fn mlfq_waits_are_bounded(programs in any_programs()) {
        let machine = run(PolicyKind::Mlfq, &programs);
        for longest in machine.longest_waits() {
            // A period, and for each of the others the longest turn.
            prop_assert!(longest < Duration::from_millis(1_100) + 70 * MS * 6, "{longest:?} {programs:?}");
        }
    }
}

/// Some that never rest, and some that do.
fn any_programs() -> impl Strategy<Value = Vec<Program>> {
    let program =
        (1..20u64, 1..=4usize, prop::option::of(1..30u64)).prop_map(|(kernel, in_flight, pause)| {
            let in_flight = if pause.is_some() { 1 } else { in_flight };
            let kernel = if pause.is_some() { kernel } else { 1 + kernel / 4 };
            Program {
                kernel: Duration::from_millis(kernel),
                in_flight,
                pause: pause.map(Duration::from_millis),
                ..busy(50)
            }
        });
    prop::collection::vec(program, 2..7)
}
