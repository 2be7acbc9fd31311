//! Messages as bytes, without a socket. What is read is what a message of ours says, and it is written back the same.

use crate::Seed;
use xsched_core::account::{Account, Happening, HeldBy, Latency, Totals, What};
use xsched_core::status::{
    ClientStatus, Limit, Origin, QueueStatus, QueueTimes, RuleStatus, RulesStatus, ServerStatus,
};
use xsched_core::{
    ClientId, DeviceId, DeviceKey, GroupId, Hint, HintKind, HintSource, Hints, Level, Limits, QueueId, Time,
};
use xsched_ipc::control::{Reply, Request, Target};
use xsched_ipc::page::LAYOUT;
use xsched_ipc::wire::{
    self, Hello, Kind, LimitsBody, Loan, MAX_BLOB, MAX_FDS, MAX_NAME, MAX_PACKET, ProgramHints, VigilBody,
    Welcome,
};
use xsched_queue::gate::Epoch;

pub(crate) fn run(data: &[u8]) {
    match wire::open(data) {
        Ok((Kind::Hello, body)) => hello(body),
        Ok((Kind::Welcome, body)) => drop(Welcome::parse(body)),
        Ok((Kind::Refused, body)) => reason(body),
        Ok((Kind::Request, body)) => request(body),
        Ok((Kind::Reply, body)) => reply(body),
        Ok((Kind::Limits, body)) => limits(body),
        Ok((Kind::Vigil, body)) => drop(VigilBody::parse(body)),
        Ok((Kind::Hints, body)) => program_hints(body),
        Ok((Kind::Lend, body)) => loan(body),
        Ok((Kind::Bond, body)) => drop(wire::bond(body)),
        Ok((Kind::Look, _)) | Err(_) => {}
    }
}

fn hello(body: &[u8]) {
    let Ok(hello) = Hello::parse(body) else { return };
    for name in [Some(&hello.program), hello.group.as_ref()].into_iter().flatten() {
        assert!(!name.is_empty() && name.len() <= MAX_NAME, "{name:?}");
        assert_eq!(xsched_core::text::printable(name), *name);
    }
    let packet = hello.to_packet();
    assert!(packet.len() <= MAX_PACKET);
    let (kind, body) = wire::open(&packet).expect("a packet of ours");
    assert_eq!((kind, Hello::parse(body)), (Kind::Hello, Ok(hello)));
}

fn program_hints(body: &[u8]) {
    let Ok(hints) = ProgramHints::parse(body) else { return };
    let packet = hints.to_packet();
    let (kind, body) = wire::open(&packet).expect("a packet of ours");
    assert_eq!((kind, ProgramHints::parse(body)), (Kind::Hints, Ok(hints)));
}

fn loan(body: &[u8]) {
    let Ok(loan) = Loan::parse(body) else { return };
    assert!(loan.fds <= MAX_FDS && loan.blob.len() <= MAX_BLOB);
    let packet = loan.to_packet();
    let (kind, body) = wire::open(&packet).expect("a packet of ours");
    assert_eq!((kind, Loan::parse(body)), (Kind::Lend, Ok(loan)));
}

/// What a program gave one of its queues.
pub(crate) fn given() -> ProgramHints {
    ProgramHints { slot: Some((3, 1)), hints: full_hello().hints }
}

fn limits(body: &[u8]) {
    let Ok(limits) = LimitsBody::parse(body) else { return };
    let packet = LimitsBody::to_packet(limits);
    let (kind, body) = wire::open(&packet).expect("a packet of ours");
    assert_eq!((kind, LimitsBody::parse(body)), (Kind::Limits, Ok(limits)));
}

fn reason(body: &[u8]) {
    let reason = wire::reason(body);
    assert!(reason.chars().count() <= 1024);
    assert_eq!(xsched_core::text::printable(&reason), reason);
}

fn request(body: &[u8]) {
    let Ok(request) = Request::parse(body) else { return };
    let Ok(packet) = request.to_packet() else { return };
    let (kind, body) = wire::open(&packet).expect("a packet of ours");
    assert_eq!((kind, Request::parse(body)), (Kind::Request, Ok(request)));
}

fn reply(body: &[u8]) {
    let Ok(reply) = serde_json::from_slice::<Reply>(body) else { return };
    let Ok(packets) = reply.to_packets() else { return };
    assert!(!packets.is_empty() && packets.iter().all(|packet| packet.len() <= MAX_PACKET));
    if let [packet] = packets.as_slice() {
        let (kind, body) = wire::open(packet).expect("a packet of ours");
        assert_eq!(kind, Kind::Reply);
        assert_eq!(serde_json::from_slice::<Reply>(body).ok(), Some(reply));
    }
}

/// A hello with everything that a hello can have.
pub(crate) fn full_hello() -> Hello {
    let mut hints = Hints::default();
    for (kind, value) in [(HintKind::Priority, -5), (HintKind::Deadline, 77)] {
        Hint::new(kind, value).into_iter().for_each(|hint| hints.set(hint));
    }
    Hello { group: Some("job".into()), hints, ..bare_hello() }
}

/// A hello with nothing that may be left out.
pub(crate) fn bare_hello() -> Hello {
    let program = "hashcat".into();
    Hello { layout: LAYOUT, epoch: Epoch::FIRST, program, group: None, hints: Hints::default() }
}

