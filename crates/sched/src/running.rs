//! Who runs on a device: those whom a policy names, and all of one priority.
//!
//! The second is a rule, not a list, so that one of many equals comes and goes without a look at the others. Whom it means follows from the
//! ready groups of the device; so here is nothing to be kept in line with them.

use crate::state::Readies;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound;
use xsched_core::GroupId;

/// The ready groups that run on a device. Nobody at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// In ascending order, once the decision is made.
    named: Vec<GroupId>,
    all_of: Option<i64>,
}

impl Extend<GroupId> for Running {
    fn extend<I: IntoIterator<Item = GroupId>>(&mut self, groups: I) {
        self.named.extend(groups);
    }
}

impl Running {
    /// This one too. It must be among the ready groups that the policy was shown.
    pub fn push(&mut self, group: GroupId) {
        self.named.push(group);
    }

    /// And all ready ones of this priority, in place of another one. Cheaper than to name each, where they may be many.
    pub fn all_of(&mut self, priority: i64) {
        self.all_of = Some(priority);
    }

    /// The priority of which all run.
    pub(crate) fn rule(&self) -> Option<i64> {
        self.all_of
    }

    /// Those that were named; in the decision that comes true, by number.
    pub fn named(&self) -> &[GroupId] {
        &self.named
    }

    /// Names those whom a rule means, but for some.
    pub(crate) fn name(&mut self, readies: &Readies, left_out: &BTreeSet<GroupId>) {
        if let Some(priority) = self.all_of.take() {
            self.named.extend(of_priority(readies, priority).filter(|group| !left_out.contains(group)));
        }
    }

    /// Brings them in order. Where some of the ready groups are `left_out`, a rule would mean those too, so it becomes names.
    pub(crate) fn settle(&mut self, readies: &Readies, left_out: &BTreeSet<GroupId>) {
        if !left_out.is_empty() {
            self.name(readies, left_out);
        }
        self.named.sort_unstable();
        self.named.dedup();
    }

    /// Whether the group, ready with this priority, is one of them.
    pub(crate) fn has(&self, group: GroupId, priority: i64) -> bool {
        self.all_of == Some(priority) || self.named.binary_search(&group).is_ok()
    }

    /// All of them.
    pub(crate) fn groups<'a>(&'a self, readies: &'a Readies) -> impl Iterator<Item = GroupId> + 'a {
        let by_rule = self.all_of.into_iter().flat_map(|priority| of_priority(readies, priority));
        let unnamed = by_rule.filter(|group| self.named.binary_search(group).is_err());
        self.named.iter().copied().chain(unnamed)
    }

    /// Whether somebody is ready and not one of them.
    pub(crate) fn leaves_waiting(&self, readies: &Readies) -> bool {
        let Some(priority) = self.all_of else { return readies.len() > self.named.len() };
        // Most of the time they are all alike.
        let is_of_it = |entry: Option<(&(Reverse<i64>, GroupId), _)>| {
            entry.is_none_or(|(&(Reverse(of), _), _)| of == priority)
        };
        if is_of_it(readies.first_key_value()) && is_of_it(readies.last_key_value()) {
            return false;
        }
        let above = readies.range(..(Reverse(priority), GroupId(0)));
        let below =
            readies.range((Bound::Excluded((Reverse(priority), GroupId(u32::MAX))), Bound::Unbounded));
        above.chain(below).any(|(&(Reverse(priority), group), _)| !self.has(group, priority))
    }

    /// All who may be in one of the two only, but for those who have become ready, or are not any more, or have another priority than before.
    pub(crate) fn in_one_only(&self, other: &Running, readies: &Readies) -> Vec<GroupId> {
        let mut found = in_one_only(&self.named, &other.named);
        if self.all_of != other.all_of {
            let rules = [self.all_of, other.all_of].into_iter().flatten();
            found.extend(rules.flat_map(|priority| of_priority(readies, priority)));
        }
        found
    }
}

/// The ready groups of one priority, by number.
pub(crate) fn of_priority(readies: &Readies, priority: i64) -> impl Iterator<Item = GroupId> + '_ {
    let all = (Reverse(priority), GroupId(0))..=(Reverse(priority), GroupId(u32::MAX));
    readies.range(all).map(|(&(_, group), _)| group)
}

