//! Perfetto's protobuf: the few messages of its `Trace` that are needed here, with their numbers from the published
//! definitions (protos/perfetto/trace). What is not needed is left out, which protobuf allows.

use super::Story;
use prost::Message;

/// `perfetto.protos.Trace`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Trace {
    #[prost(message, repeated, tag = "1")]
    pub(crate) packet: Vec<TracePacket>,
}

/// `TracePacket`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TracePacket {
    #[prost(uint64, optional, tag = "8")]
    pub(crate) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "10")]
    pub(crate) trusted_packet_sequence_id: Option<u32>,
    #[prost(message, optional, tag = "11")]
    pub(crate) track_event: Option<TrackEvent>,
    #[prost(uint32, optional, tag = "13")]
    pub(crate) sequence_flags: Option<u32>,
    #[prost(uint32, optional, tag = "58")]
    pub(crate) timestamp_clock_id: Option<u32>,
    #[prost(message, optional, tag = "60")]
    pub(crate) track_descriptor: Option<TrackDescriptor>,
}

/// `TrackDescriptor`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TrackDescriptor {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) uuid: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub(crate) name: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub(crate) process: Option<ProcessDescriptor>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) parent_uuid: Option<u64>,
    #[prost(message, optional, tag = "8")]
    pub(crate) counter: Option<CounterDescriptor>,
}

/// `ProcessDescriptor`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProcessDescriptor {
    #[prost(int32, optional, tag = "1")]
    pub(crate) pid: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(crate) process_name: Option<String>,
}

/// `CounterDescriptor`: all defaults.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CounterDescriptor {}

/// `TrackEvent`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TrackEvent {
    #[prost(message, repeated, tag = "4")]
    pub(crate) debug_annotations: Vec<DebugAnnotation>,
    #[prost(int32, optional, tag = "9")]
    pub(crate) r#type: Option<i32>,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) track_uuid: Option<u64>,
    #[prost(string, repeated, tag = "22")]
    pub(crate) categories: Vec<String>,
    #[prost(string, optional, tag = "23")]
    pub(crate) name: Option<String>,
    #[prost(int64, optional, tag = "30")]
    pub(crate) counter_value: Option<i64>,
}

/// `DebugAnnotation`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DebugAnnotation {
    #[prost(string, optional, tag = "6")]
    pub(crate) string_value: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(crate) name: Option<String>,
}

/// `TrackEvent.Type`
pub(crate) const BEGIN: i32 = 1;
pub(crate) const END: i32 = 2;
const INSTANT: i32 = 3;
const COUNTER: i32 = 4;
/// `BUILTIN_CLOCK_MONOTONIC`
const MONOTONIC: u32 = 3;
/// `SEQ_INCREMENTAL_STATE_CLEARED`
const CLEARED: u32 = 1;
/// Any number but 0.
const SEQUENCE: u32 = 1;

/// The file.
pub(crate) fn bytes(story: &Story) -> Vec<u8> {
    let mut packets: Vec<TracePacket> =
        story.lanes.iter().enumerate().map(|(index, _)| lane(story, index)).collect();
    let mut counted: Vec<usize> = story.counts.iter().map(|count| count.lane).collect();
    counted.sort_unstable();
    counted.dedup();
    for &index in &counted {
        packets.extend(
            ["launched", "completed"].iter().zip(1..).map(|(name, which)| counter(index, which, name)),
        );
    }
    if let Some(first) = packets.first_mut() {
        first.sequence_flags = Some(CLEARED);
    }
    let mut events: Vec<(u64, u8, TracePacket)> = Vec::new();
    for span in &story.spans {
        let why = span
            .why
            .iter()
            .map(|why| DebugAnnotation { name: Some("why".into()), string_value: Some(why.clone()) });
        let begin = TrackEvent {
            r#type: Some(BEGIN),
            name: Some(span.name.into()),
            categories: vec!["xsched".into()],
            debug_annotations: why.collect(),
            ..on(uuid(span.lane))
        };
        let end = TrackEvent { r#type: Some(END), ..on(uuid(span.lane)) };
        // At one time, what ends comes before what begins.
        events.push((span.from.as_nanos(), 2, event(span.from.as_nanos(), begin)));
        events.push((span.to.as_nanos(), 0, event(span.to.as_nanos(), end)));
    }
    for mark in &story.marks {
        let instant = TrackEvent {
            r#type: Some(INSTANT),
            name: Some(mark.name.clone()),
            categories: vec!["xsched".into()],
            ..on(uuid(mark.lane))
        };
        events.push((mark.at.as_nanos(), 1, event(mark.at.as_nanos(), instant)));
    }
    for count in &story.counts {
        for (which, value) in [(1, count.launched), (2, count.completed)] {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            let counted = TrackEvent {
                r#type: Some(COUNTER),
                counter_value: Some(value),
                ..on(uuid(count.lane) + which)
            };
            events.push((count.at.as_nanos(), 1, event(count.at.as_nanos(), counted)));
        }
    }
    events.sort_by_key(|(at, order, _)| (*at, *order));
    packets.extend(events.into_iter().map(|(.., packet)| packet));
    Trace { packet: packets }.encode_to_vec()
}

/// A lane's number; the next two are those of its counters.
pub(crate) fn uuid(lane: usize) -> u64 {
    (lane as u64 + 1) * 4
}

fn lane(story: &Story, index: usize) -> TracePacket {
    let Some(lane) = story.lanes.get(index) else { return TracePacket::default() };
    let process = lane
        .pid
        .map(|pid| ProcessDescriptor { pid: i32::try_from(pid).ok(), process_name: Some(lane.name.clone()) });
    describe(TrackDescriptor {
        uuid: Some(uuid(index)),
        name: process.is_none().then(|| lane.name.clone()),
        parent_uuid: lane.parent.map(uuid),
        process,
        counter: None,
    })
}

fn counter(lane: usize, which: u64, name: &str) -> TracePacket {
    describe(TrackDescriptor {
        uuid: Some(uuid(lane) + which),
        name: Some(name.into()),
        parent_uuid: Some(uuid(lane)),
        process: None,
        counter: Some(CounterDescriptor {}),
    })
}

fn describe(descriptor: TrackDescriptor) -> TracePacket {
    TracePacket {
        track_descriptor: Some(descriptor),
        trusted_packet_sequence_id: Some(SEQUENCE),
        ..TracePacket::default()
    }
}

fn on(track: u64) -> TrackEvent {
    TrackEvent { track_uuid: Some(track), ..TrackEvent::default() }
}

fn event(at: u64, event: TrackEvent) -> TracePacket {
    TracePacket {
        timestamp: Some(at),
        timestamp_clock_id: Some(MONOTONIC),
        trusted_packet_sequence_id: Some(SEQUENCE),
        track_event: Some(event),
        ..TracePacket::default()
    }
}
