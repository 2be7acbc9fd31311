//! What decisions do to programs: gates close and open, and guests tell what they are asked.
//!
//! The rules are those of a real guest (crates/runtime): who is awaited tells its idle edges; a queue whose program does not wait for it is
//! found idle by somebody who looks, after the device's `watch`. At Level 1 a closed gate keeps launches back; above, the device holds
//! back what was launched, too, and that counts as not launched until it may go on.

use crate::machine::{Entry, Gate, Machine, queue_id};
use crate::timeline::{Recorder, State};
use xsched_core::{ClientId, DeviceId, Event, Operation, Time};

impl Machine<'_> {
    /// Lets the operations come true, in their order.
    pub(crate) fn obey(&mut self, operations: &[Operation]) {
        let mut to_look = Vec::new();
        for &operation in operations {
            match operation {
                Operation::Suspend { client, device } => {
                    self.at_gate(client, device, Self::suspend);
                    let gate = self.gate_of(client, device);
                    to_look.extend(gate.filter(|&gate| self.gates[gate].awaited && !to_look.contains(&gate)));
                }
                Operation::Resume { client, device } => self.at_gate(client, device, Self::resume),
                Operation::Window { client, device } => {
                    self.at_gate(client, device, |machine, gate| machine.gates[gate].windowed = true);
                }
                Operation::Unwindow { client, device } => self.at_gate(client, device, Self::unwindow),
                Operation::Await { client, device } => {
                    self.at_gate(client, device, |machine, gate| machine.gates[gate].awaited = true);
                    to_look.extend(self.gate_of(client, device));
                }
                Operation::Unawait { client, device } => {
                    self.at_gate(client, device, |machine, gate| machine.gates[gate].awaited = false);
                }
                Operation::Probe { queue } => {
                    let index = queue.0 as usize - 1;
                    let (launched, completed) = (self.queues[index].launched, self.queues[index].completed);
                    self.tell(Event::QueueProgress { queue, launched, completed });
                }
            }
        }
        to_look.into_iter().for_each(|gate| self.look(gate));
    }

    fn at_gate(&mut self, client: ClientId, device: DeviceId, act: impl FnOnce(&mut Self, usize)) {
        if let Some(gate) = self.gate_of(client, device) {
            act(self, gate);
        }
    }

    fn suspend(&mut self, index: usize) {
        self.gates[index].suspended = true;
        if self.gates[index].busy > 0 {
            self.gates[index].account.preempted += 1;
        }
        self.each_queue(index, |machine, queue, now| {
            let (device, line) = machine.device_of(queue);
            device.hold(line, now);
        });
        self.restate(index);
    }

    fn resume(&mut self, index: usize) {
        self.gates[index].suspended = false;
        self.restate(index);
        self.each_queue(index, |machine, queue, now| {
            let (device, line) = machine.device_of(queue);
            device.release(line, now);
        });
        for queue in std::mem::take(&mut self.gates[index].blocked) {
            self.queues[queue].is_blocked = false;
            self.go_on(queue);
        }
    }

    fn unwindow(&mut self, index: usize) {
        self.gates[index].windowed = false;
        for queue in std::mem::take(&mut self.gates[index].narrow) {
            self.queues[queue].is_narrow = false;
            self.go_on(queue);
        }
    }

    /// For what only levels above 1 can do.
    fn each_queue(&mut self, gate: usize, act: impl Fn(&mut Self, usize, Time)) {
        let device = self.gates[gate].device;
        if self.workload.devices[device].level == xsched_core::Level::Block {
            return;
        }
        for queue in self.gates[gate].queues.clone() {
            act(self, queue, self.now);
        }
        self.note_changes(device);
    }

    /// Others have begun to wait for the process: it tells what it did not tell so far.
    fn look(&mut self, gate: usize) {
        let (client, device) = (self.client_id(gate), DeviceId(self.gates[gate].device as u32 + 1));
        let ready: Vec<usize> =
            self.scheduler.ready_queues_of(client, device).map(|queue| queue.0 as usize - 1).collect();
        for queue in ready {
            if self.queues[queue].is_known_idle {
                self.tell_idle(queue);
            } else if !self.is_in_flight(queue) {
                self.watch(queue);
            }
        }
    }

    /// Whether something of it runs or will run, as things are.
    pub(crate) fn is_in_flight(&mut self, queue: usize) -> bool {
        let is_held_back = self.gates[self.queues[queue].gate].suspended;
        let (device, line) = self.device_of(queue);
        device.is_on_device(line, is_held_back)
    }

    /// Nothing of the queue runs any more, or nothing would be known of it: somebody looks, after a while.
    pub(crate) fn watch(&mut self, queue: usize) {
        let gate = &self.gates[self.queues[queue].gate];
        if gate.awaited && !std::mem::replace(&mut self.queues[queue].is_watched, true) {
            let device = &self.workload.devices[gate.device];
            // What a device itself holds back, the server knows of.
            let is_known = gate.suspended && device.level > xsched_core::Level::Block;
            let wait = if is_known { std::time::Duration::ZERO } else { device.watch };
            self.calendar.add(self.now + wait, Entry::Watch(queue));
        }
    }

    /// Somebody looks at the queue.
    pub(crate) fn watched(&mut self, queue: usize) {
        self.queues[queue].is_watched = false;
        let gate = &self.gates[self.queues[queue].gate];
        let (is_awaited, is_suspended) = (gate.awaited, gate.suspended);
        if !is_awaited || self.is_in_flight(queue) {
            return;
        }
        let it = &self.queues[queue];
        if !it.is_busy {
            self.tell_idle(queue);
        } else if is_suspended {
            let (launched, completed) = (it.completed, it.completed);
            self.tell(Event::QueueProgress { queue: queue_id(queue), launched, completed });
        }
    }

    /// Tells the idle edge, if the server thinks the queue ready.
    pub(crate) fn tell_idle(&mut self, queue: usize) {
        if std::mem::take(&mut self.queues[queue].is_told_ready) {
            self.tell(Event::QueueIdle { queue: queue_id(queue) });
        }
    }
}

impl Gate {
    /// What the process is in, from now on.
    pub(crate) fn restate(&mut self, now: Time, recorder: &mut Recorder) {
        let state = match (self.on_device > 0, self.busy > 0, self.suspended) {
            (true, _, false) => State::Running,
            (true, _, true) => State::Ending,
            (false, true, true) => State::Suspended,
            (false, true, false) => State::Ready,
            (false, false, _) => State::Idle,
        };
        self.account.change(state, now, recorder);
    }
}
