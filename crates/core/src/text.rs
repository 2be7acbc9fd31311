//! Values as text: how settings and hints are read from the environment, TOML and the command line, and written back.

use std::fmt;
use std::path::PathBuf;

/// A value that can be read from and written to text.
pub trait Value: Sized {
    /// What is allowed, in words that fit behind "expected ".
    const EXPECTED: &'static str;
    /// Reads the value.
    fn parse(text: &str) -> Result<Self, Expected>;
    /// Writes it such that `parse` reads the same value.
    fn show(&self) -> String;
}

/// What would have been allowed instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct Expected(String);

impl Expected {
    /// `what` fits behind "expected ".
    pub fn new(what: impl Into<String>) -> Expected {
        Expected(what.into())
    }
}

/// A setting that was given and cannot be used: names the thing, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where it stands: `XSCHED_GROUP`, `/etc/xsched/xserver.toml: policy`, `--priority`.
    pub place: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl Problem {
    /// `value` was given at `place` and `expected` says what is allowed.
    pub fn bad_value(place: impl fmt::Display, value: &str, expected: &Expected) -> Problem {
        Problem { place: place.to_string(), message: format!("{value:?} is not valid; {expected}") }
    }
}

/// A stranger's text made fit for one line of a log or a terminal: what [`is_printable`] refuses becomes `?`.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '?' }).collect()
}

/// Whether a character shows itself and changes nothing else: it neither moves the cursor, nor ends the line, nor is invisible, nor
/// turns the direction in which others are written.
pub fn is_printable(c: char) -> bool {
    let changes_others = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !changes_others
}

/// `; did you mean …?` if one of these names is close.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    (names.into_iter())
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(d, candidate)| *d <= 3 && *d * 3 < candidate.len())
        .min()
        .map(|(_, candidate)| format!("; did you mean {candidate}?"))
        .unwrap_or_default()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, cb) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(ca != cb)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

impl Value for String {
    const EXPECTED: &'static str = "text";
    fn parse(text: &str) -> Result<Self, Expected> {
        Ok(text.into())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path";
    fn parse(text: &str) -> Result<Self, Expected> {
        if text.is_empty() { Err(Expected::new(Self::EXPECTED)) } else { Ok(text.into()) }
    }
    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "on or off";
    fn parse(text: &str) -> Result<Self, Expected> {
        match text.to_ascii_lowercase().as_str() {
            "on" | "1" | "true" | "yes" => Ok(true),
            "off" | "0" | "false" | "no" => Ok(false),
            _ => Err(Expected::new(Self::EXPECTED)),
        }
    }
    fn show(&self) -> String {
        if *self { "on" } else { "off" }.into()
    }
}

impl Value for u32 {
    const EXPECTED: &'static str = "a whole number from 0 to 4294967295";
    fn parse(text: &str) -> Result<Self, Expected> {
        text.trim().parse().map_err(|_| Expected::new(Self::EXPECTED))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// Absent is written as the empty text.
impl<T: Value> Value for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn parse(text: &str) -> Result<Self, Expected> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

/// Declares an enum whose values have fixed names in text (matched without regard to case); the first name is the one shown.
#[macro_export]
macro_rules! named_values {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $first:literal $(| $alias:literal)*),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        $vis enum $name { $($(#[$vdoc])* #[serde(rename = $first)] $variant),* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The name as it is shown.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $first),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl $crate::text::Value for $name {
            const EXPECTED: &'static str = concat!("one of" $(, " ", $first)*);
            fn parse(text: &str) -> Result<Self, $crate::text::Expected> {
                $( if [$first $(, $alias)*].iter().any(|n| n.eq_ignore_ascii_case(text)) { return Ok($name::$variant); } )*
                Err($crate::text::Expected::new(Self::EXPECTED))
            }
            fn show(&self) -> String {
                self.name().into()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::Expected;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <Self as $crate::text::Value>::parse(text)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_rest_of_a_line_is_not_printed() {
        assert_eq!(printable("a\nb\u{1b}[2Jc\u{9b}d\u{202e}e\u{2028}f\u{feff}g"), "a?b?[2Jc?d?e?f?g");
        assert_eq!(printable("hash cät 猫 🐈 e\u{301}"), "hash cät 猫 🐈 e\u{301}");
    }
}
