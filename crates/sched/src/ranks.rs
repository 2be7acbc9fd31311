//! How urgent each queue is, in the eyes of the policy in force, and for how long.
//!
//! The tables keep queues in the order of their ranks; so a rank is asked for anew whenever something that it may go by has changed: the
//! queue's hints, its phase, the facts about its process, the policy; or the time has come that the policy named. Invariant: in between, the
//! tables' order is that of the ranks. The policy is not asked about queues of `PRIORITY_NO_EXECUTE`: those never run under any.

use crate::policy::Subject;
use crate::scheduler::Scheduler;
use crate::timers::Timer;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{ClientId, QueueId, Time};

/// The lowest rank of a queue that may run.
const LOWEST: i64 = PRIORITY_NO_EXECUTE + 1;

impl Scheduler {
    /// Asks the policy about the queue, and puts it where it belongs.
    pub(crate) fn rank(&mut self, id: QueueId, now: Time) {
        let Some(queue) = self.tables.queues.get(&id) else { return };
        let facts = self.tables.clients.get(&queue.client).map(|client| client.facts).unwrap_or_default();
        let (mut urgency, mut until) = (PRIORITY_NO_EXECUTE, None);
        if queue.hints.priority() > PRIORITY_NO_EXECUTE {
            let subject = Subject { hints: &queue.hints, facts: &facts, ready_since: queue.ready_since };
            let rank = self.policy.rank(&subject, now);
            (urgency, until) = (rank.urgency.max(LOWEST), rank.until);
        }
        let Some(queue) = self.tables.queues.get_mut(&id) else { return };
        let was_for_a_time = std::mem::replace(&mut queue.is_ranked_for_a_time, until.is_some());
        match until {
            Some(until) => self.timers.set(Timer::Rank(id), until, now),
            None if was_for_a_time => self.timers.clear(Timer::Rank(id)),
            None => {}
        }
        self.changes.groups.extend(self.tables.set_urgency(id, urgency));
    }

    /// Asks about all queues of a process.
    pub(crate) fn rank_client(&mut self, client: ClientId, now: Time) {
        let queues = self.tables.clients.get(&client).map(|client| client.queues.clone());
        queues.into_iter().flatten().for_each(|queue| self.rank(queue, now));
    }

    /// Another policy: asks about all there are.
    pub(crate) fn rank_all(&mut self, now: Time) {
        let queues: Vec<QueueId> = self.tables.queues.keys().copied().collect();
        queues.into_iter().for_each(|queue| self.rank(queue, now));
    }
}
