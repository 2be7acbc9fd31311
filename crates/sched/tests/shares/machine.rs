//! A device and programs in virtual time, under the real scheduler: launches look at gates, kernels take device time, idle edges
//! and progress are told as the runtime does.

use std::time::Duration;
use xsched_core::{
    ClientId, DeviceId, Event, Fact, GroupId, Hint, HintKind, Hints, Operation, QueueId, Time,
};
use xsched_sched::{PolicyKind, Scheduler, Settings};

/// What a device does with kernels of several programs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Device {
    /// They share it evenly.
    Fair,
    /// They run in the order of their launches.
    InOrder,
    /// The same as the first, and programs can be taken off it in the middle of a kernel: who is held back is, by a call, and has work there when it is let on again, by another one.
    Interruptible,
}

/// A program with one queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) priority: Option<i64>,
    pub(crate) utilization: Option<i64>,
    pub(crate) timeslice: Option<i64>,
    /// Device time of each of its kernels.
    pub(crate) kernel: Duration,
    /// The most that it launches before one is done.
    pub(crate) in_flight: usize,
    /// It waits for its kernels, and then does something else for this long.
    pub(crate) pause: Option<Duration>,
    /// So many kernels it launches before it waits for them, if it waits.
    pub(crate) burst: u64,
    pub(crate) starts: Duration,
    /// It launches nothing more from then on.
    pub(crate) ends: Duration,
}

impl Default for Program {
    fn default() -> Program {
        Program {
            priority: None,
            utilization: None,
            timeslice: None,
            kernel: Duration::from_millis(1),
            in_flight: 1,
            pause: None,
            burst: 1,
            starts: Duration::ZERO,
            ends: Duration::MAX,
        }
    }
}

#[derive(Debug)]
struct Running {
    program: Program,
    client: ClientId,
    queue: QueueId,
    /// It has told that it is idle for good.
    is_gone: bool,
    /// When it goes on.
    next: Time,
    launched: u64,
    completed: u64,
    /// It is off the device.
    is_off: bool,
    /// The call comes to its end that takes it off, or lets it on.
    call: Option<(Time, bool)>,
    /// Told by nobody but us: all of it is done, although the gate is closed.
    drained_at: Option<Time>,
    work: Duration,
    waits_since: Option<Time>,
    longest_wait: Duration,
    /// From the wish to launch to the end of what was launched, if it waits for that.
    responses: Vec<Duration>,
}

#[derive(Debug)]
struct Kernel {
    of: usize,
    left: Duration,
}

pub(crate) struct Machine {
    device: Device,
    scheduler: Scheduler,
    programs: Vec<Running>,
    /// In the order of their launches.
    kernels: Vec<Kernel>,
    now: Time,
    wake: Option<Time>,
    since: Time,
    turns: u64,
}

const DEVICE: DeviceId = DeviceId(1);
/// How long it takes until somebody has seen that a queue has come to its end behind a closed gate.
const WATCH: Duration = Duration::from_micros(200);
/// How long one call takes; who is let on waits for him who is taken off.
const CALL: Duration = Duration::from_micros(200);

impl Machine {
    /// Under UP.
    pub(crate) fn new(device: Device, programs: &[Program]) -> Machine {
        Machine::under(PolicyKind::Up, device, programs)
    }

    pub(crate) fn under(policy: PolicyKind, device: Device, programs: &[Program]) -> Machine {
        Machine::with(Scheduler::new(policy, Settings::default()), device, programs)
    }

