//! From happenings to what a viewer draws: lanes with spans, marks and counters. The files' formats are in `perfetto` and `chrome`.
//!
//! A process is a group of lanes: one for its gate on each device, one for each queue. A queue's span says whether it ran or waited, a gate's how
//! long it was held and on whose account; a *preemption*, on a lane of its own, is from what led to it until the gate was closed. Spans of one lane
//! do not overlap, and none is without length.

pub(crate) mod chrome;
pub(crate) mod perfetto;

use crate::output::printable;
use std::collections::BTreeMap;
use xsched_core::account::{Happening, What};
use xsched_core::status::ClientStatus;
use xsched_core::{ClientId, DeviceId, QueueId, Time};

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// Lanes; the first one is the server's.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) spans: Vec<Span>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) counts: Vec<Count>,
}

/// A lane, or a group of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) name: String,
    /// The group that it is in.
    pub(crate) parent: Option<usize>,
    /// A group is a process.
    pub(crate) pid: Option<u32>,
}

/// From a time to a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lane: usize,
    pub(crate) name: &'static str,
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) why: Option<String>,
}

/// At one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) lane: usize,
    pub(crate) name: String,
    pub(crate) at: Time,
}

/// Commands of a queue so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// The queue's lane.
    pub(crate) lane: usize,
    pub(crate) at: Time,
    pub(crate) launched: u64,
    pub(crate) completed: u64,
}

/// What is under way while the story is told.
#[derive(Debug, Default)]
struct Teller {
    story: Story,
    processes: BTreeMap<ClientId, usize>,
    queues: BTreeMap<QueueId, Queue>,
    gates: BTreeMap<(ClientId, DeviceId), Gate>,
}

#[derive(Debug)]
struct Queue {
    lane: usize,
    client: ClientId,
    device: DeviceId,
    /// Since when it has work, or since its state changed last.
    since: Option<Time>,
}

#[derive(Debug)]
struct Gate {
    lane: usize,
    /// A lane for preemptions: they overlap with what is held.
    closing: Option<usize>,
    held: Option<(Time, Option<String>)>,
}

impl Story {
    /// What happened from `start`, when the processes were as they are here, to `end`.
    pub(crate) fn new(processes: &[ClientStatus], happenings: &[Happening], start: Time, end: Time) -> Story {
        let mut teller = Teller::default();
        teller.story.lanes.push(Lane { name: "xserver".into(), parent: None, pid: None });
        for process in processes {
            let lane = Lane {
                name: format!("{} {}", process.client, printable(&process.program)),
                parent: None,
                pid: Some(process.pid),
            };
            teller.processes.insert(process.client, teller.story.lanes.len());
            teller.story.lanes.push(lane);
        }
        for process in processes {
            for queue in &process.queues {
                if queue.suspended {
                    let gate = teller.gate(process.client, queue.device_id);
                    gate.held.get_or_insert((start, None));
                }
                if queue.times.has_work {
                    teller.queue(queue.queue, process.client, queue.device_id).since = Some(start);
                }
            }
        }
        for happening in happenings.iter().filter(|happening| happening.at <= end) {
            teller.tell(happening, happening.at.max(start));
        }
        teller.end(end);
        teller.story
    }

    /// In nanoseconds, of all spans of this name.
    #[cfg(test)]
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let spans = self.spans.iter().filter(|span| span.name == name);
        spans.map(|span| span.to.since(span.from).as_nanos() as u64).sum()
    }
}

impl Teller {
    fn tell(&mut self, happening: &Happening, at: Time) {
        match &happening.what {
            What::Ready { queue, client, device } => {
                self.queue(*queue, *client, *device).since.get_or_insert(at);
            }
            What::Idle { queue, client, device } => {
                self.queue(*queue, *client, *device);
                self.close(*queue, at, false);
            }
            What::Suspend { client, device, by } => {
                let why = match by {
                    Some(by) => format!("{by} became ready"),
                    None => "its time was over, or something was changed".into(),
                };
                self.change(*client, *device, at);
                let gate = self.gate(*client, *device);
                gate.held.get_or_insert((at, Some(why.clone())));
                self.mark(0, format!("suspend {client} on {device}: {why}"), at);
            }
            What::Resume { client, device } => {
                self.change(*client, *device, at);
                self.release(*client, *device, at);
                self.mark(0, format!("resume {client} on {device}"), at);
            }
            What::Closed { client, device, ns } => {
                self.gate(*client, *device);
                let lane = self.closing(*client, *device);
                let from = at - std::time::Duration::from_nanos(*ns);
                let why = Some("from what led to it until the gate was closed".into());
                if from < at {
                    self.story.spans.push(Span { lane, name: "preemption", from, to: at, why });
                }
            }
            What::Progress { queue, launched, completed } => {
                if let Some(lane) = self.queues.get(queue).map(|queue| queue.lane) {
                    self.story.counts.push(Count { lane, at, launched: *launched, completed: *completed });
                }
            }
            What::Joined { client } => self.mark(0, format!("{client} attached"), at),
            What::Left { client } => {
                let queues: Vec<QueueId> = self
                    .queues
                    .iter()
                    .filter(|(_, queue)| queue.client == *client)
                    .map(|(id, _)| *id)
                    .collect();
                queues.into_iter().for_each(|queue| self.close(queue, at, false));
                let gates: Vec<_> = self.gates.keys().filter(|(of, _)| of == client).copied().collect();
                gates.into_iter().for_each(|(client, device)| self.release(client, device, at));
                self.mark(0, format!("{client} left"), at);
            }
            What::Hint { client, queue, name, value } => {
                let whose = match (client, queue) {
                    (Some(client), _) => client.to_string(),
                    (None, queue) => queue.map_or_else(|| "?".into(), |queue| queue.to_string()),
                };
                let value = value.map_or_else(|| "taken back".into(), |value| value.to_string());
                self.mark(0, format!("{} of {whose}: {value}", name.info().name), at);
            }
            What::Policy { name } => self.mark(0, format!("policy {name}"), at),
        }
    }

