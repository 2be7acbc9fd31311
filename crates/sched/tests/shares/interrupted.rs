//! Turns that end by taking a program off the device in the middle of a kernel, at what that costs.

use super::{MS, SECOND, assert_near};
use crate::machine::{Device, Machine, Program};
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, Fact, GroupId, Hints, QueueId, Time};
use xsched_sched::{PolicyKind, Scheduler, Settings, Turn};

fn busy(part: i64, kernel: Duration) -> Program {
    Program { utilization: Some(part), kernel, in_flight: 2, ..Program::default() }
}

fn run(policy: PolicyKind, programs: &[Program]) -> Machine {
    let mut machine = Machine::under(policy, Device::Interruptible, programs);
    machine.run(SECOND / 5);
    machine.forget();
    machine.run(8 * SECOND);
    machine
}

#[test]
fn shares_go_by_utilization_whatever_the_kernels_and_the_device_is_hardly_ever_idle() {
    for policy in [PolicyKind::Up, PolicyKind::Pup] {
        for kernels in [[MS, MS, MS], [MS / 10, MS, 10 * MS], [200 * MS, MS, MS / 10]] {
            let of = |parts: &[i64]| {
                let programs: Vec<Program> =
                    parts.iter().zip(kernels).map(|(part, kernel)| busy(*part, kernel)).collect();
                let machine = run(policy, &programs);
                assert!(machine.utilization() > 98.0, "{:.2} % with {kernels:?}", machine.utilization());
                machine.shares()
            };
            assert_near(&of(&[75, 25]), &[75.0, 25.0], 1.0);
            assert_near(&of(&[50, 30, 20]), &[50.0, 30.0, 20.0], 1.0);
            assert_near(&of(&[95, 5]), &[95.0, 5.0], 1.0);
        }
    }
}

#[test]
fn timeslice_that_somebody_gave_holds_for_turns_that_are_interrupted() {
    let short = |part| Program { timeslice: Some(5_000), ..busy(part, MS) };
    let machine = run(PolicyKind::Up, &[short(50), short(50)]);
    assert_near(&machine.shares(), &[50.0, 50.0], 1.0);
    assert!((1_500..1_700).contains(&machine.turns()), "{} turns of 5 ms in 8.2 s", machine.turns());
    let machine = run(PolicyKind::Up, &[busy(50, MS), busy(50, MS)]);
    assert!((260..280).contains(&machine.turns()), "{} turns of 30 ms in 8.2 s", machine.turns());
}

#[test]
fn program_with_gaps_leaves_them_to_the_other_one_and_gets_its_part() {
    let gaps = Program { pause: Some(20 * MS), burst: 10, in_flight: 10, ..busy(50, MS) };
    let machine = run(PolicyKind::Up, &[gaps, busy(50, MS)]);
    // Alone it works for 10 of 30 ms: less than its part.
    assert!(machine.rates()[0] > 31.0, "{:.1?}", machine.rates());
    assert!(machine.utilization() > 96.0, "{:.1?}", machine.rates());
    assert!(machine.response(0, 0.01) < 12 * MS, "{:?}", machine.response(0, 0.01));
}

#[test]
fn program_with_a_gap_in_each_five_milliseconds_costs_the_device_a_tenth_and_no_more() {
    let gaps = Program { pause: Some(MS), burst: 4, in_flight: 4, ..busy(75, MS) };
    let machine = run(PolicyKind::Up, &[gaps, busy(25, MS)]);
    // In each gap the device changes hands twice.
    assert!(machine.utilization() > 88.0, "{:.1?}", machine.rates());
    assert!(machine.shares()[0] > 60.0, "{:.1?}", machine.rates());
}

#[test]
fn group_on_two_devices_that_waits_for_one_of_them_waits_on_both() {
    let mut scheduler = Scheduler::new(PolicyKind::Up, Settings::default());
    let now = Time::from_nanos(1_000_000);
    let [both, one] = [1, 2].map(|n| (ClientId(n), GroupId(n)));
    for (client, group) in [both, one] {
        scheduler.handle(Event::ClientJoined { client, group }, now);
        scheduler.handle(Event::ClientFact { client, fact: Fact::Interruptible(true) }, now);
    }
    for (queue, client, device) in [(1, both.0, 1), (2, both.0, 2), (3, one.0, 1)] {
        let (queue, device, hints) = (QueueId(queue), DeviceId(device), Hints::default());
        scheduler.handle(Event::QueueCreated { queue, client, device, hints }, now);
    }
    // The one is ready first, and has the turn.
    for queue in [3, 1, 2] {
        scheduler.handle(Event::QueueReady { queue: QueueId(queue) }, now);
        scheduler.decide(now, &mut Vec::new());
    }
    let turn = |device, group| {
        scheduler.contenders(DeviceId(device)).find(|is| is.group == group).map(|is| (is.turn, is.is_held))
    };
    assert_eq!(turn(1, one.1), Some((Turn::Has, false)));
    assert_eq!([1, 2].map(|device| turn(device, both.1)), [Some((Turn::Waits, true)); 2]);
}
