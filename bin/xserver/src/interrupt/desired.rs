//! What is to be done to the channel groups of a device, as it follows from what the scheduler says. The one place where that is decided; pure.
//!
//! - Nobody goes before anybody on the device: turns are as the driver made them, and nobody is kept off.
//! - Who yields to somebody has the shortest turns, and can be interrupted in the middle of a kernel: the urgent one that comes has the device within a
//!   switch, without any call on the way. Who only leads has long ones, so that its own do not end in the middle of a burst.
//! - Those who run side by side, because nobody of them goes before another, have turns as the driver made them: with shorter ones the device would do nothing but
//!   switch, with longer ones each would wait for the other's bursts.
//! - While the urgent one runs, who yields to it is *off* altogether if turns do not suffice: see [`Member::needs_off`].
//! - Who waits for its turn, of the scheduler's, is off ([`Turn`]): one of those who take turns is on the device at a time, and need share it with none of them.
//!
//! Who is off is held back by its gate too (Level 1), so that the longest suspension is the scheduler's; [`Off`] bounds it once more.

use super::bursts::Burst;
use std::collections::BTreeMap;
use std::time::Duration;
use xsched_core::Time;
use xsched_sched::{Contender, Turn};

/// How long the turns of a channel group are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turns {
    /// As short as can be, and ended in the middle of a kernel.
    Short,
    /// As the driver made them, but ended in the middle of a kernel.
    Shared,
    /// As the driver made them.
    #[default]
    Plain,
    /// So long that they do not end before the work does.
    Long,
}

impl Turns {
    /// Whether they end in the middle of a kernel.
    pub(crate) fn is_interruptible(self) -> bool {
        matches!(self, Turns::Short | Turns::Shared)
    }
}

/// What a channel group should be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    pub(crate) turns: Turns,
    /// Nothing of it runs.
    pub(crate) is_off: bool,
}

/// A group that wants the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// What the scheduler says of it.
    pub(crate) is: Contender,
    /// What its bursts are like.
    pub(crate) burst: Burst,
    /// All that it has on any device can be kept off: a group is kept off as a whole or not at all, for one part of it may wait for another.
    pub(crate) is_whole: bool,
    /// Its turns can be changed.
    pub(crate) has_turns: bool,
    /// How many channel groups it has there; they run side by side.
    pub(crate) parts: usize,
    /// It wants the device, or did a moment ago. Who is idle for longer shares nothing with his equals.
    pub(crate) is_busy: bool,
}

/// What each of the members should be like, in their order.
pub(crate) fn desired(members: &[Member], goes_before: impl Fn(i64, i64) -> bool) -> Vec<Desired> {
    // Those of each priority who may be on the device at the same time, and how many of those who take turns there are, and are not held.
    let mut equals: BTreeMap<i64, (usize, usize, usize)> = BTreeMap::new();
    for member in members.iter().filter(|member| member.is_busy) {
        let (beside, in_turn, run) = equals.entry(member.is.priority).or_default();
        match member.turn() {
            Turn::None => *beside += member.parts.max(1),
            Turn::Has | Turn::Waits => {
                *in_turn += 1;
                *run += usize::from(member.runs());
            }
        }
    }
    let is_alone = |member: &Member| {
        let (beside, in_turn, run) = equals.get(&member.is.priority).copied().unwrap_or_default();
        let others = match member.turn() {
            Turn::None if member.is_busy => beside - member.parts.max(1) + in_turn,
            Turn::None => beside + in_turn,
            // Somebody may have his due while it is another one's turn.
            Turn::Has | Turn::Waits => beside + run.saturating_sub(1),
        };
        others == 0 && member.parts <= 1
    };
    let turns = |member: &Member| member.turns(is_alone(member));
    // The most urgent one that runs and has others off, if these have turns like that.
    let needy = |others: Turns| {
        let needy = members.iter().filter(|member| member.runs() && member.needs_off(turns(member), others));
        needy.map(|member| member.is.priority).max()
    };
    let needy = [Turns::Short, Turns::Shared].map(|turns| (turns, needy(turns)));
    let desired = members.iter().map(|member| {
        let turns = turns(member);
        let needy = needy.iter().find(|(of, _)| *of == turns).and_then(|(_, needy)| *needy);
        let is_off = member.is.is_held
            && member.is.is_ready
            && member.is_whole
            && (member.turn() == Turn::Waits
                || needy.is_some_and(|needy| goes_before(needy, member.is.priority)));
        Desired { turns, is_off }
    });
    desired.collect()
}

