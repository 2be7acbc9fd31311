//! Who may do what: a user steers his own processes; root, the `xsched` group and the server's own user steer all.

use xsched_core::{Hint, HintKind, Hints};
use xsched_ipc::peer::{self, Credentials};

/// The rules of this server.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    own_uid: u32,
    service_group: Option<u32>,
    /// The highest priority that ordinary users may ask for.
    ceiling: i64,
}

impl Rights {
    /// Those of this process on this system.
    pub(crate) fn of_this_process(ceiling: u32) -> Rights {
        Rights {
            own_uid: rustix::process::geteuid().as_raw(),
            service_group: peer::group(peer::SERVICE),
            ceiling: ceiling.into(),
        }
    }

    /// Those of root on a system without the group.
    pub(crate) fn of_root(ceiling: u32) -> Rights {
        Rights { own_uid: 0, service_group: None, ceiling: ceiling.into() }
    }

    /// Whether it may steer everything.
    pub(crate) fn is_trusted(&self, who: &Credentials) -> bool {
        who.uid == 0 || who.uid == self.own_uid || self.service_group.is_some_and(|group| who.is_in(group))
    }

    /// The highest priority that it may ask for, if there is a bound.
    pub(crate) fn ceiling_of(&self, who: &Credentials) -> Option<i64> {
        (!self.is_trusted(who)).then_some(self.ceiling)
    }

    /// Whether it may give this hint to a process of user `owner`; otherwise why not.
    pub(crate) fn check_hint(&self, who: &Credentials, owner: u32, hint: Hint) -> Result<(), String> {
        if self.is_trusted(who) {
            return Ok(());
        }
        if who.uid != owner {
            return Err(format!(
                "user {} may steer his own processes only, and this one is of user {owner}; root and the group {} may steer all",
                who.uid,
                peer::SERVICE
            ));
        }
        if self.is_too_high(hint) {
            return Err(format!(
                "priority {} is above {}, the highest that user {} may ask for; root and the group {} may go higher (priority_ceiling)",
                hint.value(),
                self.ceiling,
                who.uid,
                peer::SERVICE
            ));
        }
        Ok(())
    }

    /// Whether it may change what holds for all; otherwise why not.
    pub(crate) fn check_server(&self, who: &Credentials) -> Result<(), String> {
        if self.is_trusted(who) {
            return Ok(());
        }
        Err(format!(
            "user {} may not change the policy; root, the group {} and user {} may",
            who.uid,
            peer::SERVICE,
            self.own_uid
        ))
    }

    /// The hints that a guest starts with, as far as it may have them; with the priority that it asked for, if that was too high.
    pub(crate) fn clamp(&self, who: &Credentials, hints: Hints) -> (Hints, Option<i64>) {
        let asked = hints.iter().find(|hint| self.is_too_high(*hint));
        let Some(asked) = asked.filter(|_| !self.is_trusted(who)) else { return (hints, None) };
        let mut clamped = hints;
        if let Ok(highest) = Hint::new(HintKind::Priority, self.ceiling) {
            clamped.set(highest);
        }
        (clamped, Some(asked.value()))
    }

    fn is_too_high(&self, hint: Hint) -> bool {
        hint.kind() == HintKind::Priority && hint.value() > self.ceiling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: Rights = Rights { own_uid: 50, service_group: Some(77), ceiling: 10 };

    fn who(uid: u32) -> Credentials {
        Credentials { pid: 1, uid, gid: uid, groups: vec![] }
    }

    fn priority(value: i64) -> Hint {
        Hint::new(HintKind::Priority, value).unwrap()
    }

    #[test]
    fn a_user_steers_his_own_processes_up_to_the_ceiling() {
        assert_eq!(RIGHTS.check_hint(&who(1000), 1000, priority(10)), Ok(()));
        let refusal = RIGHTS.check_hint(&who(1000), 1000, priority(11)).unwrap_err();
        assert!(refusal.contains("priority 11 is above 10"), "{refusal}");
        let refusal = RIGHTS.check_hint(&who(1000), 1001, priority(-5)).unwrap_err();
        assert!(refusal.contains("of user 1001"), "{refusal}");
        assert!(RIGHTS.check_server(&who(1000)).is_err());
        let long = Hint::new(HintKind::Timeslice, 1_000_000).unwrap();
        assert_eq!(RIGHTS.check_hint(&who(1000), 1000, long), Ok(()));
    }

    #[test]
    fn root_the_service_group_and_the_servers_own_user_steer_all() {
        let member = Credentials { groups: vec![4, 77], ..who(1000) };
        let primary = Credentials { gid: 77, ..who(1000) };
        for trusted in [who(0), who(50), member, primary] {
            assert_eq!(RIGHTS.check_hint(&trusted, 1234, priority(255)), Ok(()));
            assert_eq!(RIGHTS.check_server(&trusted), Ok(()));
        }
        let without = Rights { service_group: None, ..RIGHTS };
        assert!(!without.is_trusted(&Credentials { gid: 77, ..who(1000) }));
    }

    #[test]
    fn a_guest_that_asks_for_more_than_it_may_starts_at_the_ceiling() {
        let mut hints = Hints::default();
        hints.set(priority(200));
        let (clamped, asked) = RIGHTS.clamp(&who(1000), hints);
        assert_eq!((clamped.priority(), asked), (10, Some(200)));
        assert_eq!(RIGHTS.clamp(&who(0), hints), (hints, None));
        let mut low = Hints::default();
        low.set(priority(-3));
        assert_eq!(RIGHTS.clamp(&who(1000), low), (low, None));
    }
}
