//! `xcli list`: one line for each queue, and one for each client that has none.
//!
//! Deliberately absent: anything that follows changes; call it again, or from `watch`.

use crate::containers::Names;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Table, printable, width};
use clap::Args;
use std::collections::BTreeMap;
use std::path::Path;
use xsched_core::status::{ClientStatus, Origin, QueueStatus};
use xsched_core::{HintKind, HintSource};

/// List the queues of all clients
///
/// STATE is "running" for a queue that has work and may run, "suspended" for one that has work and is held back, "idle" for one
/// that has none, and "idle,held" for one that has none and would be held back. LV is the preemption level: 1 block, 2
/// deactivate, 3 interrupt. BY says who gave the priority: e the environment, p the program, u its user, r a rule, o the operator, -
/// nobody; --hints shows all hints so. LAUNCHED counts commands, SUSP suspensions. On a terminal, lines are cut to its width; --json has
/// everything.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Show every hint with its value and where that came from, a line for each
    #[arg(long)]
    hints: bool,
}

const COLUMNS: &[Column] = &[
    Column::Text("ID"),
    Column::Number("PID"),
    Column::CutEnd("USER"),
    Column::CutEnd("PROGRAM"),
    Column::CutEnd("GROUP"),
    Column::Text("QUEUE"),
    Column::CutStart("DEVICE"),
    Column::Text("LV"),
    Column::Number("PRIO"),
    Column::Text("BY"),
    Column::Text("STATE"),
    Column::Number("LAUNCHED"),
    Column::Number("SUSP"),
];

impl List {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let clients = context.connect()?.list()?;
        context.output.result(&clients, || {
            if clients.is_empty() {
                return "No client is attached: start a program with `xcli run`.\n".into();
            }
            if self.hints {
                return hints(&clients).render(width());
            }
            let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
            let ids = clients.iter().filter_map(|client| client.container.as_deref());
            let names = Names::of(ids, Path::new("/"));
            table(&clients, &user_names(&users)).render(width())
                + &containers(&clients, &names)
                + &refusals(&clients)
                + &remarks(&clients)
        })
    }
}

fn table(clients: &[ClientStatus], users: &BTreeMap<u32, String>) -> Table {
    let mut table = Table::new(COLUMNS);
    for client in clients {
        let user = users.get(&client.uid).cloned().unwrap_or_else(|| client.uid.to_string());
        let group = client.group_name.clone().unwrap_or_else(|| client.group.to_string());
        let head = [
            client.client.to_string(),
            client.pid.to_string(),
            printable(&user),
            printable(&client.program),
            printable(&group),
        ];
        let mut row = |cells: [String; 8]| table.row(head.iter().cloned().chain(cells).collect());
        if client.queues.is_empty() {
            row(std::array::from_fn(|_| "-".into()));
        }
        for queue in &client.queues {
            row(queue_cells(queue));
        }
    }
    table
}

/// A line for each client that is in a container.
fn containers(clients: &[ClientStatus], names: &Names) -> String {
    let within = clients.iter().filter_map(|client| Some((client, client.container.as_deref()?)));
    let line = |(client, id): (&ClientStatus, &str)| {
        format!(
            "{} {} is in container {}\n",
            client.client,
            printable(&client.program),
            printable(names.show(id))
        )
    };
    within.map(line).collect()
}

/// A line for each client that has less than it was started with.
fn refusals(clients: &[ClientStatus]) -> String {
    let refused = clients.iter().filter_map(|client| Some((client, client.refused_priority?)));
    let line = |(client, asked): (&ClientStatus, i64)| {
        let program = printable(&client.program);
        format!(
            "{} {program} was started with priority {asked}, more than its user may have\n",
            client.client
        )
    };
    refused.map(line).collect()
}