impl Member {
    /// Who cannot be kept off, as the scheduler will hear soon, runs beside others; and so does one that counts as idle only because its work goes on for so long.
    fn turn(&self) -> Turn {
        if self.is_whole && !self.is.is_lapsed { self.is.turn } else { Turn::None }
    }

    fn runs(&self) -> bool {
        self.is.is_ready && !self.is.is_held
    }

    /// `is_alone`: nobody who wants the device is as urgent as it is, and it has one channel group.
    fn turns(&self, is_alone: bool) -> Turns {
        match (self.is.yields, self.is.leads, is_alone) {
            (true, _, true) => Turns::Short,
            (true, _, false) => Turns::Shared,
            (false, true, true) => Turns::Long,
            // What it has on the device is to end with its turn.
            (false, _, _) if self.turn() != Turn::None => Turns::Shared,
            (false, _, _) => Turns::Plain,
        }
    }

    /// Whether all that it has on the device can be taken off it at any moment, if it is like this.
    pub(crate) fn is_at_hand(&self, like: Desired) -> bool {
        like.is_off
            || match like.turns {
                Turns::Short => true,
                // In turns of the scheduler's; who yields could hold an urgent one up in those of the driver's.
                Turns::Shared => self.turn() == Turn::Has && !self.is.yields,
                Turns::Plain | Turns::Long => false,
            }
    }

    /// Whether those who yield to it are to be off while it runs. For bursts without gaps it suffices that its turns are long and theirs short; where
    /// that is not so, others are let be for short bursts only.
    fn needs_off(&self, own: Turns, theirs: Turns) -> bool {
        match self.has_turns && own == Turns::Long && theirs == Turns::Short {
            true => self.burst == Burst::Eager,
            false => self.burst >= Burst::Solid,
        }
    }
}

/// For how long a group has been off, and that this ends: whatever its gate says, it is on for a moment after `longest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Off {
    #[default]
    On,
    Since(Time),
    /// On until then, although it should be off.
    PausedUntil(Time),
}

impl Off {
    /// Whether it is off from now on, if it should be.
    pub(crate) fn admit(&mut self, wanted: bool, (longest, pause): (Duration, Duration), now: Time) -> bool {
        *self = match *self {
            _ if !wanted => Off::On,
            Off::Since(since) if now.since(since) >= longest => Off::PausedUntil(now + pause),
            Off::PausedUntil(until) if until > now => Off::PausedUntil(until),
            Off::On | Off::PausedUntil(_) => Off::Since(now),
            Off::Since(since) => Off::Since(since),
        };
        matches!(self, Off::Since(_))
    }

