//! What a process and its queues were told, by whom, and which of it holds.
//!
//! Every source has a place of its own, so that what one gives undoes nothing that another gave: when a rule goes, what was there before it
//! holds again. A hint for one queue goes before one of the same source for its process, and a new one for the process ends those; but those that
//! the program itself gave: it knows all of them, and says what it has taken back.
//! Invariant: what holds is a function of what was told, not of the order in which different sources told it. Deliberately absent: rights.

use std::collections::BTreeMap;
use xsched_core::{Hint, HintKind, HintSource, Hints, QueueId};

/// What one process was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By source; the default is not among them.
    process: [Hints; SOURCES],
    /// Queues that were told something of their own: few, as a rule.
    queues: BTreeMap<QueueId, Vec<(HintSource, Hint)>>,
}

const SOURCES: usize = HintSource::ALL.len() - 1;

/// A value with its source.
pub(crate) type Held = (i64, HintSource);

impl Told {
    /// The process is told something.
    pub(crate) fn set(&mut self, source: HintSource, hint: Hint) {
        self.unset(source, hint.kind());
        if let Some(hints) = self.of_process(source) {
            hints.set(hint);
        }
    }

    /// What a source told the process is taken back, and what it told its queues with it. Returns whether there was anything.
    pub(crate) fn unset(&mut self, source: HintSource, kind: HintKind) -> bool {
        let mut was_told = false;
        if source != HintSource::Program {
            self.queues.retain(|_, told| {
                was_told |= forget(told, source, kind);
                !told.is_empty()
            });
        }
        if let Some(hints) = self.of_process(source) {
            was_told |= hints.given(kind).is_some();
            hints.unset(kind);
        }
        was_told
    }

    /// One queue is told something.
    pub(crate) fn set_queue(&mut self, queue: QueueId, source: HintSource, hint: Hint) {
        let told = self.queues.entry(queue).or_default();
        forget(told, source, hint.kind());
        told.push((source, hint));
    }

    /// What a source told a queue is taken back. Returns whether there was anything.
    pub(crate) fn unset_queue(&mut self, queue: QueueId, source: HintSource, kind: HintKind) -> bool {
        let Some(told) = self.queues.get_mut(&queue) else { return false };
        let was_told = forget(told, source, kind);
        if told.is_empty() {
            self.queues.remove(&queue);
        }
        was_told
    }

    /// A queue is gone.
    pub(crate) fn forget_queue(&mut self, queue: QueueId) {
        self.queues.remove(&queue);
    }

    /// What holds for queues of the process that were told nothing of their own.
    pub(crate) fn held(&self, kind: HintKind) -> Held {
        self.strongest(&[], kind).0
    }

    /// What holds for a queue.
    pub(crate) fn held_by(&self, queue: QueueId, kind: HintKind) -> Held {
        self.strongest(self.queues.get(&queue).map_or(&[], Vec::as_slice), kind).0
    }

    /// Whether the queue was told something of its own.
    pub(crate) fn has_own(&self, queue: QueueId) -> bool {
        self.queues.contains_key(&queue)
    }

    /// Queues for which something holds that they alone were told.
    pub(crate) fn own(&self, kind: HintKind) -> impl Iterator<Item = (QueueId, i64)> + '_ {
        self.queues.iter().filter_map(move |(queue, told)| match self.strongest(told, kind) {
            ((value, _), true) => Some((*queue, value)),
            _ => None,
        })
    }

    /// What holds, and whether it is the queue's own.
    fn strongest(&self, queue: &[(HintSource, Hint)], kind: HintKind) -> (Held, bool) {
        let of_queue = queue.iter().filter(|(_, hint)| hint.kind() == kind);
        let of_queue = of_queue.map(|(source, hint)| (*source, true, hint.value()));
        let of_process = HintSource::ALL.iter().skip(1).zip(&self.process);
        let of_process = of_process.filter_map(|(source, hints)| Some((*source, false, hints.given(kind)?)));
        let strongest = of_queue.chain(of_process).max_by_key(|(source, is_own, _)| (*source, *is_own));
        let nothing = ((kind.info().default, HintSource::Default), false);
        strongest.map_or(nothing, |(source, is_own, value)| ((value, source), is_own))
    }

    fn of_process(&mut self, source: HintSource) -> Option<&mut Hints> {
        self.process.get_mut((source as usize).checked_sub(1)?)
    }
}

fn forget(told: &mut Vec<(HintSource, Hint)>, source: HintSource, kind: HintKind) -> bool {
    let before = told.len();
    told.retain(|(from, hint)| *from != source || hint.kind() != kind);
    told.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use HintSource::*;

    const P: HintKind = HintKind::Priority;
    const Q: QueueId = QueueId(1);
    const OTHER: QueueId = QueueId(2);

    fn priority(value: i64) -> Hint {
        Hint::new(P, value).unwrap()
    }

    #[test]
    fn the_strongest_source_holds_whatever_the_order_and_what_it_covered_comes_back() {
        let mut orders = vec![vec![Environment, Program, User, Rule, Operator]];
        orders.push(orders[0].iter().rev().copied().collect());
        for order in orders {
            let mut told = Told::default();
            assert_eq!(told.held(P), (0, Default));
            for source in order {
                told.set(source, priority(source as i64));
            }
            for source in [Operator, Rule, User, Program, Environment] {
                assert_eq!(told.held(P), (source as i64, source));
                assert!(told.unset(source, P) && !told.unset(source, P));
            }
            assert_eq!(told.held(P), (0, Default));
        }
    }

    #[test]
    fn a_queues_own_goes_before_its_process_of_the_same_source_until_that_is_told_anew() {
        let mut told = Told::default();
        told.set(Operator, priority(1));
        told.set_queue(Q, Operator, priority(2));
        assert_eq!((told.held_by(Q, P), told.held_by(OTHER, P)), ((2, Operator), (1, Operator)));
        assert!(told.own(P).eq([(Q, 2)]));
        told.set(Operator, priority(3));
        assert_eq!((told.held_by(Q, P), told.own(P).count()), ((3, Operator), 0));
    }

    #[test]
    fn what_a_program_gave_a_queue_stays_whatever_it_gives_its_process() {
        let mut told = Told::default();
        told.set_queue(Q, Program, priority(9));
        told.set(Program, priority(3));
        assert_eq!((told.held_by(Q, P), told.held_by(OTHER, P)), ((9, Program), (3, Program)));
        told.unset(Program, P);
        assert_eq!((told.held_by(Q, P), told.held(P)), ((9, Program), (0, Default)));
    }

    #[test]
    fn a_rule_covers_what_a_program_told_its_queues() {
        let mut told = Told::default();
        told.set_queue(Q, Program, priority(9));
        assert!(told.own(P).eq([(Q, 9)]));
        told.set(Rule, priority(-5));
        assert_eq!((told.held_by(Q, P), told.own(P).count()), ((-5, Rule), 0));
        told.unset(Rule, P);
        assert_eq!(told.held_by(Q, P), (9, Program));
        assert!(told.unset_queue(Q, Program, P) && told.queues.is_empty());
        told.set_queue(Q, Program, priority(9));
        told.forget_queue(Q);
        assert!(told.queues.is_empty());
    }
}
