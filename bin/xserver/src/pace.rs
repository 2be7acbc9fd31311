//! How fast news come. When they come very fast, the server hears them in bulk.
//!
//! A turn has a price that does not depend on what it is about: waking, looking at the clock, asking the policy. With thousands of news in a second a turn for each
//! would cost a large part of a core. So after a turn the server then rests, and hears what was told meanwhile in one. The longer the turn took, the longer it
//! rests: so however fast news come, they cost about a twenty-fifth of a core. Who may take a device from
//! somebody is heard at once all the same (`Scheduler::in_a_hurry`), so what waits is that somebody is done, or ready beside equals or
//! behind others. Invariant: while news come slowly, nothing rests. Deliberately absent: a clock.

use std::time::Duration;
use xsched_core::Time;

/// A rest is so many times as long as the turn before it took, ...
const TIMES: u32 = 25;
/// ... but not shorter than this, ...
const SHORTEST: Duration = Duration::from_millis(1);
/// ... and not longer: for so long the next one may have to wait when somebody is done.
const LONGEST: Duration = Duration::from_millis(5);
/// News are counted for so long ...
const WINDOW: Duration = Duration::from_millis(10);
/// ... and if they were so many, they come fast: 2,000 in a second, two in the shortest rest.
const MANY: u64 = 20;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When counting began.
    since: Time,
    /// News of ever, as of then.
    before: u64,
    is_fast: bool,
}

impl Pace {
    /// Until when to rest now, after a turn since `began`, if so many news were heard so far, ever.
    pub(crate) fn rest(&mut self, news: u64, began: Time, now: Time) -> Option<Time> {
        let passed = now.since(self.since);
        if passed >= WINDOW {
            let so_fast = u128::from(news - self.before) * WINDOW.as_nanos();
            self.is_fast = so_fast >= u128::from(MANY) * passed.as_nanos();
            (self.since, self.before) = (now, news);
        }
        self.is_fast.then(|| now + (now.since(began) * TIMES).clamp(SHORTEST, LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns with so much time between them and so many news in each; how many of the last ones were followed by a rest.
    fn rests(pace: &mut Pace, (now, news): (&mut Time, &mut u64), between: Duration, each: u64) -> usize {
        let turn = |_| {
            *now = *now + between;
            *news += each;
            pace.rest(*news, *now, *now).is_some()
        };
        let all: Vec<bool> = (0..400).map(turn).collect();
        all.iter().skip(200).filter(|rests| **rests).count()
    }

    #[test]
    fn the_server_rests_while_news_come_fast_and_not_else() {
        let (mut pace, mut now, mut news) = (Pace::default(), Time::from_nanos(1), 0);
        let mut rests = |between, each| rests(&mut pace, (&mut now, &mut news), between, each);
        assert_eq!(rests(Duration::from_millis(1), 1), 0, "a thousand in a second");
        assert_eq!(rests(Duration::from_micros(100), 1), 200, "ten thousand");
        assert_eq!(rests(Duration::from_millis(1), 10), 200, "the same in bulk");
        assert_eq!(rests(Duration::from_millis(1), 1), 0);
        assert_eq!(rests(Duration::from_millis(50), 50), 0, "fast for a moment, long ago");
    }

    #[test]
    fn a_rest_goes_with_what_the_turn_took_within_bounds() {
        let rest_after = |took: Duration| {
            let (mut pace, began) = (Pace::default(), Time::from_nanos(1_000_000_000));
            let (_, now) = (pace.rest(1_000_000, began, began), began + took);
            pace.rest(1_000_000, began, now).map(|until| until.since(now))
        };
        let micros = Duration::from_micros;
        let all = [10, 100, 1_000].map(|took| rest_after(micros(took)));
        assert_eq!(all, [1_000, 2_500, 5_000].map(|rest| Some(micros(rest))));
    }
}
