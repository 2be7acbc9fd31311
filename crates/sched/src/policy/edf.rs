//! Earliest deadline first, with admission: a group whose deadlines cannot be met beside those of others is refused, and says so.
//!
//! A group with a deadline hint asks for a *share* of the device: its utilization hint if it gives one, else what its last eight jobs took but
//! for the longest one, and an eighth more, divided by the deadline. A job lasts from ready to idle. It is admitted if its share and those of all admitted ones come to
//! 95 % at most (the rest is for changing hands, and for what others are due by `max_suspend`). Of the admitted ones that are ready, the one
//! whose deadline comes first runs, alone. All others are the background: when no admitted one is ready, those of the highest priority run.
//!
//! - What is promised holds whatever others do: who has used up his share before his deadline goes on in the background until then.
//! - A newcomer without a utilization hint is on trial for four jobs, with all that is left of the device; one at a time.
//! - Whose jobs have grown beyond what is left keeps his share, and it is said that this is not enough.
//! - Who was refused is judged again when there is more room, and tried again after eight jobs.
//! - A share is kept while its owner rests, for 10 s or ten deadlines.
//!
//! Shares, and what is learnt, are in `edf/server.rs`. docs/design/0017

mod server;

use self::server::{LEAST, MOST, Server, Standing};
use super::{Decision, DeviceView, HeldIdle, Policy, Rank, Run, Subject, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use xsched_core::text::Value;
use xsched_core::{DeviceId, GroupId, HintKind, Hints, Time};

/// Earliest deadline first, with admission.
#[derive(Debug, Default)]
pub struct Edf {
    devices: BTreeMap<DeviceId, Device>,
    news: Vec<(DeviceId, GroupId)>,
}

#[derive(Debug, Default)]
struct Device {
    /// Groups with a deadline.
    servers: BTreeMap<GroupId, Server>,
    /// The ready ones with a share that is not used up, by deadline ...
    ready: BTreeSet<(Time, GroupId)>,
    /// ... and those that wait for their next share, by when they get it.
    spent: BTreeSet<(Time, GroupId)>,
    /// Those of `servers` whose time is counted: one, mostly.
    running: BTreeSet<GroupId>,
    /// All shares together, in parts of a million.
    promised: u64,
    /// Who is on trial.
    trial: Option<GroupId>,
}

/// Ranks are a priority and, in so many bits below, how short the deadline is.
const DEADLINE_BITS: u32 = 40;

impl Policy for Edf {
    fn rank(&self, queue: &Subject<'_>, _now: Time) -> Rank {
        // Of a group's queues of one priority, that of the shortest deadline speaks for it.
        let longest = (1 << DEADLINE_BITS) - 1;
        let micros = length(queue.hints).and_then(|length| i64::try_from(length.as_micros()).ok());
        let tightness = micros.map_or(0, |micros| longest - micros.min(longest));
        (((queue.hints.priority() + 256) << DEADLINE_BITS) + tightness).into()
    }

    fn decide(&self, view: &DeviceView<'_>, now: Time, decision: &mut Decision) {
        let device = self.devices.get(&view.device());
        let (first, again) = device.map_or((None, None), |device| device.first(view, now));
        // To one who is alone it makes no difference.
        decision.again = again
            .filter(|_| device.is_some_and(|device| device.trial.is_some()) || view.ready().nth(1).is_some());
        if let Some(group) = first {
            decision.run.push(group);
            decision.held_idle = HeldIdle::Recent;
            return;
        }
        let mut ready = view.ready().map(|unit| (unit.priority >> DEADLINE_BITS, unit.group)).peekable();
        if let Some(&(top, _)) = ready.peek() {
            decision.run.extend(ready.take_while(|&(priority, _)| priority == top).map(|(_, group)| group));
        }
    }

    fn on_ready(&mut self, id: DeviceId, unit: &Unit, now: Time) {
        let device = self.devices.entry(id).or_default();
        let Some(length) = length(&unit.hints) else { return device.forget(unit.group) };
        device.servers.entry(unit.group).or_insert_with(|| Server::new(now));
        self.change(id, unit.group, now, |device, server| {
            let has_changed = server.ask(length, unit.hints.given(HintKind::Utilization));
            let is_new_job = server.begin_job(unit.ready_since);
            device.set_running(unit.group, server, unit.running_since.is_some());
            if is_new_job || has_changed {
                let is_anew = has_changed || server.standing.share() == 0;
                device.judge(unit.group, server, now);
                server.begin_period(is_anew, now);
            }
        });
    }

    fn on_idle(&mut self, id: DeviceId, group: GroupId, now: Time) {
        self.change(id, group, now, |device, server| {
            server.end_job(now);
            if server.has_been_tried() {
                device.judge(group, server, now);
            }
        });
    }

    fn on_decision(&mut self, id: DeviceId, _decision: &Decision, now: Time) {
        let Some(device) = self.devices.get(&id) else { return };
        let over = device.spent.iter().take_while(|(at, _)| *at <= now).map(|(_, group)| group);
        let stale: Vec<GroupId> = device.running.iter().chain(over).copied().collect();
        stale.into_iter().for_each(|group| self.change(id, group, now, |_, _| {}));
    }

    fn on_run(&mut self, id: DeviceId, group: GroupId, run: Run, now: Time) {
        self.change(id, group, now, |device, server| device.set_running(group, server, run == Run::Began));
    }

    fn on_leave(&mut self, id: DeviceId, group: GroupId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.forget(group);
        if device.servers.is_empty() {
            self.devices.remove(&id);
        }
    }

    fn goes_by_ready_time(&self, hints: &Hints) -> bool {
        hints.get(HintKind::Deadline) >= 0
    }

    fn remark(&self, id: DeviceId, group: GroupId) -> Option<String> {
        let server = self.devices.get(&id)?.servers.get(&group)?;
        let deadline = server.length().show();
        match server.standing {
            Standing::Admitted { share, needs } => {
                let share = share.div_ceil(10_000);
                let late =
                    |needs: u64| format!(", but its jobs need {} %: some are late", needs.div_ceil(10_000));
                let late = needs.map(late).unwrap_or_default();
                Some(format!("deadline of {deadline} admitted with {share} % of the device{late}"))
            }
            Standing::Refused { needs, left } => {
                let needs = needs.map_or("more".into(), |needs| format!("{} %", needs.div_ceil(10_000)));
                let left = left / 10_000;
                Some(format!(
                    "deadline of {deadline} refused: needs {needs} of the device, {left} % is left; runs in the background"
                ))
            }
            Standing::OnTrial { .. } | Standing::Unknown => None,
        }
    }

    fn take_news(&mut self) -> Vec<(DeviceId, GroupId)> {
        std::mem::take(&mut self.news)
    }
}

impl Edf {
    /// Charges a group with a deadline for the time up to `now`, and changes something about it.
    fn change(
        &mut self,
        id: DeviceId,
        group: GroupId,
        now: Time,
        change: impl FnOnce(&mut Device, &mut Server),
    ) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        let Some(before) = device.take(group) else { return };
        let mut server = before.at(now);
        device.promised -= before.standing.share() - server.standing.share();
        if !server.standing.is_trial() && device.trial == Some(group) {
            device.trial = None;
        }
        change(device, &mut server);
        if server.standing.verdict() != before.standing.verdict() {
            self.news.push((id, group));
        }
        device.put(group, server);
    }
}

