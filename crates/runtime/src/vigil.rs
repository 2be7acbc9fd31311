//! The vigil: while something of this process may be stopped on a device, whether the server still lives is watched closely.
//!
//! A server that is frozen then would leave the program standing for as long as it takes to part from it, half a second. So the agent looks every [`LOOK`], and when
//! the sign of life has not moved for [`SILENCE`] the process lets itself go and excuses itself from its gates, but stays attached. If the sign moves again,
//! all that the server says holds again, and the server sees by a count in the page that what it had stopped is no longer so. So a server that
//! was only slow costs an urgent program a moment of its lead, and nobody anything else.
//!
//! Pure: told what the sign says, and the time. Time alone is not believed: this process may have been stopped itself, so it also takes some looks.

use std::time::Duration;
use xsched_core::Time;

/// How often the agent looks during a vigil.
pub(crate) const LOOK: Duration = Duration::from_millis(15);
/// A server that gives no sign for so long is silent: some times `heartbeat::CLOSELY`, so that one that is busy is not taken for a frozen one.
pub(crate) const SILENCE: Duration = Duration::from_millis(75);
/// Looks that find the same, besides.
const LOOKS: u32 = 4;

/// What is known of the server during a vigil.
#[derive(Debug)]
pub(crate) struct Vigil {
    sign: u64,
    since: Time,
    looks: u32,
    is_silent: bool,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The server has fallen silent.
    Silence,
    /// It speaks again.
    Sign,
}

impl Vigil {
    /// Begins with what the sign says now.
    pub(crate) fn begin(sign: u64, now: Time) -> Vigil {
        Vigil { sign, since: now, looks: 0, is_silent: false }
    }

    /// The sign says this; answers what is new.
    pub(crate) fn look(&mut self, sign: u64, now: Time) -> Option<Found> {
        if sign != self.sign {
            let was_silent = self.is_silent;
            *self = Vigil::begin(sign, now);
            return was_silent.then_some(Found::Sign);
        }
        self.looks = self.looks.saturating_add(1);
        if self.is_silent || self.looks < LOOKS || now.since(self.since) < SILENCE {
            return None;
        }
        self.is_silent = true;
        Some(Found::Silence)
    }

    /// Whether the server was silent at the last look.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// A look every 15 ms for so long; answers what was found, and when.
    fn watch(vigil: &mut Vigil, from: u64, to: u64, sign: impl Fn(u64) -> u64) -> Vec<(u64, Found)> {
        let looks = (from..=to).step_by(15);
        looks.filter_map(|now| Some((now, vigil.look(sign(now), at(now))?))).collect()
    }

    #[test]
    fn a_server_that_beats_or_is_busy_for_fifty_milliseconds_is_not_silent() {
        let mut vigil = Vigil::begin(0, at(0));
        assert_eq!(watch(&mut vigil, 15, 3_000, |now| now / 20), []);
        assert_eq!(watch(&mut vigil, 3_015, 6_000, |now| now / 60), [], "one turn takes as long as three");
    }

    #[test]
    fn a_frozen_server_is_found_out_within_a_hundred_milliseconds_once_and_so_is_its_thaw() {
        for frozen in 100..120 {
            let mut vigil = Vigil::begin(0, at(0));
            let sign = |now: u64| now.min(frozen) / 20;
            let found = watch(&mut vigil, 15, 2_000, sign);
            assert!(matches!(found[..], [(at, Found::Silence)] if at <= frozen + 100), "{frozen}: {found:?}");
            assert!(vigil.is_silent());
            assert_eq!(watch(&mut vigil, 2_001, 2_001, |_| 7), [(2_001, Found::Sign)]);
            assert_eq!(watch(&mut vigil, 2_015, 3_000, |now| now / 20), []);
            assert!(!vigil.is_silent());
        }
    }

    #[test]
    fn who_was_stopped_himself_does_not_blame_the_server() {
        let mut vigil = Vigil::begin(5, at(0));
        assert_eq!(vigil.look(5, at(10_000)), None, "it has not had a chance to beat");
        assert_eq!(watch(&mut vigil, 10_015, 10_030, |_| 5), []);
        assert_eq!(vigil.look(6, at(10_040)), None);
    }
}
