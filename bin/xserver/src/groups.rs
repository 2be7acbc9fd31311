//! Units of suspension: a process alone, or several of one user that joined by a name.

use crate::numbers;
use std::collections::{BTreeMap, BTreeSet};
use xsched_core::GroupId;

/// Named groups in use, and the numbers of all.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    named: BTreeMap<(u32, String), Entry>,
    used: BTreeSet<u32>,
    last: u32,
}

#[derive(Debug)]
struct Entry {
    id: GroupId,
    members: u32,
}

impl Groups {
    /// A process of user `uid` joins the group `name` of that user, or gets a group of its own.
    pub(crate) fn join(&mut self, uid: u32, name: Option<&str>) -> GroupId {
        let mut fresh = || {
            let number = numbers::next(&mut self.last, |number| self.used.contains(&number));
            self.used.insert(number);
            GroupId(number)
        };
        let Some(name) = name else { return fresh() };
        let entry = self.named.entry((uid, name.into())).or_insert_with(|| Entry { id: fresh(), members: 0 });
        entry.members += 1;
        entry.id
    }

    /// It leaves the group that it joined.
    pub(crate) fn leave(&mut self, uid: u32, name: Option<&str>, group: GroupId) {
        if let Some(name) = name {
            let key = (uid, name.to_owned());
            let Some(entry) = self.named.get_mut(&key) else { return };
            entry.members -= 1;
            if entry.members > 0 {
                return;
            }
            self.named.remove(&key);
        }
        self.used.remove(&group.0);
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
        assert!(groups.used.is_empty() && groups.named.is_empty());
    }
}
