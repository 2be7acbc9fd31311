//! What control clients see and change.

use crate::guest::{Guest, Process};
use crate::harness::{Server, wait};
use xsched_core::{ClientId, DeviceKey, HintKind, QueueId};
use xsched_ipc::control::{Reply, Request, Target};

#[test]
fn status_list_and_policy_tell_what_is_there() {
    let server = Server::start(&["hpf"]);
    let guest = Guest::attach(&server, "prog", 7);
    guest.launch(0);
    wait("the queue is ready", || server.list()[0].queues.first().is_some_and(|queue| queue.ready));
    server.wait_for_log(&format!("c1 prog[{}] uses d1 cpu:0", std::process::id()));
    let list = server.list();
    let [client] = list.as_slice() else { panic!("{list:?}") };
    assert_eq!(
        (client.client, client.pid, client.program.as_str()),
        (ClientId(1), std::process::id(), "prog")
    );
    let [queue] = client.queues.as_slice() else { panic!("{list:?}") };
    assert_eq!((queue.queue, &queue.device, queue.launched), (QueueId(1), &DeviceKey::cpu(0), 1));
    assert_eq!(queue.hints.get(&HintKind::Priority), Some(&7));
    let Reply::Server(status) = server.ask(Request::Status) else { panic!() };
    assert_eq!((status.pid, status.policy.as_str()), (server.pid(), "HPF"));
    assert_eq!((status.clients, status.queues, status.devices), (1, 1, vec![DeviceKey::cpu(0)]));
    let Reply::Policy { current, available } = server.ask(Request::Policy) else { panic!() };
    assert!(current == "HPF" && available.iter().any(|(name, help)| name == "HPF" && !help.is_empty()));
}

#[test]
fn hints_change_who_is_held_for_queues_processes_and_pids() {
    let server = Server::start(&[]);
    let low = Guest::attach(&server, "low", 0);
    let high = Process::start(&server, 10, None);
    low.launch(0);
    wait("low is held", || low.is_held());
    let set = |target, value| server.ask(Request::Hint { target, kind: HintKind::Priority, value });
    assert_eq!(set(Target::Queue(QueueId(1)), 20), Reply::Done { count: 1, note: None });
    wait("low runs", || !low.is_held());
    assert_eq!(set(Target::Pid(high.pid()), 30), Reply::Done { count: 1, note: None });
    wait("low is held", || low.is_held());
    assert_eq!(set(Target::Client(ClientId(1)), 40), Reply::Done { count: 1, note: None });
    wait("low runs", || !low.is_held());
}

#[test]
fn what_does_not_exist_or_fit_is_refused_with_a_reason() {
    let server = Server::start(&[]);
    let refused = |request| match server.ask(request) {
        Reply::Refused(reason) => reason,
        other => panic!("{other:?}"),
    };
    let hint = |target, value| refused(Request::Hint { target, kind: HintKind::Priority, value });
    assert_eq!(hint(Target::Queue(QueueId(9)), 0), "there is no queue q9");
    assert_eq!(hint(Target::Client(ClientId(9)), 0), "there is no process c9");
    assert_eq!(hint(Target::Pid(1), 0), "no process with pid 1 is attached");
    assert!(hint(Target::Pid(1), 999).contains("priority from -256 to 255"));
    assert!(refused(Request::SetPolicy { name: "FIFO".into() }).contains("HPF"));
}

#[test]
fn one_connection_may_ask_many_times() {
    let server = Server::start(&[]);
    let control = server.control();
    for _ in 0..100 {
        assert!(matches!(control.ask(&Request::Status), Ok((_, Reply::Server(_)))));
    }
}

/// Needs root, to be two users.
#[test]
fn another_user_starts_at_the_ceiling() {
    if !rustix::process::geteuid().is_root() {
        return println!("not root: nothing to test");
    }
    let server = Server::start(&["--priority-ceiling", "5"]);
    let _guest = Process::start(&server, 100, Some(65534));
    server.wait_for_log("of uid 65534 asked for priority 100 and starts with 5");
    wait("it has a queue", || server.list()[0].queues.len() == 1);
    let client = &server.list()[0];
    assert_eq!((client.uid, client.queues[0].hints[&HintKind::Priority]), (65534, 5));
    assert_eq!(client.refused_priority, Some(100));
    // Root decides otherwise, and then nothing is refused any more.
    let higher = Request::Hint { target: Target::Client(client.client), kind: HintKind::Priority, value: 50 };
    assert_eq!(server.ask(higher), Reply::Done { count: 1, note: None });
    let client = &server.list()[0];
    assert_eq!((client.refused_priority, client.queues[0].hints[&HintKind::Priority]), (None, 50));
}

#[test]
fn the_status_says_what_the_asker_may_and_what_the_policy_reads() {
    let server = Server::start(&["--priority-ceiling", "5"]);
    let Reply::Server(status) = server.ask(Request::Status) else { panic!() };
    let reads = |kind| status.policy_reads.contains(&kind);
    assert!(reads(HintKind::Priority) && !reads(HintKind::Utilization), "{:?}", status.policy_reads);
    assert_eq!((status.priority_ceiling, status.may_steer_all), (None, true), "its own user may all");
}
