//! From two looks at the server to rows: what happened between them.

use crate::output::printable;
use std::collections::BTreeMap;
use xsched_core::account::{Account, Latency};
use xsched_core::status::{ClientStatus, QueueStatus, ServerStatus};
use xsched_core::{ClientId, DeviceId, HintKind};

/// What the server said at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) server: ServerStatus,
    pub(crate) policies: Vec<String>,
    pub(crate) processes: Vec<ClientStatus>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) client: ClientId,
    pub(crate) pid: u32,
    pub(crate) program: String,
    /// A queue's number, or the device's key.
    pub(crate) what: String,
    pub(crate) priority: i64,
    /// Of the time between the looks: with work and free to run, with work and held back.
    pub(crate) running: f64,
    pub(crate) waiting: f64,
    pub(crate) state: &'static str,
    /// Commands launched in a second.
    pub(crate) launches: f64,
    /// Suspensions in a second.
    pub(crate) suspensions: f64,
    /// Its waits so far.
    pub(crate) waits: Latency,
    /// For whom it waited longest between the looks.
    pub(crate) waits_for: Option<ClientId>,
}

/// By what rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    #[default]
    Share,
    Waiting,
    Priority,
    Launches,
    Number,
}

impl Sort {
    pub(crate) fn next(self) -> Sort {
        match self {
            Sort::Share => Sort::Waiting,
            Sort::Waiting => Sort::Priority,
            Sort::Priority => Sort::Launches,
            Sort::Launches => Sort::Number,
            Sort::Number => Sort::Share,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Share => "share",
            Sort::Waiting => "waiting",
            Sort::Priority => "priority",
            Sort::Launches => "launches",
            Sort::Number => "number",
        }
    }
}

/// Seconds between two looks, by the server's clock.
pub(crate) fn seconds_between(before: &Look, now: &Look) -> f64 {
    let at = |look: &Look| look.server.totals.as_ref().map_or(0, |totals| totals.now.as_nanos());
    at(now).saturating_sub(at(before)).max(1_000_000) as f64 / 1e9
}

/// A row for each process on each device; one for a process that has counted nothing yet.
pub(crate) fn processes(before: &Look, now: &Look) -> Vec<Row> {
    let seconds = seconds_between(before, now);
    let old: BTreeMap<ClientId, &ClientStatus> =
        before.processes.iter().map(|process| (process.client, process)).collect();
    let mut rows = Vec::new();
    for process in &now.processes {
        // A number that was given to another process meanwhile is another process.
        let old = old.get(&process.client).filter(|old| old.pid == process.pid);
        for account in &process.accounts {
            let device = account.device_id;
            let then = old.and_then(|old| old.accounts.iter().find(|account| account.device_id == device));
            let ns = |of: fn(&Account) -> u64| share(of(account), then.map_or(0, of), seconds);
            let queues = || process.queues.iter().filter(|queue| queue.device_id == device);
            let launched = queues().map(|queue| queue.launched).sum::<u64>();
            let launched_then = old.map_or(launched, |old| launched_on(old, device));
            let key = queues().next().map(|queue| queue.device.to_string());
            rows.push(Row {
                what: key.unwrap_or_else(|| device.to_string()),
                priority: queues().filter_map(priority).max().unwrap_or(0),
                running: ns(|account| account.running_ns),
                waiting: ns(|account| account.waiting_ns),
                state: state(queues()),
                launches: launched.saturating_sub(launched_then) as f64 / seconds,
                suspensions: then.map_or(0, |then| account.suspensions.saturating_sub(then.suspensions))
                    as f64
                    / seconds,
                waits: account.waits.clone(),
                waits_for: waited_for(account, then),
                ..row(process)
            });
        }
        if process.accounts.is_empty() {
            let priority = process.queues.iter().filter_map(priority).max().unwrap_or(0);
            rows.push(Row { priority, state: state(process.queues.iter()), ..row(process) });
        }
    }
    rows
}

/// A row for each queue.
pub(crate) fn queues(before: &Look, now: &Look) -> Vec<Row> {
    let seconds = seconds_between(before, now);
    let old: BTreeMap<_, &QueueStatus> = before
        .processes
        .iter()
        .flat_map(|process| &process.queues)
        .map(|queue| (queue.queue, queue))
        .collect();
    let rows =
        now.processes.iter().flat_map(|process| process.queues.iter().map(move |queue| (process, queue)));
    rows.map(|(process, queue)| {
        let then = old.get(&queue.queue);
        let launched = queue.launched.saturating_sub(then.map_or(queue.launched, |then| then.launched));
        Row {
            what: queue.queue.to_string(),
            priority: priority(queue).unwrap_or(0),
            running: share(queue.times.running_ns, then.map_or(0, |then| then.times.running_ns), seconds),
            waiting: share(queue.times.waiting_ns, then.map_or(0, |then| then.times.waiting_ns), seconds),
            state: state(std::iter::once(queue)),
            launches: launched as f64 / seconds,
            ..row(process)
        }
    })
    .collect()
}

/// The rows that are wanted, in their order.
pub(crate) fn arrange(mut rows: Vec<Row>, sort: Sort, filter: &str) -> Vec<Row> {
    let filter = filter.to_lowercase();
    rows.retain(|row| {
        let text = format!("{} {} {} {}", row.client, row.pid, row.program, row.what);
        filter.is_empty() || text.to_lowercase().contains(&filter)
    });
    let key = |row: &Row| match sort {
        Sort::Share => row.running,
        Sort::Waiting => row.waiting,
        Sort::Priority => row.priority as f64,
        Sort::Launches => row.launches,
        Sort::Number => -f64::from(row.client.0),
    };
    rows.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.client.cmp(&b.client)));
    rows
}

fn row(process: &ClientStatus) -> Row {
    Row {
        client: process.client,
        pid: process.pid,
        program: printable(&process.program),
        what: "-".into(),
        priority: 0,
        running: 0.0,
        waiting: 0.0,
        state: "-",
        launches: 0.0,
        suspensions: 0.0,
        waits: Latency::default(),
        waits_for: None,
    }
}

fn share(now: u64, then: u64, seconds: f64) -> f64 {
    (now.saturating_sub(then) as f64 / 1e9 / seconds).min(1.0)
}

fn priority(queue: &QueueStatus) -> Option<i64> {
    queue.hints.get(&HintKind::Priority).copied()
}

fn launched_on(process: &ClientStatus, device: DeviceId) -> u64 {
    process.queues.iter().filter(|queue| queue.device_id == device).map(|queue| queue.launched).sum()
}

fn state<'a>(queues: impl Iterator<Item = &'a QueueStatus>) -> &'static str {
    let (mut is_ready, mut is_suspended) = (false, false);
    for queue in queues {
        is_ready |= queue.times.has_work;
        is_suspended |= queue.suspended;
    }
    match (is_ready, is_suspended) {
        (true, true) => "waits",
        (true, false) => "runs",
        (false, true) => "held",
        (false, false) => "idle",
    }
}

fn waited_for(now: &Account, then: Option<&Account>) -> Option<ClientId> {
    let before = |client| {
        let held = then.and_then(|then| then.held_by.iter().find(|held| held.client == client));
        held.map_or(0, |held| held.ns)
    };
    let passed = now.held_by.iter().map(|held| (held.ns.saturating_sub(before(held.client)), held.client));
    passed.filter(|(ns, _)| *ns > 0).max().map(|(_, client)| client)
}
