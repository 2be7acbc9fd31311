//! Who is held back, and for how long.

use crate::guest::{Guest, Process};
use crate::harness::{PATIENCE, Server, send, stays, wait};
use rustix::process::Signal;
use std::time::Duration;
use xsched_core::DeviceKey;

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