impl Device {
    /// Who runs of those that were promised something, and when to ask again.
    fn first(&self, view: &DeviceView<'_>, now: Time) -> (Option<GroupId>, Option<Time>) {
        let at = |&group: &GroupId| Some((self.servers.get(&group)?.at(now), group));
        let may_run = |group: &GroupId| view.admits(*group) && !self.running.contains(group);
        // Those about whom time has changed something, and the first one of the others.
        let over = self.spent.iter().take_while(|(at, _)| *at <= now).map(|(_, group)| group);
        let changed = self.running.iter().chain(over).filter(|&&group| view.admits(group)).filter_map(at);
        let waiting = self.ready.iter().map(|(_, group)| group).find(|group| may_run(group)).and_then(at);
        let (mut first, mut again) = (None::<(Time, GroupId, Time)>, None::<Time>);
        for (server, group) in changed.chain(waiting).filter(|(server, _)| server.is_promised()) {
            if server.is_spent() {
                again = again.into_iter().chain([server.due]).min();
            } else if first.is_none_or(|(due, other, _)| (server.due, group) < (due, other)) {
                first = Some((server.due, group, server.spent_at(now)));
            }
        }
        let next_share = self.spent.iter().map(|&(at, _)| at).find(|at| *at > now);
        let spent_at = first.map(|(_, _, spent_at)| spent_at);
        (first.map(|(_, group, _)| group), [again, next_share, spent_at].into_iter().flatten().min())
    }

