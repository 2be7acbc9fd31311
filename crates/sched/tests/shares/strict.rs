//! Strict process utilization partition: nobody gets more than its part, whatever is left of the device.

use crate::machine::{Device, Machine, Program};
use crate::{MS, SECOND, assert_near, coarse as busy};
use proptest::prelude::*;
use xsched_sched::{PolicyKind, Scheduler, Settings};

fn machine(programs: &[Program]) -> Machine {
    Machine::under(PolicyKind::Spup, Device::Fair, programs)
}

/// Of the device in 10 s, in percent.
fn rates(programs: &[Program]) -> Vec<f64> {
    let mut machine = machine(programs);
    machine.run(10 * SECOND);
    machine.rates()
}

#[test]
fn alone_it_gets_its_utilization_and_the_device_is_idle_for_the_rest() {
    for utilization in [1, 10, 30, 75, 100] {
        // What is in flight at the end of a turn and the time until that is seen count as its own.
        assert_near(&rates(&[busy(utilization)]), &[utilization as f64], 1.0 + utilization as f64 / 20.0);
        assert!(rates(&[busy(utilization)])[0] < utilization as f64 + 0.5);
    }
}

#[test]
fn what_one_does_not_get_another_one_does_not_either() {
    let rates = rates(&[busy(30), busy(30)]);
    assert_near(&rates, &[30.0, 30.0], 2.0);
    assert!(rates.iter().all(|rate| *rate < 30.5), "{rates:?}");
}

#[test]
fn more_than_a_device_is_shared_by_weight() {
    assert_near(&rates(&[busy(60), busy(60)]), &[50.0, 50.0], 3.0);
    assert_near(&rates(&[busy(100), busy(50)]), &[66.7, 33.3], 3.0);
    let rates = rates(&[busy(100), busy(100), busy(1)]);
    assert_near(&rates, &[49.7, 49.7, 0.5], 3.0);
}

#[test]
fn a_whole_device_is_shared_without_a_rest() {
    for parts in [&[75, 25][..], &[90, 10], &[25, 25, 25, 25], &[99, 1]] {
        let programs: Vec<Program> = parts.iter().map(|&part| busy(part)).collect();
        let wanted: Vec<f64> = parts.iter().map(|&part| part as f64).collect();
        assert_near(&rates(&programs), &wanted, 4.0);
    }
}

#[test]
fn long_kernels_are_paid_for() {
    for device in [Device::Fair, Device::InOrder] {
        let long = Program { kernel: 40 * MS, in_flight: 1, ..busy(25) };
        let mut machine = Machine::under(PolicyKind::Spup, device, &[long, busy(25)]);
        machine.run(10 * SECOND);
        assert_near(&machine.rates(), &[25.0, 25.0], 2.0);
    }
}

#[test]
fn program_that_waits_for_each_kernel_gets_its_part_and_no_more() {
    for (utilization, pause) in [(40, MS), (60, MS / 2), (20, 5 * MS)] {
        let waits = Program { kernel: 2 * MS, in_flight: 1, pause: Some(pause), ..busy(utilization) };
        let rate = rates(&[waits])[0];
        let most = utilization as f64;
        assert!(rate < most + 0.5 && rate > most * 0.7, "{rate} of {utilization}");
    }
}

#[test]
fn who_was_idle_or_in_a_crowd_has_nothing_to_make_up_for() {
    let late = Program { starts: 5 * SECOND, ..busy(30) };
    let crowd = Program { ends: 5 * SECOND, ..busy(100) };
    let mut machine = machine(&[late, busy(60), crowd, crowd]);
    machine.run(6 * SECOND);
    machine.forget();
    machine.run(SECOND);
    let rates = machine.rates();
    assert!(rates[0] < 31.0 && rates[1] < 61.0, "{rates:?}");
    assert!(rates[0] > 27.0 && rates[1] > 54.0, "{rates:?}");
}

#[test]
fn no_utilization_gets_what_everybody_is_due() {
    let rate = rates(&[busy(0)])[0];
    // 10 ms every 2 s.
    assert!(rate > 0.2 && rate < 1.0, "{rate}");
}

#[test]
fn queues_of_one_process_have_its_part_together() {
    let scheduler = Scheduler::new(PolicyKind::Spup, Settings::default()).within_one_process();
    let mut machine = Machine::with(scheduler, Device::Fair, &[busy(40), busy(40), busy(40)]);
    machine.run(10 * SECOND);
    assert_near(&[machine.utilization()], &[40.0], 2.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_gets_more_than_his_utilization_nor_much_less_than_there_is(programs in crate::programs()) {
        let rates = rates(&programs);
        let sum: f64 = programs.iter().filter_map(|program| program.utilization).sum::<i64>() as f64;
        for (program, rate) in programs.iter().zip(&rates) {
            let utilization = program.utilization.unwrap_or(0) as f64;
            prop_assert!(*rate < utilization + 0.5, "{rate} of {utilization}: {programs:?}");
            let there_is = utilization * (100.0 / sum).min(1.0);
            prop_assert!(*rate > there_is * 0.9 - 0.5, "{rate} of {there_is}: {rates:?} {programs:?}");
        }
    }
}
