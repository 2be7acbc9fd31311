//! What is in the ledger after a scheduler was told this and that.

use super::*;
use crate::record::Recorded;
use std::time::Duration;
use xsched_core::{GroupId, Hint, HintKind, Hints};
use xsched_sched::{PolicyKind, Settings};

const DEVICE: DeviceId = DeviceId(1);

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

/// Two processes with a queue each: the second one goes before the first.
fn pair() -> Recorded {
    let mut scheduler = Recorded::new(Scheduler::new(PolicyKind::Hpf, Settings::default()));
    scheduler.ledger.start(at(0));
    for number in [1, 2] {
        let client = ClientId(number);
        scheduler.handle(Event::ClientJoined { client, group: GroupId(number) }, at(0));
        let hint = Hint::new(HintKind::Priority, number.into()).unwrap();
        scheduler.handle(Event::ClientHint { client, hint }, at(0));
        let (queue, hints) = (QueueId(number.into()), Hints::default());
        scheduler.handle(Event::QueueCreated { queue, client, device: DEVICE, hints }, at(0));
    }
    scheduler
}

fn decide(scheduler: &mut Recorded, now: Time) {
    scheduler.decide(now, &mut Vec::new());
}

fn ready(scheduler: &mut Recorded, queue: u64, now: Time) {
    scheduler.handle(Event::QueueReady { queue: QueueId(queue) }, now);
    decide(scheduler, now);
}

fn idle(scheduler: &mut Recorded, queue: u64, now: Time) {
    scheduler.handle(Event::QueueIdle { queue: QueueId(queue) }, now);
    decide(scheduler, now);
}

fn account(scheduler: &Recorded, client: u32, now: Time) -> Account {
    let mut accounts = scheduler.ledger.accounts(ClientId(client), now);
    assert_eq!(accounts.len(), 1);
    accounts.remove(0)
}

const MS: u64 = 1_000_000;

/// Running, waiting, and whether it has work.
fn times(ledger: &Ledger, queue: QueueId, millis: u64) -> (u64, u64, bool) {
    let times = ledger.times(queue, at(millis));
    (times.running_ns, times.waiting_ns, times.has_work)
}

#[test]
fn who_is_held_waits_for_who_runs_and_each_nanosecond_is_counted_once() {
    let mut it = pair();
    ready(&mut it, 1, at(10));
    ready(&mut it, 2, at(30));
    it.ledger.closed(at(31));
    let greedy = account(&it, 1, at(50));
    assert_eq!((greedy.running_ns, greedy.waiting_ns, greedy.suspended_ns), (20 * MS, 20 * MS, 20 * MS));
    assert_eq!(greedy.held_by, [HeldBy { client: ClientId(2), ns: 20 * MS }]);
    assert_eq!((greedy.closing.count, greedy.closing.max_ns), (1, MS));
    assert_eq!(times(&it.ledger, QueueId(1), 50), (20 * MS, 20 * MS, true));
    idle(&mut it, 2, at(70));
    // After the grace time.
    decide(&mut it, at(80));
    let greedy = account(&it, 1, at(100));
    assert_eq!((greedy.running_ns, greedy.waiting_ns), (40 * MS, 50 * MS));
    assert_eq!(times(&it.ledger, QueueId(1), 100), (40 * MS, 50 * MS, true));
    assert_eq!((greedy.waits.count, greedy.waits.sum_ns), (1, 50 * MS));
    let urgent = account(&it, 2, at(100));
    assert_eq!((urgent.running_ns, urgent.waiting_ns, urgent.suspensions), (40 * MS, 0, 0));
    let totals = it.ledger.totals(at(100));
    assert_eq!((totals.suspensions, totals.attached, totals.waits.count), (1, 2, 1));
}

