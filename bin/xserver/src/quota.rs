//! How much of something there may be, for all users together and for each one but root, so that no user can take it all.

use std::collections::BTreeMap;

/// A bounded stock.
#[derive(Debug)]
pub(crate) struct Quota {
    what: &'static str,
    most: usize,
    most_of_one_user: usize,
    by_user: BTreeMap<u32, usize>,
    total: usize,
}

impl Quota {
    pub(crate) fn new(what: &'static str, most: usize, most_of_one_user: usize) -> Quota {
        Quota { what, most, most_of_one_user, by_user: BTreeMap::new(), total: 0 }
    }

    /// Takes so many for the user, or none; the error says why there are not enough.
    pub(crate) fn take(&mut self, uid: u32, count: usize) -> Result<(), String> {
        let of_user = self.by_user.get(&uid).copied().unwrap_or(0);
        if count > self.most - self.total || uid != 0 && count > self.most_of_one_user.saturating_sub(of_user)
        {
            let (what, total) = (self.what, self.total);
            return Err(format!(
                "too many {what}: {of_user} of user {uid}, {total} in all, and {count} more"
            ));
        }
        if count > 0 {
            self.by_user.insert(uid, of_user + count);
            self.total += count;
        }
        Ok(())
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.total
    }

    /// Puts so many back that the user had.
    pub(crate) fn put_back(&mut self, uid: u32, count: usize) {
        let Some(of_user) = self.by_user.get_mut(&uid) else { return };
        let count = count.min(*of_user);
        *of_user -= count;
        self.total -= count;
        if *of_user == 0 {
            self.by_user.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_gets_his_share_and_root_what_is_left() {
        let mut quota = Quota::new("things", 6, 2);
        assert_eq!(quota.take(1000, 2), Ok(()));
        assert_eq!(quota.take(1000, 1), Err("too many things: 2 of user 1000, 2 in all, and 1 more".into()));
        assert_eq!([quota.take(0, 3), quota.take(0, 1)], [Ok(()), Ok(())]);
        assert!(quota.take(0, 1).is_err() && quota.take(1001, 1).is_err() && quota.take(1002, 0).is_ok());
        quota.put_back(1000, 3);
        quota.put_back(1000, 1);
        assert!(quota.take(1001, 3).is_err(), "more than one user's share");
        assert_eq!(quota.take(1001, 2), Ok(()));
    }
}
