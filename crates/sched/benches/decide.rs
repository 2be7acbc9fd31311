//! What a decision costs on a machine with 10,000 queues of 1,000 processes while one of them changes.
//!
//! `cargo bench -p xsched-sched` prints; nothing is asserted. Each iteration is one event and one decision, and then another of
//! each that takes it back.

use criterion::{BatchSize, Criterion};
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hint, HintKind, Hints, Operation, QueueId, Time};
use xsched_sched::{POLICIES, PolicyKind, Scheduler, Settings};

const CLIENTS: u32 = 1_000;
const QUEUES_EACH: u64 = 10;

/// A scheduler in virtual time.
struct Machine {
    scheduler: Scheduler,
    now: Time,
    out: Vec<Operation>,
    wake: Option<Time>,
}

impl Machine {
    /// Clients of the given priority on one device; the first `ready` of them have all their queues ready.
    fn new(priority: impl Fn(u32) -> i64, ready: u32) -> Machine {
        Machine::under(PolicyKind::Hpf, priority, ready)
    }

    fn under(policy: PolicyKind, priority: impl Fn(u32) -> i64, ready: u32) -> Machine {
        // Dues and leases are not what is measured.
        let settings = Settings {
            grace: Duration::ZERO,
            max_suspend: Duration::from_secs(1 << 20),
            lease: Duration::from_secs(1 << 20),
            ..Settings::default()
        };
        let scheduler = Scheduler::new(policy, settings);
        let mut machine = Machine { scheduler, now: Time::ZERO, out: Vec::new(), wake: None };
        for n in 1..=CLIENTS {
            let (client, mut hints) = (ClientId(n), Hints::default());
            hints.set(Hint::new(HintKind::Priority, priority(n)).expect("in range"));
            machine.scheduler.handle(Event::ClientJoined { client, group: GroupId(n) }, machine.now);
            for k in 0..QUEUES_EACH {
                let queue = QueueId(u64::from(n) * QUEUES_EACH + k);
                machine.event(Event::QueueCreated { queue, client, device: DeviceId(1), hints });
                if n <= ready {
                    machine.event(Event::QueueReady { queue });
                }
            }
        }
        // Whoever had a turn meanwhile has nothing left in flight.
        for n in 1..=u64::from(ready) * QUEUES_EACH {
            let queue = QueueId(QUEUES_EACH + n - 1);
            machine.event(Event::QueueProgress { queue, launched: 1, completed: 1 });
        }
        machine
    }

    /// One event and its decision; answers how many operations it took.
    fn event(&mut self, event: Event) -> usize {
        self.now = self.now + Duration::from_micros(10);
        self.out.clear();
        self.scheduler.handle(event, self.now);
        self.wake = self.scheduler.decide(self.now, &mut self.out);
        self.out.len()
    }

    /// The turn under way ends, and all that was launched in it is done.
    fn end_of_turn(&mut self) -> usize {
        self.now = self.wake.expect("somebody waits for the next turn");
        self.out.clear();
        self.scheduler.decide(self.now, &mut self.out);
        let suspended = self.out.iter().find_map(|operation| match operation {
            Operation::Suspend { client, .. } => Some(*client),
            _ => None,
        });
        let queues: Vec<QueueId> = suspended
            .into_iter()
            .flat_map(|client| self.scheduler.ready_queues_of(client, DeviceId(1)))
            .collect();
        for queue in queues {
            let event = Event::QueueProgress { queue, launched: 1, completed: 1 };
            self.scheduler.handle(event, self.now);
        }
        self.wake = self.scheduler.decide(self.now, &mut self.out);
        self.out.len()
    }
}

fn queue_of(client: u32) -> QueueId {
    QueueId(u64::from(client) * QUEUES_EACH)
}

