//! Recordings of xserver, told again to a scheduler.
//!
//! [`replay`] tells a scheduler of the recording's policy what was recorded, asks it when it was asked then, and compares what it decides: the
//! first difference is answered, and there should be none. [`what_if`] tells it all to another policy. That is an *open loop*: requests come when
//! they came and end when they ended, whatever the other policy would have done to them. So it says whom that policy would have
//! held back while they had work, and how often; not how much sooner or later anything would have been done.

use crate::timeline::{Account, Recorder, State, Timeline};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, Operation, QueueId, Time, Value};
use xsched_sched::{PolicyKind, Scheduler, Settings};
use xsched_trace::{End, Entry, Error, Header, Reader};

/// A recording, read as far as it can be.
#[derive(Debug)]
pub struct Recording {
    /// The policy that it begins with.
    pub policy: PolicyKind,
    settings: Settings,
    /// With the byte at which each begins.
    entries: Vec<(usize, Time, Entry)>,
    /// What is wrong with the rest, if it could not be read to its end; or the end is missing.
    pub cut_off: Option<String>,
    /// It ended because it was as large as it may be.
    pub is_full: bool,
}

/// How a replay came out.
#[derive(Debug)]
pub struct Replayed {
    /// The policy that it began with.
    pub policy: PolicyKind,
    /// From the first entry to the last.
    pub duration: Duration,
    /// Events that were told.
    pub events: u64,
    /// Times that the scheduler decided.
    pub decisions: u64,
    /// Times that the policy was changed in the recording; in a replay under another one, that is not done.
    pub policy_changes: u64,
    /// Processes on devices, in the order in which they made their first queue there.
    pub lanes: Vec<Held>,
    /// The first decision that came out otherwise.
    pub difference: Option<Difference>,
    /// Running means here: ready, and may run.
    pub timeline: Timeline,
}

/// What a process on a device had to bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its program, pid and, if there are several, device.
    pub name: String,
    /// For how long it had work.
    pub ready: Duration,
    /// For how much of that it was suspended.
    pub held: Duration,
    /// The longest time without a break for which it was.
    pub longest_held: Duration,
    /// Times that it was suspended with work.
    pub preemptions: u64,
}

/// A decision that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The byte of the recording at which it begins.
    pub offset: usize,
    /// When.
    pub at: Duration,
    /// What was wanted then, and when the scheduler wanted to be asked again.
    pub recorded: (Vec<Operation>, Option<Time>),
    /// The same now.
    pub replayed: (Vec<Operation>, Option<Time>),
}

impl Recording {
    /// Reads a recording. What is cut off at its end is no error: the server may have been killed.
    pub fn read(bytes: &[u8]) -> Result<Recording, String> {
        let (header, mut reader) = Reader::new(bytes).map_err(|error| error.to_string())?;
        let policy = header.get("policy").ok_or("its header names no policy")?;
        let policy =
            PolicyKind::parse(policy).map_err(|expected| format!("its policy is {policy:?}; {expected}"))?;
        let settings = settings(&header)?;
        let (mut entries, mut cut_off, mut is_full) = (Vec::new(), None, false);
        while let Some(entry) = reader.next() {
            match entry {
                Ok((_, Entry::End(end))) => is_full = end == End::Full,
                Ok((time, entry)) => entries.push((reader.offset(), time, entry)),
                Err(error @ Error::CutOff { .. }) => cut_off = Some(error.to_string()),
                Err(error) => return Err(error.to_string()),
            }
        }
        if !reader.is_over() && cut_off.is_none() {
            cut_off = Some("its end is missing: the server was killed, or still runs".into());
        }
        Ok(Recording { policy, settings, entries, cut_off, is_full })
    }

    fn begin(&self) -> Time {
        // What is before the first event is the age of the machine.
        let is_event =
            |(_, _, entry): &&(usize, Time, Entry)| matches!(entry, Entry::Event(_) | Entry::Decision { .. });
        self.entries.iter().find(is_event).map_or(Time::ZERO, |(_, time, _)| *time)
    }

    /// Whether it says anything that only the system knows of processes: servers look only while a policy wants it.
    pub fn has_facts(&self) -> bool {
        self.entries.iter().any(|(_, _, entry)| matches!(entry, Entry::Event(Event::ClientFact { .. })))
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |(_, time, _)| time.since(self.begin()))
    }
}

/// The times that the scheduler went by: each of them, and nothing that is not known.
fn settings(header: &Header) -> Result<Settings, String> {
    const ABOUT: [&str; 2] = ["server", "policy"];
    let mut settings = Settings::default();
    for (name, slot) in settings.named() {
        let value = header.get(name).ok_or_else(|| format!("its header does not say {name}"))?;
        *slot = Duration::parse(value).map_err(|expected| format!("its {name} is {value:?}; {expected}"))?;
    }
    let known: BTreeSet<&str> = settings.named().into_iter().map(|(name, _)| name).chain(ABOUT).collect();
    match header.0.iter().find(|(name, _)| !known.contains(name.as_str())) {
        Some((name, _)) => Err(format!("its header says {name:?}, which this version does not know")),
        None => Ok(settings),
    }
}

