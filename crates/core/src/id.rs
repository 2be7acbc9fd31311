//! Numbers that name things. All are handed out by xserver, count up from 1 and are never used again while it lives.

use std::fmt;

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
