//! Recordings as xserver makes them, told again.

use super::*;
use xsched_core::{GroupId, Hint, HintKind, Hints};
use xsched_trace::Writer;

const DEVICE: DeviceId = DeviceId(1);
/// The machine has been up for a while.
const BEGIN: u64 = 1_000_000_000_000;

fn at(us: u64) -> Time {
    Time::from_nanos(BEGIN + us * 1_000)
}

/// A scheduler, and what it is told and decides.
struct Live {
    scheduler: Scheduler,
    writer: Writer,
}

impl Live {
    fn new() -> Live {
        let mut settings = Settings::default();
        let mut pairs = vec![("server".into(), "test".into()), ("policy".into(), "HPF".into())];
        pairs.extend(settings.named().map(|(name, value)| (name.to_string(), value.show())));
        Live { scheduler: Scheduler::new(PolicyKind::Hpf, settings), writer: Writer::new(&Header(pairs)) }
    }

    fn tell(&mut self, event: Event, now: Time) {
        self.writer.event(&event, now);
        self.scheduler.handle(event, now);
    }

    fn decide(&mut self, now: Time) {
        let mut operations = Vec::new();
        let next = self.scheduler.decide(now, &mut operations);
        self.writer.decision(&operations, next, now);
    }

    fn join(&mut self, number: u32, priority: i64) {
        let client = ClientId(number);
        let name = Entry::Client { client, pid: 100 + number, program: "p".into() };
        self.writer.entry(&name, at(0));
        self.tell(Event::ClientJoined { client, group: GroupId(number) }, at(0));
        let hint = Hint::new(HintKind::Priority, priority).unwrap();
        self.tell(Event::ClientHint { client, hint }, at(0));
        let hints = Hints::default();
        self.tell(
            Event::QueueCreated { queue: QueueId(u64::from(number)), client, device: DEVICE, hints },
            at(0),
        );
    }
}

/// A greedy process for 20 ms, and an urgent one for 5 of them.
fn story() -> Live {
    let mut live = Live::new();
    live.join(1, 0);
    live.join(2, 10);
    let [greedy, urgent] = [1, 2].map(QueueId);
    for (event, us) in [
        (Event::QueueReady { queue: greedy }, 0),
        (Event::QueueReady { queue: urgent }, 10_000),
        (Event::QueueIdle { queue: urgent }, 15_000),
        (Event::QueueIdle { queue: greedy }, 20_000),
    ] {
        live.tell(event, at(us));
        live.decide(at(us));
        // The grace is over.
        live.decide(at(us + 200));
    }
    live
}

#[test]
fn a_recording_is_reproduced_and_says_who_was_held_for_how_long() {
    let mut live = story();
    live.writer.entry(&Entry::End(End::Closed), at(20_200));
    let recording = Recording::read(&live.writer.take()).unwrap();
    assert_eq!((&recording.cut_off, recording.is_full), (&None, false));
    let replayed = replay(&recording, None);
    assert_eq!(replayed.difference, None);
    assert_eq!((replayed.events, replayed.decisions), (10, 8));
    assert_eq!(replayed.duration, Duration::from_micros(20_200));
    let us = Duration::from_micros;
    let [greedy, urgent] = &replayed.lanes[..] else { panic!() };
    assert_eq!(greedy.name, "p[101]");
    assert_eq!((greedy.ready, greedy.held, greedy.preemptions), (us(20_000), us(5_200), 1));
    assert_eq!((urgent.ready, urgent.held, urgent.preemptions), (us(5_000), us(0), 0));
}

#[test]
fn the_first_decision_that_comes_out_otherwise_is_named_with_its_place() {
    let mut live = story();
    let before = live.writer.len();
    let now = at(30_000);
    live.tell(Event::QueueReady { queue: QueueId(1) }, now);
    let offset = live.writer.len();
    assert!(offset > before);
    let lie = Operation::Suspend { client: ClientId(2), device: DEVICE };
    live.writer.decision(&[lie], None, now);
    let recording = Recording::read(&live.writer.take()).unwrap();
    assert!(recording.cut_off.as_ref().is_some_and(|why| why.contains("end is missing")));
    let difference = replay(&recording, None).difference.unwrap();
    assert_eq!((difference.offset, difference.at), (offset, Duration::from_millis(30)));
    assert_eq!(difference.recorded.0, [lie]);
    assert_ne!(difference.replayed.0, [lie]);
}

#[test]
fn another_policy_holds_others_back_and_is_asked_when_it_wants_to_be() {
    let mut live = Live::new();
    live.join(1, 0);
    live.join(2, 0);
    for queue in [1, 2].map(QueueId) {
        live.tell(Event::QueueReady { queue }, at(0));
    }
    live.decide(at(0));
    // Equal priorities share, so nothing more happens for a while.
    live.tell(Event::QueueIdle { queue: QueueId(1) }, at(100_000));
    live.decide(at(100_000));
    let recording = Recording::read(&live.writer.take()).unwrap();
    let held = |replayed: &Replayed| replayed.lanes.iter().map(|lane| lane.held).sum::<Duration>();
    assert_eq!(held(&replay(&recording, None)), Duration::ZERO);
    let turns = what_if(&recording, PolicyKind::Up, None);
    let ms = held(&turns).as_millis();
    // At any time, one of the two has its turn.
    assert!((95..=100).contains(&ms), "{ms} ms");
    assert!(turns.lanes.iter().all(|lane| lane.preemptions >= 5), "{:?}", turns.lanes);
}

#[test]
fn policies_are_changed_as_they_were() {
    let mut live = story();
    live.scheduler.set_policy(PolicyKind::Up, at(20_200));
    live.writer.entry(&Entry::Policy("UP".into()), at(20_200));
    for queue in [1, 2].map(QueueId) {
        live.tell(Event::QueueReady { queue }, at(30_000));
    }
    live.decide(at(30_000));
    let recording = Recording::read(&live.writer.take()).unwrap();
    let replayed = replay(&recording, None);
    assert_eq!((replayed.difference, replayed.policy_changes), (None, 1));
}

#[test]
fn a_recording_that_was_cut_is_replayed_as_far_as_it_goes_and_one_that_is_broken_is_refused() {
    let bytes = story().writer.take();
    let cut = Recording::read(&bytes[..bytes.len() - 1]).unwrap();
    assert!(cut.cut_off.as_ref().is_some_and(|why| why.contains("within the record")));
    assert_eq!(replay(&cut, None).difference, None);
    let mut broken = bytes.clone();
    broken.push(0x77);
    broken.push(0);
    let error = Recording::read(&broken).unwrap_err();
    assert_eq!(error, format!("byte {}: 0x77 is no kind of record", bytes.len() + 1));
    let header = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Recording::read(&Writer::new(&Header(pairs)).take()).unwrap_err()
    };
    assert!(header(&[]).contains("names no policy"));
    assert!(header(&[("policy", "FIFO")]).contains("\"FIFO\""));
    assert!(header(&[("policy", "HPF")]).contains("does not say grace"));
}
