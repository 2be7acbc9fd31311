//! Pages whose slots are all to be read again, because their ring overflowed: a little at a time, in turns.
//!
//! A page has thousands of slots, and a guest can overflow its ring as often as it likes. So that it only makes itself wait, one stretch
//! of one page is read each time.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;
use xsched_core::{ClientId, Time};
use xsched_ipc::page::SLOTS;

/// Slots read at a time; nearly every page has no more in use.
const STRETCH: u16 = 1024;
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
    from: u16,
    /// The ring overflowed again since it began.
    again: bool,
}

impl Scans {
    /// The ring of this guest overflowed.
    pub(crate) fn add(&mut self, client: ClientId) {
        match self.waiting.iter_mut().find(|scan| scan.client == client) {
            Some(scan) => scan.again = true,
            None => self.waiting.push_back(Scan { client, from: 0, again: false }),
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
    pub(crate) fn next(&mut self, now: Time) -> Option<(ClientId, Range<u16>)> {
        if self.due()? > now {
            return None;
        }
        self.last = Some(now);
        let mut scan = self.waiting.pop_front()?;
        let (client, from) = (scan.client, scan.from);
        let to = from.saturating_add(STRETCH).min(SLOTS as u16);
        if usize::from(to) < SLOTS {
            scan.from = to;
            self.waiting.push_back(scan);
        } else if scan.again {
            self.waiting.push_back(Scan { client, from: 0, again: false });
        }
        Some((client, from..to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(scans: &mut Scans, mut now: Time) -> Vec<(u32, u16)> {
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
        scans.add(ClientId(1));
        scans.add(ClientId(2));
        let turns: Vec<_> = (0..8).flat_map(|n| [(1, n), (2, n)]).collect();
        assert_eq!(stretches(&mut scans, Time::ZERO), turns);
    }

    #[test]
    fn a_ring_that_overflows_while_its_page_is_read_is_read_once_more() {
        let mut scans = Scans::default();
        scans.add(ClientId(1));
        scans.next(Time::ZERO);
        scans.add(ClientId(1));
        scans.add(ClientId(1));
        assert_eq!(stretches(&mut scans, Time::ZERO).len(), 7 + 8);
        scans.add(ClientId(1));
        scans.forget(ClientId(1));
        assert_eq!(scans.due(), None);
    }
}