/// A line for each client and device that the policy has something to say of.
fn remarks(clients: &[ClientStatus]) -> String {
    let mut lines = String::new();
    for client in clients {
        let of_devices: BTreeMap<_, _> =
            client.queues.iter().filter_map(|queue| Some((&queue.device, queue.remark.as_ref()?))).collect();
        for (device, remark) in of_devices {
            let (program, remark) = (printable(&client.program), printable(remark));
            lines += &format!("{} {program} on {device}: {remark}\n", client.client);
        }
    }
    lines
}

fn queue_cells(queue: &QueueStatus) -> [String; 8] {
    let priority = queue.hints.get(&HintKind::Priority).copied();
    let state = match (queue.ready, queue.suspended) {
        (true, false) => "running",
        (true, true) => "suspended",
        (false, false) => "idle",
        (false, true) => "idle,held",
    };
    [
        queue.queue.to_string(),
        queue.device.to_string(),
        queue.level.number().to_string(),
        priority.unwrap_or(HintKind::Priority.info().default).to_string(),
        letter(queue.origins.get(&HintKind::Priority).map_or(HintSource::Default, |origin| origin.source))
            .into(),
        state.into(),
        count(queue.launched),
        count(queue.suspensions),
    ]
}

/// A source in one letter, for there is no room for more.
fn letter(source: HintSource) -> &'static str {
    match source {
        HintSource::Default => "-",
        other => other.name().get(..1).unwrap_or_default(),
    }
}

const HINT_COLUMNS: &[Column] = &[
    Column::Text("ID"),
    Column::Number("PID"),
    Column::CutEnd("PROGRAM"),
    Column::Text("QUEUE"),
    Column::Text("HINT"),
    Column::Number("VALUE"),
    Column::CutStart("FROM"),
];

/// A line for each hint of each queue, and for each limit of a client.
fn hints(clients: &[ClientStatus]) -> Table {
    let mut table = Table::new(HINT_COLUMNS);
    for client in clients {
        let mut row = |queue: String, name: &str, value: String, origin: Option<&Origin>| {
            let head = [client.client.to_string(), client.pid.to_string(), printable(&client.program)];
            let tail = [queue, name.into(), value, origin.map_or_else(|| "-".into(), from)];
            table.row(head.into_iter().chain(tail).collect());
        };
        if let Some(limit) = &client.level_limit {
            row("all".into(), "level", limit.value.number().to_string(), Some(&limit.origin));
        }
        if let Some(limit) = &client.threshold {
            row("all".into(), "threshold", limit.value.to_string(), Some(&limit.origin));
        }
        for queue in &client.queues {
            for (kind, value) in &queue.hints {
                row(queue.queue.to_string(), kind.info().name, value.to_string(), queue.origins.get(kind));
            }
        }
    }
    table
}

/// `rule /etc/xsched/rules.toml:12`
fn from(origin: &Origin) -> String {
    match &origin.rule {
        Some(rule) => format!("{} {}", origin.source, printable(rule)),
        None => origin.source.to_string(),
    }
}

/// A count in at most four to six characters: `9999`, `12k`, `3456k`, `12M`.
fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..10_000_000 => format!("{}k", n / 1_000),
        10_000_000..10_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    }
}