    /// When to ask again.
    pub(crate) fn due(self, longest: Duration) -> Option<Time> {
        match self {
            Off::On => None,
            Off::Since(since) => Some(since + longest),
            Off::PausedUntil(until) => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::GroupId;

    fn member(priority: i64, yields: bool, leads: bool) -> Member {
        let group = GroupId(u32::try_from(priority).unwrap());
        let is = Contender {
            group,
            priority,
            is_ready: true,
            is_held: yields,
            yields,
            leads,
            turn: Turn::None,
            is_lapsed: false,
        };
        Member { is, burst: Burst::Short, is_whole: true, has_turns: true, parts: 1, is_busy: true }
    }

    fn by_priority(members: &[Member]) -> Vec<Desired> {
        desired(members, |one, other| one > other)
    }

    const fn on(turns: Turns) -> Desired {
        Desired { turns, is_off: false }
    }

    const OFF: Desired = Desired { turns: Turns::Short, is_off: true };

    /// The urgent one runs, with bursts like these, and the greedy one is held by its gate.
    fn pair(burst: Burst) -> [Member; 2] {
        [Member { burst, ..member(1, false, true) }, member(0, true, false)]
    }

    #[test]
    fn nobody_who_goes_before_anybody_then_all_is_as_the_driver_made_it() {
        assert_eq!(by_priority(&[]), []);
        let equals = [member(0, false, false); 3];
        assert_eq!(by_priority(&equals), [on(Turns::Plain); 3]);
    }

    #[test]
    fn who_yields_has_short_turns_and_who_leads_long_ones_whether_or_not_they_are_ready() {
        for is_ready in [true, false] {
            let mut both = pair(Burst::Solid);
            both.iter_mut().for_each(|member| (member.is.is_ready, member.is.is_held) = (is_ready, false));
            assert_eq!(by_priority(&both), [on(Turns::Long), on(Turns::Short)]);
        }
    }

    #[test]
    fn who_yields_is_off_while_an_eager_one_runs_and_not_while_a_solid_one_does() {
        assert_eq!(by_priority(&pair(Burst::Eager)), [on(Turns::Long), OFF]);
        for burst in [Burst::Short, Burst::Solid] {
            assert_eq!(by_priority(&pair(burst)), [on(Turns::Long), on(Turns::Short)]);
        }
    }

    #[test]
    fn who_is_not_held_by_his_gate_is_never_off_and_who_is_idle_need_not_be() {
        let [urgent, mut greedy] = pair(Burst::Eager);
        greedy.is.is_held = false;
        assert_eq!(by_priority(&[urgent, greedy]), [on(Turns::Long), on(Turns::Short)], "it has its due");
        (greedy.is.is_held, greedy.is.is_ready) = (true, false);
        assert_eq!(by_priority(&[urgent, greedy]), [on(Turns::Long), on(Turns::Short)]);
        let [mut urgent, greedy] = pair(Burst::Eager);
        urgent.is.is_ready = false;
        assert_eq!(by_priority(&[urgent, greedy]), [on(Turns::Long), on(Turns::Short)]);
    }

    #[test]
    fn a_group_of_which_a_part_cannot_be_kept_off_is_not_kept_off() {
        let [urgent, mut greedy] = pair(Burst::Eager);
        greedy.is_whole = false;
        assert_eq!(by_priority(&[urgent, greedy]), [on(Turns::Long), on(Turns::Short)]);
    }

    #[test]
    fn one_in_the_middle_has_short_turns_itself_so_that_those_below_are_off_also_for_its_solid_bursts() {
        let urgent = Member {
            is: Contender { is_ready: false, ..member(2, false, true).is },
            ..member(2, false, true)
        };
        let mut middle = Member { burst: Burst::Solid, ..member(1, true, true) };
        middle.is.is_held = false;
        let greedy = member(0, true, false);
        assert_eq!(by_priority(&[urgent, middle, greedy]), [on(Turns::Long), on(Turns::Short), OFF]);
        middle.burst = Burst::Short;
        assert_eq!(by_priority(&[urgent, middle, greedy])[2], on(Turns::Short));
    }

    #[test]
    fn an_urgent_one_whose_turns_cannot_be_made_long_has_others_off_for_solid_bursts() {
        let [urgent, greedy] = pair(Burst::Solid);
        assert_eq!(by_priority(&[Member { has_turns: false, ..urgent }, greedy])[1], OFF);
    }

    #[test]
    fn equals_share_the_device_in_turns_as_the_driver_made_them_and_are_off_for_solid_bursts_too() {
        let greedy = member(0, true, false);
        for burst in [Burst::Solid, Burst::Eager] {
            let urgent = Member { burst, ..member(1, false, true) };
            let off = Desired { turns: Turns::Shared, is_off: true };
            assert_eq!(by_priority(&[urgent, greedy, greedy]), [on(Turns::Long), off, off]);
            assert_eq!(by_priority(&[urgent, Member { parts: 2, ..greedy }])[1], off, "or parts of one");
        }
        let urgent = member(1, false, true);
        assert_eq!(by_priority(&[urgent, greedy, greedy])[1..], [on(Turns::Shared); 2]);
        // Two urgent ones do not wait for each other's bursts.
        let mut urgent = Member { burst: Burst::Solid, ..urgent };
        assert_eq!(by_priority(&[urgent, urgent, greedy]), [on(Turns::Plain), on(Turns::Plain), OFF]);
        urgent.burst = Burst::Short;
        assert_eq!(by_priority(&[urgent, urgent, greedy])[2], on(Turns::Short));
    }

    #[test]
    fn equals_that_are_idle_change_nothing() {
        let [urgent, greedy] = pair(Burst::Solid);
        let idle = |member: Member| Member {
            is: Contender { is_ready: false, ..member.is },
            is_busy: false,
            ..member
        };
        let all = [urgent, greedy, idle(urgent), idle(greedy), idle(greedy)];
        assert_eq!(by_priority(&all)[..2], [on(Turns::Long), on(Turns::Short)]);
        assert_eq!(by_priority(&all)[2..], [on(Turns::Plain), on(Turns::Shared), on(Turns::Shared)]);
        assert_eq!(by_priority(&all[2..]), [on(Turns::Long), on(Turns::Short), on(Turns::Short)]);
    }

    fn in_turn(member: Member, turn: Turn) -> Member {
        Member {
            is: Contender { turn, is_held: turn == Turn::Waits || member.is.is_held, ..member.is },
            ..member
        }
    }

    #[test]
    fn of_equals_who_take_turns_one_is_on_the_device_with_short_turns_also_while_the_urgent_one_runs() {
        let greedy = member(0, true, false);
        let urgent = member(1, false, true);
        let [has, waits] = [Turn::Has, Turn::Waits].map(|turn| in_turn(greedy, turn));
        assert_eq!(by_priority(&[urgent, has, waits, waits]), [on(Turns::Long), on(Turns::Short), OFF, OFF]);
        let mut between = has;
        between.is.is_held = false;
        let mut resting = urgent;
        resting.is.is_ready = false;
        assert_eq!(by_priority(&[resting, between, waits]), [on(Turns::Long), on(Turns::Short), OFF]);
        let eager = Member { burst: Burst::Eager, ..urgent };
        assert_eq!(by_priority(&[eager, has, waits]), [on(Turns::Long), OFF, OFF]);
        // Beside one who cannot be taken off, turns are the driver's: with shorter ones the device would do nothing but switch.
        let beside = Member { is_whole: false, ..greedy };
        let shared = Desired { turns: Turns::Shared, is_off: true };
        let all = by_priority(&[urgent, beside, has, waits]);
        assert_eq!(all[1..], [on(Turns::Shared), on(Turns::Shared), shared]);
        let idle = Member { is: Contender { is_ready: false, ..waits.is }, ..waits };
        assert_eq!(
            by_priority(&[urgent, has, idle])[1..],
            [on(Turns::Short); 2],
            "who is idle need not be off"
        );
        let parted = Member { is_whole: false, ..waits };
        let all = by_priority(&[urgent, has, parted]);
        assert_eq!(all[1..], [on(Turns::Shared); 2], "as a whole or not at all");
        let mut lapsed = idle;
        lapsed.is.is_lapsed = true;
        assert_eq!(by_priority(&[urgent, has, lapsed])[1..], [on(Turns::Shared); 2], "its kernel goes on");
        let mut due = waits;
        due.is.is_held = false;
        assert_eq!(
            by_priority(&[resting, between, due])[1..],
            [on(Turns::Shared); 2],
            "they would only switch"
        );
    }

    #[test]
    fn who_waits_for_its_turn_by_policy_is_off_and_all_can_be_interrupted() {
        let [has, waits] = [Turn::Has, Turn::Waits].map(|turn| in_turn(member(0, false, false), turn));
        let off = Desired { turns: Turns::Shared, is_off: true };
        assert_eq!(desired(&[has, waits, waits], |_, _| false), [on(Turns::Shared), off, off]);
        let due = Member { is: Contender { is_held: false, ..waits.is }, ..waits };
        assert_eq!(desired(&[has, due], |_, _| false)[1], on(Turns::Shared), "it has its due");
    }

    #[test]
    fn those_who_take_turns_by_policy_and_cannot_be_taken_off_are_never_off() {
        let members = [Member { burst: Burst::Eager, ..member(1, false, false) }, member(0, false, false)];
        assert_eq!(desired(&members, |_, _| false), [on(Turns::Plain); 2]);
    }

    #[test]
    fn nobody_is_off_for_longer_than_the_longest_time_and_the_pause_ends() {
        let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
        let bounds = (Duration::from_millis(100), Duration::from_millis(10));
        let mut off = Off::default();
        assert_eq!(off.due(bounds.0), None);
        assert!(off.admit(true, bounds, at(0)) && off.admit(true, bounds, at(99)));
        assert_eq!(off.due(bounds.0), Some(at(100)));
        assert!(!off.admit(true, bounds, at(100)) && !off.admit(true, bounds, at(109)));
        assert_eq!(off.due(bounds.0), Some(at(110)));
        assert!(off.admit(true, bounds, at(110)));
        assert!(!off.admit(false, bounds, at(111)) && off.admit(true, bounds, at(112)));
        assert_eq!(off.due(bounds.0), Some(at(212)), "counted from when it was off again");
    }
}
