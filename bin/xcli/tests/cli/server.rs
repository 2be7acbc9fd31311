//! list, hint, policy and status: what is asked of the server, and how its answers are shown.

use crate::support::{FakeServer, stderr, stdout};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Output;
use std::time::{Duration, Instant};
use xsched_core::status::{ClientStatus, QueueStatus, RuleStatus, RulesStatus, ServerStatus};
use xsched_core::{ClientId, DeviceId, DeviceKey, GroupId, HintKind, Level, QueueId};
use xsched_ipc::control::{Reply, Request, Target};

fn client(number: u32, queues: u64) -> ClientStatus {
    let queue = |n| QueueStatus {
        queue: QueueId(n),
        device_id: DeviceId(1),
        device: DeviceKey::cpu(0),
        level: Level::Deactivate,
        ready: true,
        suspended: n == 2,
        windowed: true,
        awaited: false,
        launched: 1000,
        completed: 990,
        suspensions: 5,
        hints: BTreeMap::from([(HintKind::Priority, 7)]),
        origins: Default::default(),
        remark: None,
        times: Default::default(),
    };
    ClientStatus {
        client: ClientId(number),
        pid: 100 + number,
        uid: 0,
        program: "prog\u{1b}[31m".into(),
        container: None,
        group: GroupId(number),
        group_name: (number == 2).then(|| "batch".into()),
        refused_priority: None,
        level_limit: None,
        threshold: None,
        accounts: vec![],
        queues: (1..=queues).map(queue).collect(),
    }
}

fn done(count: u32, note: Option<&str>) -> Vec<Reply> {
    vec![Reply::Done { count, note: note.map(String::from) }]
}

fn success(result: &Output) -> String {
    assert_eq!((result.status.code(), stderr(result).as_str()), (Some(0), ""));
    stdout(result)
}

