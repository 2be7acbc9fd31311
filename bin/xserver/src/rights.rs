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
        self.check_process(who, owner)?;
        if self.is_trusted(who) {
            return Ok(());
        }
        if let Some(most) = self.most(hint.kind()).filter(|most| hint.value() > *most) {
            return Err(format!(
                "{} {} is above {most}, the highest that user {} may ask for; root and the group {} may go higher{}",
                hint.kind().info().name,
                hint.value(),
                who.uid,
                peer::SERVICE,
                if hint.kind() == HintKind::Kdeadline { "" } else { " (priority_ceiling)" }
            ));
        }
        Ok(())
    }

    /// Whether it may steer a process of user `owner` at all; otherwise why not.
    pub(crate) fn check_process(&self, who: &Credentials, owner: u32) -> Result<(), String> {
        if self.is_trusted(who) || who.uid == owner {
            return Ok(());
        }
        Err(format!(
            "user {} may steer his own processes only, and this one is of user {owner}; root and the group {} may steer all",
            who.uid,
            peer::SERVICE
        ))
    }

    /// Whether it may change what holds for all; otherwise why not.
    pub(crate) fn check_server(&self, who: &Credentials) -> Result<(), String> {
        if self.is_trusted(who) {
            return Ok(());
        }
        Err(format!(
            "user {} may not change the policy or the rules; root, the group {} and user {} may",
            who.uid,
            peer::SERVICE,
            self.own_uid
        ))
    }

    /// The hints that a guest starts with, as far as it may have them; with the first one that it asked for and may not have.
    pub(crate) fn clamp(&self, who: &Credentials, hints: Hints) -> (Hints, Option<Hint>) {
        let (mut clamped, mut refused) = (hints, None);
        for hint in hints.iter().filter(|_| !self.is_trusted(who)) {
            if let Some(most) = self.most(hint.kind()).filter(|most| hint.value() > *most)
                && let Ok(highest) = Hint::new(hint.kind(), most)
            {
                clamped.set(highest);
                refused = refused.or(Some(hint));
            }
        }
        (clamped, refused)
    }

    /// A hint that somebody else's rule gives to a process of his, lowered to what it may have.
    pub(crate) fn lower(&self, who: &Credentials, hint: Hint) -> Hint {
        let most = self.most(hint.kind()).filter(|most| hint.value() > *most && !self.is_trusted(who));
        most.and_then(|most| Hint::new(hint.kind(), most).ok()).unwrap_or(hint)
    }

    /// The highest value of a hint that ordinary users may give, where a higher one would be at the expense of others.
    pub(crate) fn most(&self, kind: HintKind) -> Option<i64> {
        match kind {
            HintKind::Priority | HintKind::LaxPriority | HintKind::CriticalPriority => Some(self.ceiling),
            // It holds for all on the device.
            HintKind::Kdeadline => Some(1),
            HintKind::Utilization
            | HintKind::Timeslice
            | HintKind::Laxity
            | HintKind::Deadline
            | HintKind::Gap => None,
        }
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
        assert_eq!((clamped.priority(), asked), (10, Some(priority(200))));
        assert_eq!(RIGHTS.clamp(&who(0), hints), (hints, None));
        let mut low = Hints::default();
        low.set(priority(-3));
        assert_eq!(RIGHTS.clamp(&who(1000), low), (low, None));
    }

    #[test]
    fn what_else_goes_before_others_is_bounded_as_well() {
        let hint = |kind, value| Hint::new(kind, value).unwrap();
        for kind in [HintKind::LaxPriority, HintKind::CriticalPriority, HintKind::Kdeadline] {
            let refusal = RIGHTS.check_hint(&who(1000), 1000, hint(kind, 11)).unwrap_err();
            assert!(refusal.starts_with(&format!("{} 11 is above", kind.info().name)), "{refusal}");
            let mut hints = Hints::default();
            hints.set(hint(kind, 200));
            let (clamped, refused) = RIGHTS.clamp(&who(1000), hints);
            assert!(clamped.get(kind) <= 10, "{clamped:?}");
            assert_eq!(refused, Some(hint(kind, 200)));
            assert_eq!(RIGHTS.clamp(&who(0), hints), (hints, None));
        }
    }
}
