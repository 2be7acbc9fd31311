//! An ideal device in virtual time under the real scheduler: preemption takes no time, whoever may run shares it evenly, and ends are told at once.
//!
//! So what a policy decides is all that decides. What the device does when it is not ideal is the matter of `shares/machine.rs`.

use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hint, HintKind, Hints, Operation, QueueId, Time};
use xsched_sched::{PolicyKind, Scheduler, Settings};

/// What one program has to do: when it comes, and how long the device is at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) at: Duration,
    pub(crate) work: Duration,
}

/// A program with one queue: its jobs, each of which comes when the ones before it are done.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) hints: Vec<(HintKind, i64)>,
    pub(crate) jobs: Vec<Job>,
}

/// What became of a job.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) at: Time,
    pub(crate) began: Option<Time>,
    pub(crate) ended: Option<Time>,
    /// What the policy said of the program when the job came.
    pub(crate) remark: String,
}

impl Done {
    pub(crate) fn is_refused(&self) -> bool {
        self.remark.contains("refused")
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.remark.contains("admitted")
    }
}

pub(crate) const DEVICE: DeviceId = DeviceId(1);
/// What the end of a job may cost beyond the job: its grace, and steps of a whole nanosecond.
pub(crate) const PER_JOB: Duration = Duration::from_micros(2);

/// Runs them to the end, or for so long; answers what became of each program's jobs.
pub(crate) fn run(policy: PolicyKind, programs: &[Program], most: Duration) -> Vec<Vec<Done>> {
    // Nobody is due anything, and nobody counts as ready who is not.
    let never = Duration::from_secs(1 << 20);
    let settings =
        Settings { grace: Duration::ZERO, lease: never, max_suspend: never, ..Settings::default() };
    let mut scheduler = Scheduler::new(policy, settings);
    let ids = |n: usize| (ClientId(n as u32 + 1), QueueId(n as u64 + 1));
    for (n, program) in programs.iter().enumerate() {
        let (client, queue) = ids(n);
        let group = GroupId(n as u32 + 1);
        scheduler.handle(Event::ClientJoined { client, group }, Time::ZERO);
        for &(kind, value) in &program.hints {
            let hint = Hint::new(kind, value).unwrap();
            scheduler.handle(Event::ClientHint { client, hint }, Time::ZERO);
        }
        let hints = Hints::default();
        scheduler.handle(Event::QueueCreated { queue, client, device: DEVICE, hints }, Time::ZERO);
    }
    let mut done: Vec<Vec<Done>> = vec![Vec::new(); programs.len()];
    let mut left: Vec<Option<Duration>> = vec![None; programs.len()];
    let (mut now, end) = (Time::ZERO, Time::ZERO + most);
    loop {
        for (n, program) in programs.iter().enumerate() {
            let (client, queue) = ids(n);
            if left[n].is_some_and(|left| left.is_zero()) {
                left[n] = None;
                done[n].last_mut().unwrap().ended = Some(now);
                scheduler.handle(Event::QueueIdle { queue }, now);
            }
            if let Some(job) = program.jobs.get(done[n].len()).filter(|job| Time::ZERO + job.at <= now)
                && left[n].is_none()
            {
                left[n] = Some(job.work);
                scheduler.handle(Event::QueueReady { queue }, now);
                scheduler.decide(now, &mut Vec::new());
                let remark = scheduler.remark(client, DEVICE).unwrap_or_default();
                done[n].push(Done { at: now, began: None, ended: None, remark });
            }
        }
        let mut operations = Vec::new();
        let wake = scheduler.decide(now, &mut operations);
        assert!(!operations.iter().any(|operation| matches!(operation, Operation::Probe { .. })));
        let running: Vec<usize> = (0..programs.len())
            .filter(|&n| left[n].is_some() && !scheduler.is_suspended(ids(n).0, DEVICE))
            .collect();
        let is_work = left.iter().any(Option::is_some);
        let ends = (0..programs.len()).any(|n| left[n].is_none() && scheduler.is_ready(ids(n).1));
        assert!(!is_work || ends || !running.is_empty(), "nobody runs at {now}");
        let rate = running.len().max(1) as u32;
        let next_jobs =
            programs.iter().enumerate().filter_map(|(n, program)| program.jobs.get(done[n].len()));
        let arrivals = next_jobs.map(|job| Time::ZERO + job.at).filter(|&at| at > now);
        let ends = running.iter().filter_map(|&n| Some(now + left[n]? * rate));
        let Some(next) = arrivals.chain(ends).chain(wake).min().filter(|&next| next <= end) else {
            return done;
        };
        let work = next.since(now) / rate;
        for n in running {
            done[n].last_mut().unwrap().began.get_or_insert(now);
            // Less than it takes to divide a nanosecond is nothing.
            left[n] = left[n]
                .map(|left| left.saturating_sub(work))
                .map(|left| if left < Duration::from_nanos(u64::from(rate)) { Duration::ZERO } else { left });
        }
        now = next;
    }
}
