//! What is in a file after a scheduler was told this and that.

use super::*;
use std::path::PathBuf;
use xsched_core::{GroupId, Hint, HintKind, Hints, QueueId};
use xsched_sched::Settings;
use xsched_trace::Reader;

const DEVICE: DeviceId = DeviceId(1);

fn at(us: u64) -> Time {
    Time::from_nanos(us * 1_000)
}

/// A recorded scheduler, and its file.
fn recorded(limit: u64) -> (Recorded, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.trace");
    let mut recorded = Recorded::new(Scheduler::new(PolicyKind::Hpf, Settings::default()));
    recorded.record(Recorder::create(&path).unwrap(), limit);
    (recorded, path, folder)
}

/// A process with one queue.
fn join(recorded: &mut Recorded, number: u32, priority: i64, now: Time) {
    let client = ClientId(number);
    recorded.name_client(client, 4711, "program");
    recorded.handle(Event::ClientJoined { client, group: GroupId(number) }, now);
    let hint = Hint::new(HintKind::Priority, priority).unwrap();
    recorded.handle(Event::ClientHint { client, hint }, now);
    recorded.name_device(DEVICE, &DeviceKey::cpu(0));
    let (queue, hints) = (QueueId(u64::from(number)), Hints::default());
    recorded.handle(Event::QueueCreated { queue, client, device: DEVICE, hints }, now);
}

fn decide(recorded: &mut Recorded, now: Time) -> (Vec<Operation>, Option<Time>) {
    let mut out = Vec::new();
    let next = recorded.decide(now, &mut out);
    (out, next)
}

fn entries(path: &PathBuf) -> Vec<(Time, Entry)> {
    let bytes = std::fs::read(path).unwrap();
    let (header, reader) = Reader::new(&bytes).unwrap();
    assert_eq!((header.get("policy"), header.get("grace")), (Some("HPF"), Some("200us")));
    reader.collect::<Result<_, _>>().unwrap()
}

#[test]
fn events_decisions_and_policies_are_in_the_file_in_their_order_and_the_end_too() {
    let (mut recorded, path, _folder) = recorded(1 << 20);
    join(&mut recorded, 1, 0, at(1));
    join(&mut recorded, 2, 5, at(1));
    decide(&mut recorded, at(1));
    let queue = QueueId(2);
    recorded.handle(Event::QueueReady { queue }, at(2));
    let (operations, next) = decide(&mut recorded, at(3));
    assert!(!operations.is_empty());
    recorded.set_policy(PolicyKind::Up, at(3));
    recorded.finish();
    let entries = entries(&path);
    let names =
        entries.iter().filter(|(_, entry)| matches!(entry, Entry::Client { .. } | Entry::Device { .. }));
    assert_eq!(names.count(), 3, "two processes, and one device once");
    let [.., ready, decided, policy, end] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(*ready, (at(2), Entry::Event(Event::QueueReady { queue })));
    assert_eq!(*decided, (at(3), Entry::Decision { operations, next }));
    assert_eq!(*policy, (at(3), Entry::Policy("UP".into())));
    assert_eq!(*end, (at(3), Entry::End(End::Closed)));
}

#[test]
fn decisions_about_nothing_are_left_out() {
    let (mut recorded, path, _folder) = recorded(1 << 20);
    join(&mut recorded, 1, 0, at(1));
    decide(&mut recorded, at(1));
    (2..100).for_each(|n| drop(decide(&mut recorded, at(n))));
    recorded.set_policy(PolicyKind::Up, at(99));
    (100..200).for_each(|n| drop(decide(&mut recorded, at(n))));
    recorded.finish();
    let decisions: Vec<Time> = (entries(&path).into_iter())
        .filter_map(|(time, entry)| matches!(entry, Entry::Decision { .. }).then_some(time))
        .collect();
    assert_eq!(decisions, [at(1), at(100)]);
}

#[test]
fn a_recording_ends_within_its_limit_with_whole_entries_and_the_scheduler_goes_on() {
    let (mut recorded, path, _folder) = recorded(1_000);
    join(&mut recorded, 1, 0, at(1));
    let queue = QueueId(1);
    for n in 2..500 {
        // Larger than what is kept free for the end.
        recorded.name_client(ClientId(1), 4711, &"program".repeat(n as usize % 30));
        recorded.handle(Event::QueueReady { queue }, at(n));
        decide(&mut recorded, at(n));
    }
    assert!(recorded.recording.is_none() && recorded.is_ready(queue));
    // Nobody waits for the file at its end.
    let is_whole = || {
        let bytes = std::fs::read(&path).unwrap();
        Reader::new(&bytes)
            .is_ok_and(|(_, mut reader)| reader.by_ref().all(|entry| entry.is_ok()) && reader.is_over())
    };
    (0..500).take_while(|_| !is_whole()).for_each(|_| std::thread::sleep(Duration::from_millis(10)));
    assert!(std::fs::metadata(&path).unwrap().len() <= 1_000);
    let entries = entries(&path);
    assert_eq!(entries.last().map(|(_, entry)| entry), Some(&Entry::End(End::Full)));
    assert!(entries.len() > 15, "{}", entries.len());
}

#[test]
fn what_was_recorded_is_in_the_file_after_a_second_although_nobody_ends_it() {
    let (mut recorded, path, _folder) = recorded(1 << 20);
    join(&mut recorded, 1, 0, at(1));
    decide(&mut recorded, at(1));
    let due = recorded.flush_due().unwrap();
    assert!(due <= at(1) + FLUSH);
    decide(&mut recorded, due);
    assert_eq!(recorded.flush_due(), None);
    let is_there = || std::fs::metadata(&path).is_ok_and(|data| data.len() > 50);
    (0..500).take_while(|_| !is_there()).for_each(|_| std::thread::sleep(Duration::from_millis(10)));
    assert!(entries(&path).len() >= 5);
}
