//! Random steps in a small world: 6 clients, 4 groups, 3 devices, 10 queues, so that they meet often.

use proptest::prelude::*;
use std::time::Duration;
use xsched_core::{Fact, Hint, HintKind};

/// One thing that happens, or time that passes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Wait(Duration),
    Join(u32, u32),
    Move(u32, u32),
    Leave(u32),
    /// Queue, client, device, priority.
    Create(u64, u32, u32, Option<i64>),
    Destroy(u64),
    Ready(u64),
    Idle(u64),
    QueueHint(u64, Hint),
    ClientHint(u32, Hint),
    ClientUnset(u32, HintKind),
    ClientFact(u32, Fact),
    /// From now on the queue's numbers stand still, or move.
    Hang(u64, bool),
    /// Another policy, by its place among all of them.
    Repolicy(usize),
}

/// Of four groups on one device, three are equals that can be taken off it, and somebody goes before them.
pub(crate) fn equals() -> impl Iterator<Item = (Step, bool)> {
    let joined = (1..=4u32).flat_map(|n| {
        let (queue, priority) = (u64::from(n) + 3, if n == 4 { 2 } else { 0 });
        let fact = Step::ClientFact(n, Fact::Interruptible(true));
        [Step::Join(n, n), fact, Step::Create(queue, n, 1, Some(priority)), Step::Ready(queue)]
    });
    joined.map(|step| (step, true))
}

/// Up to `most` steps, each with whether a decision follows it.
pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<(Step, bool)>> {
    prop::collection::vec((step(), prop::bool::weighted(0.8)), 1..most)
}

fn step() -> impl Strategy<Value = Step> {
    let (client, group, device, queue) = (1..=6u32, 1..=4u32, 1..=3u32, 1..=10u64);
    let priority = prop::sample::select(vec![-256, -1, 0, 0, 1, 2]);
    let hint = prop_oneof![
        2 => priority.clone().prop_map(|p| Hint::new(HintKind::Priority, p).unwrap()),
        1 => (0..=100i64).prop_map(|u| Hint::new(HintKind::Utilization, u).unwrap()),
        1 => (-1..20_000i64).prop_map(|us| Hint::new(HintKind::Deadline, us).unwrap()),
        1 => (-1..20_000i64).prop_map(|us| Hint::new(HintKind::Laxity, us).unwrap()),
        1 => (-255..3i64).prop_map(|p| Hint::new(HintKind::CriticalPriority, p).unwrap()),
        1 => (1..4i64).prop_map(|k| Hint::new(HintKind::Kdeadline, k).unwrap()),
    ];
    let fact = prop_oneof![
        1 => (-2..3i16).prop_map(Fact::CpuPriority),
        1 => any::<bool>().prop_map(Fact::ActiveWindow),
        3 => prop::bool::weighted(0.8).prop_map(Fact::Interruptible),
    ];
    prop_oneof![
        6 => (0..30_000u64).prop_map(|us| Step::Wait(Duration::from_micros(us))),
        1 => (0..3u64).prop_map(|us| Step::Wait(Duration::from_micros(us * 2_000))),
        4 => (client.clone(), group.clone()).prop_map(|(c, g)| Step::Join(c, g)),
        1 => (client.clone(), group).prop_map(|(c, g)| Step::Move(c, g)),
        1 => client.clone().prop_map(Step::Leave),
        6 => (queue.clone(), client.clone(), device, prop::option::of(priority.clone()))
            .prop_map(|(q, c, d, p)| Step::Create(q, c, d, p)),
        1 => queue.clone().prop_map(Step::Destroy),
        8 => queue.clone().prop_map(Step::Ready),
        4 => queue.clone().prop_map(Step::Idle),
        2 => (queue.clone(), hint.clone()).prop_map(|(q, hint)| Step::QueueHint(q, hint)),
        1 => (client.clone(), hint.clone()).prop_map(|(c, hint)| Step::ClientHint(c, hint)),
        1 => (client.clone(), hint).prop_map(|(c, hint)| Step::ClientUnset(c, hint.kind())),
        3 => (client, fact).prop_map(|(c, fact)| Step::ClientFact(c, fact)),
        2 => (queue, any::<bool>()).prop_map(|(q, hangs)| Step::Hang(q, hangs)),
        1 => (0..64usize).prop_map(Step::Repolicy),
    ]
}