/// Those that are in one of two ascending lists only. One walk along both: they are long where many equals are ready.
fn in_one_only(mut some: &[GroupId], mut others: &[GroupId]) -> Vec<GroupId> {
    let mut found = Vec::new();
    while let (Some((a, rest)), Some((b, other_rest))) = (some.split_first(), others.split_first()) {
        if a != b {
            found.push(*a.min(b));
        }
        some = if a <= b { rest } else { some };
        others = if b <= a { other_rest } else { others };
    }
    found.extend(some.iter().chain(others));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Unit;
    use proptest::prelude::*;
    use std::time::Duration;
    use xsched_core::{ClientId, Hints, Time};

    fn list(set: &BTreeSet<u32>) -> Vec<GroupId> {
        set.iter().copied().map(GroupId).collect()
    }

    fn numbers() -> impl Strategy<Value = BTreeSet<u32>> {
        proptest::collection::btree_set(0_u32..40, 0..30)
    }

    proptest! {
        #[test]
        fn the_walk_finds_what_sets_would(a in numbers(), b in numbers()) {
            let found = in_one_only(&list(&a), &list(&b));
            prop_assert_eq!(found, a.symmetric_difference(&b).copied().map(GroupId).collect::<Vec<_>>());
        }

        /// Against a list of those who run, written out.
        #[test]
        fn a_rule_means_the_same_as_all_its_names(
            ready in proptest::collection::btree_map(0_u32..20, 0_i64..3, 0..20),
            left_out in numbers(),
            (named, rule) in (numbers(), proptest::option::of(0_i64..4)),
            (other_named, other_rule) in (numbers(), proptest::option::of(0_i64..4)),
        ) {
            let unit = |group, priority| Unit {
                group,
                process: ClientId(1),
                priority,
                hints: Hints::default(),
                weight: 0,
                is_interruptible: false,
                ready_since: Time::ZERO,
                running_since: None,
                ran: Duration::ZERO,
            };
            let readies: Readies = (ready.iter())
                .map(|(&group, &priority)| {
                    ((Reverse(priority), GroupId(group)), unit(GroupId(group), priority))
                })
                .collect();
            let left_out = list(&left_out).into_iter().collect();
            let build = |names: &BTreeSet<u32>, rule: Option<i64>, left_out: &BTreeSet<GroupId>| {
                let mut running = Running::default();
                running.extend(list(names).into_iter().filter(|group| ready.contains_key(&group.0)));
                rule.into_iter().for_each(|priority| running.all_of(priority));
                running.settle(&readies, left_out);
                running
            };
            let runs = |names: &BTreeSet<u32>, rule: Option<i64>, left_out: &BTreeSet<GroupId>| {
                let all = ready.iter().map(|(&group, &priority)| (GroupId(group), priority));
                let is_in = |&(group, priority): &(GroupId, i64)| {
                    names.contains(&group.0) || rule == Some(priority) && !left_out.contains(&group)
                };
                all.filter(is_in).map(|(group, _)| group).collect::<BTreeSet<_>>()
            };
            let (running, wanted) = (build(&named, rule, &left_out), runs(&named, rule, &left_out));
            for (&group, &priority) in &ready {
                prop_assert_eq!(running.has(GroupId(group), priority), wanted.contains(&GroupId(group)));
            }
            prop_assert_eq!(running.groups(&readies).collect::<BTreeSet<_>>(), wanted.clone());
            prop_assert_eq!(running.leaves_waiting(&readies), wanted.len() < ready.len());

            let nobody = BTreeSet::new();
            let other = build(&other_named, other_rule, &nobody);
            let changed: BTreeSet<_> = running.in_one_only(&other, &readies).into_iter().collect();
            let other_wanted = runs(&other_named, other_rule, &nobody);
            prop_assert!(wanted.symmetric_difference(&other_wanted).all(|group| changed.contains(group)));
            prop_assert!(build(&named, rule, &left_out).in_one_only(&running, &readies).is_empty());
        }
    }
}