    pub(crate) fn with(mut scheduler: Scheduler, device: Device, programs: &[Program]) -> Machine {
        let programs = (1..).zip(programs).map(|(n, &program)| {
            let (client, queue) = (ClientId(n), QueueId(u64::from(n)));
            scheduler.handle(Event::ClientJoined { client, group: GroupId(n) }, Time::ZERO);
            let given = [
                (HintKind::Priority, program.priority),
                (HintKind::Utilization, program.utilization),
                (HintKind::Timeslice, program.timeslice),
            ];
            for (kind, value) in given.into_iter().filter_map(|(kind, value)| Some((kind, value?))) {
                let hint = Hint::new(kind, value).unwrap();
                scheduler.handle(Event::ClientHint { client, hint }, Time::ZERO);
            }
            let fact = Fact::Interruptible(device == Device::Interruptible);
            scheduler.handle(Event::ClientFact { client, fact }, Time::ZERO);
            let hints = Hints::default();
            scheduler.handle(Event::QueueCreated { queue, client, device: DEVICE, hints }, Time::ZERO);
            Running {
                program,
                client,
                queue,
                is_gone: false,
                next: Time::ZERO + program.starts,
                launched: 0,
                completed: 0,
                is_off: false,
                call: None,
                drained_at: None,
                work: Duration::ZERO,
                waits_since: None,
                longest_wait: Duration::ZERO,
                responses: Vec::new(),
            }
        });
        let programs = programs.collect();
        let (kernels, now) = (Vec::new(), Time::ZERO);
        Machine { device, scheduler, programs, kernels, now, wake: None, since: now, turns: 0 }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.act();
            let rate = self.sharers();
            let kernels = self.heads().map(|at| self.now + self.kernels[at].left * rate);
            let programs = (self.programs.iter())
                .flat_map(|running| [Some(running.next), running.drained_at, running.call.map(|(at, _)| at)])
                .flatten()
                .filter(|&time| time > self.now);
            let next = kernels.chain(programs).chain(self.wake).chain([end]).min().unwrap();
            self.pass(next);
            if self.now >= end {
                return;
            }
        }
    }

    /// What was done until now does not count.
    pub(crate) fn forget(&mut self) {
        self.since = self.now;
        for running in &mut self.programs {
            (running.work, running.longest_wait) = (Duration::ZERO, Duration::ZERO);
            running.responses.clear();
        }
    }

    pub(crate) fn hint(&mut self, program: usize, utilization: i64) {
        let hint = Hint::new(HintKind::Utilization, utilization).unwrap();
        let client = self.programs[program].client;
        self.scheduler.handle(Event::ClientHint { client, hint }, self.now);
    }

    /// Each program's part of all work done, in percent.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let work = || self.programs.iter().map(|running| running.work.as_secs_f64());
        work().map(|one| 100.0 * one / work().sum::<f64>()).collect()
    }

    /// For how much of the time the device worked, in percent.
    pub(crate) fn utilization(&self) -> f64 {
        self.rates().iter().sum()
    }

    /// For how much of the time it worked for each program, in percent.
    pub(crate) fn rates(&self) -> Vec<f64> {
        let time = self.now.since(self.since).as_secs_f64();
        self.programs.iter().map(|running| 100.0 * running.work.as_secs_f64() / time).collect()
    }

    /// The response time of a program that waits for its kernels: the one that only this part of them exceeded.
    pub(crate) fn response(&self, program: usize, exceeded_by: f64) -> Duration {
        let mut all = self.programs[program].responses.clone();
        all.sort_unstable();
        let at = (all.len() as f64 * (1.0 - exceeded_by)) as usize;
        all[at.min(all.len() - 1)]
    }

    /// How often somebody was let go on.
    pub(crate) fn turns(&self) -> u64 {
        self.turns
    }

    /// For how long each had work to launch and might not.
    pub(crate) fn longest_waits(&self) -> Vec<Duration> {
        self.programs.iter().map(|running| running.longest_wait).collect()
    }

    /// Whatever happens at this moment, until nothing more does.
    fn act(&mut self) {
        loop {
            let mut acted = (0..self.programs.len()).fold(false, |acted, n| self.step(n) | acted);
            let mut operations = Vec::new();
            self.wake = self.scheduler.decide(self.now, &mut operations);
            self.turns +=
                operations.iter().filter(|op| matches!(op, Operation::Resume { .. })).count() as u64;
            acted |= !operations.is_empty();
            for operation in operations {
                let call = match operation {
                    Operation::Suspend { client, .. } => Some((client, (self.now + CALL, true))),
                    Operation::Resume { client, .. } => Some((client, (self.now + 2 * CALL, false))),
                    _ => None,
                };
                if let Some((client, call)) = call.filter(|_| self.device == Device::Interruptible) {
                    let mut programs = self.programs.iter_mut();
                    programs.find(|running| running.client == client).unwrap().call = Some(call);
                }
                if let Operation::Probe { queue } = operation {
                    let running = self.programs.iter().find(|running| running.queue == queue).unwrap();
                    let (launched, completed) = (running.launched, running.completed);
                    let event = Event::QueueProgress { queue, launched, completed };
                    self.scheduler.handle(event, self.now);
                }
            }
            if !acted {
                return;
            }
        }
    }

    /// Whether the program did something.
    fn step(&mut self, n: usize) -> bool {
        // What it launches while it is off waits on the device.
        let is_held = self.device != Device::Interruptible
            && self.scheduler.is_suspended(self.programs[n].client, DEVICE);
        let running = &mut self.programs[n];
        let in_flight = (running.launched - running.completed) as usize;
        let queue = running.queue;
        if running.drained_at.is_some_and(|at| at <= self.now) {
            running.drained_at = None;
            let (launched, completed) = (running.launched, running.completed);
            let event = Event::QueueProgress { queue, launched, completed };
            self.scheduler.handle(event, self.now);
        }
        let has_ended = self.now.since(Time::ZERO) >= running.program.ends;
        if has_ended && in_flight == 0 && !running.is_gone {
            running.is_gone = true;
            self.scheduler.handle(Event::QueueIdle { queue }, self.now);
            return true;
        }
        let has_launched_all = running.program.pause.is_some()
            && in_flight > 0
            && running.launched.is_multiple_of(running.program.burst);
        if running.next > self.now || in_flight >= running.program.in_flight || has_launched_all || has_ended
        {
            return false;
        }
        if is_held {
            if running.waits_since.is_none() {
                running.waits_since = Some(self.now);
                self.scheduler.handle(Event::QueueReady { queue }, self.now);
                return true;
            }
            return false;
        }
        if let Some(since) = running.waits_since.take() {
            running.longest_wait = running.longest_wait.max(self.now.since(since));
        }
        running.launched += 1;
        self.kernels.push(Kernel { of: n, left: running.program.kernel });
        self.scheduler.handle(Event::QueueReady { queue }, self.now);
        true
    }

    /// The kernels that run.
    fn heads(&self) -> impl Iterator<Item = usize> + '_ {
        let firsts = |n| self.kernels.iter().position(|kernel| kernel.of == n);
        let all = (0..self.programs.len()).filter(|n| !self.programs[*n].is_off).filter_map(firsts);
        let most = if self.device == Device::InOrder { 1 } else { usize::MAX };
        let mut heads: Vec<usize> = all.collect();
        heads.sort_unstable();
        heads.into_iter().take(most)
    }

    fn sharers(&self) -> u32 {
        self.heads().count() as u32
    }

    /// The device works until `then`.
    fn pass(&mut self, then: Time) {
        let (heads, rate): (Vec<usize>, u32) = (self.heads().collect(), self.sharers());
        let work = then.since(self.now) / rate.max(1);
        self.now = then;
        for running in &mut self.programs {
            if let Some((_, is_off)) = running.call.take_if(|(at, _)| *at <= then) {
                running.is_off = is_off;
            }
        }
        for &at in heads.iter().rev() {
            let kernel = &mut self.kernels[at];
            let running = &mut self.programs[kernel.of];
            running.work += work.min(kernel.left);
            kernel.left = kernel.left.saturating_sub(work);
            // Less than it takes to divide a nanosecond.
            if kernel.left >= Duration::from_nanos(u64::from(rate)) {
                continue;
            }
            running.completed += 1;
            self.kernels.remove(at);
            if running.completed < running.launched {
                continue;
            }
            if let Some(pause) = running.program.pause
                && running.completed.is_multiple_of(running.program.burst)
            {
                running.responses.push(self.now.since(running.next));
                running.next = self.now + pause;
                self.scheduler.handle(Event::QueueIdle { queue: running.queue }, self.now);
            } else {
                running.drained_at = Some(self.now + WATCH);
            }
        }
    }
}