fn ready_and_idle(machine: &mut Machine, queue: QueueId) -> usize {
    let ready = machine.event(Event::QueueReady { queue });
    machine.event(Event::QueueIdle { queue });
    // The grace, which is zero here, is over.
    ready + machine.event(Event::QueueIdle { queue })
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("10000 queues of 1000 processes");
    group.bench_function("all idle, one becomes ready and idle (3 decisions)", |b| {
        let mut machine = Machine::new(|_| 0, 0);
        b.iter(|| ready_and_idle(&mut machine, queue_of(CLIENTS)));
    });
    group.bench_function("10 urgent ones run, another becomes ready and idle (3 decisions)", |b| {
        let mut machine = Machine::new(|n| if n <= 10 { 10 } else { 0 }, 10);
        b.iter(|| ready_and_idle(&mut machine, queue_of(CLIENTS)));
    });
    group.bench_function("all but one run, that one becomes ready and idle (3 decisions)", |b| {
        let mut machine = Machine::new(|_| 0, CLIENTS - 1);
        b.iter(|| ready_and_idle(&mut machine, queue_of(CLIENTS)));
    });
    group.bench_function(
        "all run, one is made less urgent and equal again: 999 are told (2 decisions)",
        |b| {
            let mut machine = Machine::new(|_| 0, CLIENTS);
            let hint = |value| Hint::new(HintKind::Priority, value).expect("in range");
            b.iter(|| {
                let client = ClientId(CLIENTS / 2);
                machine.event(Event::ClientHint { client, hint: hint(-1) });
                machine.event(Event::ClientHint { client, hint: hint(0) })
            });
        },
    );
    group.bench_function("all ready, 5 run, another top and back (2 decisions)", |b| {
        let mut machine = Machine::new(|n| i64::from(n % 200), CLIENTS);
        let hint = |value| Hint::new(HintKind::Priority, value).expect("in range");
        b.iter(|| {
            let queue = queue_of(CLIENTS / 2);
            machine.event(Event::QueueHint { queue, hint: hint(255) });
            machine.event(Event::QueueHint { queue, hint: hint(0) })
        });
    });
    group.bench_function("the most urgent becomes ready: 999 are told (1 decision)", |b| {
        let idle = || Machine::new(|n| if n == 1 { 10 } else { 0 }, 0);
        b.iter_batched(
            idle,
            |mut machine| {
                assert_eq!(machine.event(Event::QueueReady { queue: queue_of(1) }), CLIENTS as usize - 1);
                machine
            },
            BatchSize::LargeInput,
        );
    });
    for policy in POLICIES.iter().filter(|policy| policy.kind.build().takes_turns()) {
        for (name, ready) in [("2 take turns", 2), ("all take turns", CLIENTS)] {
            group.bench_function(
                format!("{}: {name}, one ends and what it launched is done (2 decisions)", policy.name),
                |b| {
                    let mut machine = Machine::under(policy.kind, |_| 0, ready);
                    // Until all have fallen into step.
                    for _ in 0..2 * CLIENTS {
                        machine.end_of_turn();
                    }
                    // Now and then the same one goes on.
                    b.iter(|| machine.end_of_turn());
                },
            );
        }
    }
    // Some of equal priority run; the last one is more urgent than all others by a hint of the policy.
    for (policy, kind, others, last) in [
        (PolicyKind::Lax, HintKind::LaxPriority, None, 255),
        (PolicyKind::Kedf, HintKind::Deadline, Some(3_000_000_000), 1_000_000_000),
        (PolicyKind::Edf, HintKind::Deadline, Some(3_000_000_000), 1_000_000_000),
    ] {
        group.bench_function(
            format!("{policy}: 999 ready, another takes the device and leaves (3 decisions)"),
            |b| {
                let mut machine = Machine::under(policy, |n| i64::from(n % 200), CLIENTS - 1);
                let hint = |kind, value| Hint::new(kind, value).expect("in range");
                for n in 1..=CLIENTS {
                    let client = ClientId(n);
                    let (value, utilization) = if n == CLIENTS { (Some(last), 10) } else { (others, 0) };
                    let utilization = hint(HintKind::Utilization, utilization);
                    machine.event(Event::ClientHint { client, hint: utilization });
                    if let Some(value) = value {
                        machine.event(Event::ClientHint { client, hint: hint(kind, value) });
                    }
                }
                b.iter(|| assert!(ready_and_idle(&mut machine, queue_of(CLIENTS)) >= 2, "{:?}", machine.out));
            },
        );
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    decide(&mut criterion);
    criterion.final_summary();
}
