//! What a group's bursts of work are like on a device: whether long turns of the device's are enough for it, or others must be kept off.
//!
//! A burst lasts from the moment when the group becomes ready until it is believed idle. A program that launches few large pieces (a graph, long
//! kernels) keeps the device busy throughout a burst, so that nobody else is switched in. One that launches many small ones (an *eager* one) leaves
//! gaps between them, and in each gap others are switched in and out again, which costs it more than a call that keeps them off. Pure: told the time,
//! and how much was launched.

use std::time::Duration;
use xsched_core::Time;

/// A burst with more launches than this is an eager one, if it is long.
const FEW: u64 = 16;
/// Keeping somebody off and letting him on again are two calls, about 1 ms together: shorter bursts are not worth them. So this also bounds how often
/// somebody is kept off.
const LONG: Duration = Duration::from_millis(2);
/// Bursts that are remembered.
const MEMORY: u32 = 8;

/// How a burst is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Burst {
    /// Over soon.
    #[default]
    Short,
    /// Long, and the device is busy throughout.
    Solid,
    /// Long, and with gaps.
    Eager,
}

/// What was learnt of one group on one device.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
    /// The last ones, one bit each: was it so, or more so.
    solid: u8,
    eager: u8,
    known: u32,
    present: Option<Present>,
}

#[derive(Clone, Copy, Debug)]
struct Present {
    since: Time,
    /// What had been launched then.
    from: u64,
    burst: Burst,
    /// When to look again.
    look: Time,
}

impl Bursts {
    /// The group is ready and has launched so much in its life.
    pub(crate) fn ready(&mut self, launched: u64, now: Time) {
        let present = self.present.get_or_insert(Present {
            since: now,
            from: launched,
            burst: Burst::Short,
            look: now + LONG,
        });
        let length = now.since(present.since);
        present.burst = present.burst.max(classify(length, launched.wrapping_sub(present.from)));
        if present.look <= now {
            // Less and less often: a burst that lasts is long, and what is left to learn is whether it is eager.
            present.look = now + length.max(LONG);
        }
    }

    /// The group is believed idle, and had launched so much.
    pub(crate) fn idle(&mut self, launched: u64, now: Time) {
        let Some(present) = self.present.take() else { return };
        let burst =
            present.burst.max(classify(now.since(present.since), launched.wrapping_sub(present.from)));
        self.solid = self.solid << 1 | u8::from(burst >= Burst::Solid);
        self.eager = self.eager << 1 | u8::from(burst >= Burst::Eager);
        self.known = (self.known + 1).min(MEMORY);
    }

    /// Whether a burst is under way.
    pub(crate) fn is_ready(&self) -> bool {
        self.present.is_some()
    }

    /// How the present or next burst is: as it has shown already, or as half of the last ones were.
    pub(crate) fn burst(&self) -> Burst {
        let were = |bits: u8| self.known > 0 && 2 * bits.count_ones() >= self.known;
        let usual = match (were(self.eager), were(self.solid)) {
            (true, _) => Burst::Eager,
            (_, true) => Burst::Solid,
            _ => Burst::Short,
        };
        usual.max(self.present.map_or(Burst::Short, |present| present.burst))
    }

    /// When to call [`Bursts::ready`] again at the latest; `None` if there is nothing to learn before the burst ends.
    pub(crate) fn due(&self) -> Option<Time> {
        self.present.filter(|_| self.burst() < Burst::Eager).map(|present| present.look)
    }
}

fn classify(length: Duration, launches: u64) -> Burst {
    match (length >= LONG, launches > FEW) {
        (false, _) => Burst::Short,
        (true, false) => Burst::Solid,
        (true, true) => Burst::Eager,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Time {
        Time::from_nanos(micros * 1_000)
    }

    /// A burst of so many launches from `begin` on; answers its end.
    fn burst(bursts: &mut Bursts, launched: &mut u64, launches: u64, begin: u64, length: u64) -> u64 {
        bursts.ready(*launched, at(begin));
        *launched += launches;
        bursts.idle(*launched, at(begin + length));
        begin + length
    }

    #[test]
    fn one_graph_is_solid_and_many_kernels_are_eager_and_what_is_short_is_neither() {
        for (launches, length, expected) in [
            (1, 2_600, Burst::Solid),
            (16, 100_000, Burst::Solid),
            (17, 2_000, Burst::Eager),
            (500, 20_000, Burst::Eager),
            (500, 1_999, Burst::Short),
            (1, 100, Burst::Short),
        ] {
            let mut bursts = Bursts::default();
            burst(&mut bursts, &mut 7, launches, 10, length);
            assert_eq!(bursts.burst(), expected, "{launches} launches in {length} µs");
        }
    }

    #[test]
    fn a_first_burst_shows_what_it_is_while_it_lasts() {
        let mut bursts = Bursts::default();
        bursts.ready(100, at(0));
        assert_eq!((bursts.burst(), bursts.due()), (Burst::Short, Some(at(2_000))));
        bursts.ready(110, at(2_001));
        assert_eq!((bursts.burst(), bursts.due()), (Burst::Solid, Some(at(4_002))));
        bursts.ready(117, at(4_002));
        assert_eq!((bursts.burst(), bursts.due()), (Burst::Eager, None), "nothing more to learn");
        bursts.idle(117, at(5_000));
        assert_eq!((bursts.burst(), bursts.is_ready()), (Burst::Eager, false));
    }

    #[test]
    fn a_single_odd_burst_does_not_change_what_is_usual() {
        let (mut bursts, mut launched, mut time) = (Bursts::default(), 0, 0);
        for _ in 0..8 {
            time = burst(&mut bursts, &mut launched, 500, time, 20_000) + 1_000;
        }
        time = burst(&mut bursts, &mut launched, 1, time, 300) + 1_000;
        assert_eq!(bursts.burst(), Burst::Eager);
        for _ in 0..7 {
            time = burst(&mut bursts, &mut launched, 1, time, 2_600) + 1_000;
        }
        assert_eq!(bursts.burst(), Burst::Solid, "and it learns anew");
    }

    #[test]
    fn numbers_that_wrap_are_differences_all_the_same() {
        let mut bursts = Bursts::default();
        bursts.ready(u64::MAX - 3, at(0));
        bursts.idle(2, at(5_000));
        assert_eq!(bursts.burst(), Burst::Solid);
    }
}
