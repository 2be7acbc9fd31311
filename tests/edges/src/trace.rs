//! A recording of xserver, for `xcli sim --trace`: it is read and replayed, or refused with its place.

use crate::Seed;
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hints, Operation, QueueId, Time};
use xsched_sched::PolicyKind;
use xsched_sim::replay::{Recording, replay, what_if};
use xsched_trace::{End, Entry, Header, Reader, Writer};

/// What is read is written such that it reads the same, and can be replayed under any policy.
pub(crate) fn run(data: &[u8]) {
    if let Ok((header, reader)) = Reader::new(data)
        && let Ok(entries) = reader.collect::<Result<Vec<_>, _>>()
    {
        let mut writer = Writer::new(&header);
        entries.iter().for_each(|(time, entry)| writer.entry(entry, *time));
        let written = writer.take();
        let (again, reader) = Reader::new(&written).unwrap_or_else(|error| panic!("{error}"));
        assert!(again == header && reader.eq(entries.into_iter().map(Ok)));
    }
    let Ok(recording) = Recording::read(data) else { return };
    let replayed = replay(&recording, None);
    assert!(replayed.lanes.iter().all(|lane| lane.held <= lane.ready && lane.longest_held <= lane.held));
    // A policy of turns is asked again and again: in a story of years, too often for a test.
    if recording.duration() <= Duration::from_secs(10) {
        what_if(&recording, PolicyKind::Up, None);
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let pairs = [
        ("server", "xserver"),
        ("policy", "HPF"),
        ("grace", "200us"),
        ("lease", "1s"),
        ("max_suspend", "2s"),
        ("grant", "10ms"),
        ("handover", "100ms"),
        ("contended_linger", "10s"),
    ];
    let header = Header(pairs.map(|(name, value)| (name.into(), value.into())).into());
    let (client, device, queue) = (ClientId(1), DeviceId(1), QueueId(1));
    let at = |us: u64| Time::from_nanos(us * 1_000);
    let mut writer = Writer::new(&header);
    writer.entry(&Entry::Client { client, pid: 4711, program: "greedy".into() }, at(1));
    writer.event(&Event::ClientJoined { client, group: GroupId(1) }, at(1));
    writer.entry(&Entry::Device { device, key: "cpu:0".into() }, at(1));
    writer.event(&Event::QueueCreated { queue, client, device, hints: Hints::default() }, at(2));
    writer.event(&Event::QueueReady { queue }, at(3));
    writer.decision(&[Operation::Suspend { client, device }], Some(at(900)), at(3));
    writer.entry(&Entry::Policy("UP".into()), at(4));
    writer.event(&Event::QueueIdle { queue }, at(800));
    writer.decision(&[], None, at(1_000));
    writer.entry(&Entry::End(End::Closed), at(1_001));
    let mut hopeless = Writer::new(&Header::default());
    hopeless.event(&Event::QueueReady { queue }, at(1));
    vec![("whole", writer.take()), ("without-header", hopeless.take())]
}
