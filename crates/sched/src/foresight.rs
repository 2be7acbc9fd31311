//! What is certain before the next decision: from whom a queue takes the device when it becomes ready.
//!
//! A decision puts in order everything that hangs together, which takes its time. Here is only looked up what cannot come out otherwise,
//! for a caller who has just heard of an urgent queue and wants to hold the others back without delay. Invariant: whoever is named here is
//! held back by the decision that follows, if only the queue's becoming ready is told before it, and no time is over meanwhile. Nothing is
//! remembered, and whoever is not named here may be held back all the same.

use crate::policy::HeldIdle;
use crate::scheduler::Scheduler;
use crate::state::{Device, Queue};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use xsched_core::hint::PRIORITY_NO_EXECUTE;
use xsched_core::{ClientId, GroupId, QueueId};

impl Scheduler {
    /// The clients whose becoming ready would close a gate of another group that is open now: all others can be heard of a little later, and so can those who only end the turn of an
    /// equal ([`Turn`](crate::Turn)). `None` if they are more than `most`, or if
    /// the policy does not go by priorities alone, so that it cannot be said.
    pub fn in_a_hurry(&self, most: usize) -> Option<BTreeSet<ClientId>> {
        let mut found = BTreeSet::new();
        if !self.policy.goes_by_priority_alone() {
            return None;
        }
        let clients =
            |group: GroupId| self.tables.groups.get(&group).into_iter().flat_map(|group| &group.clients);
        found.extend(self.tables.rising.iter().flat_map(|&group| clients(group).copied()));
        for device in self.tables.devices.values() {
            // A group that is ready elsewhere runs everywhere or nowhere, which has to be decided.
            if !device.spanning.is_empty() {
                return None;
            }
            // All below are held. Where nobody is ready, whoever comes holds those who are less urgent.
            let floor = match device.held_idle {
                HeldIdle::Below(floor) => floor,
                HeldIdle::Nobody | HeldIdle::Recent => {
                    let may_run = device.idle.range((PRIORITY_NO_EXECUTE + 1, GroupId(0))..);
                    may_run.map(|&(priority, _)| priority).next().unwrap_or(i64::MAX)
                }
            };
            let Some(above) = floor.checked_add(1) else { continue };
            let idle = device.idle.range((above, GroupId(0))..).map(|&(_, group)| group);
            // Ready or not: what is said of these is the priority of their most urgent queue, which may be idle still.
            let active = device.active.range(..=(Reverse(above), GroupId(u32::MAX))).map(|&(_, group)| group);
            for group in idle.chain(active) {
                found.extend(clients(group).copied());
                if found.len() > most {
                    return None;
                }
            }
        }
        (found.len() <= most).then_some(found)
    }

    /// The clients that run on the queue's device now, and not any more as soon as the queue, idle so far, is told ready.
    pub fn preempted_by(&self, id: QueueId) -> impl Iterator<Item = ClientId> + '_ {
        let queue = self.tables.queues.get(&id);
        // A group that is ready elsewhere runs everywhere or nowhere, which has to be decided.
        let idle = |group| self.tables.groups.get(&group).is_some_and(|group| group.urgent.is_none());
        let urgent = queue.filter(|queue| queue.urgency > PRIORITY_NO_EXECUTE && idle(queue.group));
        let device = urgent.and_then(|queue| Some((queue, self.tables.devices.get(&queue.device)?)));
        // Those who run may be many: where it is known how urgent they all are, and where not even the least urgent ready one is preempted, nobody is.
        let is_no_more_urgent = |queue: &Queue, device: &Device| {
            self.policy.goes_by_priority_alone()
                && matches!(device.held_idle, HeldIdle::Below(floor) if queue.urgency <= floor)
        };
        let device = device.filter(|(queue, device)| !is_no_more_urgent(queue, device));
        let device = device.filter(|(queue, device)| {
            let least = device.ready.last_key_value().map(|((Reverse(priority), _), _)| *priority);
            least.is_some_and(|least| self.policy.preempts_at_once(queue.urgency, least))
        });
        let runs = device.into_iter().flat_map(|(queue, device)| {
            device.running.groups(&device.ready).map(move |group| (queue, group))
        });
        let preempted = runs.filter_map(|(queue, group)| {
            let group = self.tables.groups.get(&group)?;
            let is_preempted = self.policy.preempts_at_once(queue.urgency, group.urgent?) && !group.granted;
            is_preempted.then(|| group.units.get(queue.device)).flatten()
        });
        preempted
            .flat_map(|unit| unit.gates.iter())
            .filter(|(_, gate)| gate.queues > 0)
            .map(|(client, _)| client)
    }
}