#[test]
fn what_was_in_flight_is_drained_when_the_guest_says_so() {
    let mut it = pair();
    ready(&mut it, 1, at(10));
    ready(&mut it, 2, at(20));
    it.handle(Event::QueueProgress { queue: QueueId(1), launched: 5, completed: 4 }, at(21));
    assert_eq!(it.ledger.totals(at(21)).drain.count, 0);
    it.handle(Event::QueueProgress { queue: QueueId(1), launched: 5, completed: 5 }, at(25));
    it.handle(Event::QueueProgress { queue: QueueId(1), launched: 5, completed: 5 }, at(26));
    let drain = it.ledger.totals(at(30)).drain;
    assert_eq!((drain.count, drain.sum_ns), (1, 5 * MS));
}

#[test]
fn a_queue_that_is_seen_without_work_rests_until_it_is_seen_with_work() {
    let mut it = pair();
    ready(&mut it, 1, at(0));
    let queue = QueueId(1);
    it.ledger.audit(queue, true, true, (1, 0), at(100));
    it.ledger.audit(queue, true, false, (1, 1), at(200));
    // The scheduler still believes that it has some.
    assert!(it.queue(queue).unwrap().ready && !times(&it.ledger, queue, 300).2);
    it.ledger.audit(queue, true, true, (2, 1), at(500));
    assert_eq!(account(&it, 1, at(600)).running_ns, 300 * MS);
    // Its lease has lapsed: it is not looked at again.
    it.ledger.audit(queue, false, true, (2, 1), at(700));
    assert!(it.ledger.watched().is_empty());
    assert_eq!(account(&it, 1, at(900)).running_ns, 400 * MS);
    ready(&mut it, 1, at(900));
    assert_eq!(times(&it.ledger, queue, 950), (450 * MS, 0, true));
}

#[test]
fn who_leaves_takes_all_of_his_along() {
    let mut it = pair();
    ready(&mut it, 1, at(0));
    ready(&mut it, 2, at(1));
    it.ledger.closed(at(1));
    for client in [1, 2] {
        it.handle(Event::ClientLeft { client: ClientId(client) }, at(2));
    }
    decide(&mut it, at(3));
    let ledger = &it.ledger;
    assert!(ledger.queues.is_empty() && ledger.lines.is_empty() && ledger.watched.is_empty());
    assert!(ledger.running.is_empty() && ledger.closing_now.is_empty() && ledger.histograms == 0);
}

#[test]
fn queues_come_and_go_within_a_process() {
    let mut it = pair();
    ready(&mut it, 1, at(0));
    it.handle(Event::QueueDestroyed { queue: QueueId(1) }, at(10));
    decide(&mut it, at(10));
    assert_eq!(account(&it, 1, at(20)).running_ns, 10 * MS);
    assert!(it.ledger.queues.is_empty() && it.ledger.lines.values().all(|line| line.queues.is_empty()));
}

#[test]
fn beyond_so_many_histograms_count_sum_and_maximum_are_kept() {
    let mut ledger = Ledger::default();
    for number in 0..MOST_HISTOGRAMS as u32 + 1 {
        ledger.decided(&[Operation::Suspend { client: ClientId(number), device: DEVICE }], at(1));
    }
    ledger.closed(at(3));
    let closing = |number| ledger.accounts(ClientId(number), at(3)).remove(0).closing;
    let (first, last) = (closing(0), closing(MOST_HISTOGRAMS as u32));
    assert!(first.p50_ns > 0 && last.p50_ns == 0);
    assert_eq!((last.count, last.max_ns), (1, 2 * MS));
}

#[test]
fn what_happens_is_told_to_those_who_follow() {
    let mut it = pair();
    it.ledger.chronicle.read(None, at(0));
    ready(&mut it, 1, at(1));
    ready(&mut it, 2, at(2));
    it.ledger.closed(at(2));
    let (_, lost, list) = it.ledger.chronicle.read(Some(0), at(3));
    let (client, device) = (ClientId(1), DEVICE);
    let what: Vec<What> = list.into_iter().map(|happening| happening.what).collect();
    assert_eq!(lost, 0);
    assert_eq!(
        what,
        [
            What::Ready { queue: QueueId(1), client, device },
            What::Ready { queue: QueueId(2), client: ClientId(2), device },
            What::Suspend { client, device, by: Some(ClientId(2)) },
            What::Closed { client, device, ns: 0 },
        ]
    );
}
