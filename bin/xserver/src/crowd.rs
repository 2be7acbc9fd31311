//! Those who have something to say that may wait: newcomers and control clients. They stand in line, and some are heard in each turn.
//!
//! So however many there are, and whatever they ask, guests that ring are heard in between. Nobody stands in line twice, and nobody is
//! passed over: who is heard and has more to say goes to the end.

use crate::poller::Source;
use std::collections::{HashSet, VecDeque};

/// The line.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    line: VecDeque<Source>,
    in_line: HashSet<Source>,
}

impl Crowd {
    /// Somebody has something to say.
    pub(crate) fn add(&mut self, source: Source) {
        if self.in_line.insert(source) {
            self.line.push_back(source);
        }
    }

    /// Who is heard next.
    pub(crate) fn next(&mut self) -> Option<Source> {
        let source = self.line.pop_front()?;
        self.in_line.remove(&source);
        Some(source)
    }

    /// Nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_always_has_more_to_say_keeps_nobody_from_being_heard() {
        let mut crowd = Crowd::default();
        let (loud, quiet) = (Source::Link(1), Source::Link(2));
        for source in [loud, Source::Listener, quiet] {
            crowd.add(source);
        }
        // The epoll names all of them each time, the loud one first.
        let heard: Vec<Source> = (0..4)
            .map(|_| {
                [loud, quiet].into_iter().for_each(|source| crowd.add(source));
                crowd.next().unwrap()
            })
            .collect();
        assert_eq!(heard, [loud, Source::Listener, quiet, loud]);
        assert_eq!((crowd.next(), crowd.next(), crowd.is_empty()), (Some(quiet), None, true));
    }
}
