//! The scheduler: tell it what happened, ask it what to do.
//!
//! Invariant: between two calls of [`Scheduler::decide`] nothing that it answers for changes; operations told so far, replayed in
//! order, give what [`Scheduler::is_suspended`] and [`Scheduler::is_windowed`] say. Unknown ids are ignored everywhere: a client
//! may have died while its event was under way.

use crate::marks::Marks;
use crate::policy::{Equals, Policy, PolicyKind, Run};
use crate::state::{GivenTo, Queue, Tables, Verdict};
use crate::timers::{Timer, Timers};
use std::collections::BTreeMap;
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hints, Operation, QueueId, Time};

/// The times that the scheduler goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For how long a queue that was told idle still counts as ready.
    pub grace: Duration,
    /// For how long a ready queue may hold others back without progress. At least 1 ms.
    pub lease: Duration,
    /// For how long a group may be held back without running for a moment. At least 1 ms.
    pub max_suspend: Duration,
    /// How long that moment is.
    pub grant: Duration,
    /// Under a policy that takes turns: for how long at most the next one waits until what the last one launched is done.
    pub handover: Duration,
    /// For how long others keep a small window after a group that goes before them was last ready.
    pub contended_linger: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            grace: Duration::from_micros(200),
            lease: Duration::from_secs(1),
            max_suspend: Duration::from_secs(2),
            grant: Duration::from_millis(10),
            handover: Duration::from_millis(100),
            contended_linger: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// Each with its name.
    pub fn named(&mut self) -> [(&'static str, &mut Duration); 6] {
        let Settings { grace, lease, max_suspend, grant, handover, contended_linger } = self;
        [
            ("grace", grace),
            ("lease", lease),
            ("max_suspend", max_suspend),
            ("grant", grant),
            ("handover", handover),
            ("contended_linger", contended_linger),
        ]
    }
}

/// Keeps the state of all queues and decides who runs.
#[derive(Debug)]
pub struct Scheduler {
    kind: Option<PolicyKind>,
    pub(crate) policy: Box<dyn Policy>,
    /// Told what the policy is told of those who can be taken off their devices.
    pub(crate) equals: Equals,
    pub(crate) settings: Settings,
    pub(crate) tables: Tables,
    pub(crate) timers: Timers,
    pub(crate) changes: Changes,
    pub(crate) is_of_one_process: bool,
    now: Time,
}

/// One queue, for status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Whose it is.
    pub client: ClientId,
    /// Its client's group.
    pub group: GroupId,
    /// What it is on.
    pub device: DeviceId,
    /// The hints that hold for it.
    pub hints: Hints,
    /// Whether the scheduler believes that it has something to run.
    pub ready: bool,
}

/// What is to be looked at in the next decision.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Groups whose queues changed.
    pub(crate) groups: Marks<GroupId>,
    /// Devices whose ready groups changed.
    pub(crate) devices: Marks<DeviceId>,
    /// Units for which something else changed.
    pub(crate) units: Marks<(GroupId, DeviceId)>,
}

impl Scheduler {
    /// A scheduler with nothing to schedule yet.
    pub fn new(policy: PolicyKind, settings: Settings) -> Scheduler {
        Scheduler { kind: Some(policy), ..Scheduler::with_policy(policy.build(), settings) }
    }

    /// The same for the queues of one process, each of which is a client and a group of its own: policies that go by processes count them as one.
    pub fn within_one_process(self) -> Scheduler {
        Scheduler { is_of_one_process: true, ..self }
    }

    /// A scheduler with a policy that is not in the table.
    pub fn with_policy(policy: Box<dyn Policy>, settings: Settings) -> Scheduler {
        let least = Duration::from_millis(1);
        let settings = Settings {
            lease: settings.lease.max(least),
            max_suspend: settings.max_suspend.max(least),
            ..settings
        };
        Scheduler {
            kind: None,
            policy,
            equals: Equals::default(),
            settings,
            tables: Tables::default(),
            timers: Timers::default(),
            changes: Changes::default(),
            is_of_one_process: false,
            now: Time::ZERO,
        }
    }

