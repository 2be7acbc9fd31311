//! Equals that can be taken off a device have it one at a time, while somebody goes before them.
//!
//! Under a policy of priorities equals share a device as the driver lets them, in turns of some milliseconds; an urgent group that comes waits for a round of these. Where they can be
//! taken off the device at any moment (Level 3) one of them is on it at a time, and can be interrupted, so that the urgent one has the device within a switch. Whose turn it is goes by
//! [fair shares](super::fair) of the same weight, in turns that are long against what a change of hands costs; who rests loses the device to the next at once. The turn outlasts bursts of
//! the urgent one.
//!
//! A change of hands costs the device half a millisecond, so who rests every few milliseconds ([`Rests`]) would lose it more than it is worth: such a group has no turns, and runs beside
//! the one whose turn it is.
//!
//! Invariant: a group is in the turns of the rank that the policy was last told of it, on each of its devices where it was ready and can be taken off. Absent: when this is in force
//! (`Scheduler::alternating`), and groups that cannot be taken off, which run side by side as ever.

use super::fair::{Fair, Terms, WHOLE};
use super::turns::Turns;
use super::{Decision, DeviceView, Policy, Run, Running, Unit};
use std::collections::BTreeMap;
use std::time::Duration;
use xsched_core::{DeviceId, GroupId, Hints, Time};

/// More equals than this share the device as the driver lets them: with turns like these each would wait for too long.
const MOST: usize = 16;

/// All have the same part.
#[derive(Debug, Default)]
struct Alike;

impl Terms for Alike {
    fn weight(_unit: &Unit) -> u32 {
        WHOLE
    }
}

/// Turns among those of the same rank on the same device.
#[derive(Debug, Default)]
pub(crate) struct Equals {
    members: BTreeMap<(DeviceId, GroupId), Member>,
    turns: BTreeMap<(DeviceId, i64), Turns<Fair<Alike>>>,
    /// Members that have no turns, and what was told of them last if they are ready. They are in `turns` again by the next decision after they are not restless any more, so
    /// that nobody sees another state than that of the last decision.
    restless: BTreeMap<(DeviceId, GroupId), Option<Unit>>,
}

#[derive(Debug)]
struct Member {
    rank: i64,
    rests: Rests,
}

/// How often a group rests, by how long it ran from one rest to the next.
#[derive(Debug, Default)]
struct Rests {
    /// The last times, one bit each: for less than [`Rests::SOON`].
    soon: u8,
    known: u32,
    last: Time,
    /// Since the last one.
    ran: Duration,
    runs_since: Option<Time>,
}

impl Rests {
    /// Ten times what it costs to take the device from one and give it to another.
    const SOON: Duration = Duration::from_millis(5);
    /// So many are to be known.
    const FEW: u32 = 4;
    /// Who has not rested for so long is not like that any more, as far as is known: nobody waits for the rests of those who run side by side, so not all of them are told.
    const FORGOTTEN: Duration = Duration::from_secs(1);

    fn run(&mut self, run: Run, now: Time) {
        match run {
            Run::Began => self.runs_since = Some(now),
            Run::Stopped { after } => {
                // A rest was told before the end of the run that it is.
                self.ran += self.runs_since.take().map_or(Duration::ZERO, |_| after);
            }
        }
    }

    fn rest(&mut self, now: Time) {
        let ran = self.ran + self.runs_since.take().map_or(Duration::ZERO, |since| now.since(since));
        self.ran = Duration::ZERO;
        self.soon = self.soon << 1 | u8::from(ran < Self::SOON);
        self.known = (self.known + 1).min(u8::BITS);
        self.last = now;
    }

    /// Whether at least half of the last times were soon.
    fn is_restless(&self, now: Time) -> bool {
        self.known >= Self::FEW
            && self.soon.count_ones() * 2 >= self.known
            && now.since(self.last) < Self::FORGOTTEN
    }
}

impl Equals {
    /// Whether nobody can be taken off anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// See [`Policy::on_ready`].
    pub(crate) fn on_ready(&mut self, device: DeviceId, unit: &Unit, now: Time) {
        let (at, rank) = ((device, unit.group), unit.priority);
        let is_other = |before: &Member| before.rank != rank || !unit.is_interruptible;
        if self.members.get(&at).is_some_and(is_other) {
            self.on_leave(device, unit.group);
        }
        if !unit.is_interruptible {
            return;
        }
        let new = || Member { rank, rests: Rests { runs_since: unit.running_since, ..Rests::default() } };
        self.members.entry(at).or_insert_with(new);
        // The policy in force reads no hint of these turns.
        let unit = Unit { hints: Hints::default(), ..unit.clone() };
        match self.restless.get_mut(&at) {
            Some(ready) => *ready = Some(unit),
            None => self.enter(device, &unit, now),
        }
    }

    /// See [`Policy::on_idle`].
    pub(crate) fn on_idle(&mut self, device: DeviceId, group: GroupId, now: Time) {
        let at = (device, group);
        let Some(member) = self.members.get_mut(&at) else { return };
        member.rests.rest(now);
        let (rank, is_restless) = (member.rank, member.rests.is_restless(now));
        if let Some(ready) = self.restless.get_mut(&at) {
            *ready = None;
        } else if is_restless {
            self.restless.insert(at, None);
            self.exit(device, group, rank);
        } else if let Some(turns) = self.turns.get_mut(&(device, rank)) {
            turns.on_idle(device, group, now);
        }
    }

