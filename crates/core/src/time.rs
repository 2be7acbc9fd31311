//! Points in time, and durations as people write them.
//!
//! Durations are `std::time::Duration` everywhere; a bare integer is never a duration.

use crate::text::{Expected, Value};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: nanoseconds of `CLOCK_MONOTONIC`, so that two processes of one machine can compare. In virtual time,
/// nanoseconds since the start of the run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// The origin of the clock.
    pub const ZERO: Time = Time(0);

    /// `ns` nanoseconds after the origin.
    pub const fn from_nanos(ns: u64) -> Time {
        Time(ns)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    /// Saturates at the end of the clock (584 years).
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    /// Saturates at the origin.
    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", show(Duration::from_nanos(self.0)))
    }
}

const UNITS: [(&str, u64); 4] = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

/// Writes a duration with the largest unit that keeps it whole: `200us`, `1ms`, `1500us`, `2s`.
pub fn show(d: Duration) -> String {
    let ns = d.as_nanos();
    let (unit, size) =
        UNITS.iter().rev().find(|(_, size)| ns.is_multiple_of(u128::from(*size))).unwrap_or(&("ns", 1));
    if ns == 0 { "0ms".into() } else { format!("{}{unit}", ns / u128::from(*size)) }
}

impl Value for Duration {
    const EXPECTED: &'static str = "a duration with its unit, such as 200us, 1ms or 2s";

    fn parse(text: &str) -> Result<Self, Expected> {
        let bad = || Expected::new(Self::EXPECTED);
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.get(digits.len()..).unwrap_or("");
        let number: u64 = digits.trim().parse().map_err(|_| bad())?;
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        number.checked_mul(*size).map(Duration::from_nanos).ok_or_else(bad)
    }

    fn show(&self) -> String {
        show(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for text in ["0ms", "1ns", "200us", "1500us", "1ms", "2s", "3600s"] {
            assert_eq!(Duration::parse(text).unwrap().show(), text);
        }
    }

    #[test]
    fn durations_without_unit_or_too_large_are_refused() {
        for text in ["", "5", "ms", "-1ms", "1.5ms", "1h", "99999999999999999999s", "18446744073709551615s"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }
}