fn success_json(result: &Output) -> Value {
    let text = success(result);
    assert_eq!(text.lines().count(), 1, "one JSON value");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn list_shows_every_queue_of_every_client() {
    let server = FakeServer::start(|_| {
        [vec![Reply::Client(client(1, 2)), Reply::Client(client(2, 0))], done(2, None)].concat()
    });
    assert_eq!(
        success(&server.ask(&["list"])),
        "\
ID PID USER PROGRAM   GROUP QUEUE DEVICE LV PRIO BY STATE     LAUNCHED SUSP
c1 101 root prog?[31m g1    q1    cpu:0  2     7 -  running       1000    5
c1 101 root prog?[31m g1    q2    cpu:0  2     7 -  suspended     1000    5
c2 102 root prog?[31m batch -     -      -     - -  -                -    -
"
    );
    let value = success_json(&server.ask(&["--json", "list"]));
    assert_eq!(value.as_array().unwrap().len(), 2);
    assert_eq!(value[0]["queues"][1]["suspended"], true);
    assert_eq!(value[0]["queues"][0]["hints"]["priority"], 7);
    assert_eq!(value[1]["group_name"], "batch");
    assert_eq!(server.requests(), [Request::List, Request::List]);
}

#[test]
fn list_without_clients_says_what_to_do_and_is_an_empty_array() {
    let server = FakeServer::start(|_| done(0, None));
    assert!(success(&server.ask(&["list"])).contains("xcli run"));
    assert_eq!(success_json(&server.ask(&["list", "--json"])), json!([]));
}

#[test]
fn a_list_that_needs_many_packets_arrives_whole() {
    let server = FakeServer::start(|_| {
        [vec![Reply::Client(client(1, 2000)), Reply::Client(client(2, 1))], done(2, None)].concat()
    });
    let value = success_json(&server.ask(&["--json", "list"]));
    assert_eq!(value.as_array().unwrap().len(), 2);
    assert_eq!(value[0]["queues"].as_array().unwrap().len(), 2000);
}

#[test]
fn a_hint_reaches_the_server_in_every_spelling() {
    let server = FakeServer::start(|_| done(2, Some("HPF does not read it")));
    let hint = |target, kind, value| Request::Hint { target, kind, value };
    for (arguments, requests) in [
        (&["-x", "7", "-p", "-3"][..], vec![hint(Target::Queue(QueueId(7)), HintKind::Priority, -3)]),
        (&["--queue", "q7", "--priority=3"], vec![hint(Target::Queue(QueueId(7)), HintKind::Priority, 3)]),
        (
            &["--pid", "99", "-u", "50", "-t", "2000"],
            vec![
                hint(Target::Pid(99), HintKind::Utilization, 50),
                hint(Target::Pid(99), HintKind::Timeslice, 2000),
            ],
        ),
        (
            &["--client", "c4", "--deadline", "-1"],
            vec![hint(Target::Client(ClientId(4)), HintKind::Deadline, -1)],
        ),
    ] {
        let text = success(&server.ask(&[&["hint"], arguments].concat()));
        assert!(text.contains("set for 2 queues (HPF does not read it)"), "{text}");
        assert_eq!(server.requests(), requests, "{arguments:?}");
    }
    assert_eq!(
        success_json(&server.ask(&["--json", "hint", "-x", "1", "-p", "3"])),
        json!([{"hint": "priority", "value": 3, "queues": 2, "note": "HPF does not read it"}])
    );
}

/// What the C++ version did at once is answered with the rule that does it, made out for the queue's program.
#[test]
fn a_level_or_threshold_of_a_queue_is_answered_with_a_rule_for_its_program() {
    let server = FakeServer::start(|request| match request {
        Request::List => {
            [vec![Reply::Client(client(1, 2)), Reply::Client(client(2, 0))], done(2, None)].concat()
        }
        _ => vec![Reply::Rules(RulesStatus { file: Some("/r.toml".into()), rules: vec![], notes: vec![] })],
    });
    let refused = |arguments: &[&str]| {
        let result = server.ask(&[&["config"], arguments].concat());
        assert_eq!((result.status.code(), stdout(&result).as_str()), (Some(2), ""), "{arguments:?}");
        stderr(&result)
    };
    let text = refused(&["-x", "2", "-l", "1", "-t", "4"]);
    let rule = "prog?[31m (101), q2 among them, in /r.toml:\n\n\
                [[rule]]\nprogram = \"prog??31m\"\nlevel = 1\nthreshold = 4\n";
    assert!(text.contains(rule) && text.contains("xcli rules reload"), "{text}");
    let text = refused(&["-x", "q1", "-t", "8", "-b", "4"]);
    assert!(text.contains("\nthreshold = 8\n") && !text.contains("\nlevel ="), "{text}");
    assert!(text.contains("XQueueSetLaunchConfig"), "{text}");
    assert!(refused(&["-x", "q9", "-l", "1"]).contains("there is no queue q9"));
    let asked = server.requests();
    assert!(asked.iter().all(|request| matches!(request, Request::List | Request::Rules)), "{asked:?}");
}

#[test]
fn a_hint_is_taken_back_by_its_name() {
    let server = FakeServer::start(|_| done(2, None));
    let text = success(&server.ask(&["hint", "--pid", "99", "-u", "5", "--unset", "priority"]));
    assert_eq!(text, "utilization 5% set for 2 queues\npriority taken back for 2 queues\n");
    let unset = Request::Unset { target: Target::Pid(99), kind: HintKind::Priority };
    assert_eq!(server.requests()[1..], [unset]);
    let result = server.ask(&["hint", "--pid", "99", "--unset", "prio"]);
    assert_eq!(result.status.code(), Some(2));
    assert!(stderr(&result).contains("expected one of priority utilization"), "{}", stderr(&result));
}

#[test]
fn rules_are_shown_read_again_and_checked() {
    let rule =
        RuleStatus { line: 3, whom: "program = \"a\"".into(), what: "priority = -5".into(), processes: 2 };
    let rules = RulesStatus { file: Some("/r.toml".into()), rules: vec![], notes: vec![] };
    let server = FakeServer::start(move |_| vec![Reply::Rule(rule.clone()), Reply::Rules(rules.clone())]);
    for (arguments, request) in
        [(&["rules"][..], Request::Rules), (&["rules", "reload"], Request::ReloadRules)]
    {
        let text = success(&server.ask(arguments));
        assert!(text.starts_with("1 rule in /r.toml\n") && text.contains("   3 program = \"a\""), "{text}");
        assert_eq!(server.requests(), [request]);
    }
    assert_eq!(success_json(&server.ask(&["--json", "rules"]))["rules"][0]["processes"], 2);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        server.ask(&["rules", "check", file.to_str().unwrap()])
    };
    let good = success(&check("[[rule]]\nuser = \"root\"\npriority = 1\n"));
    assert!(good.contains("user = \"root\""), "{good}");
    let bad = check("[[rule]]\nprogram = \"x\"\npriority = 300\n");
    assert_eq!(bad.status.code(), Some(1));
    assert!(stderr(&bad).contains("rules.toml:3: priority: \"300\" is not valid"), "{}", stderr(&bad));
}

#[test]
fn the_policy_is_shown_and_changed_in_every_spelling() {
    let server = FakeServer::start(|request| {
        let current = match request {
            Request::SetPolicy { name } => name.clone(),
            _ => "HPF".into(),
        };
        let available = ["HPF", "RR"].map(|name| (name.into(), format!("Help for {name}."))).to_vec();
        vec![Reply::Policy { current, available }]
    });
    for arguments in [&["policy"][..], &["policy", "-q"]] {
        assert_eq!(success(&server.ask(arguments)), "* HPF\n    Help for HPF.\n  RR\n    Help for RR.\n");
        assert_eq!(server.requests(), [Request::Policy]);
    }
    for arguments in [&["policy", "RR"][..], &["policy", "-s", "-n", "RR"]] {
        assert_eq!(success(&server.ask(arguments)), "policy RR is in force\n");
        assert_eq!(server.requests(), [Request::SetPolicy { name: "RR".into() }]);
    }
    assert_eq!(
        success_json(&server.ask(&["--json", "policy"])),
        json!({"current": "HPF", "available": [{"name": "HPF", "help": "Help for HPF."}, {"name": "RR", "help": "Help for RR."}]})
    );
}

#[test]
fn status_shows_the_server() {
    let server = FakeServer::start(|_| {
        vec![Reply::Server(ServerStatus {
            version: "0.1.0".into(),
            pid: 42,
            policy: "HPF".into(),
            clients: 3,
            queues: 5,
            devices: vec![DeviceKey::cpu(0)],
            policy_reads: vec![HintKind::Priority],
            priority_ceiling: None,
            may_steer_all: true,
            totals: None,
        })]
    });
    let text = success(&server.ask(&["status"]));
    for line in ["xserver  0.1.0, pid 42", "policy   HPF", "clients  3", "queues   5", "devices  cpu:0"] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(success_json(&server.ask(&["--json", "status"]))["pid"], 42);
}

#[test]
fn a_refusal_is_the_servers_own_words_and_exit_code_one() {
    let server = FakeServer::start(|_| vec![Reply::Refused("priority 9 is above the ceiling, 0".into())]);
    let result = server.ask(&["hint", "--pid", "1", "-p", "9"]);
    assert_eq!(result.status.code(), Some(1));
    assert_eq!(stderr(&result), "xcli: priority 9 is above the ceiling, 0\n");
}

#[test]
fn a_refusal_after_another_hint_was_set_says_both() {
    let server = FakeServer::start(|request| match request {
        Request::Hint { kind: HintKind::Priority, .. } => done(1, None),
        _ => vec![Reply::Refused("no".into())],
    });
    let result = server.ask(&["hint", "--pid", "1", "-p", "0", "-u", "9"]);
    assert_eq!(result.status.code(), Some(1));
    assert_eq!(stderr(&result), "xcli: priority 0 set for 1 queue\nno\n");
}

#[test]
fn an_answer_to_something_else_is_an_error() {
    let server = FakeServer::start(|_| done(1, None));
    let result = server.ask(&["status"]);
    assert_eq!(result.status.code(), Some(1));
    assert!(stderr(&result).contains("with \"done\""), "{}", stderr(&result));
}

#[test]
fn a_frozen_server_is_not_waited_for_without_end() {
    let server = FakeServer::start(|_| vec![]);
    let start = Instant::now();
    let result = server.ask(&["list"]);
    assert_eq!(result.status.code(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(stderr(&result).contains("did not answer"), "{}", stderr(&result));
}
