//! Utilization partition: the device's time is shared in turns, each group's part as large as its utilization.
//!
//! Weighted fair queueing over groups. Each has a *virtual time* per device, which grows by its run time divided by its weight
//! (the sum of utilizations it asks for, see [`Unit::weight`]; 100 if nobody gave a hint). The one that is furthest behind runs
//! alone for a turn (its timeslice hint); equal weights get equal time. A group of weight 0 runs when no other is ready.
//!
//! - Nobody hoards: a newcomer starts at the present virtual time, and who was idle comes back at most one turn behind it. So that
//!   a program with gaps between its commands gets its share nevertheless, it takes the device at once if it is behind.
//! - A turn lasts until what was launched in it is done, and is charged for it. Several may be on the device nevertheless, with a
//!   kernel longer than the handover, or a group that got its `max_suspend` due: its time is then divided evenly among them.
//!
//! Absent: priorities; they decide nothing here (but a group of `PRIORITY_NO_EXECUTE` does not run). docs/design/0010

use super::{Decision, DeviceView, HeldIdle, Policy, Run, Unit};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use xsched_core::{DeviceId, GroupId, HintKind, Time};

/// How far behind a group must be that comes back from idleness to end another one's turn: to change hands costs about this.
const WORTH_A_CHANGE: Duration = Duration::from_millis(1);
/// Virtual time of a group of this weight is its run time.
const WHOLE: u32 = 100;

/// Utilization partition.
#[derive(Debug, Default)]
pub struct Up {
    devices: BTreeMap<DeviceId, Device>,
}

/// Orders groups: those of weight 0 last, then those first that are furthest behind.
type Rank = (bool, Duration, GroupId);

#[derive(Debug, Default)]
struct Device {
    accounts: HashMap<GroupId, Account>,
    /// Ready groups that do not run.
    waiting: BTreeSet<Rank>,
    /// Groups whose time is counted; one, mostly.
    running: Vec<GroupId>,
    /// Until when it is.
    counted: Time,
    /// The present virtual time: that of the ready group that is furthest behind. Never goes back.
    present: Duration,
    turn: Option<Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    group: GroupId,
    began: Time,
    end: Time,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    group: GroupId,
    weight: u32,
    timeslice: Duration,
    virtual_time: Duration,
    ready_since: Option<Time>,
    runs: bool,
}

impl Policy for Up {
    fn decide(&self, view: &DeviceView<'_>, now: Time, decision: &mut Decision) {
        let Some(device) = self.devices.get(&view.device()) else { return };
        let holder = device.holder(now).filter(|(holder, _)| view.admits(holder.group));
        let is_other = |account: &Account| holder.is_none_or(|(holder, _)| holder.group != account.group);
        let next = device.ready(now).find(|account| view.admits(account.group) && is_other(account));
        let (group, end) = match (holder, next) {
            (Some((holder, turn)), next)
                if !next.is_some_and(|next| next.comes_before(&holder, turn, now)) =>
            {
                (holder.group, if now < turn.end { turn.end } else { now + holder.timeslice })
            }
            (_, Some(next)) => (next.group, now + next.timeslice),
            (_, None) => return,
        };
        decision.run.push(group);
        decision.held_idle = HeldIdle::Recent;
        let has_company = device.ready(now).nth(1).is_some();
        decision.again = has_company.then_some(end);
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn on_ready(&mut self, id: DeviceId, unit: &Unit, now: Time) {
        let device = self.devices.entry(id).or_default();
        device.count(now);
        device.enter(unit);
        device.advance(now);
    }

    fn on_idle(&mut self, id: DeviceId, group: GroupId, now: Time) {
        self.change(id, group, now, |account| account.ready_since = None);
    }

    fn on_decision(&mut self, id: DeviceId, decision: &Decision, now: Time) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        let under_way = device.holder(now).filter(|(holder, turn)| !holder.runs || now < turn.end);
        let holder = under_way.map(|(holder, _)| holder.group);
        let next = decision.run.first().copied();
        if next.is_none() || next != holder {
            device.turn = next.and_then(|group| device.accounts.get(&group)).map(|account| Turn {
                group: account.group,
                began: now,
                end: now + account.timeslice,
            });
        }
    }

    fn on_run(&mut self, id: DeviceId, group: GroupId, run: Run, now: Time) {
        self.change(id, group, now, |account| account.runs = run == Run::Began);
        let Some(device) = self.devices.get_mut(&id) else { return };
        // A turn begins when the device is free for it.
        if run == Run::Began
            && let Some(account) = device.accounts.get(&group)
            && let Some(turn) = device.turn.as_mut().filter(|turn| turn.group == group)
        {
            (turn.began, turn.end) = (now, now + account.timeslice);
        }
    }

    fn on_leave(&mut self, id: DeviceId, group: GroupId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        if let Some(account) = device.accounts.remove(&group) {
            device.waiting.remove(&account.rank());
            device.running.retain(|&other| other != group);
        }
        if device.accounts.is_empty() {
            self.devices.remove(&id);
        }
    }
}

