//! Fair shares: turns in the order of virtual time. What the policies differ in that share a device by weights are [`Terms`].
//!
//! Weighted fair queueing. Each account has a *virtual time*, which grows by its run time divided by its weight; the one that is furthest behind has
//! the next turn (its timeslice hint), and equal weights get equal time. At the end of a turn the holder goes on if that brings it nearer to its
//! share than stopping does. Accounts of weight 0 run when no other is ready.
//!
//! Nobody hoards: a newcomer starts at the present virtual time, and who was idle comes back at most one turn behind it, or what else the terms let
//! it keep. So that a program with gaps between its commands gets its share nevertheless, it takes the device at once if it is behind.
//!
//! Under *strict* terms an account also has to earn its turns: it begins one only when its virtual time is not ahead of the device's clock, which
//! goes with real time, and waits while somebody is behind it by more than a turn and [`MISSED`]: what cannot be had is not owed. docs/design/0010, 0019

use super::Unit;
use super::bursts::Bursts;
use super::turns::{Account, Ask, Moment, Payer, Rule, WORTH_A_CHANGE};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;
use xsched_core::Time;

/// Virtual time of an account of this weight is its run time.
pub(super) const WHOLE: u32 = 10_000;
/// For so long a turn that was earned is still to be had although the device was taken. As long as a handover may be.
const MISSED: Duration = Duration::from_millis(100);

/// What differs between policies of fair shares.
pub(super) trait Terms: fmt::Debug + Default + Send {
    /// Nobody gets more than its weight's part of [`WHOLE`], even if others leave it.
    const IS_STRICT: bool = false;
    /// It goes by bursts.
    const LEARNS: bool = false;

    /// Whose account it is that a unit's time is charged to.
    fn payer(unit: &Unit) -> Payer {
        Payer::group(unit)
    }

    /// The unit's part of the device; [`WHOLE`] is all of it.
    fn weight(unit: &Unit) -> u32;

    /// For how far an account may at least be behind that comes back after having been idle for so long; a turn in any case.
    fn keeps(idle: Duration) -> Duration {
        let _ = idle;
        Duration::ZERO
    }

    /// Whether the account counts as one turn further behind than it is.
    fn is_favoured(bursts: &Bursts, timeslice: Duration) -> bool {
        let _ = (bursts, timeslice);
        false
    }
}

/// The percentage that the group asks for, as a weight.
pub(super) fn utilization(unit: &Unit) -> u32 {
    unit.weight * (WHOLE / 100)
}

/// Virtual nanoseconds.
type Virtual = i128;

/// Fair shares on one device.
#[derive(Debug, Default)]
pub(super) struct Fair<T> {
    /// Virtual time of the ready account that is furthest behind; under strict terms no later than the clock. Never goes back.
    present: Virtual,
    /// Under strict terms: up to here turns are earned ...
    clock: Virtual,
    /// ... at this time.
    at: Time,
    terms: PhantomData<T>,
}

/// An account.
#[derive(Debug)]
pub(super) struct Standing<T> {
    ask: Ask,
    time: Virtual,
    idle_since: Time,
    bursts: Bursts,
    terms: PhantomData<T>,
}

impl<T: Terms> Rule for Fair<T> {
    type State = Standing<T>;
    type Order = (bool, Virtual);

    const MUST_BE_EARNED: bool = T::IS_STRICT;
    const HAS_ANY_LENGTH: bool = !T::IS_STRICT && !T::LEARNS;
    // Nobody is to pay for a rest that nobody has noticed, nor to have it taken for a part of a burst.
    const GOES_BY_READY_TIME: bool = T::IS_STRICT || T::LEARNS;

    fn payer(unit: &Unit) -> Payer {
        T::payer(unit)
    }

    fn weight(unit: &Unit) -> u32 {
        T::weight(unit)
    }

