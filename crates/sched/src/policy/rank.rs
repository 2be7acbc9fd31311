//! How urgent a queue is in the eyes of a policy, and what it may go by: see [`Policy::rank`](super::Policy::rank).

use xsched_core::{Facts, Hints, Time};

/// A queue, as far as a policy may go by it when it says how urgent it is.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its hints. Its priority is not `PRIORITY_NO_EXECUTE`.
    pub hints: &'a Hints,
    /// The facts about its process, as far as the policy wants them ([`PolicyInfo::wants`](super::PolicyInfo::wants)).
    pub facts: &'a Facts,
    /// Since when it has had work, gaps within its grace included; `None` if it has none.
    pub ready_since: Option<Time>,
}

/// How urgent a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// The higher, the sooner. Anything below the lowest priority counts as that.
    pub urgency: i64,
    /// When to ask again even if nothing about the queue changes.
    pub until: Option<Time>,
}

/// For good.
impl From<i64> for Rank {
    fn from(urgency: i64) -> Rank {
        Rank { urgency, until: None }
    }
}
