//! The run: what happens at each moment, until nothing more does; then the next moment.
//!
//! A moment goes as a turn of xserver: first all that happens by itself (`happen`), then decisions and what follows from them
//! (`gates`), until there is no news. Invariant: whatever is told to the scheduler is told through [`Machine::tell`], and a decision
//! follows in the same moment. What threads of programs do is in `thread`.

use crate::calendar::Calendar;
use crate::device::Device;
use crate::outcome::{Outcome, Remark, Tally};
use crate::thread::Queue;
use crate::timeline::{Account, Recorder};
use crate::workload::{self, Arrivals, Workload};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hints, Operation, QueueId, Time};
use xsched_sched::Scheduler;

/// Lets the workload happen.
pub fn run(workload: &Workload) -> Outcome {
    let mut machine = Machine::new(workload);
    machine.run();
    machine.finish()
}

#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) scheduler: Scheduler,
    pub(crate) calendar: Calendar<Entry>,
    pub(crate) now: Time,
    /// When the scheduler wants to be asked again.
    wake: Option<Time>,
    /// It was told something since it decided last.
    has_news: bool,
    operations: Vec<Operation>,
    devices: Vec<Place>,
    clients: Vec<Client>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) tally: Tally,
    recorder: Recorder,
}

/// What stands in the calendar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// The process starts.
    Start(usize),
    /// It ends.
    Stop(usize),
    /// A request comes to the queue.
    Arrive(usize),
    /// The queue's thread has paused long enough.
    GoOn(usize),
    /// Somebody looks whether the queue is idle.
    Watch(usize),
    /// A command of the device ends.
    Complete(usize),
    /// A row of the workload's changes.
    Change(usize),
}

#[derive(Debug)]
struct Place {
    device: Device,
    /// The queue of each of its lines.
    queues: Vec<usize>,
    /// The entry in the calendar that counts.
    next: Option<Time>,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    group: GroupId,
    program: usize,
    gates: Range<usize>,
    is_there: bool,
}

/// A process on a device.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) client: usize,
    pub(crate) device: usize,
    pub(crate) queues: Range<usize>,
    pub(crate) suspended: bool,
    pub(crate) windowed: bool,
    pub(crate) awaited: bool,
    /// Queues whose thread waits at the closed gate.
    pub(crate) blocked: Vec<usize>,
    /// Queues whose thread may have been kept by the window.
    pub(crate) narrow: Vec<usize>,
    /// Queues with work.
    pub(crate) busy: usize,
    /// Commands that run.
    pub(crate) on_device: usize,
    pub(crate) account: Account,
}

