//! Who is held back, and for how long.

use crate::guest::{Guest, Process};
use crate::harness::{PATIENCE, Server, send, stays, wait};
use rustix::process::Signal;
use std::time::Duration;
use xsched_core::{ClientId, DeviceKey, HintKind};
use xsched_ipc::control::{Reply, Request, Target};

const A_WHILE: Duration = Duration::from_millis(30);

#[test]
fn a_guest_alone_is_neither_held_nor_told_that_it_shares() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "alone", 0);
    guest.launch(0);
    wait("the server knows", || server.list()[0].queues[0].ready);
    stays("free", A_WHILE, || guest.gate().is_free());
}

#[test]
fn the_less_urgent_is_held_while_the_urgent_has_work_and_goes_on_after_the_grace() {
    let server = Server::start(&["--grace", "1s", "--lease", "60s", "--max-suspend", "60s"]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    assert!(high.gate().is_open());
    wait("high is told that low waits for it", || high.gate().is_awaited());
    assert!(low.gate().is_windowed() && !high.gate().is_windowed());

    // A gap shorter than the grace is none; nobody tells when it is over.
    high.finish(0);
    stays("low is held in a gap", A_WHILE, || low.is_held());
    high.launch(0);
    stays("low is held after the gap", Duration::from_millis(1200), || low.is_held());

    let end = std::time::Instant::now();
    high.finish(0);
    wait("low goes on", || !low.is_held());
    assert!(end.elapsed() >= Duration::from_millis(999), "{:?}", end.elapsed());

    // The first launch after that is told again.
    high.launch(0);
    wait("low is held again", || low.is_held());
}

#[test]
fn equals_run_side_by_side() {
    let server = Server::start(&[]);
    let (one, other) = (Guest::attach(&server, "one", 5), Guest::attach(&server, "other", 5));
    one.launch(0);
    other.launch(0);
    stays("both run", A_WHILE, || one.gate().is_free() && other.gate().is_free());
}

#[test]
fn what_became_idle_in_silence_is_found_when_the_device_is_shared() {
    let server = Server::start(&[]);
    let (quiet, other) = (Guest::attach(&server, "quiet", 10), Guest::attach(&server, "other", 0));
    quiet.launch(0);
    wait("the server knows", || server.list()[0].queues[0].ready);
    quiet.finish(0);
    assert!(server.list()[0].queues[0].ready, "nobody told");
    other.launch(0);
    wait("the server has looked", || !server.list()[0].queues[0].ready);
    wait("the other one runs", || !other.is_held());
    quiet.launch(0);
    wait("and is held when the quiet one has work again", || other.is_held());
}

#[test]
fn work_that_is_over_before_the_server_looks_is_told_again_the_next_time() {
    let server = Server::start(&["--grace", "1ms"]);
    let guest = Guest::attach(&server, "short", 0);
    for _ in 0..20 {
        server.signal(Signal::STOP);
        guest.launch(0);
        let activity = &guest.page().slot(0).unwrap().activity;
        assert!(activity.try_idle(activity.snapshot()));
        server.signal(Signal::CONT);
        wait("the server has taken note", || !activity.snapshot().is_reported());
    }
    guest.launch(0);
    wait("work is seen", || server.list()[0].queues[0].ready);
}

#[test]
fn all_queues_of_a_process_are_held_together_on_all_its_devices() {
    let server = Server::start(&[]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.page().set_key(3, &DeviceKey::cpu(7));
    low.create(1, 0);
    low.create(2, 3);
    (0..3).for_each(|slot| low.launch(slot));
    high.launch(0);
    wait("low is held", || low.is_held());
    let other = low.page().gate(3).unwrap();
    wait("on the other device too", || !other.state().is_open());
    assert!(!other.state().is_windowed());
    let status = server.list();
    let suspended: Vec<bool> = status[0].queues.iter().map(|queue| queue.suspended).collect();
    assert_eq!(suspended, [true, true, true]);
    high.destroy(0);
    wait("low goes on", || !low.is_held() && other.state().is_free());
}

#[test]
fn processes_of_one_group_are_held_together() {
    let server = Server::start(&[]);
    let (a, b) = (Guest::attach_to_group(&server, "job", 0), Guest::attach_to_group(&server, "job", 20));
    let other = Guest::attach(&server, "other", 10);
    a.launch(0);
    other.launch(0);
    wait("the group is held", || a.is_held() && b.is_held());
    b.launch(0);
    wait("its most urgent member counts for all", || !a.is_held() && !b.is_held() && other.is_held());
    let status = server.list();
    assert_eq!((status[0].group, status[0].group_name.as_deref()), (status[1].group, Some("job")));
    assert_ne!(status[0].group, status[2].group);
}

#[test]
fn an_urgent_process_that_is_stopped_holds_others_back_for_a_lease_only() {
    let server = Server::start(&["--lease", "200ms"]);
    let low = Guest::attach(&server, "low", 0);
    low.launch(0);
    let high = Process::start(&server, 10, None);
    wait("low is held", || low.is_held());
    send(high.pid(), Signal::STOP);
    wait("low goes on", || !low.is_held());
    assert!(PATIENCE > Duration::from_secs(1));
}

#[test]
fn nobody_is_held_for_longer_than_max_suspend_without_a_moment_to_run() {
    let server = Server::start(&["--max-suspend", "50ms", "--lease", "60s"]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    for _ in 0..3 {
        wait("low is held", || low.is_held());
        wait("low has its moment", || !low.is_held());
    }
}

#[test]
fn under_up_two_guests_take_turns_for_as_long_as_both_have_work() {
    let server = Server::start(&["UP", "--lease", "60s", "--max-suspend", "60s"]);
    let guests = [Guest::attach(&server, "one", 0), Guest::attach(&server, "other", 100)];
    guests.iter().for_each(|guest| guest.launch(0));
    for turn in 0..6 {
        let (next, last) = (&guests[turn % 2], &guests[1 - turn % 2]);
        wait("it is the next one's turn", || last.is_held() && !next.is_held());
        last.come_to_an_end(0);
    }
    guests[0].finish(0);
    wait("the one that is left runs", || !guests[1].is_held());
    stays("alone", A_WHILE, || !guests[1].is_held());
}

#[test]
fn under_up_a_guest_that_is_held_is_awaited_until_it_says_that_all_is_done() {
    let server = Server::start(&["UP", "--lease", "60s", "--max-suspend", "60s"]);
    let guests = [Guest::attach(&server, "one", 0), Guest::attach(&server, "other", 0)];
    for target in [1, 2].map(|n| Target::Client(ClientId(n))) {
        server.ask(Request::Hint { target, kind: HintKind::Timeslice, value: 10_000_000 });
    }
    guests.iter().for_each(|guest| guest.launch(0));
    // To be held with something in flight, it must have run: side by side, as equals do under HPF.
    server.ask(Request::SetPolicy { name: "HPF".into() });
    wait("both run", || guests.iter().all(|guest| !guest.is_held()));
    server.ask(Request::SetPolicy { name: "UP".into() });
    wait("one is held", || guests[0].is_held() || guests[1].is_held());
    let held = &guests[usize::from(guests[1].is_held())];
    stays("it is awaited", A_WHILE, || held.is_held() && held.gate().is_awaited());
    held.come_to_an_end(0);
    wait("nobody waits for it any more", || !held.gate().is_awaited());
    assert!(held.is_held());
}

#[test]
fn policy_changed_then_who_is_held_changes_at_once() {
    let server = Server::start(&["--lease", "60s", "--max-suspend", "60s"]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    let set = |name: &str| match server.ask(Request::SetPolicy { name: name.into() }) {
        Reply::Policy { current, .. } => current,
        other => panic!("{other:?}"),
    };
    assert_eq!(set("up"), "UP");
    wait("low has a turn", || !low.is_held() && high.is_held());
    assert_eq!(set("hpf"), "HPF");
    wait("low is held", || low.is_held() && !high.is_held());
    stays("for good", A_WHILE, || low.is_held() && !high.is_held());
}