    /// Takes note of what happened at `now`. Several events may come before the next [`Scheduler::decide`].
    pub fn handle(&mut self, event: Event, now: Time) {
        let now = self.advance(now);
        match event {
            Event::ClientJoined { client, group } => self.tables.add_client(client, group),
            Event::ClientMoved { client, group } => {
                if let Some(before) = self.tables.move_client(client, group) {
                    self.changes.groups.extend([before, group]);
                }
            }
            Event::ClientLeft { client } => {
                if let Some((group, queues)) = self.tables.remove_client(client) {
                    queues.into_iter().for_each(|queue| self.forget_queue(queue));
                    self.changes.groups.insert(group);
                }
            }
            Event::QueueCreated { queue, client, device, hints } => {
                self.changes.groups.extend(self.tables.add_queue(queue, client, device, hints, now));
                self.rank(queue, now);
            }
            Event::QueueDestroyed { queue } => {
                self.forget_queue(queue);
                self.changes.groups.extend(self.tables.remove_queue(queue));
            }
            Event::QueueReady { queue } => self.queue_ready(queue, now),
            Event::QueueIdle { queue } => self.queue_idle(queue, now),
            Event::QueueProgress { queue, launched, completed } => {
                self.queue_progress(queue, (launched, completed), now);
            }
            Event::QueueHint { queue, hint } => {
                self.changes.groups.extend(self.tables.set_hint(queue, hint, GivenTo::Queue));
                self.rank(queue, now);
            }
            Event::ClientHint { client, hint } => {
                let Some(state) = self.tables.clients.get_mut(&client) else { return };
                state.hints.set(hint);
                for queue in state.queues.clone() {
                    self.changes.groups.extend(self.tables.set_hint(queue, hint, GivenTo::Process));
                }
                self.rank_client(client, now);
            }
            Event::ClientUnset { client, kind } => {
                let Some(state) = self.tables.clients.get_mut(&client) else { return };
                state.hints.unset(kind);
                for queue in state.queues.clone() {
                    self.changes.groups.extend(self.tables.unset_hint(queue, kind));
                }
                self.rank_client(client, now);
            }
            Event::ClientFact { client, fact } => {
                let state = self.tables.clients.get_mut(&client);
                if let Some(group) = state.and_then(|state| state.facts.set(fact).then_some(state.group)) {
                    self.changes.groups.insert(group);
                    self.rank_client(client, now);
                }
            }
        }
    }

