//! What became of each program and device.

use crate::timeline::{Account, Timeline};
use crate::workload::Workload;
use std::collections::BTreeMap;
use std::time::Duration;
use xsched_core::{DeviceId, GroupId, HintKind, Time};
use xsched_sched::PolicyKind;

/// How a run came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The policy it began with.
    pub policy: PolicyKind,
    /// How long it was.
    pub duration: Duration,
    /// What chance began with.
    pub seed: u64,
    /// One for each row of the workload's programs.
    pub programs: Vec<Part>,
    /// For each device, its name and the part of the time in which it worked, from 0 to 1.
    pub devices: Vec<(String, f64)>,
    /// Requests that came, commands that were launched, commands that were done.
    pub events: u64,
    /// Events that the scheduler was told.
    pub told: u64,
    /// Times that it decided.
    pub decisions: u64,
    /// What the policy last had to say of a program, where it had.
    pub remarks: Vec<Remark>,
    /// To draw.
    pub timeline: Timeline,
}

/// What the policy said of a program on a device: that it cannot promise a deadline, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The program's name.
    pub program: String,
    /// The device's.
    pub device: String,
    /// When.
    pub at: Duration,
    /// What.
    pub text: String,
}

/// What a program got, all its processes together.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How many processes it has.
    pub processes: u32,
    /// Requests that were done.
    pub requests: u64,
    /// Requests that came and were not done at the end.
    pub unfinished: u64,
    /// From a request's coming to its last command's end.
    pub latencies: Option<Latencies>,
    /// Requests that were done after their deadline; `None` if it has none.
    pub missed: Option<u64>,
    /// Its part of what the devices that it uses could do, from 0 to 1.
    pub share: f64,
    /// Device time that each of its processes got.
    pub worked: Vec<Duration>,
    /// For how long a process of it was suspended with work, on average.
    pub held: Duration,
    /// The longest time without a break for which a process of it was.
    pub longest_held: Duration,
    /// Times that a process of it was suspended with work, in all.
    pub preemptions: u64,
}

/// The distribution of latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// Half are at most this.
    pub p50: Duration,
    /// Nine of ten are at most this.
    pub p90: Duration,
    /// 99 of 100 are at most this.
    pub p99: Duration,
    /// All are at most this.
    pub max: Duration,
}

/// Counts while the run is under way.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) told: u64,
    pub(crate) decisions: u64,
    /// What the policy said last, and when.
    pub(crate) remarks: BTreeMap<(GroupId, DeviceId), (Time, String)>,
    /// By program, nanoseconds.
    latencies: Vec<Vec<u64>>,
    pub(crate) unfinished: Vec<u64>,
    /// By program and process.
    worked: Vec<BTreeMap<usize, Duration>>,
    held: Vec<Duration>,
    longest_held: Vec<Duration>,
    preemptions: Vec<u64>,
    devices: Vec<Duration>,
}

impl Tally {
    pub(crate) fn new(workload: &Workload) -> Tally {
        let programs = workload.programs.len();
        Tally {
            events: 0,
            told: 0,
            decisions: 0,
            remarks: BTreeMap::new(),
            latencies: vec![Vec::new(); programs],
            unfinished: vec![0; programs],
            worked: vec![BTreeMap::new(); programs],
            held: vec![Duration::ZERO; programs],
            longest_held: vec![Duration::ZERO; programs],
            preemptions: vec![0; programs],
            devices: vec![Duration::ZERO; workload.devices.len()],
        }
    }

    /// A request of the program is done.
    pub(crate) fn done(&mut self, program: usize, latency: Duration) {
        self.latencies[program].push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A process of the program ended, and left so many requests undone.
    pub(crate) fn gone(&mut self, program: usize, unfinished: u64) {
        self.unfinished[program] += unfinished;
    }

    /// What a process of the program did on a device.
    pub(crate) fn add_gate(
        &mut self,
        program: usize,
        process: usize,
        device: usize,
        worked: Duration,
        account: &Account,
    ) {
        *self.worked[program].entry(process).or_default() += worked;
        self.held[program] += account.held();
        self.longest_held[program] = self.longest_held[program].max(account.longest_held);
        self.preemptions[program] += account.preempted;
        self.devices[device] += worked;
    }

    pub(crate) fn finish(mut self, workload: &Workload, timeline: Timeline) -> Outcome {
        let capacity = |device: usize| workload.duration * workload.devices[device].engines;
        let programs = workload.programs.iter().enumerate().map(|(index, program)| {
            let latencies = &mut self.latencies[index];
            latencies.sort_unstable();
            let deadline = program.hints.given(HintKind::Deadline).filter(|deadline| *deadline >= 0);
            let missed = deadline.map(|deadline| {
                let most = deadline.unsigned_abs() * 1_000;
                (latencies.len() - latencies.partition_point(|latency| *latency <= most)) as u64
            });
            let worked: Vec<Duration> = self.worked[index].values().copied().collect();
            let could: Duration = program.devices.iter().map(|device| capacity(*device)).sum();
            Part {
                name: program.name.clone(),
                processes: program.count,
                requests: latencies.len() as u64,
                unfinished: self.unfinished[index],
                latencies: Latencies::of(latencies),
                missed,
                share: part(worked.iter().sum(), could),
                worked,
                held: self.held[index] / program.count.max(1),
                longest_held: self.longest_held[index],
                preemptions: self.preemptions[index],
            }
        });
        Outcome {
            policy: workload.policy,
            duration: workload.duration,
            seed: workload.seed,
            programs: programs.collect(),
            devices: (workload.devices.iter().enumerate())
                .map(|(n, device)| (device.name.clone(), part(self.devices[n], capacity(n))))
                .collect(),
            events: self.events,
            told: self.told,
            decisions: self.decisions,
            remarks: Vec::new(),
            timeline,
        }
    }
}

impl Latencies {
    /// Of nanoseconds in ascending order.
    fn of(sorted: &[u64]) -> Option<Latencies> {
        // The smallest one that at least so many percent do not exceed.
        let percentile = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().map(Duration::from_nanos)
        };
        Some(Latencies {
            p50: percentile(50)?,
            p90: percentile(90)?,
            p99: percentile(99)?,
            max: percentile(100)?,
        })
    }
}

fn part(of: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { of.as_secs_f64() / whole.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let all: Vec<u64> = (1..=200).collect();
        let found = Latencies::of(&all).unwrap();
        let nanos = [found.p50, found.p90, found.p99, found.max].map(|latency| latency.as_nanos());
        assert_eq!(nanos, [100, 180, 198, 200]);
        assert_eq!(Latencies::of(&[7]).unwrap().p50, Duration::from_nanos(7));
        assert_eq!(Latencies::of(&[]), None);
    }
}
