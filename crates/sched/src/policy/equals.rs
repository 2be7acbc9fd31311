//! Equals that can be taken off a device have it one at a time, while somebody goes before them.
//!
//! Under a policy of priorities equals share a device as the driver lets them, in turns of some milliseconds; an urgent group that comes waits for a round of these. Where they can be
//! taken off the device at any moment (Level 3) one of them is on it at a time, and can be interrupted, so that the urgent one has the device within a switch. Whose turn it is goes by
//! [fair shares](super::fair) of the same weight, in turns that are long against what a change of hands costs; who rests loses the device to the next at once. The turn outlasts bursts of
//! the urgent one.
//!
//! Invariant: a group is in the turns of the rank that the policy was last told of it, on each of its devices where it was ready and can be taken off. Absent: when this is in force
//! (`Scheduler::alternating`), and groups that cannot be taken off, which run side by side as ever.

use super::fair::{Fair, Terms, WHOLE};
use super::turns::Turns;
use super::{Decision, DeviceView, Policy, Run, Running, Unit};
use std::collections::BTreeMap;
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
    ranks: BTreeMap<(DeviceId, GroupId), i64>,
    turns: BTreeMap<(DeviceId, i64), Turns<Fair<Alike>>>,
}

impl Equals {
    /// Whether nobody can be taken off anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// See [`Policy::on_ready`].
    pub(crate) fn on_ready(&mut self, device: DeviceId, unit: &Unit, now: Time) {
        if self.ranks.get(&(device, unit.group)).is_some_and(|rank| *rank != unit.priority)
            || !unit.is_interruptible
        {
            self.on_leave(device, unit.group);
        }
        if !unit.is_interruptible {
            return;
        }
        let is_new = self.ranks.insert((device, unit.group), unit.priority).is_none();
        let turns = self.turns.entry((device, unit.priority)).or_default();
        // The policy in force reads no hint of these turns.
        turns.on_ready(device, &Unit { hints: Hints::default(), ..unit.clone() }, now);
        if is_new && unit.running_since.is_some() {
            turns.on_run(device, unit.group, Run::Began, now);
        }
    }

    /// See [`Policy::on_idle`].
    pub(crate) fn on_idle(&mut self, device: DeviceId, group: GroupId, now: Time) {
        if let Some(turns) = self.turns_of(device, group) {
            turns.on_idle(device, group, now);
        }
    }

    /// See [`Policy::on_run`].
    pub(crate) fn on_run(&mut self, device: DeviceId, group: GroupId, run: Run, now: Time) {
        if let Some(turns) = self.turns_of(device, group) {
            turns.on_run(device, group, run, now);
        }
    }

    /// See [`Policy::on_leave`].
    pub(crate) fn on_leave(&mut self, device: DeviceId, group: GroupId) {
        let Some(rank) = self.ranks.remove(&(device, group)) else { return };
        if let Some(turns) = self.turns.get_mut(&(device, rank)) {
            turns.on_leave(device, group);
            if turns.is_empty() {
                self.turns.remove(&(device, rank));
            }
        }
    }

    /// See [`Policy::on_time`].
    pub(crate) fn on_time(&mut self, device: DeviceId, now: Time) {
        let all = self.turns.range_mut((device, i64::MIN)..=(device, i64::MAX));
        all.for_each(|(_, turns)| turns.on_time(device, now));
    }

    /// Which of those of this rank is to run, and when to ask again.
    pub(crate) fn decide(&self, view: &DeviceView<'_>, rank: i64, now: Time) -> Decision {
        let mut decision = Decision::default();
        if let Some(turns) = self.turns.get(&(view.device(), rank)) {
            turns.decide(view, now, &mut decision);
        }
        decision
    }

    /// That came true.
    pub(crate) fn on_decision(&mut self, device: DeviceId, rank: i64, run: &Running, now: Time) {
        let is_of_it = |group: &&GroupId| self.ranks.get(&(device, **group)) == Some(&rank);
        let Some(&group) = run.named().iter().find(is_of_it) else { return };
        if let Some(turns) = self.turns.get_mut(&(device, rank)) {
            let mut decision = Decision::default();
            decision.run.push(group);
            turns.on_decision(device, &decision, now);
        }
    }

    /// Those of this rank that are ready, if there are any, and not too many to take turns.
    pub(crate) fn ready(&self, device: DeviceId, rank: i64) -> Option<impl Iterator<Item = GroupId> + '_> {
        let turns = self.turns.get(&(device, rank))?;
        (1..=MOST).contains(&turns.ready(device).take(MOST + 1).count()).then(|| turns.ready(device))
    }

    /// The rank of a group that can be taken off the device, and whether the turn among its equals is its own, or would be if nobody went before it.
    pub(crate) fn has_turn(&self, device: DeviceId, group: GroupId) -> Option<(i64, bool)> {
        let rank = *self.ranks.get(&(device, group))?;
        Some((rank, self.turns.get(&(device, rank))?.has_turn(device, group)))
    }

    fn turns_of(&mut self, device: DeviceId, group: GroupId) -> Option<&mut Turns<Fair<Alike>>> {
        let rank = self.ranks.get(&(device, group))?;
        self.turns.get_mut(&(device, *rank))
    }
}