/// Tells the recording again, under the policies that were in force.
pub fn replay(recording: &Recording, draw: Option<(Duration, Duration)>) -> Replayed {
    let mut player = Player::new(recording, recording.policy, draw);
    for (offset, time, entry) in &recording.entries {
        player.now = *time;
        match entry {
            Entry::Event(event) => player.tell(event),
            Entry::Policy(name) => {
                player.out.policy_changes += 1;
                // One that this version does not know makes a difference, which is answered.
                PolicyKind::parse(name)
                    .into_iter()
                    .for_each(|policy| player.scheduler.set_policy(policy, *time));
            }
            Entry::Decision { operations, next } => {
                let (replayed, wake) = player.decide();
                if player.out.difference.is_none() && (&replayed, wake) != (operations, *next) {
                    player.out.difference = Some(Difference {
                        offset: *offset,
                        at: time.since(player.begin),
                        recorded: (operations.clone(), *next),
                        replayed: (replayed, wake),
                    });
                }
            }
            Entry::Client { .. } | Entry::Device { .. } | Entry::End(_) => {}
        }
    }
    player.finish()
}

/// Tells the recording to another policy.
pub fn what_if(recording: &Recording, policy: PolicyKind, draw: Option<(Duration, Duration)>) -> Replayed {
    let mut player = Player::new(recording, policy, draw);
    let mut wake = None;
    let mut has_news = false;
    for (_, time, entry) in &recording.entries {
        if has_news && *time > player.now {
            wake = player.decide_and_answer();
            has_news = false;
        }
        while let Some(due) = wake.filter(|due| due < time) {
            player.now = due;
            wake = player.decide_and_answer();
        }
        player.now = *time;
        match entry {
            Entry::Event(event) => {
                player.tell(event);
                has_news = true;
            }
            Entry::Policy(_) => player.out.policy_changes += 1,
            Entry::Decision { .. } | Entry::Client { .. } | Entry::Device { .. } | Entry::End(_) => {}
        }
    }
    player.decide_and_answer();
    player.finish()
}

/// Tells a scheduler what happens, and keeps the books.
struct Player {
    scheduler: Scheduler,
    now: Time,
    begin: Time,
    out: Replayed,
    recorder: Recorder,
    lanes: BTreeMap<(ClientId, DeviceId), Lane>,
    order: Vec<(ClientId, DeviceId)>,
    queues: BTreeMap<QueueId, (ClientId, DeviceId)>,
    names: Names,
    /// What probes are answered with: numbers that move.
    answers: u64,
}

struct Lane {
    account: Account,
    ready: BTreeSet<QueueId>,
    suspended: bool,
    name: String,
}

/// What processes and devices are called. Names stand before what they name, or not at all.
struct Names {
    clients: BTreeMap<ClientId, String>,
    devices: BTreeMap<DeviceId, String>,
}

impl Names {
    fn of(recording: &Recording) -> Names {
        let mut names = Names { clients: BTreeMap::new(), devices: BTreeMap::new() };
        for (_, _, entry) in &recording.entries {
            match entry {
                Entry::Client { client, pid, program } => {
                    names.clients.insert(*client, format!("{program}[{pid}]"));
                }
                Entry::Device { device, key } => {
                    names.devices.insert(*device, key.clone());
                }
                _ => {}
            }
        }
        names
    }

    fn lane(&self, client: ClientId, device: DeviceId) -> String {
        let name = self.clients.get(&client).cloned().unwrap_or_else(|| client.to_string());
        match self.devices.get(&device) {
            Some(key) if self.devices.len() > 1 => format!("{name} on {key}"),
            _ => name,
        }
    }
}

impl Player {
    fn new(recording: &Recording, policy: PolicyKind, draw: Option<(Duration, Duration)>) -> Player {
        let (begin, duration) = (recording.begin(), recording.duration());
        let (from, to) = draw.unwrap_or((Duration::ZERO, duration));
        let recorder = Recorder::of(from, to);
        Player {
            scheduler: Scheduler::new(policy, recording.settings),
            now: Time::ZERO,
            begin,
            out: Replayed {
                policy,
                duration,
                events: 0,
                decisions: 0,
                policy_changes: 0,
                lanes: Vec::new(),
                difference: None,
                timeline: Recorder::of(from, to).finish(),
            },
            recorder,
            lanes: BTreeMap::new(),
            order: Vec::new(),
            queues: BTreeMap::new(),
            names: Names::of(recording),
            answers: 0,
        }
    }

