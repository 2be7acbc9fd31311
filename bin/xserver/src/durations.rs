//! Many durations in little memory: always their number, sum and maximum, and where it is worth it an HDR histogram.
//!
//! A histogram covers a microsecond to a minute; what is shorter or longer counts as that. A fine one has two significant digits (some
//! 10 KiB when full), a coarse one has one (about 1 KiB); both begin small and grow with what they hold.

use hdrhistogram::Histogram;
use xsched_core::account::{BOUNDS_NS, Latency};

/// The longest that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    count: u64,
    sum: u64,
    max: u64,
    /// In microseconds.
    histogram: Option<Box<Histogram<u32>>>,
}

impl Durations {
    /// With a histogram that has two significant digits.
    pub(crate) fn fine() -> Durations {
        Durations::with(2)
    }

    /// With a histogram that has one.
    pub(crate) fn coarse() -> Durations {
        Durations::with(1)
    }

    fn with(digits: u8) -> Durations {
        Durations { histogram: Histogram::new(digits).ok().map(Box::new), ..Durations::default() }
    }

    /// One more, in nanoseconds.
    pub(crate) fn add(&mut self, ns: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(ns);
        self.max = self.max.max(ns);
        if let Some(histogram) = &mut self.histogram {
            // It fails only for values beyond what it may grow to, and there are none.
            let _ = histogram.record(ns.div_ceil(1000).clamp(1, LONGEST));
        }
    }

    /// For people and programs; `buckets` for [`Latency::buckets`].
    pub(crate) fn shown(&self, buckets: bool) -> Latency {
        let quantile = |q| {
            let found = self.histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(q) * 1000);
            found.min(self.max)
        };
        let below = |bound: u64| {
            let histogram = self.histogram.as_ref()?;
            Some(histogram.count_between(0, bound / 1000))
        };
        Latency {
            count: self.count,
            sum_ns: self.sum,
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            max_ns: self.max,
            buckets: if buckets {
                BOUNDS_NS.iter().filter_map(|bound| below(*bound)).collect()
            } else {
                vec![]
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_the_digits_and_never_above_the_maximum() {
        let mut all = Durations::fine();
        (1..=1000u64).for_each(|n| all.add(n * 10_000));
        let shown = all.shown(true);
        assert_eq!((shown.count, shown.sum_ns, shown.max_ns), (1000, 5_005_000_000, 10_000_000));
        for (found, wanted) in
            [(shown.p50_ns, 5_000_000.0), (shown.p90_ns, 9_000_000.0), (shown.p99_ns, 9_900_000.0)]
        {
            assert!((found as f64 / wanted - 1.0).abs() < 0.02, "{found} {wanted}");
        }
        assert!(shown.buckets.is_sorted() && shown.buckets.len() == BOUNDS_NS.len());
        assert_eq!(shown.buckets.last(), Some(&1000));
    }

    #[test]
    fn without_a_histogram_there_are_count_sum_and_maximum_and_what_is_extreme_is_kept_in_bounds() {
        let (mut plain, mut coarse) = (Durations::default(), Durations::coarse());
        for ns in [0, 5, u64::MAX] {
            plain.add(ns);
            coarse.add(ns);
        }
        let shown = plain.shown(true);
        assert_eq!((shown.count, shown.max_ns, shown.p99_ns, shown.buckets.len()), (3, u64::MAX, 0, 0));
        assert_eq!(coarse.shown(false).p50_ns, 1000);
    }
}