    /// See [`Policy::on_run`].
    pub(crate) fn on_run(&mut self, device: DeviceId, group: GroupId, run: Run, now: Time) {
        let Some(member) = self.members.get_mut(&(device, group)) else { return };
        member.rests.run(run, now);
        if let Some(turns) = self.turns.get_mut(&(device, member.rank)) {
            turns.on_run(device, group, run, now);
        }
    }

    /// See [`Policy::on_leave`].
    pub(crate) fn on_leave(&mut self, device: DeviceId, group: GroupId) {
        let Some(Member { rank, .. }) = self.members.remove(&(device, group)) else { return };
        self.restless.remove(&(device, group));
        self.exit(device, group, rank);
    }

    /// See [`Policy::on_time`].
    pub(crate) fn on_time(&mut self, device: DeviceId, now: Time) {
        let is_calm = |at: &(DeviceId, GroupId)| {
            self.members.get(at).is_none_or(|member| !member.rests.is_restless(now))
        };
        let restless = self.restless.range((device, GroupId(0))..=(device, GroupId(u32::MAX)));
        let calm: Vec<_> = restless.map(|(&at, _)| at).filter(is_calm).collect();
        for at in calm {
            if let Some(Some(unit)) = self.restless.remove(&at) {
                self.enter(device, &unit, now);
            }
        }
        let all = self.turns.range_mut((device, i64::MIN)..=(device, i64::MAX));
        all.for_each(|(_, turns)| turns.on_time(device, now));
    }

    /// Which of those of this rank that take turns is to run, and when to ask again.
    pub(crate) fn decide(&self, view: &DeviceView<'_>, rank: i64, now: Time) -> Decision {
        let mut decision = Decision::default();
        if let Some(turns) = self.turns.get(&(view.device(), rank)) {
            turns.decide(view, now, &mut decision);
        }
        decision
    }

    /// That came true, among others.
    pub(crate) fn on_decision(&mut self, device: DeviceId, rank: i64, run: &Running, now: Time) {
        let takes_turns = |group: &&GroupId| self.rank(device, **group) == Some(rank);
        let Some(&group) = run.named().iter().find(takes_turns) else { return };
        if let Some(turns) = self.turns.get_mut(&(device, rank)) {
            let mut decision = Decision::default();
            decision.run.push(group);
            turns.on_decision(device, &decision, now);
        }
    }

    /// Those of this rank that are ready and take turns, if there are any, and not too many.
    pub(crate) fn ready(&self, device: DeviceId, rank: i64) -> Option<impl Iterator<Item = GroupId> + '_> {
        let turns = self.turns.get(&(device, rank))?;
        (1..=MOST).contains(&turns.ready(device).take(MOST + 1).count()).then(|| turns.ready(device))
    }

    /// The rank of a group that takes turns, and whether the turn among its equals is its own, or would be if nobody went before it.
    pub(crate) fn has_turn(&self, device: DeviceId, group: GroupId) -> Option<(i64, bool)> {
        let rank = self.rank(device, group)?;
        Some((rank, self.turns.get(&(device, rank))?.has_turn(device, group)))
    }

    fn rank(&self, device: DeviceId, group: GroupId) -> Option<i64> {
        let at = (device, group);
        self.members.get(&at).filter(|_| !self.restless.contains_key(&at)).map(|member| member.rank)
    }

    /// It is ready, and has turns.
    fn enter(&mut self, device: DeviceId, unit: &Unit, now: Time) {
        let turns = self.turns.entry((device, unit.priority)).or_default();
        turns.on_ready(device, unit, now);
        // Of who did run before, nothing was told there.
        if self.members.get(&(device, unit.group)).is_some_and(|member| member.rests.runs_since.is_some()) {
            turns.on_run(device, unit.group, Run::Began, now);
        }
    }

    fn exit(&mut self, device: DeviceId, group: GroupId, rank: i64) {
        if let Some(turns) = self.turns.get_mut(&(device, rank)) {
            turns.on_leave(device, group);
            if turns.is_empty() {
                self.turns.remove(&(device, rank));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn who_rests_soon_again_and_again_is_restless_until_it_does_not_for_a_while() {
        let (mut rests, mut now) = (Rests::default(), 0);
        let mut burst = |rests: &mut Rests, parts: &[u64]| {
            for &part in parts {
                rests.run(Run::Began, at(now));
                now += part;
                rests.run(Run::Stopped { after: Duration::from_millis(part) }, at(now));
            }
            rests.rest(at(now));
            now += 1;
            rests.is_restless(at(now))
        };
        assert_eq!([[2]; 4].map(|parts| burst(&mut rests, &parts)), [false, false, false, true]);
        assert!(burst(&mut rests, &[3, 3]), "interrupted by somebody, so it ran for 6 ms");
        assert_eq!([[40]; 4].map(|parts| burst(&mut rests, &parts)), [true, true, true, false]);
        assert_eq!([[2]; 4].map(|parts| burst(&mut rests, &parts)), [false, false, false, true]);
        let last = rests.last;
        assert!(
            rests.is_restless(last + Duration::from_millis(999))
                && !rests.is_restless(last + Rests::FORGOTTEN)
        );
        rests.run(Run::Began, at(5_000));
        rests.rest(at(5_001));
        rests.run(Run::Stopped { after: Duration::from_millis(1) }, at(5_001));
        assert_eq!(rests.ran, Duration::ZERO, "the end of a run that was a rest counts once");
    }
}
