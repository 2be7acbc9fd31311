//! Units of suspension: a process alone, or several of one user that joined by a name.

use std::collections::BTreeMap;
use xsched_core::GroupId;

/// Named groups in use, and the numbers of all.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    named: BTreeMap<(u32, String), Entry>,
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
            self.last += 1;
            GroupId(self.last)
        };
        let Some(name) = name else { return fresh() };
        let entry = self.named.entry((uid, name.into())).or_insert_with(|| Entry { id: fresh(), members: 0 });
        entry.members += 1;
        entry.id
    }

    /// It leaves.
    pub(crate) fn leave(&mut self, uid: u32, name: Option<&str>) {
        let Some(name) = name else { return };
        let key = (uid, name.to_owned());
        if let Some(entry) = self.named.get_mut(&key) {
            entry.members -= 1;
            if entry.members == 0 {
                self.named.remove(&key);
            }
        }
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
        groups.leave(1, Some("job"));
        assert_eq!(groups.join(1, Some("job")), job);
        groups.leave(1, Some("job"));
        groups.leave(1, Some("job"));
        groups.leave(1, Some("job"));
        assert_ne!(groups.join(1, Some("job")), job);
    }
}
