//! Queues and the threads that feed them: requests come, commands are launched through the gate, and waited for.
//!
//! Each queue has one thread. It takes requests in the order in which they came, launches the commands of one after the other, pauses and
//! waits as its program's row says. Invariant: after [`Machine::go_on`] the thread rests, pauses, waits for the device, or is kept by the
//! gate, its window or the limit of commands in flight; each of these ends by a call of it.

use crate::machine::{Entry, Machine, queue_id};
use crate::random::Random;
use crate::workload::{Arrivals, Waits};
use std::collections::VecDeque;
use std::time::Duration;
use xsched_core::{Event, Time};

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) gate: usize,
    pub(crate) program: usize,
    /// Its number on its device.
    pub(crate) line: u32,
    arrivals: Random,
    lengths: Random,
    /// Requests that came and were not begun.
    backlog: VecDeque<Time>,
    /// Requests that were begun and are not done.
    begun: VecDeque<Request>,
    step: Step,
    /// Device time of each command in flight, and of all of them.
    flight: VecDeque<Duration>,
    flight_time: Duration,
    pub(crate) launched: u64,
    pub(crate) completed: u64,
    /// Requests that were drawn, and when the last one came.
    drawn: u64,
    last_arrival: Time,
    pauses: u64,
    /// It has work: something in flight, or something to launch.
    pub(crate) is_busy: bool,
    /// It is idle, and its program has noticed.
    pub(crate) is_known_idle: bool,
    /// The server was told that it is ready, and not that it is idle.
    pub(crate) is_told_ready: bool,
    pub(crate) is_watched: bool,
    pub(crate) is_blocked: bool,
    pub(crate) is_narrow: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    arrived: Time,
    /// Commands that are not done.
    left: u32,
}

/// What the thread is about to do; `left`: commands of the request that it has yet to launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Rest,
    Launch { left: u32 },
    Pause { left: u32 },
    Wait { left: u32 },
}

impl Queue {
    pub(crate) fn new(gate: usize, program: usize, line: u32, seed: u64, place: &[u64]) -> Queue {
        let stream = |n: u64| Random::new(seed, &[place, &[n]].concat());
        Queue {
            gate,
            program,
            line,
            arrivals: stream(0),
            lengths: stream(1),
            backlog: VecDeque::new(),
            begun: VecDeque::new(),
            step: Step::Rest,
            flight: VecDeque::new(),
            flight_time: Duration::ZERO,
            launched: 0,
            completed: 0,
            drawn: 0,
            last_arrival: Time::ZERO,
            pauses: 0,
            is_busy: false,
            is_known_idle: true,
            is_told_ready: false,
            is_watched: false,
            is_blocked: false,
            is_narrow: false,
        }
    }

    /// Requests that came and are not done.
    pub(crate) fn unfinished(&self) -> u64 {
        (self.backlog.len() + self.begun.len()) as u64
    }

    /// Its program ends; answers how many requests it leaves undone.
    pub(crate) fn abandon(&mut self) -> u64 {
        let left = self.unfinished();
        self.backlog.clear();
        self.begun.clear();
        left
    }
}

