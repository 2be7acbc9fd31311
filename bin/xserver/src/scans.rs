//! Pages whose slots are all to be read again, because their ring overflowed: a little at a time, in turns.
//!
//! A page has thousands of slots, and a guest can overflow its ring as often as it likes. So that it only makes itself wait, one stretch
//! of one page is read each time.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;
use xsched_core::{ClientId, Time};

/// Slots read at a time; nearly every page has no more in use.
const STRETCH: usize = 1024;
/// Between two stretches.
const EVERY: Duration = Duration::from_millis(10);

/// Who waits for how much.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    waiting: VecDeque<Scan>,
    last: Option<Time>,
}

#[derive(Debug)]
struct Scan {
    client: ClientId,
    /// What is left to be read.
    slots: Range<usize>,
    /// The ring overflowed again since it began, and the page had so many slots then.
    again: Option<usize>,
}

impl Scans {
    /// The ring of this guest overflowed, and so many slots may be read.
    pub(crate) fn add(&mut self, client: ClientId, slots: usize) {
        match self.waiting.iter_mut().find(|scan| scan.client == client) {
            Some(scan) => scan.again = Some(slots),
            None => self.waiting.push_back(Scan { client, slots: 0..slots, again: None }),
        }
    }

    /// The guest is gone.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.waiting.retain(|scan| scan.client != client);
    }

    /// Pages that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// When the next stretch is due, if anybody waits.
    pub(crate) fn due(&self) -> Option<Time> {
        self.waiting.front().map(|_| self.last.map_or(Time::ZERO, |last| last + EVERY))
    }

    /// The next stretch, if it is due.
    pub(crate) fn next(&mut self, now: Time) -> Option<(ClientId, Range<usize>)> {
        if self.due()? > now {
            return None;
        }
        self.last = Some(now);
        let mut scan = self.waiting.pop_front()?;
        let (client, from) = (scan.client, scan.slots.start);
        let to = from.saturating_add(STRETCH).min(scan.slots.end);
        if to < scan.slots.end {
            scan.slots.start = to;
            self.waiting.push_back(scan);
        } else if let Some(slots) = scan.again {
            self.waiting.push_back(Scan { client, slots: 0..slots, again: None });
        }
        Some((client, from..to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: usize = 8 * STRETCH - 1;

    fn stretches(scans: &mut Scans, mut now: Time) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        while let Some(due) = scans.due() {
            now = now.max(due);
            let (client, slots) = scans.next(now).unwrap();
            assert!(scans.next(now).is_none(), "one at a time");
            all.push((client.0, slots.start / STRETCH));
        }
        all
    }

    #[test]
    fn pages_are_read_in_turns_and_wholly() {
        let mut scans = Scans::default();
        scans.add(ClientId(1), SLOTS);
        scans.add(ClientId(2), SLOTS);
        let turns: Vec<_> = (0..8).flat_map(|n| [(1, n), (2, n)]).collect();
        assert_eq!(stretches(&mut scans, Time::ZERO), turns);
    }

    #[test]
    fn a_ring_that_overflows_while_its_page_is_read_is_read_once_more() {
        let mut scans = Scans::default();
        scans.add(ClientId(1), SLOTS);
        scans.next(Time::ZERO);
        scans.add(ClientId(1), SLOTS);
        scans.add(ClientId(1), SLOTS);
        assert_eq!(stretches(&mut scans, Time::ZERO).len(), 7 + 8);
        scans.add(ClientId(1), SLOTS);
        scans.forget(ClientId(1));
        assert_eq!(scans.due(), None);
    }
}
