//! Medians with their intervals.
//!
//! The interval is taken from ranks (a sign test turned round): it assumes nothing about the distribution, so a few blocks
//! that the machine disturbed widen nothing and shift nothing. Deliberately absent: means.

use std::fmt;

/// The median of some values and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Median {
    /// The lower end.
    pub(crate) low: f64,
    /// The median itself.
    pub(crate) middle: f64,
    /// The upper end.
    pub(crate) high: f64,
}

impl Median {
    /// Of at least one value; NaN of none.
    pub(crate) fn of(mut values: Vec<f64>) -> Median {
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let at = |i: usize| values.get(i.min(n.saturating_sub(1))).copied().unwrap_or(f64::NAN);
        // How many of n values lie below the true median is binomial(n, 1/2); here by its normal approximation.
        let reach = 1.96 * (n as f64).sqrt() / 2.0;
        let low = (n as f64 / 2.0 - reach).floor().max(0.0) as usize;
        Median {
            low: at(low),
            middle: (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0,
            high: at(n.saturating_sub(1).saturating_sub(low)),
        }
    }
}

impl fmt::Display for Median {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        write!(f, "{:.digits$} [{:.digits$}, {:.digits$}]", self.middle, self.low, self.high)
    }
}

/// A small generator (xorshift), so that the order within a pair is nobody's pattern and every run has the same.
pub(crate) struct Coin(u32);

impl Coin {
    /// Always the same sequence.
    pub(crate) fn new() -> Coin {
        Coin(0x9e37_79b9)
    }

    /// Heads or tails.
    pub(crate) fn toss(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 & 0x1_0000 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_hundred_values_lies_ten_ranks_to_each_side() {
        let median = Median::of((1..=100).map(f64::from).rev().collect());
        assert_eq!(median, Median { low: 41.0, middle: 50.5, high: 60.0 });
    }

    #[test]
    fn an_outlier_moves_nothing() {
        let mut values: Vec<f64> = (1..=101).map(f64::from).collect();
        let before = Median::of(values.clone());
        values[100] = 1e12;
        assert_eq!(Median::of(values), before);
        assert_eq!(Median::of(vec![7.0]), Median { low: 7.0, middle: 7.0, high: 7.0 });
    }

    #[test]
    fn both_sides_of_the_coin_come_up_about_as_often() {
        let mut coin = Coin::new();
        let heads = (0..10_000).filter(|_| coin.toss()).count();
        assert!((4_700..5_300).contains(&heads), "{heads}");
    }
}
