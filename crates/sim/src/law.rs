//! How durations are drawn: of commands, of pauses, of times to think.

use crate::random::Random;
use std::time::Duration;

/// A distribution of durations.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// Always the same.
    Constant(Duration),
    /// Any in between is as likely as any other.
    Uniform(Duration, Duration),
    /// Exponential, with this mean.
    Exponential(Duration),
    /// Lognormal: half are shorter than `median`; the logarithm deviates by `sigma`.
    Lognormal {
        /// The middle.
        median: Duration,
        /// Deviation of the natural logarithm.
        sigma: f64,
    },
    /// These in turn, and from the beginning again.
    List(Vec<Duration>),
}

impl Law {
    /// The `n`-th draw.
    pub(crate) fn draw(&self, random: &mut Random, n: u64) -> Duration {
        match self {
            Law::Constant(length) => *length,
            Law::Uniform(least, most) => *least + scaled(most.saturating_sub(*least), random.unit()),
            Law::Exponential(mean) => scaled(*mean, random.exponential()),
            Law::Lognormal { median, sigma } => scaled(*median, (sigma * random.normal()).exp()),
            Law::List(all) => all[(n % all.len().max(1) as u64) as usize],
        }
    }
}

/// In whole nanoseconds; a day at most, so that no draw is the end of time.
fn scaled(length: Duration, by: f64) -> Duration {
    const MOST: f64 = 86_400e9;
    Duration::from_nanos((length.as_nanos() as f64 * by).clamp(0.0, MOST).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sorted(law: &Law) -> Vec<Duration> {
        let mut random = Random::new(7, &[]);
        let mut all: Vec<Duration> = (0..10_001).map(|n| law.draw(&mut random, n)).collect();
        all.sort_unstable();
        all
    }

    fn near(found: Duration, wanted: Duration) -> bool {
        (found.as_secs_f64() / wanted.as_secs_f64() - 1.0).abs() < 0.05
    }

    #[test]
    fn draws_lie_where_the_law_says() {
        assert!(sorted(&Law::Constant(MS)).iter().all(|length| *length == MS));
        let uniform = sorted(&Law::Uniform(MS, 3 * MS));
        assert!(uniform[0] >= MS && uniform[10_000] <= 3 * MS && near(uniform[5_000], 2 * MS));
        let exponential = sorted(&Law::Exponential(MS));
        assert!(near(exponential[5_000], MS.mul_f64(2f64.ln())) && exponential[10_000] > 5 * MS);
        let lognormal = sorted(&Law::Lognormal { median: MS, sigma: 1.0 });
        assert!(near(lognormal[5_000], MS) && near(lognormal[8_413], MS.mul_f64(1f64.exp())));
        let list = Law::List(vec![MS, 2 * MS]);
        let mut random = Random::new(7, &[]);
        let drawn: Vec<Duration> = (0..3).map(|n| list.draw(&mut random, n)).collect();
        assert_eq!(drawn, [MS, 2 * MS, MS]);
    }
}