    fn tell(&mut self, event: &Event) {
        self.out.events += 1;
        self.scheduler.handle(*event, self.now);
        match *event {
            Event::QueueCreated { queue, client, device, .. } => {
                self.queues.insert(queue, (client, device));
                if !self.lanes.contains_key(&(client, device)) {
                    let name = self.names.lane(client, device);
                    let account = self.recorder.named(name.clone());
                    let lane = Lane { account, ready: BTreeSet::new(), suspended: false, name };
                    self.lanes.insert((client, device), lane);
                    self.order.push((client, device));
                }
            }
            Event::QueueReady { queue } => self.change_queue(queue, true),
            Event::QueueIdle { queue } => self.change_queue(queue, false),
            Event::QueueDestroyed { queue } => {
                self.change_queue(queue, false);
                self.queues.remove(&queue);
            }
            Event::ClientLeft { client } => {
                self.queues.retain(|_, (owner, _)| *owner != client);
                let all = (client, DeviceId(0))..=(client, DeviceId(u32::MAX));
                let places: Vec<_> = self.lanes.range(all).map(|(place, _)| *place).collect();
                for place in places {
                    self.change(place, |lane| (lane.ready.clear(), lane.suspended = false).0);
                }
            }
            Event::QueueProgress { .. }
            | Event::ClientJoined { .. }
            | Event::ClientMoved { .. }
            | Event::QueueHint { .. }
            | Event::ClientHint { .. }
            | Event::ClientUnset { .. }
            | Event::ClientFact { .. } => {}
        }
    }

    fn change_queue(&mut self, queue: QueueId, is_ready: bool) {
        if let Some(&place) = self.queues.get(&queue) {
            self.change(place, |lane| match is_ready {
                true => drop(lane.ready.insert(queue)),
                false => drop(lane.ready.remove(&queue)),
            });
        }
    }

    fn change(&mut self, place: (ClientId, DeviceId), change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(&place) else { return };
        let was_suspended = lane.suspended;
        change(lane);
        let state = match (lane.ready.is_empty(), lane.suspended) {
            (true, _) => State::Idle,
            (false, true) => State::Suspended,
            (false, false) => State::Running,
        };
        if state == State::Suspended && !was_suspended {
            lane.account.preempted += 1;
        }
        // Lanes begin with the recording, and not with the machine.
        let now = Time::ZERO + self.now.since(self.begin);
        lane.account.change(state, now, &mut self.recorder);
    }

    fn decide(&mut self) -> (Vec<Operation>, Option<Time>) {
        let mut operations = Vec::new();
        let wake = self.scheduler.decide(self.now, &mut operations);
        self.out.decisions += 1;
        // Nobody reads them here.
        self.scheduler.take_news().for_each(drop);
        for operation in &operations {
            match *operation {
                Operation::Suspend { client, device } => {
                    self.change((client, device), |lane| lane.suspended = true);
                }
                Operation::Resume { client, device } => {
                    self.change((client, device), |lane| lane.suspended = false);
                }
                _ => {}
            }
        }
        (operations, wake)
    }

    /// Decides; probes are answered as by queues that make progress, and what was launched by who is suspended is done at once.
    fn decide_and_answer(&mut self) -> Option<Time> {
        const ROUNDS: usize = 8;
        for _ in 0..ROUNDS {
            let (operations, wake) = self.decide();
            let mut asked = Vec::new();
            for operation in operations {
                match operation {
                    Operation::Probe { queue } => asked.push(queue),
                    Operation::Suspend { client, device } | Operation::Await { client, device } => {
                        let is_ending = self.scheduler.is_suspended(client, device)
                            && self.scheduler.is_awaited(client, device);
                        let ready = self.scheduler.ready_queues_of(client, device);
                        asked.extend(ready.filter(|_| is_ending));
                    }
                    _ => {}
                }
            }
            if asked.is_empty() {
                return wake;
            }
            for queue in asked {
                self.answers += 1;
                let event = Event::QueueProgress { queue, launched: self.answers, completed: self.answers };
                self.scheduler.handle(event, self.now);
            }
        }
        Some(self.now + Duration::from_micros(1))
    }

    fn finish(mut self) -> Replayed {
        let end = Time::ZERO + self.out.duration;
        for place in &self.order {
            let Some(lane) = self.lanes.get_mut(place) else { continue };
            lane.account.close(end, &mut self.recorder);
            self.out.lanes.push(Held {
                name: lane.name.clone(),
                ready: lane.account.spent(State::Running) + lane.account.held(),
                held: lane.account.held(),
                longest_held: lane.account.longest_held,
                preemptions: lane.account.preempted,
            });
        }
        self.out.timeline = self.recorder.finish();
        self.out
    }
}

#[cfg(test)]
mod tests;