/// What a guest lends.
pub(crate) fn lent() -> Loan {
    Loan { kind: 3, fds: 2, blob: vec![1, 2, 3] }
}

/// One of each request.
pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let hint = |target| Request::Hint { target, kind: HintKind::Priority, value: 7 };
    vec![
        ("status", Request::Status),
        ("list", Request::List),
        ("policy", Request::Policy),
        ("set-policy", Request::SetPolicy { name: "HPF".into() }),
        ("hint-queue", hint(Target::Queue(QueueId(1)))),
        ("hint-client", hint(Target::Client(ClientId(1)))),
        ("hint-pid", hint(Target::Pid(4711))),
        ("unset-pid", Request::Unset { target: Target::Pid(4711), kind: HintKind::Priority }),
        ("follow", Request::Follow { from: Some(7) }),
        ("rules", Request::Rules),
        ("reload-rules", Request::ReloadRules),
    ]
}

/// One of each reply.
pub(crate) fn replies() -> Vec<(&'static str, Reply)> {
    let origin = Origin { source: HintSource::Rule, rule: Some("/etc/xsched/rules.toml:3".into()) };
    let queue = QueueStatus {
        queue: QueueId(7),
        device_id: DeviceId(1),
        device: DeviceKey::cpu(0),
        level: Level::Block,
        ready: true,
        suspended: false,
        windowed: true,
        awaited: false,
        launched: 9,
        completed: 8,
        suspensions: 2,
        hints: [(HintKind::Priority, 5)].into(),
        origins: [(HintKind::Priority, origin.clone())].into(),
        remark: Some("deadline of 5ms refused".into()),
        times: QueueTimes { running_ns: 1, waiting_ns: 2, has_work: true },
    };
    let account = Account {
        device_id: DeviceId(1),
        running_ns: 3,
        waiting_ns: 2,
        suspended_ns: 2,
        suspensions: 1,
        closing: Latency { count: 1, sum_ns: 1, ..Latency::default() },
        drain: Latency::default(),
        waits: Latency::default(),
        held_by: vec![HeldBy { client: ClientId(2), ns: 2 }],
    };
    let client = ClientStatus {
        client: ClientId(1),
        pid: 4711,
        uid: 1000,
        program: "hashcat".into(),
        container: Some("0123456789abcdef".repeat(4)),
        group: GroupId(1),
        group_name: Some("job".into()),
        refused_priority: Some(200),
        level_limit: Some(Limit { value: Level::Block, origin: origin.clone() }),
        threshold: Some(Limit { value: 4, origin }),
        accounts: vec![account],
        queues: vec![queue.clone(), queue],
    };
    let what = What::Suspend { client: ClientId(1), device: DeviceId(1), by: Some(ClientId(2)) };
    let happening = Happening { seq: 7, at: Time::from_nanos(1), what };
    let server = ServerStatus {
        version: "0.1.0".into(),
        pid: 1,
        policy: "HPF".into(),
        clients: 1,
        queues: 2,
        devices: vec![DeviceKey::cpu(0)],
        policy_reads: vec![HintKind::Priority],
        priority_ceiling: Some(0),
        may_steer_all: false,
        totals: Some(Totals::default()),
    };
    let policy =
        Reply::Policy { current: "HPF".into(), available: vec![("HPF".into(), "the urgent first".into())] };
    let whom = "program = \"hash*\"".into();
    let rule = RuleStatus { line: 3, whom, what: "priority = -5".into(), processes: 1 };
    let rules = RulesStatus { file: Some("/etc/xsched/rules.toml".into()), rules: vec![], notes: vec![] };
    vec![
        ("client", Reply::Client(client)),
        ("server", Reply::Server(server)),
        ("policies", policy),
        ("rule", Reply::Rule(rule)),
        ("rules", Reply::Rules(rules)),
        ("happenings", Reply::Happenings { next: 8, lost: 1, list: vec![happening] }),
        ("done", Reply::Done { count: 2, note: Some("kept".into()) }),
        ("refused", Reply::Refused("user 1000 may not".into())),
    ]
}

pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = vec![
        ("hello", full_hello().to_packet()),
        ("hello-bare", bare_hello().to_packet()),
        ("welcome", Welcome { client: 1 }.to_packet()),
        ("hints-queue", given().to_packet()),
        ("hints-process", ProgramHints { slot: None, ..given() }.to_packet()),
        ("loan", lent().to_packet()),
        ("loan-of-nothing", Loan::default().to_packet()),
        ("bond", wire::packet(Kind::Bond, b"cuda event:1")),
        ("look", wire::packet(Kind::Look, &[])),
        ("vigil", VigilBody::to_packet(true)),
        ("limits", LimitsBody::to_packet(Limits { level: Some(Level::Block), threshold: Some(4) })),
        ("farewell", wire::packet(Kind::Refused, b"xserver is ending")),
    ];
    seeds
        .extend(requests().into_iter().filter_map(|(name, request)| Some((name, request.to_packet().ok()?))));
    let packets = |reply: Reply| reply.to_packets().unwrap_or_default().concat();
    seeds.extend(replies().into_iter().map(|(name, reply)| (name, packets(reply))));
    seeds
}
