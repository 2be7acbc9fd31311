//! Drives a scheduler in virtual time and checks the rules that hold for every policy.

use crate::model::{Model, urgency_under};
use crate::steps::Step;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hint, HintKind, Hints, Operation, QueueId, Time};
use xsched_sched::{POLICIES, PolicyKind, Scheduler, Settings, Turn};

/// Short enough that everything happens within a few steps.
pub(crate) fn settings() -> Settings {
    Settings {
        grace: Duration::from_millis(2),
        lease: Duration::from_millis(12),
        max_suspend: Duration::from_millis(50),
        grant: Duration::from_millis(10),
        handover: Duration::from_millis(3),
        contended_linger: Duration::from_millis(100),
    }
}

pub(crate) struct World {
    scheduler: Scheduler,
    model: Model,
    /// The policy, if it is one that the model knows and that does not change.
    known: Option<PolicyKind>,
    now: Time,
    wake: Option<Time>,
    /// What the operations so far amount to: who is (suspended, windowed, awaited) where.
    told: BTreeMap<(ClientId, DeviceId), (bool, bool, bool)>,
    numbers: BTreeMap<QueueId, u64>,
    hung: BTreeSet<QueueId>,
}

impl World {
    /// Under one policy, which the model knows.
    pub(crate) fn under(policy: PolicyKind) -> World {
        assert!(urgency_under(Some(policy)).is_some());
        World { known: Some(policy), ..World::new(Scheduler::new(policy, settings())) }
    }

    /// Under any policy; one of the table is changed now and then for another one.
    pub(crate) fn new(scheduler: Scheduler) -> World {
        World {
            model: Model::default(),
            known: None,
            scheduler,
            now: Time::ZERO,
            wake: None,
            told: BTreeMap::new(),
            numbers: BTreeMap::new(),
            hung: (1..=3).map(QueueId).collect(),
        }
    }

    pub(crate) fn is_suspended(&self, client: u32, device: u32) -> bool {
        self.scheduler.is_suspended(ClientId(client), DeviceId(device))
    }

    pub(crate) fn step(&mut self, step: Step) {
        let hint = |p| Hint::new(HintKind::Priority, p).unwrap();
        let event = match step {
            Step::Wait(time) => return self.wait(time),
            Step::Hang(queue, hangs) => {
                let queue = QueueId(queue);
                let _ = if hangs { self.hung.insert(queue) } else { self.hung.remove(&queue) };
                return;
            }
            Step::Repolicy(n) => return self.repolicy(n),
            Step::Join(client, group) => {
                Event::ClientJoined { client: ClientId(client), group: GroupId(group) }
            }
            Step::Move(client, group) => {
                Event::ClientMoved { client: ClientId(client), group: GroupId(group) }
            }
            Step::Leave(client) => Event::ClientLeft { client: ClientId(client) },
            Step::Create(queue, client, device, priority) => {
                let mut hints = Hints::default();
                priority.into_iter().for_each(|p| hints.set(hint(p)));
                Event::QueueCreated {
                    queue: QueueId(queue),
                    client: ClientId(client),
                    device: DeviceId(device),
                    hints,
                }
            }
            Step::Destroy(queue) => Event::QueueDestroyed { queue: QueueId(queue) },
            Step::Ready(queue) => Event::QueueReady { queue: QueueId(queue) },
            Step::Idle(queue) => Event::QueueIdle { queue: QueueId(queue) },
            Step::QueueHint(queue, hint) => Event::QueueHint { queue: QueueId(queue), hint },
            Step::ClientHint(client, hint) => Event::ClientHint { client: ClientId(client), hint },
            Step::ClientUnset(client, kind) => Event::ClientUnset { client: ClientId(client), kind },
            Step::ClientFact(client, fact) => Event::ClientFact { client: ClientId(client), fact },
        };
        if let Event::ClientLeft { client } = event {
            // Nothing may be told to it from now on.
            self.told.retain(|&(told, _), _| told != client);
        }
        if let Event::QueueReady { queue } = event {
            self.check_foresight(queue);
        }
        self.model.event(event, self.now);
        self.scheduler.handle(event, self.now);
    }

