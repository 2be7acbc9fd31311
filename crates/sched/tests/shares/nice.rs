//! Completely fair scheduler: shares by priority, as of nice.

use crate::machine::{Device, Machine, Program};
use crate::{MS, SECOND, assert_near, coarse as busy};
use proptest::prelude::*;
use xsched_sched::PolicyKind;

fn urgent(priority: i64) -> Program {
    Program { priority: Some(priority), utilization: None, ..busy(0) }
}

fn machine(programs: &[Program]) -> Machine {
    Machine::under(PolicyKind::Cfs, Device::Fair, programs)
}

fn wanted(priorities: &[i64]) -> Vec<f64> {
    let weights = || priorities.iter().map(|&priority| 1.25f64.powi(priority.clamp(-19, 20) as i32));
    weights().map(|weight| 100.0 * weight / weights().sum::<f64>()).collect()
}

#[test]
fn a_step_of_priority_is_a_quarter_more() {
    for priorities in [&[0, 0][..], &[1, 0], &[5, 0], &[10, 0, -3], &[100, 20], &[20, -19]] {
        let programs: Vec<Program> = priorities.iter().map(|&priority| urgent(priority)).collect();
        let mut machine = machine(&programs);
        machine.run(10 * SECOND);
        assert_near(&machine.shares(), &wanted(priorities), 1.0);
    }
}

#[test]
fn newcomer_starts_at_the_present_then_nobody_waits_until_it_has_caught_up() {
    let mut machine = machine(&[urgent(0), Program { starts: 5 * SECOND, ..urgent(0) }]);
    machine.run(5 * SECOND);
    machine.forget();
    machine.run(SECOND);
    assert_near(&machine.shares(), &[50.0, 50.0], 1.0);
    assert!(machine.longest_waits()[0] < 20 * MS, "{:?}", machine.longest_waits());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn busy_programs_get_their_shares(priorities in prop::collection::vec(-10..=10i64, 2..6)) {
        let programs: Vec<Program> = priorities.iter().map(|&priority| urgent(priority)).collect();
        let mut machine = machine(&programs);
        machine.run(10 * SECOND);
        assert_near(&machine.shares(), &wanted(&priorities), 1.0);
        prop_assert!(machine.utilization() > 95.0);
    }
}
