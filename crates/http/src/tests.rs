//! The document against what is really answered: a route or a field that one of them lacks fails here.

use crate::metrics;
use crate::routes::OPENAPI;
use crate::snapshot::Snapshot;
use serde_json::Value;
use std::collections::BTreeSet;
use xsched_core::account::{Account, Happening, HeldBy, Latency, Totals, What};
use xsched_core::status::{ClientStatus, Origin, QueueStatus, QueueTimes, ServerStatus};
use xsched_core::{ClientId, DeviceId, DeviceKey, GroupId, HintKind, HintSource, Level, QueueId, Time};

pub(crate) fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// A process with one of everything.
pub(crate) fn process(number: u32) -> ClientStatus {
    let origin = Origin { source: HintSource::Rule, rule: Some("/etc/x:1".into()) };
    let latency = Latency { count: 1, sum_ns: 5, max_ns: 5, buckets: vec![1], ..Latency::default() };
    let queue = QueueStatus {
        queue: QueueId(number.into()),
        device_id: DeviceId(1),
        device: DeviceKey::cpu(0),
        level: Level::Block,
        ready: true,
        suspended: true,
        windowed: true,
        awaited: false,
        launched: 7,
        completed: 6,
        suspensions: 1,
        hints: [(HintKind::Priority, 5)].into(),
        origins: [(HintKind::Priority, origin)].into(),
        remark: None,
        times: QueueTimes::default(),
    };
    let account = Account {
        device_id: DeviceId(1),
        running_ns: 1_500_000_000 + u64::from(number),
        waiting_ns: 1,
        suspended_ns: 2,
        suspensions: 3,
        closing: latency.clone(),
        drain: latency.clone(),
        waits: latency,
        held_by: vec![HeldBy { client: ClientId(9), ns: 1 }],
    };
    ClientStatus {
        client: ClientId(number),
        pid: 4711,
        uid: 1000,
        program: "a \"b\"\\".into(),
        group: GroupId(1),
        container: None,
        group_name: None,
        refused_priority: None,
        level_limit: None,
        threshold: None,
        accounts: vec![account],
        queues: vec![queue],
    }
}

pub(crate) fn snapshot(processes: u32) -> Snapshot {
    let server = ServerStatus {
        version: "1".into(),
        pid: 1,
        policy: "HPF".into(),
        clients: processes,
        queues: processes,
        devices: vec![DeviceKey::cpu(0)],
        policy_reads: vec![],
        priority_ceiling: None,
        may_steer_all: true,
        totals: Some(Totals::default()),
    };
    Snapshot { server, policies: vec![], processes: (1..=processes).map(process).collect() }
}

/// The fields of a value and those that the document says.
fn compare(name: &str, value: &impl serde::Serialize) {
    let document = document();
    let schemas = &document["components"]["schemas"];
    check(name, schemas, &schemas[name], &serde_json::to_value(value).unwrap());
}

pub(crate) fn check(place: &str, schemas: &Value, schema: &Value, value: &Value) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return check(name, schemas, &schemas[name], value);
    }
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            let known = schema["properties"].as_object().unwrap();
            let said: BTreeSet<_> = fields.keys().collect();
            let documented: BTreeSet<_> = known.keys().collect();
            assert!(said.is_subset(&documented), "{place}: {said:?} has more than {documented:?}");
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(required.as_str().unwrap()), "{place}: no {required}");
            }
            fields
                .iter()
                .for_each(|(name, value)| check(&format!("{place}.{name}"), schemas, &known[name], value));
        }
        Value::Array(items) => items.iter().for_each(|item| check(place, schemas, &schema["items"], item)),
        _ => {}
    }
}

#[test]
fn what_is_answered_has_the_fields_that_the_document_says() {
    compare("Process", &process(1));
    compare("Totals", &Totals::default());
    let (queue, client, device) = (QueueId(1), ClientId(1), DeviceId(1));
    for what in [
        What::Ready { queue, client, device },
        What::Idle { queue, client, device },
        What::Suspend { client, device, by: Some(client) },
        What::Closed { client, device, ns: 1 },
        What::Resume { client, device },
        What::Progress { queue, launched: 1, completed: 1 },
        What::Joined { client },
        What::Left { client },
        What::Hint { client: Some(client), queue: Some(queue), name: HintKind::Priority, value: Some(1) },
        What::Policy { name: "UP".into() },
    ] {
        let happening = Happening { seq: 1, at: Time::ZERO, what };
        let value = serde_json::to_value(&happening).unwrap();
        let known = &document()["components"]["schemas"]["Happening"]["properties"]["what"]["enum"];
        assert!(known.as_array().unwrap().contains(&value["what"]), "{value}");
        compare("Happening", &happening);
    }
}

#[test]
fn each_route_is_in_the_document_and_each_path_of_the_document_is_a_route() {
    let source = include_str!("routes.rs");
    let (mut routes, document) = (BTreeSet::new(), document());
    for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').unwrap();
        routes.insert((path.to_owned(), "get".to_owned()));
        if handlers.contains(".put(") {
            routes.insert((path.to_owned(), "put".to_owned()));
        }
    }
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(routes, documented);
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    let document = document();
    let mut rest = OPENAPI;
    while let Some((_, behind)) = rest.split_once("#/components/schemas/") {
        let name = behind.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
        rest = behind;
    }
}

#[test]
fn metrics_are_well_formed_and_bounded_however_many_processes_there_are() {
    let text = metrics::text(&snapshot(5_000));
    let lines = text.lines().count();
    assert!(lines < 12 * metrics::MOST_PROCESSES && text.contains("\nxsched_processes_left_out 4800\n"));
    let mut declared = BTreeSet::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            assert!(declared.insert(head.split(' ').next().unwrap().to_owned()), "twice: {head}");
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = name.split('{').next().unwrap();
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(declared.contains(name) || declared.contains(base), "{line}");
    }
    // Those that had the device for longest.
    assert!(text.contains("client=\"c5000\"") && !text.contains("client=\"c1\""));
    assert!(text.contains("program=\"a \\\"b\\\"\\\\\""));
}

/// Metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("xsched_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

#[test]
fn dashboard_and_alerts_name_metrics_that_there_are() {
    let metrics = metrics::text(&snapshot(1));
    let there: BTreeSet<String> = (metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")))
        .map(|head| head.split(' ').next().unwrap().to_owned())
        .collect();
    let dashboard = include_str!("../../../packaging/grafana/xsched.json");
    let panels = serde_json::from_str::<Value>(dashboard).unwrap()["panels"].as_array().unwrap().len();
    assert!(panels >= 10);
    let alerts = include_str!("../../../packaging/prometheus/xsched-alerts.yml");
    for text in [dashboard, alerts] {
        let named = named(text);
        assert!(!named.is_empty() && named.is_subset(&there), "{named:?} in {there:?}");
    }
}

/// promtool, or a line that it is not there.
fn promtool(arguments: &[&str], input: &str) -> Option<std::process::Output> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/prometheus");
    let mut command = Command::new("promtool");
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn prometheus_own_tool_takes_the_metrics_and_the_alerts_and_the_alerts_fire_when_they_should() {
    let metrics = metrics::text(&snapshot(3));
    for (arguments, input) in [
        (&["check", "metrics"][..], metrics.as_str()),
        (&["check", "rules", "xsched-alerts.yml"], ""),
        (&["test", "rules", "xsched-alerts.test.yml"], ""),
    ] {
        let Some(output) = promtool(arguments, input) else { return };
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
    }
}
