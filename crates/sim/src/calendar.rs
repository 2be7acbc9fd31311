//! What is to happen when: entries come out by time, those of one moment in the order in which they were put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use xsched_core::Time;

/// Things of kind `T` that are to happen.
#[derive(Debug)]
pub(crate) struct Calendar<T> {
    entries: BinaryHeap<Reverse<Entry<T>>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    number: u64,
    what: T,
}

impl<T> Default for Calendar<T> {
    fn default() -> Calendar<T> {
        Calendar { entries: BinaryHeap::new(), count: 0 }
    }
}

impl<T> Calendar<T> {
    pub(crate) fn add(&mut self, at: Time, what: T) {
        self.count += 1;
        self.entries.push(Reverse(Entry { at, number: self.count, what }));
    }

    /// The time of the next entry.
    pub(crate) fn next(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next entry out if its time has come.
    pub(crate) fn take(&mut self, now: Time) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry.what)
    }
}

impl<T> Entry<T> {
    fn key(&self) -> (Time, u64) {
        (self.at, self.number)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Entry<T>) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Entry<T>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Entry<T>) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_by_time_and_then_in_the_order_they_were_made() {
        let mut calendar = Calendar::default();
        for (at, name) in [(5, "c"), (3, "a"), (5, "d"), (3, "b")] {
            calendar.add(Time::from_nanos(at), name);
        }
        assert_eq!(calendar.take(Time::from_nanos(2)), None);
        let all: Vec<&str> = std::iter::from_fn(|| calendar.take(Time::from_nanos(9))).collect();
        assert_eq!(all, ["a", "b", "c", "d"]);
    }
}