/// Names of users as /etc/passwd has them; users from elsewhere are shown by number.
fn user_names(passwd: &str) -> BTreeMap<u32, String> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((fields.nth(1)?.parse().ok()?, name.to_string()))
    };
    passwd.lines().rev().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::status::Limit;
    use xsched_core::text::Value;
    use xsched_core::{ClientId, DeviceId, DeviceKey, GroupId, Level, QueueId};

    fn client(number: u32, queues: Vec<QueueStatus>) -> ClientStatus {
        ClientStatus {
            client: ClientId(number),
            pid: 4711,
            uid: 1000,
            program: "hashcat".into(),
            group: GroupId(number),
            container: None,
            group_name: None,
            refused_priority: None,
            level_limit: None,
            threshold: None,
            accounts: vec![],
            queues,
        }
    }

    fn queue(number: u64, ready: bool, suspended: bool) -> QueueStatus {
        QueueStatus {
            queue: QueueId(number),
            device_id: DeviceId(1),
            device: DeviceKey::parse("pci:0000:65:00.0").unwrap(),
            level: Level::Block,
            ready,
            suspended,
            windowed: true,
            awaited: false,
            launched: 123_456,
            completed: 123_455,
            suspensions: 17,
            hints: BTreeMap::from([(HintKind::Priority, -5)]),
            origins: BTreeMap::from([(HintKind::Priority, rule())]),
            remark: None,
            times: Default::default(),
        }
    }

    fn rule() -> Origin {
        Origin { source: HintSource::Rule, rule: Some("/etc/xsched/rules.toml:12".into()) }
    }

    #[test]
    fn every_hint_is_shown_with_its_source() {
        let mut one = client(1, vec![queue(1, true, true)]);
        one.level_limit = Some(Limit { value: Level::Block, origin: rule() });
        one.queues[0].hints.insert(HintKind::Gap, 500);
        let environment = Origin { source: HintSource::Environment, rule: None };
        one.queues[0].origins.insert(HintKind::Gap, environment);
        assert_eq!(
            hints(&[one]).render(usize::MAX),
            "\
ID  PID PROGRAM QUEUE HINT     VALUE FROM
c1 4711 hashcat all   level        1 rule /etc/xsched/rules.toml:12
c1 4711 hashcat q1    priority    -5 rule /etc/xsched/rules.toml:12
c1 4711 hashcat q1    gap        500 environment
"
        );
    }

    #[test]
    fn each_queue_and_each_client_without_queues_is_a_line() {
        let clients = [client(1, vec![queue(1, true, true), queue(2, false, false)]), client(2, vec![])];
        let users = user_names("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbroken\n");
        assert_eq!(
            table(&clients, &users).render(usize::MAX),
            "\
ID  PID USER  PROGRAM GROUP QUEUE DEVICE           LV PRIO BY STATE     LAUNCHED SUSP
c1 4711 alice hashcat g1    q1    pci:0000:65:00.0 1    -5 r  suspended     123k   17
c1 4711 alice hashcat g1    q2    pci:0000:65:00.0 1    -5 r  idle          123k   17
c2 4711 alice hashcat g2    -     -                -     - -  -                -    -
"
        );
    }

    #[test]
    fn lines_fit_eighty_columns_even_with_long_names() {
        let mut long = client(123, vec![queue(4567, true, true)]);
        long.pid = 4_194_303;
        long.program = "a-program-with-a-long-name".into();
        long.group_name = Some("the-nightly-batch-of-everybody".into());
        let users = BTreeMap::from([(1000, "firstname.lastname".to_string())]);
        let text = table(&[long], &users).render(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn who_is_in_a_container_is_said_below_the_table() {
        let mut clients = [client(1, vec![]), client(2, vec![])];
        clients[1].container = Some("0123456789abcdef".repeat(4));
        let lines = containers(&clients, &Names::default());
        assert_eq!(lines, "c2 hashcat is in container 0123456789ab\n");
    }

    #[test]
    fn a_refused_priority_is_said_below_the_table() {
        let mut clients = [client(1, vec![]), client(2, vec![])];
        clients[1].refused_priority = Some(10);
        assert_eq!(
            refusals(&clients),
            "c2 hashcat was started with priority 10, more than its user may have\n"
        );
    }

    #[test]
    fn what_the_policy_remarks_is_said_below_the_table_once_for_each_device() {
        let mut clients = [client(1, vec![queue(1, true, true), queue(2, false, false)]), client(2, vec![])];
        clients[0].queues.iter_mut().for_each(|queue| queue.remark = Some("deadline of 5ms refused".into()));
        assert_eq!(remarks(&clients), "c1 hashcat on pci:0000:65:00.0: deadline of 5ms refused\n");
    }

    #[test]
    fn counts_stay_short() {
        for (n, text) in
            [(0, "0"), (9_999, "9999"), (10_000, "10k"), (10_000_000, "10M"), (u64::MAX, "18446744073G")]
        {
            assert_eq!(count(n), text);
        }
    }
}
