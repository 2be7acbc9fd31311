//! Process utilization partition.

use crate::machine::{Device, Machine, Program};
use crate::{MS, SECOND, assert_near, coarse as busy};
use proptest::prelude::*;
use std::time::Duration;
use xsched_sched::{PolicyKind, Scheduler, Settings};

fn machine(programs: &[Program]) -> Machine {
    Machine::under(PolicyKind::Pup, Device::Fair, programs)
}

#[test]
fn shares_go_by_utilization() {
    let mut machine = machine(&[busy(50), busy(30), busy(20)]);
    machine.run(10 * SECOND);
    assert_near(&machine.shares(), &[50.0, 30.0, 20.0], 1.0);
}

/// Works for so long at a time, and then rests.
fn rests(work: Duration, pause: Duration) -> Program {
    Program { burst: work.as_millis() as u64, kernel: MS, pause: Some(pause), ..busy(50) }
}

#[test]
fn what_was_not_used_carries_over_then_a_program_that_rests_gets_on_faster_than_under_up() {
    let [up, pup] = [PolicyKind::Up, PolicyKind::Pup].map(|policy| {
        let mut machine = Machine::under(policy, Device::Fair, &[rests(40 * MS, 80 * MS), busy(50)]);
        machine.run(10 * SECOND);
        machine.response(0, 0.5)
    });
    // Under UP it has half of the device; here it has all of it at first, for what half of it was worth in 80 ms, but for what has decayed.
    assert!(up > 70 * MS && pup < 66 * MS, "{pup:?} under PUP, {up:?} under UP");
}

#[test]
fn what_carries_over_decays_then_nobody_waits_for_long_after_a_long_sleep() {
    for pause in [300 * MS, 4 * SECOND] {
        let mut machine = machine(&[busy(50), rests(600 * MS, pause)]);
        machine.run(20 * SECOND);
        // What half of the device is worth in 100 ms, a turn, and what is in flight.
        let longest = machine.longest_waits()[0];
        assert!(longest < 70 * MS, "{longest:?} after {pause:?}");
    }
}

#[test]
fn newcomer_has_nothing_that_carries_over() {
    let mut machine = machine(&[busy(50), Program { starts: 5 * SECOND, ..busy(50) }]);
    machine.run(6 * SECOND);
    let longest = machine.longest_waits()[0];
    assert!(longest < 20 * MS, "{longest:?}");
}

#[test]
fn queues_of_one_process_are_never_held_back_for_each_other() {
    let scheduler = Scheduler::new(PolicyKind::Pup, Settings::default()).within_one_process();
    let mut machine = Machine::with(scheduler, Device::Fair, &[busy(50), busy(30), busy(20)]);
    machine.run(SECOND);
    assert_eq!(machine.turns(), 0);
    assert_near(&machine.shares(), &[33.3, 33.3, 33.3], 1.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn busy_processes_get_their_shares(programs in crate::programs()) {
        let mut machine = machine(&programs);
        machine.run(10 * SECOND);
        assert_near(&machine.shares(), &crate::wanted(&programs), 1.0);
        prop_assert!(machine.utilization() > 95.0);
    }
}
