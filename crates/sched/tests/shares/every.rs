//! What holds for every policy that says so in the table: somebody runs whenever somebody wants to, and idle queues cost nothing.

use crate::machine::{Device, Machine, Program};
use crate::{MS, SECOND, coarse as busy};
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hints, QueueId, Time};
use xsched_sched::{POLICIES, PolicyKind, Scheduler, Settings};

#[test]
fn device_works_whenever_somebody_wants_it() {
    let pausing = Program { kernel: 3 * MS, in_flight: 1, pause: Some(7 * MS), ..busy(50) };
    for policy in POLICIES.iter().filter(|policy| policy.work_conserving) {
        let mut machine = Machine::under(policy.kind, Device::Fair, &[pausing, pausing, busy(20)]);
        machine.run(5 * SECOND);
        // Grace of 200 us after each kernel of 3 ms, and the end of what is in flight is seen late.
        assert!(machine.utilization() > 93.0, "{}: {}", policy.name, machine.utilization());
    }
}

#[test]
fn nobody_is_held_back_for_ever() {
    for policy in POLICIES {
        let programs = [busy(50), busy(1), Program { utilization: None, ..busy(0) }, busy(0)];
        let mut machine = Machine::under(policy.kind, Device::Fair, &programs);
        machine.run(10 * SECOND);
        let longest = machine.longest_waits().into_iter().max().unwrap();
        assert!(longest < Duration::from_millis(2_100), "{}: {longest:?}", policy.name);
        assert!(machine.shares().iter().all(|share| *share > 0.0), "{}: {:?}", policy.name, machine.shares());
    }
}

/// How many operations it takes when one of `clients` becomes ready and idle again while another one runs; all others were never ready.
fn operations(policy: PolicyKind, clients: u32) -> usize {
    let mut scheduler = Scheduler::new(policy, Settings::default());
    let (mut now, mut out) = (Time::ZERO, Vec::new());
    let mut tell = |event: Event| {
        now = now + 10 * MS;
        scheduler.handle(event, now);
        scheduler.decide(now, &mut out);
    };
    for n in 1..=clients {
        let (client, queue) = (ClientId(n), QueueId(u64::from(n)));
        tell(Event::ClientJoined { client, group: GroupId(n) });
        tell(Event::QueueCreated { queue, client, device: DeviceId(1), hints: Hints::default() });
    }
    for _ in 0..3 {
        for queue in [QueueId(1), QueueId(2)] {
            tell(Event::QueueReady { queue });
            tell(Event::QueueProgress { queue, launched: 1, completed: 1 });
            tell(Event::QueueIdle { queue });
            tell(Event::QueueIdle { queue });
        }
    }
    out.len()
}

#[test]
fn idle_queues_make_no_work() {
    for policy in POLICIES {
        assert_eq!(operations(policy.kind, 2), operations(policy.kind, 500), "{}", policy.name);
    }
}