impl Up {
    /// Changes a group's account, if it has one, and where it stands.
    fn change(&mut self, id: DeviceId, group: GroupId, now: Time, change: impl FnOnce(&mut Account)) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.count(now);
        if let Some(account) = device.accounts.get_mut(&group) {
            let before = *account;
            change(account);
            let after = *account;
            device.put(before, after);
        }
        device.advance(now);
    }
}

impl Device {
    /// A group is ready, or something about it changed.
    fn enter(&mut self, unit: &Unit) {
        let timeslice = u64::try_from(unit.hints.get(HintKind::Timeslice)).unwrap_or(0);
        let fresh = Account {
            group: unit.group,
            weight: unit.weight,
            timeslice: Duration::from_micros(timeslice),
            virtual_time: self.present,
            ready_since: Some(unit.ready_since),
            runs: false,
        };
        let before = *self.accounts.entry(unit.group).or_insert(Account { ready_since: None, ..fresh });
        let virtual_time = match before.virtual_time.checked_sub(self.present) {
            // Ahead by time that it ran: that is more virtual time if it weighs less now.
            Some(ahead) => self.present + ahead * before.divisor() / fresh.divisor(),
            None if before.ready_since.is_some() => before.virtual_time,
            None => {
                let earliest = self.present.saturating_sub(fresh.in_virtual_time(fresh.timeslice));
                before.virtual_time.max(earliest)
            }
        };
        let after = Account { virtual_time, runs: before.runs, ..fresh };
        self.accounts.insert(unit.group, after);
        self.put(before, after);
    }

    /// Moves a group to where it belongs now.
    fn put(&mut self, before: Account, after: Account) {
        self.waiting.remove(&before.rank());
        if after.ready_since.is_some() && !after.runs {
            self.waiting.insert(after.rank());
        }
        if before.runs != after.runs {
            self.running.retain(|&group| group != after.group);
            self.running.extend(after.runs.then_some(after.group));
        }
    }

    /// Charges those who run for the time up to `now`.
    fn count(&mut self, now: Time) {
        for &group in &self.running {
            let passed = self.passed(now);
            if let Some(account) = self.accounts.get_mut(&group) {
                account.virtual_time += account.in_virtual_time(passed);
            }
        }
        self.counted = self.counted.max(now);
        self.advance(now);
    }

    /// Brings the present up to date.
    fn advance(&mut self, now: Time) {
        let furthest_behind = self.ready(now).next().map(|account| account.virtual_time);
        self.present = self.present.max(furthest_behind.unwrap_or_default());
    }

    /// What each of those who run has had of the device since it was counted last.
    fn passed(&self, now: Time) -> Duration {
        now.since(self.counted) / u32::try_from(self.running.len()).unwrap_or(u32::MAX).max(1)
    }

    /// The ready groups with their virtual times of `now`, in the order of their ranks.
    fn ready(&self, now: Time) -> impl Iterator<Item = Account> + '_ {
        let mut running: Vec<Account> =
            self.running.iter().filter_map(|group| self.at(*group, now)).collect();
        running.retain(|account| account.ready_since.is_some());
        running.sort_unstable_by_key(Account::rank);
        let mut running = running.into_iter().peekable();
        let mut waiting =
            self.waiting.iter().filter_map(move |(_, _, group)| self.at(*group, now)).peekable();
        std::iter::from_fn(move || match (running.peek(), waiting.peek()) {
            (Some(a), Some(b)) if a.rank() < b.rank() => running.next(),
            (Some(_), None) => running.next(),
            _ => waiting.next(),
        })
    }

    /// The group's account as it is at `now`.
    fn at(&self, group: GroupId, now: Time) -> Option<Account> {
        let mut account = *self.accounts.get(&group)?;
        if account.runs {
            account.virtual_time += account.in_virtual_time(self.passed(now));
        }
        Some(account)
    }

    /// Whose turn it is or was last, if it is ready.
    fn holder(&self, now: Time) -> Option<(Account, Turn)> {
        let turn = self.turn?;
        let holder = self.at(turn.group, now).filter(|account| account.ready_since.is_some())?;
        Some((holder, turn))
    }
}

impl Account {
    fn rank(&self) -> Rank {
        (self.weight == 0, self.virtual_time, self.group)
    }

    fn divisor(&self) -> u32 {
        self.weight.max(1)
    }

    fn in_virtual_time(&self, run: Duration) -> Duration {
        run * WHOLE / self.divisor()
    }

    /// Whether this one runs next, instead of the holder of the turn.
    fn comes_before(&self, holder: &Account, turn: Turn, now: Time) -> bool {
        let is_background = |account: &Account| account.weight == 0;
        if is_background(self) != is_background(holder) {
            return is_background(holder);
        }
        if holder.runs && now >= turn.end {
            // Whichever is nearer to what it should be: another turn for the holder, or none.
            let half = holder.in_virtual_time(holder.timeslice) / 2;
            return self.virtual_time < holder.virtual_time + half;
        }
        // Before the end: if this one is behind by more than it is worth to wait for it. For one that was ready when the turn began,
        // that is a whole turn; so somebody who must get several devices at once gets them.
        let has_come_since = self.ready_since.is_some_and(|since| since > turn.began);
        let worth = if has_come_since { WORTH_A_CHANGE.min(self.timeslice) } else { self.timeslice };
        self.virtual_time + self.in_virtual_time(worth) < holder.virtual_time
    }
}
