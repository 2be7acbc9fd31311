//! Stories, and files read back.

use super::perfetto::{BEGIN, END, Trace, uuid};
use super::*;
use prost::Message;
use std::time::Duration;
use xsched_core::status::{QueueStatus, QueueTimes};
use xsched_core::{DeviceKey, GroupId, HintKind, Level};

const DEVICE: DeviceId = DeviceId(1);
const GREEDY: ClientId = ClientId(1);
const URGENT: ClientId = ClientId(2);

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

/// A greedy process is held from 20 to 50 ms, because an urgent one comes, and is closed 1 ms later.
fn story() -> Story {
    let queue = |client: ClientId| QueueId(client.0.into());
    let ready = |client| What::Ready { queue: queue(client), client, device: DEVICE };
    let idle = |client| What::Idle { queue: queue(client), client, device: DEVICE };
    let all = [
        (10, What::Joined { client: URGENT }),
        (10, ready(GREEDY)),
        (20, ready(URGENT)),
        (20, What::Suspend { client: GREEDY, device: DEVICE, by: Some(URGENT) }),
        (21, What::Closed { client: GREEDY, device: DEVICE, ns: 1_000_000 }),
        (30, What::Progress { queue: queue(GREEDY), launched: 7, completed: 5 }),
        (50, idle(URGENT)),
        (50, What::Resume { client: GREEDY, device: DEVICE }),
        (60, What::Hint { client: Some(GREEDY), queue: None, name: HintKind::Priority, value: Some(7) }),
        (60, What::Policy { name: "UP".into() }),
    ];
    let happenings: Vec<Happening> = all
        .into_iter()
        .zip(0..)
        .map(|((millis, what), seq)| Happening { seq, at: at(millis), what })
        .collect();
    Story::new(&[], &happenings, at(0), at(100))
}

#[test]
fn each_queue_runs_or_waits_from_its_first_work_to_its_last() {
    let story = story();
    assert_eq!((story.sum("running"), story.sum("waiting")), (90_000_000, 30_000_000));
    assert_eq!((story.sum("held"), story.sum("preemption")), (30_000_000, 1_000_000));
    let held = story.spans.iter().find(|span| span.name == "held").unwrap();
    assert_eq!(held.why.as_deref(), Some("c2 became ready"));
    let marks: Vec<&str> = story.marks.iter().map(|mark| mark.name.as_str()).collect();
    let told = ["suspend c1 on d1: c2 became ready", "resume c1 on d1", "priority of c1: 7", "policy UP"];
    assert_eq!(marks, [&["c2 attached"], &told[..]].concat());
}

#[test]
fn a_perfetto_file_reads_back_with_the_same_spans_on_tracks_that_are_described() {
    let story = story();
    let trace = Trace::decode(perfetto::bytes(&story).as_slice()).unwrap();
    let described: Vec<u64> =
        (trace.packet.iter()).filter_map(|packet| packet.track_descriptor.as_ref()?.uuid).collect();
    let mut open: BTreeMap<u64, Vec<(String, u64)>> = BTreeMap::new();
    let (mut sums, mut last): (BTreeMap<String, u64>, u64) = Default::default();
    for packet in &trace.packet {
        assert_eq!(packet.trusted_packet_sequence_id, Some(1));
        let Some(event) = &packet.track_event else { continue };
        let (track, at) = (event.track_uuid.unwrap(), packet.timestamp.unwrap());
        assert!(described.contains(&track) && at >= last);
        last = at;
        if event.r#type == Some(BEGIN) {
            open.entry(track).or_default().push((event.name.clone().unwrap(), at));
        } else if event.r#type == Some(END) {
            let (name, from) = open.get_mut(&track).unwrap().pop().unwrap();
            *sums.entry(name).or_default() += at - from;
        }
    }
    assert!(open.values().all(Vec::is_empty));
    for name in ["running", "waiting", "held", "preemption"] {
        assert_eq!(sums[name], story.sum(name), "{name}");
    }
    let counters = trace.packet.iter().filter_map(|packet| packet.track_event.as_ref()?.counter_value);
    assert!(counters.eq([7, 5]));
    let parents = trace.packet.iter().filter_map(|packet| packet.track_descriptor.as_ref()?.parent_uuid);
    assert!(parents.clone().count() > 2 && parents.into_iter().all(|parent| described.contains(&parent)));
    assert_eq!(described.first(), Some(&uuid(0)));
}

#[test]
fn a_chrome_file_reads_back_with_the_same_spans() {
    let story = story();
    let file: serde_json::Value = serde_json::from_slice(&chrome::bytes(&story)).unwrap();
    let events = file["traceEvents"].as_array().unwrap();
    for name in ["running", "waiting", "held", "preemption"] {
        let spans = events.iter().filter(|event| event["ph"] == "X" && event["name"] == name);
        let micros: f64 = spans.map(|event| event["dur"].as_f64().unwrap()).sum();
        assert!((micros * 1e3 - story.sum(name) as f64).abs() < 1.0, "{name}");
    }
    assert_eq!(events.iter().filter(|event| event["ph"] == "C").count(), 1);
    assert_eq!(events.iter().filter(|event| event["ph"] == "i").count(), 5);
    assert!(events.iter().all(|event| event["pid"].as_u64() > Some(0)));
}

#[test]
fn a_queue_that_counts_as_ready_and_has_no_work_runs_from_its_first_work_on() {
    let queue = QueueStatus {
        queue: QueueId(1),
        device_id: DEVICE,
        device: DeviceKey::cpu(0),
        level: Level::Block,
        ready: true,
        suspended: false,
        windowed: false,
        awaited: false,
        launched: 1,
        completed: 1,
        suspensions: 0,
        hints: BTreeMap::new(),
        origins: BTreeMap::new(),
        remark: None,
        times: QueueTimes::default(),
    };
    let process = ClientStatus {
        client: GREEDY,
        pid: 1,
        uid: 0,
        program: "it".into(),
        container: None,
        group: GroupId(1),
        group_name: None,
        refused_priority: None,
        level_limit: None,
        threshold: None,
        accounts: vec![],
        queues: vec![queue],
    };
    let what = What::Ready { queue: QueueId(1), client: GREEDY, device: DEVICE };
    let happenings = [Happening { seq: 0, at: at(60), what }];
    assert_eq!(Story::new(&[process], &happenings, at(0), at(100)).sum("running"), 40_000_000);
}