    /// The same policy again where the model knows it, else any of the table.
    fn repolicy(&mut self, n: usize) {
        if self.scheduler.policy().is_some() {
            self.scheduler.set_policy(self.known.unwrap_or(POLICIES[n % POLICIES.len()].kind), self.now);
        }
    }

    /// Whoever is named before a queue becomes ready is held back by the next decision; and if its process is not in a hurry, nobody else is who was not before.
    fn check_foresight(&mut self, queue: QueueId) {
        self.decide();
        let named: Vec<ClientId> = self.scheduler.preempted_by(queue).collect();
        let Some((client, device)) = self.scheduler.queue(queue).map(|queue| (queue.client, queue.device))
        else {
            return;
        };
        let in_a_hurry = self.scheduler.in_a_hurry(usize::MAX);
        assert!(self.scheduler.in_a_hurry(0).is_none_or(|few| few.is_empty()));
        let before = self.suspended();
        assert!(named.iter().all(|&client| !self.scheduler.is_suspended(client, device)));
        let event = Event::QueueReady { queue };
        self.model.event(event, self.now);
        self.scheduler.handle(event, self.now);
        self.decide();
        let held = |&client: &ClientId| self.scheduler.is_suspended(client, device);
        assert!(named.iter().all(held), "{named:?} are preempted by {queue}");
        if in_a_hurry.is_some_and(|in_a_hurry| !in_a_hurry.contains(&client)) {
            let after = self.suspended();
            let group = |client| self.scheduler.group_of(client);
            // Its own group may be held: it runs on one device, and does not on another where it has become ready.
            let others = |(other, _): &&(ClientId, DeviceId)| group(*other) != group(client);
            // The turn of an equal can end a little later; then its group is held on all devices.
            let waits = |(other, _): &&(ClientId, DeviceId)| {
                let group = group(*other);
                let mut all = (1..=3).flat_map(|device| self.scheduler.contenders(DeviceId(device)));
                all.any(|is| Some(is.group) == group && is.turn == Turn::Waits)
            };
            let held = after.difference(&before).filter(others).filter(|at| !waits(at));
            let held: Vec<_> = held.collect();
            assert!(held.is_empty(), "{held:?} are held by {queue} of {client}, which is in no hurry");
        }
    }

    /// Who is held where.
    fn suspended(&self) -> BTreeSet<(ClientId, DeviceId)> {
        self.told.iter().filter(|(_, told)| told.0).map(|(&at, _)| at).collect()
    }

    /// Decides until no probe is left to answer, and checks each decision.
    pub(crate) fn decide(&mut self) {
        loop {
            let mut operations = Vec::new();
            let wake = self.scheduler.decide(self.now, &mut operations);
            assert!(wake.is_none_or(|wake| wake > self.now), "wake-up {wake:?} at {}", self.now);
            self.replay(&operations);
            self.check_told();
            self.check_somebody_runs();
            self.model.settle(&self.scheduler, &self.hung, self.now);
            self.model.check_windows(&self.scheduler);
            if self.known.is_some() {
                self.model.settle_running(&self.scheduler, self.now);
                self.model.check_gates(&self.scheduler);
            }
            self.model.check_wake(wake);

            let mut again = Vec::new();
            assert_eq!(self.scheduler.decide(self.now, &mut again), wake);
            assert_eq!(again, [], "a second decision at the same time changes nothing");
            self.wake = wake;
            if !self.answer(&operations) {
                return;
            }
        }
    }

    /// Everybody leaves; nothing may be left of them.
    pub(crate) fn end(mut self) {
        (1..=6).for_each(|client| self.step(Step::Leave(client)));
        self.decide();
        assert_eq!((self.scheduler.client_count(), self.scheduler.queue_count()), (0, 0));
        assert_eq!(self.wake, None, "no timer is left");
    }

    fn wait(&mut self, time: Duration) {
        self.decide();
        let until = self.now + time;
        while let Some(wake) = self.wake.filter(|&wake| wake <= until) {
            self.now = wake;
            self.decide();
        }
        self.now = until;
    }

