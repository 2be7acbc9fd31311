//! A policy that is in no table: one group at a time, in turn. It shows that the trait carries slices and accounts.

use std::collections::BTreeMap;
use std::time::Duration;
use xsched_core::{DeviceId, GroupId, Time};
use xsched_sched::Policy;
use xsched_sched::policy::{Decision, DeviceView, HeldIdle, Run};

/// How long a turn is.
pub(crate) const SLICE: Duration = Duration::from_millis(5);

/// Round robin.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// When each group last began and last stopped to run.
    last: BTreeMap<(DeviceId, GroupId), (Option<Time>, Option<Time>)>,
}

impl Turns {
    fn times(&self, device: DeviceId, group: GroupId) -> (Option<Time>, Option<Time>) {
        self.last.get(&(device, group)).copied().unwrap_or_default()
    }
}

impl Policy for Turns {
    fn decide(&self, device: &DeviceView<'_>, now: Time, decision: &mut Decision) {
        let began = |group| self.times(device.device(), group).0;
        let current = device
            .ready()
            .filter(|unit| unit.running_since.is_some())
            .filter_map(|unit| Some((began(unit.group)? + SLICE, unit.group)))
            .find(|&(end, _)| end > now);
        let next = || {
            let longest_ago = |group: &GroupId| (self.times(device.device(), *group).1, *group);
            let waits = device.ready().map(|unit| unit.group);
            // Whoever runs has had its turn and comes last.
            let waiting = device.ready().filter(|unit| unit.running_since.is_none()).map(|unit| unit.group);
            waiting
                .min_by_key(longest_ago)
                .or_else(|| waits.min_by_key(longest_ago))
                .map(|g| (now + SLICE, g))
        };
        if let Some((end, group)) = current.or_else(next) {
            decision.run.push(group);
            decision.held_idle = HeldIdle::Below(i64::MAX);
            decision.again = (device.ready().count() > 1).then_some(end);
        }
    }

    fn on_run(&mut self, device: DeviceId, group: GroupId, run: Run, now: Time) {
        let times = self.last.entry((device, group)).or_default();
        match run {
            Run::Began => {
                assert!(times.0.is_none(), "began twice");
                times.0 = Some(now);
            }
            Run::Stopped { after } => {
                let began = times.0.take().expect("began before it stopped");
                assert_eq!(now.since(began), after);
                times.1 = Some(now);
            }
        }
    }

    fn on_leave(&mut self, device: DeviceId, group: GroupId) {
        self.last.remove(&(device, group));
    }
}
