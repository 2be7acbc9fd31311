//! One line of the transcript: what a case saw, in words that are the same in every run on one driver.
//!
//! Nothing that depends on time or on addresses may be put here.

use crate::cl::{Bytes, Code, Result, status_name};
use std::fmt::Display;

/// The fields of one case, in the order in which they were put.
#[derive(Default)]
pub(crate) struct Line {
    fields: Vec<String>,
}

/// Why a case ended before its last step.
#[derive(thiserror::Error, Debug)]
pub(crate) enum Stop {
    /// The driver lacks what the case is about.
    #[error("unsupported")]
    Unsupported,
    /// A call that the rest of the case needs failed.
    #[error("stopped={0}")]
    Call(#[from] Code),
    /// The machine failed the suite: no process, no pipe.
    #[error("stopped={0}")]
    System(String),
}

/// How a case ends.
pub(crate) type Verdict = std::result::Result<(), Stop>;

impl Line {
    pub(crate) fn put(&mut self, key: &str, value: impl Display) {
        self.fields.push(format!("{key}={value}"));
    }

    /// Puts the code of a call, and passes the result on for `?`.
    pub(crate) fn code<T>(&mut self, key: &str, result: Result<T>) -> Result<T> {
        self.put(key, result.as_ref().err().copied().unwrap_or(Code::SUCCESS));
        result
    }

    /// Puts a value of an object's information, or the code of asking for it.
    pub(crate) fn value<T: Display>(&mut self, key: &str, result: Result<T>) {
        match result {
            Ok(value) => self.put(key, value),
            Err(code) => self.put(key, code),
        }
    }

    /// Puts an execution status that cannot change any more.
    pub(crate) fn status(&mut self, key: &str, result: Result<i32>) {
        self.value(key, result.map(status_name));
    }

    /// Puts whether something that must hold does.
    pub(crate) fn check(&mut self, key: &str, holds: bool) {
        self.put(key, if holds { "right" } else { "WRONG" });
    }

    /// Puts the hash of memory and whether it is what the processor computes.
    pub(crate) fn data(&mut self, key: &str, got: Bytes, expected: &[u8]) {
        let got = got.get();
        self.put(key, format_args!("{:016x}", fnv1a(&got)));
        if got != expected {
            self.check(key, false);
        }
    }

    /// The finished line, without the case's name.
    pub(crate) fn finish(mut self, verdict: Verdict) -> String {
        if let Err(stop) = verdict {
            self.fields.push(stop.to_string());
        }
        self.fields.join(" ")
    }
}

/// The 64-bit FNV-1a hash.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_text_then_its_published_hash() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn wrong_data_then_the_line_says_so() {
        let mut line = Line::default();
        line.data("data", Bytes::from(b"a"), b"b");
        assert!(line.finish(Err(Stop::Unsupported)).ends_with("data=WRONG unsupported"));
    }
}