    /// Applies operations to what the clients know, each of which must be news to them, and in order.
    fn replay(&mut self, operations: &[Operation]) {
        let mut last = 0;
        for &operation in operations {
            let (rank, client, device) = match operation {
                Operation::Window { client, device } | Operation::Await { client, device } => {
                    (0, client, device)
                }
                Operation::Suspend { client, device } => (1, client, device),
                Operation::Resume { client, device } => (2, client, device),
                Operation::Unwindow { client, device } | Operation::Unawait { client, device } => {
                    (3, client, device)
                }
                Operation::Probe { queue } => {
                    assert!(self.scheduler.queue(queue).is_some(), "{operation:?} for a queue that is gone");
                    last = 4;
                    continue;
                }
            };
            assert!(rank >= last, "{operation:?} comes too late in {operations:?}");
            last = rank;
            assert!(self.scheduler.group_of(client).is_some(), "{operation:?} for a client that is gone");
            let (suspended, windowed, awaited) = self.told.entry((client, device)).or_default();
            let (state, value) = match operation {
                Operation::Suspend { .. } => (suspended, true),
                Operation::Resume { .. } => (suspended, false),
                Operation::Window { .. } => (windowed, true),
                Operation::Unwindow { .. } => (windowed, false),
                Operation::Await { .. } => (awaited, true),
                _ => (awaited, false),
            };
            assert_ne!(*state, value, "{operation:?} is no news");
            *state = value;
        }
    }

    fn check_told(&self) {
        for client in (1..=6).map(ClientId) {
            for device in (1..=3).map(DeviceId) {
                let told = self.told.get(&(client, device)).copied().unwrap_or_default();
                let state = (
                    self.scheduler.is_suspended(client, device),
                    self.scheduler.is_windowed(client, device),
                    self.scheduler.is_awaited(client, device),
                );
                assert_eq!(state, told, "{client} on {device}");
            }
        }
    }

    /// Among groups that are ready and connected by devices, somebody is held back nowhere, or what somebody launched before is still on a
    /// device. Under a policy that looks at the whole machine, that connects all devices.
    fn check_somebody_runs(&self) {
        let policy = self.scheduler.policy();
        let is_machine_wide = policy == Some(PolicyKind::Hhpf);
        if !is_machine_wide && policy.is_some_and(|policy| !policy.info().work_conserving) {
            return;
        }
        let mut ready: BTreeMap<GroupId, (BTreeSet<DeviceId>, i64, bool, bool)> = BTreeMap::new();
        for queue in (1..=10).filter_map(|n| self.scheduler.queue(QueueId(n))).filter(|queue| queue.ready) {
            let (devices, priority, held, ends) =
                ready.entry(queue.group).or_insert((BTreeSet::new(), -256, false, false));
            devices.insert(queue.device);
            *priority = queue.hints.priority().max(*priority);
            let is_held = self.scheduler.is_suspended(queue.client, queue.device);
            *held |= is_held;
            *ends |= is_held && self.scheduler.is_awaited(queue.client, queue.device);
        }
        ready.retain(|_, (_, priority, ..)| *priority > -256);
        let mut components: Vec<(BTreeSet<DeviceId>, bool)> = Vec::new();
        for (devices, _, held, ends) in ready.into_values() {
            let (mut together, mut runs) = (devices, !held || ends);
            components.retain(|(other, other_runs)| {
                let apart = other.is_disjoint(&together) && !is_machine_wide;
                if !apart {
                    together.extend(other);
                    runs |= other_runs;
                }
                apart
            });
            components.push((together, runs));
        }
        assert!(components.iter().all(|(_, runs)| *runs), "nobody runs on {components:?}");
    }

    fn answer(&mut self, operations: &[Operation]) -> bool {
        let mut answered = false;
        for &operation in operations {
            let Operation::Probe { queue } = operation else { continue };
            let number = self.numbers.entry(queue).or_default();
            *number += u64::from(!self.hung.contains(&queue));
            let event = Event::QueueProgress { queue, launched: *number, completed: *number };
            self.scheduler.handle(event, self.now);
            answered = true;
        }
        answered
    }
}
