//! Numbers that name things. All are handed out by xserver, count up from 1 and are never used again while it lives.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by ids, or by what is made of them. Nobody outside chooses these numbers, so the hash need not withstand anybody: it is the
/// shortest that spreads numbers which count up.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// See [`IdMap`].
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        // 2^64 divided by the golden ratio. The table takes bits from both ends; multiplying spreads upwards only.
        self.0 = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($int:ty) $letter:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::text::Expected;
            /// Reads what `Display` writes; the letter may be left out.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($letter).unwrap_or(text).parse().map($name)
                    .map_err(|_| crate::text::Expected::new(concat!("a number such as ", $letter, "7")))
            }
        }
    )* };
}

ids! {
    /// One attached guest process, from hello to its end.
    ClientId(u32) "c";
    /// The unit of suspension: one process, or several joined by a group name.
    GroupId(u32) "g";
    /// One physical device, see [`crate::DeviceKey`].
    DeviceId(u32) "d";
    /// One queue of one client.
    QueueId(u64) "q";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, Hash};

    fn hash(id: impl Hash) -> u64 {
        BuildHasherDefault::<IdHasher>::default().hash_one(id)
    }

    #[test]
    fn numbers_that_count_up_spread_over_a_table_at_both_ends_of_the_hash() {
        let all: Vec<u64> = (1..=4096).map(|n| hash(QueueId(n))).collect();
        let [low, high] = [|h: &u64| h & 0xfff, |h: &u64| h >> 52]
            .map(|bits| all.iter().map(bits).collect::<BTreeSet<_>>());
        // By chance, 63 % of the places would be used.
        assert!(low.len() > 2_400 && high.len() > 2_400, "{} and {} of 4096", low.len(), high.len());
    }

    #[test]
    fn pairs_differ_from_what_they_are_made_of() {
        let all: BTreeSet<u64> =
            (1..=64).flat_map(|g| (1..=64).map(move |d| hash((GroupId(g), DeviceId(d))))).collect();
        assert_eq!(all.len(), 64 * 64);
    }
}