    /// Takes the group's server out, to be changed and put back.
    fn take(&mut self, group: GroupId) -> Option<Server> {
        let server = self.servers.remove(&group)?;
        self.ready.remove(&(server.due, group));
        self.spent.remove(&(server.due, group));
        Some(server)
    }

    fn put(&mut self, group: GroupId, server: Server) {
        if server.is_promised() {
            let index = if server.is_spent() { &mut self.spent } else { &mut self.ready };
            index.insert((server.due, group));
        }
        self.servers.insert(group, server);
    }

    fn set_running(&mut self, group: GroupId, server: &mut Server, runs: bool) {
        server.runs = runs;
        let _ = if runs { self.running.insert(group) } else { self.running.remove(&group) };
    }

    /// Decides whether what the group asks for can be met beside the others.
    fn judge(&mut self, group: GroupId, server: &mut Server, now: Time) {
        let was_on_trial = self.trial == Some(group);
        if was_on_trial {
            self.trial = None;
        }
        self.promised -= server.standing.share();
        let asks = server.asks_for(MOST - self.promised);
        if asks.is_none_or(|asked| asked > MOST - self.promised) {
            self.take_back(asks.is_some(), now);
        }
        let left = MOST - self.promised;
        server.standing = match (server.asks_for(left), server.standing) {
            (Some(share), _) if share <= left => Standing::Admitted { share, needs: None },
            // It keeps what it has: in the background it would not catch up.
            (Some(needs), Standing::Admitted { share, .. }) if server.is_learnt() => {
                Standing::Admitted { share, needs: Some(needs) }
            }
            (Some(needs), _) => Standing::Refused { needs: Some(needs), left },
            // It was tried not long ago, and there is no more now than there was then.
            (None, Standing::Refused { needs: None, left: then })
                if left <= then && !server.is_to_be_tried_again() =>
            {
                server.standing
            }
            (None, _) if self.trial.is_some() => Standing::Unknown,
            (None, _) if left < LEAST => Standing::Refused { needs: None, left },
            (None, _) => {
                self.trial = Some(group);
                Standing::OnTrial { share: left }
            }
        };
        server.judged();
        self.promised += server.standing.share();
    }

    /// Takes back the shares of those who have rested for long, and ends the trial under way, if there is somebody who knows what he needs.
    fn take_back(&mut self, ends_trial: bool, now: Time) {
        let trial = self.trial.filter(|_| ends_trial);
        let is_over = |group: &GroupId, server: &Server| trial == Some(*group) || server.has_rested(now);
        let over = self.servers.iter().filter(|(group, server)| is_over(group, server));
        for group in over.map(|(&group, _)| group).collect::<Vec<_>>() {
            let Some(mut server) = self.take(group) else { continue };
            self.promised -= server.standing.share();
            server.standing = Standing::Unknown;
            self.trial = self.trial.filter(|&other| other != group);
            self.put(group, server);
        }
    }

    fn forget(&mut self, group: GroupId) {
        self.running.remove(&group);
        if let Some(server) = self.take(group) {
            self.promised -= server.standing.share();
            self.trial = self.trial.filter(|&other| other != group);
        }
    }
}

/// Time from ready to done, if the hints say one.
fn length(hints: &Hints) -> Option<Duration> {
    let micros = u64::try_from(hints.get(HintKind::Deadline)).ok()?;
    Some(Duration::from_micros(micros.max(1)))
}
