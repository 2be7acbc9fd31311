//! What is certain before the next decision: from whom a queue takes the device when it becomes ready.
//!
//! A decision puts in order everything that hangs together, which takes its time. Here is only looked up what cannot come out otherwise,
//! for a caller who has just heard of an urgent queue and wants to hold the others back without delay. Invariant: whoever is named here is
//! held back by the decision that follows, if only the queue's becoming ready is told before it, and no time is over meanwhile. Nothing is
//! remembered, and whoever is not named here may be held back all the same.

use crate::scheduler::Scheduler;
use std::cmp::Reverse;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{ClientId, QueueId};

impl Scheduler {
    /// The clients that run on the queue's device now, and not any more as soon as the queue, idle so far, is told ready.
    pub fn preempted_by(&self, id: QueueId) -> impl Iterator<Item = ClientId> + '_ {
        let queue = self.tables.queues.get(&id);
        // A group that is ready elsewhere runs everywhere or nowhere, which has to be decided.
        let idle = |group| self.tables.groups.get(&group).is_some_and(|group| group.urgent.is_none());
        let urgent = queue.filter(|queue| queue.urgency > PRIORITY_NO_EXECUTE && idle(queue.group));
        let device = urgent.and_then(|queue| Some((queue, self.tables.devices.get(&queue.device)?)));
        // Where not even the least urgent one is preempted, nobody is: equals may be many.
        let device = device.filter(|(queue, device)| {
            let least = device.ready.last_key_value().map(|((Reverse(priority), _), _)| *priority);
            least.is_some_and(|least| self.policy.preempts_at_once(queue.urgency, least))
        });
        let runs = device
            .into_iter()
            .flat_map(|(queue, device)| device.running.iter().map(move |group| (queue, group)));
        let preempted = runs.filter_map(|(queue, group)| {
            let group = self.tables.groups.get(group)?;
            let is_preempted = self.policy.preempts_at_once(queue.urgency, group.urgent?) && !group.granted;
            is_preempted.then(|| group.units.get(&queue.device)).flatten()
        });
        preempted
            .flat_map(|unit| unit.gates.iter())
            .filter(|(_, gate)| gate.queues > 0)
            .map(|(&client, _)| client)
    }
}