impl Machine<'_> {
    /// The program has started: when its first request comes.
    pub(crate) fn first_arrival(&mut self, index: usize) {
        let program = &self.workload.programs[self.queues[index].program];
        let queue = &mut self.queues[index];
        queue.last_arrival = self.now + program.offset.draw(&mut queue.arrivals, 0);
        match &program.arrivals {
            Arrivals::Periodic { .. } | Arrivals::Closed(_) => {
                self.calendar.add(queue.last_arrival, Entry::Arrive(index));
            }
            Arrivals::Poisson(_) | Arrivals::At(_) => self.next_arrival(index),
        }
    }

    /// When the next request comes by itself.
    fn next_arrival(&mut self, index: usize) {
        let program = &self.workload.programs[self.queues[index].program];
        let queue = &mut self.queues[index];
        let next = match &program.arrivals {
            Arrivals::Periodic { every, .. } => queue.last_arrival + *every,
            Arrivals::Poisson(mean) => queue.last_arrival + mean.mul_f64(queue.arrivals.exponential()),
            Arrivals::At(times) => match times.get(queue.drawn as usize) {
                Some(after) if queue.drawn == 0 => queue.last_arrival + *after,
                Some(after) => queue.last_arrival + after.saturating_sub(times[queue.drawn as usize - 1]),
                None => return,
            },
            Arrivals::Closed(_) => return,
        };
        queue.last_arrival = next;
        self.calendar.add(next, Entry::Arrive(index));
    }

    /// A request comes.
    pub(crate) fn arrive(&mut self, index: usize) {
        let arrivals = &self.workload.programs[self.queues[index].program].arrivals;
        let count = if let Arrivals::Periodic { burst, .. } = arrivals { *burst } else { 1 };
        let queue = &mut self.queues[index];
        queue.drawn += 1;
        queue.backlog.extend((0..count).map(|_| self.now));
        self.tally.events += u64::from(count);
        if arrivals.is_open() {
            self.next_arrival(index);
        }
        self.go_on(index);
    }

    /// The thread has paused.
    pub(crate) fn paused(&mut self, index: usize) {
        if let Step::Pause { left } = self.queues[index].step {
            self.queues[index].step = Step::Launch { left };
            self.go_on(index);
        }
    }

    /// A command of the queue is done.
    pub(crate) fn completed(&mut self, index: usize) {
        let now = self.now;
        self.tally.events += 1;
        let queue = &mut self.queues[index];
        queue.completed += 1;
        queue.flight_time -= queue.flight.pop_front().unwrap_or_default();
        if let Some(request) = queue.begun.front_mut() {
            request.left -= 1;
            if request.left == 0 {
                let arrived = request.arrived;
                queue.begun.pop_front();
                self.tally.done(queue.program, now.since(arrived));
            }
        }
        self.go_on(index);
        if !self.queues[index].is_known_idle && !self.is_in_flight(index) {
            self.watch(index);
        }
    }

    /// Does what the thread can do now.
    pub(crate) fn go_on(&mut self, index: usize) {
        let program = &self.workload.programs[self.queues[index].program];
        loop {
            let queue = &mut self.queues[index];
            match queue.step {
                Step::Rest => {
                    let Some(arrived) = queue.backlog.pop_front() else { break };
                    queue.begun.push_back(Request { arrived, left: program.commands });
                    queue.step = Step::Launch { left: program.commands };
                }
                Step::Launch { left } => {
                    if !self.launch(index) {
                        break;
                    }
                    self.launched(index, left - 1);
                }
                Step::Pause { .. } => break,
                Step::Wait { left } => {
                    if !queue.flight.is_empty() {
                        break;
                    }
                    queue.is_known_idle = true;
                    if self.gates[queue.gate].awaited {
                        self.tell_idle(index);
                    }
                    if left == 0 {
                        self.request_over(index);
                    } else {
                        self.pause(index, left);
                    }
                }
            }
        }
        let queue = &mut self.queues[index];
        let is_busy = !queue.flight.is_empty() || matches!(queue.step, Step::Launch { .. });
        if std::mem::replace(&mut queue.is_busy, is_busy) != is_busy {
            let gate = queue.gate;
            let busy = &mut self.gates[gate].busy;
            *busy = if is_busy { *busy + 1 } else { busy.saturating_sub(1) };
            self.restate(gate);
        }
    }

    /// Launches a command, if the gate, the window and the program's own limit let it.
    fn launch(&mut self, index: usize) -> bool {
        let queue = &mut self.queues[index];
        let program = &self.workload.programs[queue.program];
        queue.is_known_idle = false;
        if !std::mem::replace(&mut queue.is_told_ready, true) {
            self.tell(Event::QueueReady { queue: queue_id(index) });
        }
        let queue = &mut self.queues[index];
        let gate = &mut self.gates[queue.gate];
        if gate.suspended {
            if !std::mem::replace(&mut queue.is_blocked, true) {
                gate.blocked.push(index);
            }
            return false;
        }
        if queue.flight.len() >= program.in_flight as usize {
            return false;
        }
        if gate.windowed && !queue.flight.is_empty() && queue.flight_time >= program.window {
            if !std::mem::replace(&mut queue.is_narrow, true) {
                gate.narrow.push(index);
            }
            return false;
        }
        let length = program.length.draw(&mut queue.lengths, queue.launched).max(Duration::from_nanos(1));
        queue.launched += 1;
        queue.flight.push_back(length);
        queue.flight_time += length;
        self.tally.events += 1;
        let (now, device_index) = (self.now, gate.device);
        let (device, line) = self.device_of(index);
        device.launch(line, length, now);
        self.note_changes(device_index);
        true
    }

    /// A command was launched, and `left` of its request are yet to be.
    fn launched(&mut self, index: usize, left: u32) {
        match self.workload.programs[self.queues[index].program].waits {
            Waits::Command => self.queues[index].step = Step::Wait { left },
            Waits::Request if left == 0 => self.queues[index].step = Step::Wait { left },
            Waits::Never if left == 0 => self.request_over(index),
            Waits::Request | Waits::Never => self.pause(index, left),
        }
    }

    fn pause(&mut self, index: usize, left: u32) {
        let queue = &mut self.queues[index];
        let law = &self.workload.programs[queue.program].pause;
        queue.pauses += 1;
        let pause = law.draw(&mut queue.lengths, queue.pauses - 1);
        if pause.is_zero() {
            queue.step = Step::Launch { left };
        } else {
            queue.step = Step::Pause { left };
            self.calendar.add(self.now + pause, Entry::GoOn(index));
        }
    }

    /// The thread is through with a request: in a closed loop, it thinks and makes the next one.
    fn request_over(&mut self, index: usize) {
        let queue = &mut self.queues[index];
        queue.step = Step::Rest;
        if let Arrivals::Closed(think) = &self.workload.programs[queue.program].arrivals {
            let think = think.draw(&mut queue.arrivals, queue.drawn);
            if think.is_zero() {
                queue.drawn += 1;
                queue.backlog.push_back(self.now);
                self.tally.events += 1;
            } else {
                self.calendar.add(self.now + think, Entry::Arrive(index));
            }
        }
    }
}