    /// Appends what is to be done at `now`, in this order: window and await, suspend, resume, unwindow and unawait, probe. So a
    /// device is not shared for a moment between two who should not share it. Answers when to call again even if nothing
    /// happens; later than `now`.
    pub fn decide(&mut self, now: Time, out: &mut Vec<Operation>) -> Option<Time> {
        let now = self.advance(now);
        let first = out.len();
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Grace(queue) => self.grace_over(queue),
                Timer::Lease(device) => self.lease_tick(device, now, out),
                Timer::Lapsed(group, device) => self.lapsed_tick(group, device, now, out),
                Timer::InFlight(group, device) => self.in_flight_over(group, device, now),
                Timer::Due(group) => self.due(group, now),
                Timer::Grant(group) => self.grant_over(group),
                Timer::Linger(group, device) => self.linger_over(group, device),
                Timer::Rank(queue) => self.rank(queue, now),
                Timer::Slice(device) => self.changes.devices.insert(device),
            }
        }
        let placed = self.changes.groups.take();
        placed.iter().for_each(|&group| self.place(group, now));
        self.changes.groups.extend(placed);
        self.decide_devices(now);
        let groups = self.changes.groups.take();
        groups.iter().for_each(|&group| self.judge(group));
        self.settle_all(now, out);
        groups.into_iter().for_each(|group| self.sweep(group));
        if let Some(new) = out.get_mut(first..) {
            new.sort_by_key(|operation| match operation {
                Operation::Window { .. } | Operation::Await { .. } => 0,
                Operation::Suspend { .. } => 1,
                Operation::Resume { .. } => 2,
                Operation::Unwindow { .. } | Operation::Unawait { .. } => 3,
                Operation::Probe { .. } => 4,
            });
        }
        self.timers.next()
    }

    /// Settles all units that changed.
    fn settle_all(&mut self, now: Time, out: &mut Vec<Operation>) {
        // A second round if somebody has become free to begin by the first.
        while !self.changes.units.is_empty() {
            let mut units = self.changes.units.take();
            if self.policy.takes_turns() {
                // Where runs follow one another, those who stop come first: who begins may have to wait for them.
                units.sort_by_key(|(group, _)| {
                    self.tables.groups.get(group).is_some_and(|group| group.verdict == Verdict::Runs)
                });
            }
            for units in units.chunk_by(|(one, _), (other, _)| one == other) {
                self.settle(units, now, out);
            }
        }
    }

    /// Goes on with another policy from `now` on; the next [`Scheduler::decide`] goes by it. Call that at once.
    pub fn set_policy(&mut self, policy: PolicyKind, now: Time) {
        self.set_custom_policy(policy.build(), now);
        self.kind = Some(policy);
    }

    /// Goes on with a policy that is not in the table.
    pub fn set_custom_policy(&mut self, policy: Box<dyn Policy>, now: Time) {
        // What was before is nothing that it charges for.
        let now = self.advance(now);
        self.policy = policy;
        self.kind = None;
        self.equals = Equals::default();
        self.rank_all(now);
        let devices: BTreeMap<_, _> = self.tables.devices.iter().collect();
        for (&id, device) in devices {
            for unit in device.ready.values() {
                self.policy.on_ready(id, unit, now);
                self.equals.on_ready(id, unit, now);
            }
        }
        let mut running: Vec<_> = (self.tables.groups.iter())
            .flat_map(|(&group, state)| state.units.iter().map(move |(device, unit)| (device, group, unit)))
            .filter_map(|(device, group, unit)| Some((device, group, unit.running_since?)))
            .collect();
        running.sort_unstable();
        for (device, group, since) in running {
            self.policy.on_run(device, group, Run::Began, since);
            // Whether what is in flight counts is the policy's matter.
            self.changes.units.insert((group, device));
        }
        for (&id, device) in &self.tables.devices {
            self.changes.devices.insert(id);
            // Who keeps a window is the policy's matter, too.
            self.changes.units.extend(device.active.iter().map(|&(_, group)| (group, id)));
        }
    }

    /// The policy in force; `None` if it is not in the table.
    pub fn policy(&self) -> Option<PolicyKind> {
        self.kind
    }

    /// The times it goes by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the queue counts as ready: it is, or its grace is not over. Not when its lease has lapsed.
    pub fn is_ready(&self, queue: QueueId) -> bool {
        self.tables.queues.get(&queue).is_some_and(Queue::counts_as_ready)
    }

    /// Whether the client is held back on the device, as of the last decision.
    pub fn is_suspended(&self, client: ClientId, device: DeviceId) -> bool {
        self.tables.gate(client, device).is_some_and(|gate| gate.told.suspended)
    }

    /// Whether the client is to keep a small window, as of the last decision.
    pub fn is_windowed(&self, client: ClientId, device: DeviceId) -> bool {
        self.tables.gate(client, device).is_some_and(|gate| gate.told.windowed)
    }

    /// Whether others are held back until the client is idle, as of the last decision.
    pub fn is_awaited(&self, client: ClientId, device: DeviceId) -> bool {
        self.tables.gate(client, device).is_some_and(|gate| gate.told.awaited)
    }

    /// How often the client was suspended on the device since its first queue there was made.
    pub fn suspensions(&self, client: ClientId, device: DeviceId) -> u64 {
        self.tables.gate(client, device).map_or(0, |gate| gate.suspensions)
    }

    /// Whether the group runs for a moment only because it was held back for `max_suspend`.
    pub fn is_granted(&self, group: GroupId) -> bool {
        self.tables.groups.get(&group).is_some_and(|group| group.granted)
    }

    /// What an operator should know about a client on a device: what the policy has promised, or refused, to its group.
    pub fn remark(&self, client: ClientId, device: DeviceId) -> Option<String> {
        self.policy.remark(device, self.group_of(client)?)
    }

    /// The groups that there is something else to say of than before, where, and what that is.
    pub fn take_news(&mut self) -> impl Iterator<Item = (GroupId, DeviceId, String)> + '_ {
        let news = self.policy.take_news().into_iter();
        news.filter_map(|(device, group)| Some((group, device, self.policy.remark(device, group)?)))
    }

    /// What is known of a queue.
    pub fn queue(&self, id: QueueId) -> Option<QueueView> {
        let queue = self.tables.queues.get(&id)?;
        Some(QueueView {
            client: queue.client,
            group: queue.group,
            device: queue.device,
            hints: queue.hints,
            ready: queue.counts_as_ready(),
        })
    }

    /// The queues of a client, by number.
    pub fn queues_of(&self, client: ClientId) -> impl Iterator<Item = QueueId> + '_ {
        self.tables.clients.get(&client).into_iter().flat_map(|client| client.queues.iter().copied())
    }

    /// The queues of a client on a device that count as ready. Costs as many steps as its group has ready queues there.
    pub fn ready_queues_of(&self, client: ClientId, device: DeviceId) -> impl Iterator<Item = QueueId> + '_ {
        let unit = self.tables.clients.get(&client).and_then(|client| self.tables.unit(client.group, device));
        let ready = unit.into_iter().flat_map(|unit| unit.ready.iter().map(|&(_, queue)| queue));
        ready.filter(move |queue| self.tables.queues.get(queue).is_some_and(|queue| queue.client == client))
    }

    /// The group of a client.
    pub fn group_of(&self, client: ClientId) -> Option<GroupId> {
        self.tables.clients.get(&client).map(|client| client.group)
    }

    /// How many clients there are.
    pub fn client_count(&self) -> usize {
        self.tables.clients.len()
    }

    /// How many queues there are.
    pub fn queue_count(&self) -> usize {
        self.tables.queues.len()
    }

    /// The latest time that it was told.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    fn forget_queue(&mut self, queue: QueueId) {
        self.timers.clear(Timer::Grace(queue));
        self.timers.clear(Timer::Rank(queue));
    }

    /// Time does not run backwards, whatever the caller says.
    fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.now
    }
}
