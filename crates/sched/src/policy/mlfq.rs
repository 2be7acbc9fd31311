//! Multi-level feedback queue: short and interactive work first, without hints; who uses up its turns falls to levels of longer but later ones.
//!
//! Groups of the highest level that is ready have the device in turns, first come first served. A turn is the timeslice hint at the top and twice as long at
//! each of the [`LEVELS`] below. Who has used up one, at once or in parts, falls a level, or goes to the end of the last one. It rises again by a
//! level when it is interactive, that is when it comes back after having rested for as long as it ran; and to the top [`PERIOD`] after it has left
//! it, so that nobody starves and a program that changes its ways is seen anew. Who rises to a higher level than that of the turn under way takes over.
//!
//! Absent: shares and priorities.

use super::turns::{Account, Ask, Moment, Rule, Turns};
use std::time::Duration;
use xsched_core::Time;

/// How many there are; turns at the last are eight times as long as at the top.
const LEVELS: u32 = 4;
/// After this time everybody is at the top again.
const PERIOD: Duration = Duration::from_secs(1);

/// Multi-level feedback queue.
pub(super) type Mlfq = Turns<Levels>;

/// The levels of one device.
#[derive(Debug, Default)]
pub(super) struct Levels;

/// Where a group stands.
#[derive(Debug)]
pub(super) struct Place {
    timeslice: Duration,
    /// The top one is 0.
    level: u32,
    /// How much of its turn at this level it has used.
    used: Duration,
    /// Since when it has been in the line of its level.
    in_line: Time,
    /// When it rises to the top.
    rises: Option<Time>,
    /// For how long it ran since it was idle last, and when that began.
    burst: Duration,
    idle_since: Option<Time>,
}

impl Rule for Levels {
    type State = Place;
    type Order = (u32, Time);

    const GOES_BY_READY_TIME: bool = true;

    fn open(&self, now: Time) -> Place {
        Place {
            timeslice: Duration::ZERO,
            level: 0,
            used: Duration::ZERO,
            in_line: now,
            rises: None,
            burst: Duration::ZERO,
            idle_since: None,
        }
    }

    fn on_ready(&self, place: &mut Place, ask: Ask, arrives: bool, now: Time) {
        place.timeslice = ask.timeslice;
        if !arrives {
            return;
        }
        place.in_line = now;
        if place.rises.is_some_and(|at| at <= now) {
            place.rise(0);
        } else if place.idle_since.is_some_and(|since| now.since(since) >= place.burst) {
            place.rise(place.level.saturating_sub(1));
        }
        place.burst = Duration::ZERO;
    }

    fn on_idle(&self, place: &mut Place, now: Time) {
        place.idle_since = Some(now);
    }

    fn charge(&self, place: &mut Place, ran: Duration, now: Time) {
        place.burst += ran;
        place.used += ran;
        // A kernel may be longer than several turns.
        while place.used >= place.slice() && place.level + 1 < LEVELS {
            place.used -= place.slice();
            place.level += 1;
            place.in_line = now;
            place.rises.get_or_insert(now + PERIOD);
        }
        if place.used >= place.slice() {
            place.used = Duration::ZERO;
            place.in_line = now;
        }
    }

    fn alarm(place: &Place) -> Option<Time> {
        place.rises
    }

    fn on_alarm(&self, place: &mut Place, now: Time) {
        place.rise(0);
        place.in_line = now;
    }

    fn order(place: &Place) -> (u32, Time) {
        (place.level, place.in_line)
    }

    fn turn(place: &Place) -> Duration {
        place.slice().saturating_sub(place.used)
    }

    fn replaces(&self, next: &Account<Place>, holder: &Account<Place>, _turn: Moment) -> bool {
        Levels::order(&next.state) < Levels::order(&holder.state)
    }
}

impl Place {
    fn slice(&self) -> Duration {
        self.timeslice * (1 << self.level)
    }

    fn rise(&mut self, level: u32) {
        self.level = level;
        self.used = Duration::ZERO;
        if level == 0 {
            self.rises = None;
        }
    }
}
