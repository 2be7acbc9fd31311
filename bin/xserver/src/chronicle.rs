//! What happened lately, for those who want to see it as it happens: traces, timelines, live data.
//!
//! Nothing is kept while nobody looks: who asks makes it begin, and it ends when nobody has asked for a while. Bounded: who comes too late
//! is told how much he missed.

use std::collections::VecDeque;
use std::time::Duration;
use xsched_core::Time;
use xsched_core::account::{Happening, What};

/// How much is kept: about 2 MiB.
const MOST: usize = 32_768;
/// How long after the last one who asked.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// In one answer: fits into a packet.
const AT_ONCE: usize = 250;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    kept: VecDeque<Happening>,
    /// The number of the next one.
    next: u64,
    asked_at: Option<Time>,
}

impl Chronicle {
    /// Something happens. What it is, is made only if somebody wants to know.
    pub(crate) fn note(&mut self, at: Time, what: impl FnOnce() -> What) {
        let Some(asked_at) = self.asked_at else { return };
        if at.since(asked_at) > KEPT_FOR {
            (self.asked_at, self.kept) = (None, VecDeque::new());
            return;
        }
        if self.kept.len() == MOST {
            self.kept.pop_front();
        }
        self.kept.push_back(Happening { seq: self.next, at, what: what() });
        self.next += 1;
    }

    /// What happened from number `from` on, or from now on: the number to ask with next, how many are missing, and some of them.
    pub(crate) fn read(&mut self, from: Option<u64>, now: Time) -> (u64, u64, Vec<Happening>) {
        let is_on = self.asked_at.is_some_and(|asked| now.since(asked) <= KEPT_FOR);
        if !is_on {
            self.kept.clear();
        }
        self.asked_at = Some(now);
        let from = from.unwrap_or(self.next).min(self.next);
        let first = self.next - self.kept.len() as u64;
        let start = from.max(first);
        let skip = usize::try_from(start - first).unwrap_or(usize::MAX);
        let list: Vec<_> = self.kept.iter().skip(skip).take(AT_ONCE).cloned().collect();
        (start + list.len() as u64, start - from, list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::ClientId;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    fn joined(client: u32) -> What {
        What::Joined { client: ClientId(client) }
    }

    #[test]
    fn nothing_is_kept_before_somebody_asks_and_after_nobody_asks_any_more() {
        let mut chronicle = Chronicle::default();
        chronicle.note(at(0), || panic!("made for nobody"));
        let (next, lost, list) = chronicle.read(None, at(1));
        assert_eq!((next, lost, list), (0, 0, vec![]));
        chronicle.note(at(2), || joined(1));
        let (next, lost, list) = chronicle.read(Some(next), at(3));
        assert_eq!((next, lost, list.len()), (1, 0, 1));
        chronicle.note(at(9_000), || panic!("made for nobody"));
        assert_eq!(chronicle.kept.capacity(), 0);
        assert_eq!(chronicle.read(Some(next), at(9_001)), (1, 0, vec![]));
    }

    #[test]
    fn who_comes_late_is_told_how_much_he_missed_and_who_asks_nonsense_gets_what_there_is() {
        let mut chronicle = Chronicle::default();
        chronicle.read(None, at(0));
        (0..MOST as u32 + 10).for_each(|n| chronicle.note(at(1), || joined(n)));
        let (next, lost, list) = chronicle.read(Some(3), at(2));
        assert_eq!((lost, list.len(), list.first().map(|it| it.seq)), (7, AT_ONCE, Some(10)));
        assert_eq!(next, 10 + AT_ONCE as u64);
        let (next, lost, list) = chronicle.read(Some(u64::MAX), at(2));
        assert_eq!((next, lost, list.len()), (MOST as u64 + 10, 0, 0));
    }
}
