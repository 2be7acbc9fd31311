//! Units of suspension: a process alone, several of one user that joined by a name, or several that share something.
//!
//! A group lives as long as it has members. Two groups whose members share something become one for good: who waited for whom once will do it
//! again, and nobody says when a thing is shared no more. What a user's processes share is known among them only.

use crate::numbers;
use crate::quota::Quota;
use std::collections::BTreeMap;
use xsched_core::GroupId;

/// What is shared: whose it is, and what he calls it.
type Thing = (u32, Vec<u8>);

/// The groups in use, and by what they are joined.
#[derive(Debug)]
pub(crate) struct Groups {
    all: BTreeMap<GroupId, Group>,
    named: BTreeMap<(u32, String), Named>,
    /// The group of those who share it.
    shared: BTreeMap<Thing, GroupId>,
    /// Things that are remembered; what is shared beyond them joins nobody. A guest names a thousand at most.
    quota: Quota,
    last: u32,
}

#[derive(Debug, Default)]
struct Group {
    members: u32,
    /// What they share.
    things: Vec<Thing>,
}

#[derive(Debug)]
struct Named {
    id: GroupId,
    /// Of those in the group, the ones that joined by the name.
    members: u32,
}

impl Default for Groups {
    fn default() -> Groups {
        Groups {
            all: BTreeMap::new(),
            named: BTreeMap::new(),
            shared: BTreeMap::new(),
            quota: Quota::new("shared things", 1 << 16, 1 << 15),
            last: 0,
        }
    }
}

impl Groups {
    /// A process of user `uid` joins the group `name` of that user, or gets a group of its own.
    pub(crate) fn join(&mut self, uid: u32, name: Option<&str>) -> GroupId {
        let mut fresh =
            || GroupId(numbers::next(&mut self.last, |number| self.all.contains_key(&GroupId(number))));
        let id = match name {
            None => fresh(),
            Some(name) => {
                let key = (uid, name.into());
                let named = self.named.entry(key).or_insert_with(|| Named { id: fresh(), members: 0 });
                named.members += 1;
                named.id
            }
        };
        self.all.entry(id).or_default().members += 1;
        id
    }

    /// It leaves the group that it is in; `name` is the one that it joined by.
    pub(crate) fn leave(&mut self, uid: u32, name: Option<&str>, id: GroupId) {
        if let Some(name) = name {
            let key = (uid, name.to_owned());
            if let Some(named) = self.named.get_mut(&key) {
                named.members -= 1;
                if named.members == 0 {
                    self.named.remove(&key);
                }
            }
        }
        let Some(group) = self.all.get_mut(&id) else { return };
        group.members -= 1;
        if group.members > 0 {
            return;
        }
        for thing in self.all.remove(&id).unwrap_or_default().things {
            self.shared.remove(&thing);
            self.quota.put_back(thing.0, 1);
        }
    }

    /// A member of group `id`, of user `uid`, shares this with whoever says the same. Answers which group has become part of which other one.
    pub(crate) fn bond(&mut self, uid: u32, what: Vec<u8>, id: GroupId) -> Option<(GroupId, GroupId)> {
        let thing = (uid, what);
        let Some(&to) = self.shared.get(&thing) else {
            if self.quota.take(uid, 1).is_ok() {
                self.shared.insert(thing.clone(), id);
                self.all.entry(id).or_default().things.push(thing);
            }
            return None;
        };
        if to == id {
            return None;
        }
        let moved = self.all.remove(&id)?;
        for thing in &moved.things {
            self.shared.insert(thing.clone(), to);
        }
        self.named.values_mut().filter(|named| named.id == id).for_each(|named| named.id = to);
        let group = self.all.entry(to).or_default();
        group.members += moved.members;
        group.things.extend(moved.things);
        Some((id, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shared_by_processes_of_one_user_only() {
        let mut groups = Groups::default();
        let job = groups.join(1000, Some("job"));
        assert_eq!(groups.join(1000, Some("job")), job);
        assert_ne!(groups.join(1001, Some("job")), job);
        assert_ne!(groups.join(1000, Some("other")), job);
        assert_ne!(groups.join(1000, None), groups.join(1000, None));
    }

    #[test]
    fn a_group_that_everybody_left_is_a_new_one_when_it_is_joined_again() {
        let mut groups = Groups::default();
        let job = groups.join(1, Some("job"));
        groups.join(1, Some("job"));
        groups.leave(1, Some("job"), job);
        assert_eq!(groups.join(1, Some("job")), job);
        groups.leave(1, Some("job"), job);
        groups.leave(1, Some("job"), job);
        groups.leave(1, Some("job"), job);
        let again = groups.join(1, Some("job"));
        assert_ne!(again, job);
        groups.leave(1, Some("job"), again);
        let alone = groups.join(1, None);
        groups.leave(1, None, alone);
        assert!(groups.all.is_empty() && groups.named.is_empty());
    }

    #[test]
    fn who_shares_something_is_in_one_group_with_all_who_were_with_either() {
        let mut groups = Groups::default();
        let job = groups.join(1, Some("job"));
        let (exporter, stranger) = (groups.join(1, None), groups.join(2, None));
        assert_eq!(groups.bond(1, b"event".into(), exporter), None);
        assert_eq!(groups.bond(1, b"event".into(), exporter), None, "what is new to nobody joins nobody");
        assert_eq!(groups.bond(2, b"event".into(), stranger), None, "another user's is another thing");
        assert_eq!(groups.bond(1, b"event".into(), job), Some((job, exporter)));
        assert_eq!(groups.join(1, Some("job")), exporter, "the name leads where its members are");
        // Things that were named before lead there too.
        let third = groups.join(1, None);
        assert_eq!(groups.bond(1, b"memory".into(), exporter), None);
        assert_eq!(groups.bond(1, b"memory".into(), third), Some((third, exporter)));
        for (uid, name, group) in
            [(1, Some("job"), exporter), (1, Some("job"), exporter), (1, None, exporter), (1, None, exporter)]
        {
            assert!(groups.all.contains_key(&group));
            groups.leave(uid, name, group);
        }
        groups.leave(2, None, stranger);
        assert!(groups.all.is_empty() && groups.named.is_empty() && groups.shared.is_empty());
        assert_eq!(groups.quota.taken(), 0);
    }

    #[test]
    fn what_a_user_shares_is_bounded() {
        let mut groups = Groups::default();
        let group = groups.join(1, None);
        for n in 0..=1u32 << 15 {
            groups.bond(1, n.to_ne_bytes().into(), group);
        }
        assert_eq!(groups.shared.len(), 1 << 15);
    }
}
