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

    /// Takes one for the user; the error says why there is none.
    pub(crate) fn take(&mut self, uid: u32) -> Result<(), String> {
        let of_user = self.by_user.get(&uid).copied().unwrap_or(0);
        if self.total >= self.most || uid != 0 && of_user >= self.most_of_one_user {
            return Err(format!("too many {}: {of_user} of user {uid}, {} in all", self.what, self.total));
        }
        self.by_user.insert(uid, of_user + 1);
        self.total += 1;
        Ok(())
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.total
    }

    /// Puts one back that the user had.
    pub(crate) fn put_back(&mut self, uid: u32) {
        let Some(of_user) = self.by_user.get_mut(&uid) else { return };
        *of_user -= 1;
        self.total -= 1;
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
        let mut quota = Quota::new("things", 3, 1);
        assert_eq!(quota.take(1000), Ok(()));
        assert_eq!(quota.take(1000), Err("too many things: 1 of user 1000, 1 in all".into()));
        assert_eq!([quota.take(0), quota.take(0)], [Ok(()), Ok(())]);
        assert!(quota.take(0).is_err() && quota.take(1001).is_err());
        quota.put_back(1000);
        quota.put_back(1000);
        assert_eq!(quota.take(1001), Ok(()));
    }
}