    fn end(&mut self, at: Time) {
        let queues: Vec<QueueId> = self.queues.keys().copied().collect();
        queues.into_iter().for_each(|queue| self.close(queue, at, false));
        let gates: Vec<_> = self.gates.keys().copied().collect();
        gates.into_iter().for_each(|(client, device)| self.release(client, device, at));
    }

    /// Its queues change from running to waiting, or back.
    fn change(&mut self, client: ClientId, device: DeviceId, at: Time) {
        let is_it = |queue: &Queue| queue.client == client && queue.device == device && queue.since.is_some();
        let queues: Vec<QueueId> =
            self.queues.iter().filter(|(_, queue)| is_it(queue)).map(|(id, _)| *id).collect();
        queues.into_iter().for_each(|queue| self.close(queue, at, true));
    }

    /// Ends a queue's span; another one follows, or none.
    fn close(&mut self, queue: QueueId, at: Time, goes_on: bool) {
        let Some(queue) = self.queues.get_mut(&queue) else { return };
        let Some(from) = queue.since.take() else { return };
        queue.since = goes_on.then_some(at);
        let is_held = self.gates.get(&(queue.client, queue.device)).is_some_and(|gate| gate.held.is_some());
        let name = if is_held { "waiting" } else { "running" };
        if from < at {
            self.story.spans.push(Span { lane: queue.lane, name, from, to: at, why: None });
        }
    }

    fn release(&mut self, client: ClientId, device: DeviceId, at: Time) {
        let Some(gate) = self.gates.get_mut(&(client, device)) else { return };
        if let Some((from, why)) = gate.held.take().filter(|(from, _)| *from < at) {
            self.story.spans.push(Span { lane: gate.lane, name: "held", from, to: at, why });
        }
    }

    fn mark(&mut self, lane: usize, name: String, at: Time) {
        self.story.marks.push(Mark { lane, name, at });
    }

    fn process(&mut self, client: ClientId) -> usize {
        let lanes = &mut self.story.lanes;
        *self.processes.entry(client).or_insert_with(|| {
            lanes.push(Lane { name: client.to_string(), parent: None, pid: None });
            lanes.len() - 1
        })
    }

    fn lane(&mut self, client: ClientId, name: String) -> usize {
        let parent = Some(self.process(client));
        self.story.lanes.push(Lane { name, parent, pid: None });
        self.story.lanes.len() - 1
    }

    fn queue(&mut self, queue: QueueId, client: ClientId, device: DeviceId) -> &mut Queue {
        if !self.queues.contains_key(&queue) {
            let lane = self.lane(client, format!("{queue} on {device}"));
            self.queues.insert(queue, Queue { lane, client, device, since: None });
        }
        self.queues.entry(queue).or_insert(Queue { lane: 0, client, device, since: None })
    }

    fn gate(&mut self, client: ClientId, device: DeviceId) -> &mut Gate {
        if !self.gates.contains_key(&(client, device)) {
            let lane = self.lane(client, format!("gate on {device}"));
            self.gates.insert((client, device), Gate { lane, closing: None, held: None });
        }
        self.gates.entry((client, device)).or_insert(Gate { lane: 0, closing: None, held: None })
    }

    fn closing(&mut self, client: ClientId, device: DeviceId) -> usize {
        if let Some(lane) = self.gates.get(&(client, device)).and_then(|gate| gate.closing) {
            return lane;
        }
        let lane = self.lane(client, format!("preemptions on {device}"));
        self.gate(client, device).closing = Some(lane);
        lane
    }
}

#[cfg(test)]
mod tests;
