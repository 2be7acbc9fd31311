//! Chrome's JSON: `traceEvents` of complete events, instants and counters; times in microseconds.

use super::Story;
use serde_json::{Value, json};
use xsched_core::Time;

/// The file.
pub(crate) fn bytes(story: &Story) -> Vec<u8> {
    let mut events: Vec<Value> = Vec::new();
    // A lane is a thread; its group, or it itself, a process.
    let place = |lane: usize| (story.lanes.get(lane).and_then(|it| it.parent).unwrap_or(lane) + 1, lane + 1);
    for (index, lane) in story.lanes.iter().enumerate() {
        let (pid, tid) = place(index);
        let name = match lane.pid {
            Some(of) => format!("{} [{of}]", lane.name),
            None => lane.name.clone(),
        };
        let kind = if lane.parent.is_none() { "process_name" } else { "thread_name" };
        events.push(json!({"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}));
    }
    for span in &story.spans {
        let (pid, tid) = place(span.lane);
        let duration = span.to.since(span.from).as_nanos() as f64 / 1e3;
        let mut event = json!({"ph": "X", "cat": "xsched", "name": span.name, "pid": pid, "tid": tid, "ts": micros(span.from), "dur": duration});
        if let (Some(why), Some(event)) = (&span.why, event.as_object_mut()) {
            event.insert("args".into(), json!({"why": why}));
        }
        events.push(event);
    }
    for mark in &story.marks {
        let (pid, tid) = place(mark.lane);
        events.push(json!({"ph": "i", "s": "p", "cat": "xsched", "name": mark.name, "pid": pid, "tid": tid, "ts": micros(mark.at)}));
    }
    for count in &story.counts {
        let (pid, tid) = place(count.lane);
        let name = story.lanes.get(count.lane).map(|lane| lane.name.as_str()).unwrap_or_default();
        let args = json!({"launched": count.launched, "completed": count.completed});
        events.push(
            json!({"ph": "C", "name": name, "pid": pid, "tid": tid, "ts": micros(count.at), "args": args}),
        );
    }
    let file = json!({"displayTimeUnit": "ns", "traceEvents": events});
    file.to_string().into_bytes()
}

fn micros(at: Time) -> f64 {
    at.as_nanos() as f64 / 1e3
}