    fn open(&self, now: Time) -> Standing<T> {
        Standing {
            ask: Ask::default(),
            time: self.present,
            idle_since: now,
            bursts: Bursts::default(),
            terms: PhantomData,
        }
    }

    fn on_ready(&self, state: &mut Standing<T>, ask: Ask, arrives: bool, now: Time) {
        let before = std::mem::replace(&mut state.ask, ask);
        let ahead = state.time - self.present;
        if ahead > 0 {
            // By time that it ran: that is more virtual time if it weighs less now.
            state.time = self.present + ahead * divisor(before) / divisor(ask);
        } else if arrives {
            let kept = state.turn().max(nanos(T::keeps(now.since(state.idle_since))));
            state.time = state.time.max(self.present - kept);
        }
    }

    fn on_idle(&self, state: &mut Standing<T>, now: Time) {
        state.idle_since = now;
        state.bursts.end();
    }

    fn charge(&self, state: &mut Standing<T>, ran: Duration, _now: Time) {
        state.time += state.in_virtual_time(ran);
        state.bursts.run(ran);
    }

    fn pass(&mut self, first: Option<&Standing<T>>, now: Time) {
        let first = first.map(|first| (first.standing(), first.turn()));
        if T::IS_STRICT {
            self.clock += nanos(now.since(self.at));
            self.at = self.at.max(now);
            if let Some((furthest_behind, turn)) = first {
                self.clock = self.clock.min(furthest_behind + turn + nanos(MISSED));
            }
            let present = first.map_or(self.clock, |(standing, _)| standing.min(self.clock));
            self.present = self.present.max(present);
        } else if let Some((furthest_behind, _)) = first {
            self.present = self.present.max(furthest_behind);
        }
    }

    fn order(state: &Standing<T>) -> (bool, Virtual) {
        (state.is_background(), state.standing())
    }

    fn turn(state: &Standing<T>) -> Duration {
        state.ask.timeslice
    }

    fn begins_at(&self, state: &Standing<T>, now: Time) -> Option<Time> {
        if !T::IS_STRICT {
            return Some(now);
        }
        let to_go = u64::try_from((state.time - self.clock).max(0)).unwrap_or(u64::MAX);
        (!state.is_background()).then(|| now + Duration::from_nanos(to_go))
    }

    fn replaces(&self, next: &Account<Standing<T>>, holder: &Account<Standing<T>>, turn: Moment) -> bool {
        let (waits, has) = (&next.state, &holder.state);
        if waits.is_background() != has.is_background() {
            return has.is_background();
        }
        if turn.is_over {
            // Whichever is nearer to what it should be: another turn for the holder, or none.
            return waits.standing() < has.standing() + has.turn() / 2;
        }
        // Before the end: if this one is behind by more than it is worth to wait for it. For one that was ready when the turn began, that is
        // a whole turn; so somebody who must get several devices at once gets them.
        let slice = waits.ask.timeslice;
        let worth = if next.has_come_since(turn.began) { WORTH_A_CHANGE.min(slice) } else { slice };
        waits.standing() + waits.in_virtual_time(worth) < has.standing()
    }
}

impl<T: Terms> Standing<T> {
    fn is_background(&self) -> bool {
        self.ask.weight == 0
    }

    /// Its place among others.
    fn standing(&self) -> Virtual {
        match T::is_favoured(&self.bursts, self.ask.timeslice) {
            true => self.time - self.turn(),
            false => self.time,
        }
    }

    /// A turn of its own, in virtual time.
    fn turn(&self) -> Virtual {
        self.in_virtual_time(self.ask.timeslice)
    }

    fn in_virtual_time(&self, run: Duration) -> Virtual {
        nanos(run) * Virtual::from(WHOLE) / divisor(self.ask)
    }
}

fn divisor(ask: Ask) -> Virtual {
    Virtual::from(ask.weight.max(1))
}

fn nanos(duration: Duration) -> Virtual {
    Virtual::try_from(duration.as_nanos()).unwrap_or(Virtual::MAX)
}
