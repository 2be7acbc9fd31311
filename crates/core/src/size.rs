//! Sizes in bytes, as people write them.

use crate::text::{Expected, Value};

/// So many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// `n` times 1,048,576 bytes.
    pub const fn from_mib(n: u64) -> Size {
        Size(n << 20)
    }

    /// How many bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

const UNITS: [(&str, u32); 4] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30)];

impl Value for Size {
    const EXPECTED: &'static str = "a size above 0 with its unit, such as 64KiB, 256MiB or 1GiB";

    fn parse(text: &str) -> Result<Self, Expected> {
        let bad = || Expected::new(Self::EXPECTED);
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.get(digits.len()..).unwrap_or("");
        let number: u64 = digits.trim().parse().map_err(|_| bad())?;
        let (_, shift) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let size = number.checked_mul(1 << shift).filter(|size| *size > 0);
        size.map(Size).ok_or_else(bad)
    }

    fn show(&self) -> String {
        let whole = |shift: u32| self.0.is_multiple_of(1 << shift);
        let (unit, shift) = UNITS.iter().rev().find(|(_, shift)| whole(*shift)).unwrap_or(&("B", 0));
        format!("{}{unit}", self.0 >> shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_written() {
        for text in ["1B", "64KiB", "1025KiB", "256MiB", "3GiB"] {
            assert_eq!(Size::parse(text).unwrap().show(), text);
        }
        assert_eq!(Size::parse("256MiB"), Ok(Size::from_mib(256)));
    }

    #[test]
    fn sizes_without_unit_of_nothing_or_too_large_are_refused() {
        for text in ["", "5", "MiB", "-1MiB", "1.5GiB", "1MB", "0MiB", "99999999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }
}
