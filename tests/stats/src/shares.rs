//! What programs ask for of one device, and what they got, by the work that was done for each.
//!
//! What a program gets done alone in a second is the whole device. Beside others it gets a *part* of that done, and its *share* is its part of
//! all parts. The parts may come to more or less than one device: that is what sharing costs, or gains where one program alone leaves the device
//! idle between its kernels.

use std::fmt::{Display, Write as _};

/// Programs that run together under a policy, each with the value of the hint that it is started with.
#[derive(Debug)]
pub struct Company<W: 'static> {
    /// The policy's name.
    pub policy: &'static str,
    /// The hint's name.
    pub hint: &'static str,
    /// The programs.
    pub sides: &'static [(W, i32)],
}

impl<W> Company<W> {
    /// Shares by utilization under UP.
    pub const fn up(sides: &'static [(W, i32)]) -> Company<W> {
        Company { policy: "UP", hint: "utilization", sides }
    }

    /// Shares by utilization of processes under PUP.
    pub const fn pup(sides: &'static [(W, i32)]) -> Company<W> {
        Company { policy: "PUP", hint: "utilization", sides }
    }

    /// Shares by priority under CFS.
    pub const fn cfs(sides: &'static [(W, i32)]) -> Company<W> {
        Company { policy: "CFS", hint: "priority", sides }
    }

    /// What each asks for, in parts of what all ask for.
    pub fn wanted(&self) -> Vec<f64> {
        let weight = |(_, value): &(W, i32)| match self.hint {
            // As Linux weighs nice values.
            "priority" => 1.25f64.powi(*value),
            _ => f64::from(*value),
        };
        let sum: f64 = self.sides.iter().map(weight).sum();
        self.sides.iter().map(|side| weight(side) / sum).collect()
    }

    /// The rows of [`HEAD`] by the part that each got.
    pub fn rows(&self, parts: &[f64]) -> String
    where
        W: Display,
    {
        let sum: f64 = parts.iter().sum();
        let mut rows = String::new();
        for (((what, value), part), wanted) in self.sides.iter().zip(parts).zip(self.wanted()) {
            let _ = writeln!(
                rows,
                "| {} | {what} | {} {value} | {:.1} % | {:+.1} | {:.1} % |",
                self.policy,
                self.hint,
                100.0 * part / sum,
                100.0 * (part / sum - wanted),
                100.0 * part
            );
        }
        let _ = writeln!(rows, "| | *all* | | | | {:.1} % |", 100.0 * sum);
        rows
    }

    /// By how many points the share is off that is off most.
    pub fn off_by(&self, parts: &[f64]) -> f64 {
        let sum: f64 = parts.iter().sum();
        let off = parts.iter().zip(self.wanted()).map(|(part, wanted)| 100.0 * (part / sum - wanted).abs());
        off.fold(0.0, f64::max)
    }
}

/// The head of a table of [`Company::rows`].
pub const HEAD: &str = "| policy | program | hint | share by work done | off by, points | of what it gets done alone |\n|---|---|--:|--:|--:|--:|\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_shares_go_by_the_hint_and_come_to_one() {
        const UP: Company<&str> = Company::up(&[("a", 75), ("b", 25)]);
        const CFS: Company<&str> = Company::cfs(&[("a", 5), ("b", 0), ("c", -2)]);
        assert_eq!(UP.wanted(), [0.75, 0.25]);
        assert!((CFS.wanted().iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((CFS.wanted()[0] / CFS.wanted()[1] - 1.25f64.powi(5)).abs() < 1e-9);
    }

    #[test]
    fn parts_become_shares_and_how_far_they_are_off() {
        const PUP: Company<&str> = Company::pup(&[("a", 50), ("b", 30), ("c", 20)]);
        let parts = [0.36, 0.27, 0.27];
        assert_eq!(
            PUP.rows(&parts),
            "| PUP | a | utilization 50 | 40.0 % | -10.0 | 36.0 % |\n\
             | PUP | b | utilization 30 | 30.0 % | +0.0 | 27.0 % |\n\
             | PUP | c | utilization 20 | 30.0 % | +10.0 | 27.0 % |\n\
             | | *all* | | | | 90.0 % |\n"
        );
        assert!((PUP.off_by(&parts) - 10.0).abs() < 1e-9);
    }
}
