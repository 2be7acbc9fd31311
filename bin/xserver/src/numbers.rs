//! Numbers for what comes and goes: they count up from 1, and after the last one begin again with those that are free.
//!
//! A number has 32 bits. A stranger who comes often enough uses them up, in days; he must not get the number of somebody who is there.

/// The next number behind `last` that is not used. There is always one: whatever has numbers is bounded far below 32 bits.
pub(crate) fn next(last: &mut u32, is_used: impl Fn(u32) -> bool) -> u32 {
    loop {
        *last = last.wrapping_add(1);
        if *last != 0 && !is_used(*last) {
            return *last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_number_come_those_that_nobody_has() {
        let mut last = 0;
        assert_eq!([next(&mut last, |_| false), next(&mut last, |_| false)], [1, 2]);
        last = u32::MAX - 1;
        let is_used = |number| [1, 3].contains(&number);
        assert_eq!(std::array::from_fn(|_| next(&mut last, is_used)), [u32::MAX, 2, 4]);
    }
}