impl<'a> Machine<'a> {
    fn new(workload: &'a Workload) -> Machine<'a> {
        let device = |spec| Place { device: Device::new(spec), queues: Vec::new(), next: None };
        let mut machine = Machine {
            workload,
            scheduler: Scheduler::new(workload.policy, workload.settings),
            calendar: Calendar::default(),
            now: Time::ZERO,
            wake: None,
            has_news: false,
            operations: Vec::new(),
            devices: workload.devices.iter().map(device).collect(),
            clients: Vec::new(),
            gates: Vec::new(),
            queues: Vec::new(),
            tally: Tally::new(workload),
            recorder: Recorder::new(workload),
        };
        let mut groups = BTreeMap::new();
        for (number, program) in workload.programs.iter().enumerate() {
            for copy in 0..program.count {
                machine.add_client(number, copy, &mut groups);
            }
        }
        for (number, change) in workload.changes.iter().enumerate() {
            machine.calendar.add(Time::ZERO + change.at, Entry::Change(number));
        }
        machine
    }

    fn add_client(&mut self, number: usize, copy: u32, groups: &mut BTreeMap<&'a str, GroupId>) {
        let (index, first_gate) = (self.clients.len(), self.gates.len());
        let workload = self.workload;
        let program = &workload.programs[number];
        let own = GroupId(index as u32 + 1);
        let group = program.group.as_deref().map_or(own, |name| *groups.entry(name).or_insert(own));
        for &device in &program.devices {
            let first = self.queues.len();
            for n in 0..program.queues {
                let place = &mut self.devices[device];
                let line = place.device.add_line();
                place.queues.push(self.queues.len());
                let gate = self.gates.len();
                self.queues.push(Queue::new(
                    gate,
                    number,
                    line,
                    self.workload.seed,
                    &[number as u64, u64::from(copy), device as u64, u64::from(n)],
                ));
            }
            let account = self.recorder.lane(program, copy, &self.workload.devices[device].name);
            self.gates.push(Gate {
                client: index,
                device,
                queues: first..self.queues.len(),
                suspended: false,
                windowed: false,
                awaited: false,
                blocked: Vec::new(),
                narrow: Vec::new(),
                busy: 0,
                on_device: 0,
                account,
            });
        }
        let gates = first_gate..self.gates.len();
        let id = ClientId(index as u32 + 1);
        self.clients.push(Client { id, group, program: number, gates, is_there: false });
        self.calendar.add(Time::ZERO + program.start, Entry::Start(index));
        if let Some(stop) = program.stop {
            self.calendar.add(Time::ZERO + stop, Entry::Stop(index));
        }
    }

    fn run(&mut self) {
        let end = Time::ZERO + self.workload.duration;
        loop {
            while let Some(entry) = self.calendar.take(self.now) {
                self.happen(entry);
            }
            self.decide();
            self.note_ends();
            let next = self.calendar.next().into_iter().chain(self.wake).min();
            match next {
                Some(next) if next < end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
    }

    fn happen(&mut self, entry: Entry) {
        match entry {
            Entry::Start(client) => self.start(client),
            Entry::Stop(client) => self.stop(client),
            Entry::Arrive(queue) if self.is_alive(queue) => self.arrive(queue),
            Entry::GoOn(queue) if self.is_alive(queue) => self.paused(queue),
            Entry::Watch(queue) if self.is_alive(queue) => self.watched(queue),
            Entry::Arrive(_) | Entry::GoOn(_) | Entry::Watch(_) => {}
            Entry::Complete(device) => {
                let place = &mut self.devices[device];
                place.next = place.next.filter(|next| *next > self.now);
                while let Some(line) = self.devices[device].device.complete(self.now) {
                    let queue = self.devices[device].queues[line as usize];
                    self.note_changes(device);
                    self.completed(queue);
                }
            }
            Entry::Change(number) => match &self.workload.changes[number].what {
                workload::What::Policy(policy) => {
                    self.scheduler.set_policy(*policy, self.now);
                    self.has_news = true;
                }
                workload::What::Program { program, hints, facts } => {
                    let clients: Vec<ClientId> = (self.clients.iter())
                        .filter(|client| client.program == *program && client.is_there)
                        .map(|client| client.id)
                        .collect();
                    for client in clients {
                        hints.iter().for_each(|&hint| self.tell(Event::ClientHint { client, hint }));
                        facts.iter().for_each(|&fact| self.tell(Event::ClientFact { client, fact }));
                    }
                }
            },
        }
    }

    fn start(&mut self, index: usize) {
        let workload = self.workload;
        let Client { id: client, group, program, ref gates, .. } = self.clients[index];
        let (gates, program) = (gates.clone(), &workload.programs[program]);
        self.clients[index].is_there = true;
        self.tell(Event::ClientJoined { client, group });
        for hint in program.hints.iter() {
            self.tell(Event::ClientHint { client, hint });
        }
        program.facts.iter().for_each(|&fact| self.tell(Event::ClientFact { client, fact }));
        for gate in gates {
            let device = DeviceId(self.gates[gate].device as u32 + 1);
            for queue in self.gates[gate].queues.clone() {
                let hints = Hints::default();
                self.tell(Event::QueueCreated { queue: queue_id(queue), client, device, hints });
                self.first_arrival(queue);
            }
        }
    }

    fn stop(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if !std::mem::take(&mut client.is_there) {
            return;
        }
        let (client, gates) = (client.id, client.gates.clone());
        self.tell(Event::ClientLeft { client });
        for gate in gates {
            let device = self.gates[gate].device;
            for queue in self.gates[gate].queues.clone() {
                let line = self.queues[queue].line;
                self.devices[device].device.clear(line, self.now);
                self.note_changes(device);
                self.tally.gone(self.queues[queue].program, self.queues[queue].abandon());
            }
            let gate = &mut self.gates[gate];
            (gate.suspended, gate.windowed, gate.awaited, gate.busy) = (false, false, false, 0);
            (gate.blocked, gate.narrow) = (Vec::new(), Vec::new());
            gate.restate(self.now, &mut self.recorder);
        }
    }

    /// Decides until there is no news.
    fn decide(&mut self) {
        // As the server: each round follows from the news of the one before.
        const ROUNDS: usize = 8;
        for _ in 0..ROUNDS {
            if !self.has_news && self.wake.is_none_or(|wake| wake > self.now) {
                return;
            }
            self.has_news = false;
            let mut operations = std::mem::take(&mut self.operations);
            self.wake = self.scheduler.decide(self.now, &mut operations);
            self.tally.decisions += 1;
            for (group, device, remark) in self.scheduler.take_news() {
                self.tally.remarks.insert((group, device), (self.now, remark));
            }
            self.obey(&operations);
            operations.clear();
            self.operations = operations;
        }
        if self.has_news {
            self.wake = Some(self.now + Duration::from_nanos(1));
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.has_news = true;
        self.tally.told += 1;
        self.scheduler.handle(event, self.now);
    }

    fn is_alive(&self, queue: usize) -> bool {
        self.clients[self.gates[self.queues[queue].gate].client].is_there
    }

    pub(crate) fn client_id(&self, gate: usize) -> ClientId {
        self.clients[self.gates[gate].client].id
    }

    /// The gate of a client on a device, if it is there.
    pub(crate) fn gate_of(&self, client: ClientId, device: DeviceId) -> Option<usize> {
        let client = self.clients.get(client.0 as usize - 1).filter(|client| client.is_there)?;
        client.gates.clone().find(|&gate| self.gates[gate].device == device.0 as usize - 1)
    }

    /// The device of a queue, and its line there.
    pub(crate) fn device_of(&mut self, queue: usize) -> (&mut Device, u32) {
        let Queue { gate, line, .. } = self.queues[queue];
        (&mut self.devices[self.gates[gate].device].device, line)
    }

    /// Notes which commands began and stopped to run. Follows each use of a device that may change that.
    pub(crate) fn note_changes(&mut self, device: usize) {
        let place = &mut self.devices[device];
        for (line, runs) in place.device.changes.drain(..) {
            let gate = &mut self.gates[self.queues[place.queues[line as usize]].gate];
            gate.on_device = if runs { gate.on_device + 1 } else { gate.on_device.saturating_sub(1) };
            gate.restate(self.now, &mut self.recorder);
        }
    }

    pub(crate) fn restate(&mut self, gate: usize) {
        self.gates[gate].restate(self.now, &mut self.recorder);
    }

    /// Puts the devices' next ends into the calendar.
    fn note_ends(&mut self) {
        for (number, place) in self.devices.iter_mut().enumerate() {
            let next = place.device.next();
            if next != place.next {
                place.next = next;
                next.into_iter().for_each(|next| self.calendar.add(next, Entry::Complete(number)));
            }
        }
    }

    fn finish(mut self) -> Outcome {
        for queue in &mut self.queues {
            self.tally.gone(queue.program, queue.abandon());
        }
        for index in 0..self.gates.len() {
            let gate = &mut self.gates[index];
            gate.account.close(self.now, &mut self.recorder);
            let (client, device) = (&self.clients[gate.client], gate.device);
            let lines = gate.queues.clone().map(|queue| self.queues[queue].line);
            let worked = lines.map(|line| self.devices[device].device.worked(line, self.now)).sum();
            self.tally.add_gate(client.program, gate.client, device, worked, &gate.account);
        }
        let remarks = std::mem::take(&mut self.tally.remarks).into_iter();
        let remarks = remarks.map(|((group, device), (at, text))| {
            let client = self.clients.iter().find(|client| client.group == group);
            let program =
                client.map_or_else(String::new, |client| self.workload.programs[client.program].name.clone());
            let device = self.workload.devices[device.0 as usize - 1].name.clone();
            Remark { program, device, at: at.since(Time::ZERO), text }
        });
        let remarks = remarks.collect();
        Outcome { remarks, ..self.tally.finish(self.workload, self.recorder.finish()) }
    }
}

pub(crate) fn queue_id(index: usize) -> QueueId {
    QueueId(index as u64 + 1)
}

impl Arrivals {
    /// Whether the next request comes by itself.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, Arrivals::Closed(_))
    }
}
