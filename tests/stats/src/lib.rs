//! What benchmarks say about their samples: medians and ratios of quantiles, each with its 95 % interval.
//!
//! Intervals are taken from ranks (of medians: a sign test turned round) or from drawing the samples anew (of ratios): nothing is
//! assumed about the distribution, so a few samples that the machine disturbed widen nothing and shift nothing. Deliberately
//! absent: means.

pub mod shares;

use std::fmt;

/// What a value is estimated to be, and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The lower end.
    pub low: f64,
    /// The estimate itself.
    pub middle: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// The median of at least one value; NaN of none.
    pub fn median(mut values: Vec<f64>) -> Estimate {
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let at = |i: usize| values.get(i.min(n.saturating_sub(1))).copied().unwrap_or(f64::NAN);
        // How many of n values lie below the true median is binomial(n, 1/2); here by its normal approximation.
        let reach = 1.96 * (n as f64).sqrt() / 2.0;
        let low = (n as f64 / 2.0 - reach).floor().max(0.0) as usize;
        Estimate {
            low: at(low),
            middle: (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0,
            high: at(n.saturating_sub(1).saturating_sub(low)),
        }
    }

    /// Of at least one pair (one, other): the quantile `share` of the others over that of the ones. The interval comes from drawing
    /// as many pairs again and again, each drawn pair from all of them.
    pub fn ratio(pairs: &[(f64, f64)], share: f64) -> Estimate {
        const DRAWS: usize = 1_000;
        let ratio = |pairs: &[(f64, f64)]| {
            let (mut ones, mut others): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            ones.sort_unstable_by(f64::total_cmp);
            others.sort_unstable_by(f64::total_cmp);
            quantile(&others, share) / quantile(&ones, share)
        };
        let mut coin = Coin::new();
        let mut drawn: Vec<f64> = (0..DRAWS)
            .map(|_| {
                let drawn = (0..pairs.len()).filter_map(|_| pairs.get(coin.below(pairs.len())).copied());
                ratio(&drawn.collect::<Vec<_>>())
            })
            .collect();
        drawn.sort_unstable_by(f64::total_cmp);
        Estimate { low: quantile(&drawn, 0.025), middle: ratio(pairs), high: quantile(&drawn, 0.975) }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        write!(f, "{:.digits$} [{:.digits$}, {:.digits$}]", self.middle, self.low, self.high)
    }
}

/// The value that `share` (0 to 1) of `sorted` do not exceed (nearest rank); NaN of none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// A small generator (xorshift), so that the order within a pair is nobody's pattern and every run has the same.
pub struct Coin(u32);

impl Coin {
    /// Always the same sequence.
    pub fn new() -> Coin {
        Coin(0x9e37_79b9)
    }

    /// Heads or tails.
    pub fn toss(&mut self) -> bool {
        self.next() & 0x1_0000 != 0
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.next()) * end as u64) >> 32) as usize
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

impl Default for Coin {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_hundred_values_lies_ten_ranks_to_each_side() {
        let median = Estimate::median((1..=100).map(f64::from).rev().collect());
        assert_eq!(median, Estimate { low: 41.0, middle: 50.5, high: 60.0 });
    }

    #[test]
    fn an_outlier_moves_nothing() {
        let mut values: Vec<f64> = (1..=101).map(f64::from).collect();
        let before = Estimate::median(values.clone());
        values[100] = 1e12;
        assert_eq!(Estimate::median(values), before);
        assert_eq!(Estimate::median(vec![7.0]), Estimate { low: 7.0, middle: 7.0, high: 7.0 });
    }

    #[test]
    fn a_quantile_is_the_value_that_so_many_do_not_exceed() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [1.0, 100.0, 198.0, 200.0]);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_ratio_of_quantiles_lies_within_its_interval_and_does_not_mind_the_order_of_pairs() {
        let pairs: Vec<_> = (1..=300).map(|n| (f64::from(n), 2.0 * f64::from(301 - n))).collect();
        let ratio = Estimate::ratio(&pairs, 0.5);
        assert_eq!(ratio.middle, 2.0);
        assert!(ratio.low < 2.0 && ratio.low > 1.5 && ratio.high > 2.0 && ratio.high < 2.7, "{ratio:?}");
        let same: Vec<_> = pairs.iter().map(|&(one, _)| (one, 2.0 * one)).collect();
        assert_eq!(Estimate::ratio(&same, 0.99), Estimate { low: 2.0, middle: 2.0, high: 2.0 });
    }

    #[test]
    fn both_sides_of_the_coin_come_up_about_as_often() {
        let mut coin = Coin::new();
        let heads = (0..10_000).filter(|_| coin.toss()).count();
        assert!((4_700..5_300).contains(&heads), "{heads}");
    }
}
