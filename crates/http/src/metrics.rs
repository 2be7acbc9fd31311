//! `/metrics`: what a snapshot says, in the text format that Prometheus and others read.
//!
//! Bounded: the [`MOST_PROCESSES`] processes that had the device for longest have lines of their own, and the number of those left out is said.
//! Queues have none: `/v1/queues` has them. Times are seconds, as that format wants it.

use crate::snapshot::Snapshot;
use std::fmt::Write;
use xsched_core::HintKind;
use xsched_core::account::{Account, BOUNDS_NS, Latency, Totals};
use xsched_core::status::ClientStatus;

/// Processes with lines of their own.
pub const MOST_PROCESSES: usize = 200;

/// Of one process on one device: name, kind, help, value.
type Row = (&'static str, &'static str, &'static str, fn(&Account, &ClientStatus) -> f64);

const ROWS: &[Row] = &[
    (
        "xsched_process_running_seconds_total",
        "counter",
        "Time with work on the device while not held back.",
        |account, _| seconds(account.running_ns),
    ),
    ("xsched_process_waiting_seconds_total", "counter", "Time with work while held back.", |account, _| {
        seconds(account.waiting_ns)
    }),
    (
        "xsched_process_suspended_seconds_total",
        "counter",
        "Time held back, with work or without.",
        |account, _| seconds(account.suspended_ns),
    ),
    ("xsched_process_suspensions_total", "counter", "Times that the process was held back.", |account, _| {
        account.suspensions as f64
    }),
    (
        "xsched_process_commands_launched",
        "gauge",
        "Commands launched on the queues that the process has now.",
        |account, process| sum(account, process, |queue| queue.launched),
    ),
    (
        "xsched_process_commands_completed",
        "gauge",
        "Commands known to be completed on the queues that the process has now.",
        |account, process| sum(account, process, |queue| queue.completed),
    ),
    ("xsched_process_queues_ready", "gauge", "Queues of the process that have work.", |account, process| {
        sum(account, process, |queue| queue.ready.into())
    }),
    ("xsched_process_suspended", "gauge", "1 while the process is held back.", |account, process| {
        f64::from(u8::from(on(account, process).any(|queue| queue.suspended)))
    }),
    (
        "xsched_process_priority",
        "gauge",
        "Priority, the highest of the process's queues on the device.",
        |account, process| {
            let priorities = on(account, process).filter_map(|queue| queue.hints.get(&HintKind::Priority));
            priorities.max().copied().unwrap_or(0) as f64
        },
    ),
];

/// All of it.
pub(crate) fn text(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    let server = &snapshot.server;
    let totals = server.totals.clone().unwrap_or_default();
    let mut one = |name: &str, kind: &str, help: &str, labels: &str, value: f64| {
        head(&mut out, name, kind, help);
        let _ = writeln!(out, "{name}{labels} {value}");
    };
    let version = format!("{{version={}}}", quoted(&server.version));
    one("xsched_build_info", "gauge", "Version of xserver.", &version, 1.0);
    let policy = format!("{{policy={}}}", quoted(&server.policy));
    one("xsched_policy_info", "gauge", "The policy in force.", &policy, 1.0);
    let up = seconds(totals.now.as_nanos().saturating_sub(totals.started.as_nanos()));
    one("xsched_uptime_seconds", "gauge", "Time since xserver started.", "", up);
    one("xsched_processes", "gauge", "Attached processes.", "", server.clients.into());
    one("xsched_queues", "gauge", "Queues of all of them.", "", server.queues.into());
    one("xsched_devices", "gauge", "Devices in use.", "", server.devices.len() as f64);
    one("xsched_attached_total", "counter", "Processes that attached.", "", totals.attached as f64);
    one("xsched_events_total", "counter", "Things that the scheduler was told.", "", totals.events as f64);
    one(
        "xsched_decisions_total",
        "counter",
        "Times that the scheduler was asked.",
        "",
        totals.decisions as f64,
    );
    one(
        "xsched_suspensions_total",
        "counter",
        "Times that a process was held back.",
        "",
        totals.suspensions as f64,
    );
    type Of = fn(&Totals) -> &Latency;
    let histograms: [(&str, &str, Of); 3] = [
        (
            "xsched_preemption_closing_seconds",
            "From the edge that led to a suspension until the gate was closed.",
            |totals| &totals.closing,
        ),
        (
            "xsched_preemption_drain_seconds",
            "From there until what was in flight was done, where the program said so.",
            |totals| &totals.drain,
        ),
        ("xsched_wait_seconds", "How long processes with work were held back, each time.", |totals| {
            &totals.waits
        }),
    ];
    for (name, help, of) in histograms {
        histogram(&mut out, name, help, of(&totals));
    }
    let mut lines: Vec<(&ClientStatus, &Account)> = (snapshot.processes.iter())
        .flat_map(|process| process.accounts.iter().map(move |account| (process, account)))
        .collect();
    lines.sort_by_key(|(process, account)| {
        (std::cmp::Reverse(account.running_ns + account.waiting_ns), process.client)
    });
    let left_out = lines.len().saturating_sub(MOST_PROCESSES);
    lines.truncate(MOST_PROCESSES);
    head(
        &mut out,
        "xsched_processes_left_out",
        "gauge",
        "Processes without lines of their own, because there are so many.",
    );
    let _ = writeln!(out, "xsched_processes_left_out {left_out}");
    for (name, kind, help, value) in ROWS {
        head(&mut out, name, kind, help);
        for (process, account) in &lines {
            let device =
                on(account, process).next().map(|queue| queue.device.to_string()).unwrap_or_default();
            let _ = writeln!(
                out,
                "{name}{{client=\"{}\",pid=\"{}\",program={},device={}}} {}",
                process.client,
                process.pid,
                quoted(&process.program),
                quoted(&device),
                value(account, process)
            );
        }
    }
    out
}

fn on<'a>(
    account: &Account,
    process: &'a ClientStatus,
) -> impl Iterator<Item = &'a xsched_core::status::QueueStatus> + use<'a> {
    let device = account.device_id;
    process.queues.iter().filter(move |queue| queue.device_id == device)
}

fn sum(account: &Account, process: &ClientStatus, of: fn(&xsched_core::status::QueueStatus) -> u64) -> f64 {
    on(account, process).map(of).sum::<u64>() as f64
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn histogram(out: &mut String, name: &str, help: &str, latency: &Latency) {
    head(out, name, "histogram", help);
    for (bound, count) in BOUNDS_NS.iter().zip(&latency.buckets) {
        let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {count}", seconds(*bound));
    }
    let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", latency.count);
    let _ = writeln!(out, "{name}_sum {}\n{name}_count {}", seconds(latency.sum_ns), latency.count);
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The value of a label: a program may have any name.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out + "\""
}
