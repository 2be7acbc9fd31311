//! Completely fair scheduler: who has had the least time for its weight runs next; one step of priority is 25 % more weight, as of nice.
//!
//! [Fair shares](super::fair) of groups, weighted by their priority as Linux weighs a process by its nice value: priority 0 is nice 0, each step up is a
//! step down of nice, and beyond 20 or -19 there are no more of them.
//!
//! Absent: absolute precedence. However high a priority, those of others get their part.

use super::Unit;
use super::fair::{Fair, Terms, WHOLE};
use super::turns::Turns;

/// Completely fair scheduler.
pub(super) type Cfs = Turns<Fair<Nice>>;

/// Groups by their priority, as a nice value.
#[derive(Debug, Default)]
pub(super) struct Nice;

impl Terms for Nice {
    fn weight(unit: &Unit) -> u32 {
        weight(unit.priority)
    }
}

/// Nice values go from -20 to 19; those who are nicer are less urgent.
const LEAST: i64 = -19;
const MOST: i64 = 20;

/// 1.25 to the power of the priority.
fn weight(priority: i64) -> u32 {
    let steps = priority.clamp(LEAST, MOST);
    // With room for the fractions of 20 steps.
    const SCALE: u64 = 1 << 20;
    let grown = (0..steps.abs()).fold(u64::from(WHOLE) * SCALE, |weight, _| match steps > 0 {
        true => weight / 4 * 5,
        false => weight / 5 * 4,
    });
    u32::try_from(grown / SCALE).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_is_a_quarter_more_and_beyond_those_of_nice_there_are_none() {
        assert_eq!(weight(0), WHOLE);
        for priority in LEAST..MOST {
            let (lower, higher) = (f64::from(weight(priority)), f64::from(weight(priority + 1)));
            assert!((higher / lower - 1.25).abs() < 0.01, "{lower} {higher}");
        }
        assert_eq!((weight(255), weight(-255)), (weight(20), weight(-19)));
        assert!((f64::from(weight(20)) / f64::from(WHOLE) - 1.25f64.powi(20)).abs() < 0.001);
    }
}
