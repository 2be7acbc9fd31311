//! Chance that repeats: the same seed gives the same numbers, on every machine and in every version.
//!
//! SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, OOPSLA 2014). Each thread of a simulated program has
//! generators of its own, seeded by its place in the workload, so one program's numbers do not depend on what others do, and two policies
//! meet the same arrivals and the same commands. Deliberately absent: a seed from the system.

/// A stream of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a seed and of a place: equal ones give equal streams.
    pub(crate) fn new(seed: u64, place: &[u64]) -> Random {
        Random(place.iter().fold(mix(seed), |state, part| mix(state ^ mix(*part))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Above 0, up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// From the exponential distribution of mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// From the normal distribution of mean 0 and deviation 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut random = Random(1_234_567);
        let all: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(all, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn places_have_streams_of_their_own_and_distributions_their_means() {
        assert_ne!(Random::new(1, &[0, 1]).next(), Random::new(1, &[1, 0]).next());
        let mut random = Random::new(1, &[0]);
        let n = 100_000;
        let mean = |mut draw: Box<dyn FnMut() -> f64>| (0..n).map(|_| draw()).sum::<f64>() / f64::from(n);
        assert!((mean(Box::new(move || random.exponential())) - 1.0).abs() < 0.02);
        assert!(mean(Box::new(move || random.normal())).abs() < 0.02);
        assert!((mean(Box::new(move || random.normal().powi(2))) - 1.0).abs() < 0.02);
    }
}
