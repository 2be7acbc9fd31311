//! Guests and servers that come, go, freeze and die.

use crate::guest::{Guest, Process};
use crate::harness::{Server, send, stays, wait};
use rustix::process::Signal;
use std::time::Duration;
use xsched_ipc::guest::{Link, now};

#[test]
fn a_guest_that_is_killed_is_gone_and_others_go_on() {
    let server = Server::start(&["--lease", "60s", "--max-suspend", "60s"]);
    let low = Guest::attach(&server, "low", 0);
    low.launch(0);
    let high = Process::start(&server, 10, None);
    let name = format!("process[{}]", high.pid());
    wait("low is held", || low.is_held());
    send(high.pid(), Signal::KILL);
    wait("low goes on", || !low.is_held());
    server.wait_for_log(&format!("dropped c2 {name}:"));
    assert_eq!(server.list().len(), 1);
    server.wait_for_log(&format!("attached c2 {name} uid "));
}

#[test]
fn a_guest_that_closes_its_connection_is_forgotten_with_all_that_is_its() {
    let server = Server::start(&[]);
    let fds = || std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let maps = || {
        std::fs::read_to_string(format!("/proc/{}/maps", server.pid()))
            .unwrap()
            .matches("xsched-page")
            .count()
    };
    // It has all that it needs once it answers; whoever asked may not be gone yet.
    assert!(server.list().is_empty());
    let before = (0..50).map(|_| (std::thread::sleep(Duration::from_millis(1)), fds()).1).min().unwrap();
    let guests: Vec<Guest> = (0..20).map(|n| Guest::attach(&server, "many", n)).collect();
    guests.iter().for_each(|guest| guest.launch(0));
    wait("all are there", || server.list().len() == 20);
    assert_eq!(maps(), 20);
    assert!(fds() > before);
    // The sessions only: the doorbells stay open here.
    let doorbell = |guest: &Guest| guest.session.doorbell().unwrap().try_clone_to_owned().unwrap();
    let doorbells: Vec<_> = guests.iter().map(doorbell).collect();
    drop(guests);
    wait("all are gone", || server.list().is_empty());
    wait("no page is left of them", || maps() == 0);
    let links = || {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        fds.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok()).collect::<Vec<_>>()
    };
    let first = std::time::Instant::now();
    while fds() > before {
        assert!(first.elapsed() < Duration::from_secs(20), "{} before, now {:?}", before, links());
        std::thread::sleep(Duration::from_millis(10));
    }
    doorbells.iter().for_each(|bell| xsched_ipc::guest::ring(std::os::fd::AsFd::as_fd(bell)));
    assert!(server.list().is_empty());
}

#[test]
fn a_server_that_is_told_to_end_opens_all_gates_says_farewell_and_removes_its_socket() {
    let mut server = Server::start(&[]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    server.signal(Signal::TERM);
    assert!(server.wait_for_end().success());
    assert!(low.gate().is_free() && high.gate().is_free());
    assert_eq!(low.link(), Link::Down(Some("xserver is ending".into())));
    assert_eq!(std::fs::read_dir(server.socket().parent().unwrap()).unwrap().count(), 0);
    server.wait_for_log("2 attached processes run on");
}

#[test]
fn a_second_server_ends_at_once_and_names_the_first() {
    let server = Server::start(&[]);
    let second = server.command(&[]).output().unwrap();
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(text.contains(&format!("another xserver (pid {})", server.pid())), "{text}");
    let _ = Guest::attach(&server, "unharmed", 0);
}

#[test]
fn a_server_that_was_killed_is_followed_by_one_that_learns_everything_anew() {
    let mut server = Server::start(&[]);
    let mut low = Guest::attach(&server, "low", 0);
    let mut high = Guest::attach(&server, "high", 10);
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    server.signal(Signal::KILL);
    server.wait_for_end();
    wait("the end is seen", || low.link() == Link::Down(None));
    low.rescue();
    high.rescue();
    assert!(low.gate().is_free());
    server.launch(&[]);
    low.attach_again(&server, 0);
    high.attach_again(&server, 10);
    wait("low is held by the new server", || low.is_held());
    high.finish(0);
    wait("and goes on", || !low.is_held());
}

#[test]
fn what_a_thawed_server_still_wants_of_a_guest_that_parted_is_void() {
    let server = Server::start(&[]);
    let (mut low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    server.signal(Signal::STOP);
    wait("its heart is still", || low.session.heartbeat.is_stale(now()));
    low.rescue();
    high.finish(0);
    server.signal(Signal::CONT);
    // It wants to resume low.
    server.wait_for_log("it has parted from this server");
    stays("low stays free", Duration::from_millis(30), || low.gate().is_free());
    assert_eq!(low.link(), Link::Down(Some("it has parted from this server".into())));
    high.launch(0);
    low.attach_again(&server, 0);
    wait("low is held again, after a new hello", || low.is_held());
}

#[test]
fn the_heart_beats_while_anybody_is_attached() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "idle", 0);
    let first = guest.session.heartbeat.last();
    stays("alive", Duration::from_millis(700), || !guest.session.heartbeat.is_stale(now()));
    assert!(guest.session.heartbeat.last() > first);
}

#[test]
fn a_frozen_guest_is_held_and_released_like_any_other() {
    let server = Server::start(&["--lease", "60s"]);
    let frozen = Process::start(&server, 0, None);
    send(frozen.pid(), Signal::STOP);
    let high = Guest::attach(&server, "high", 10);
    for _ in 0..20 {
        high.launch(0);
        wait("it is held", || server.list()[0].queues[0].suspended);
        high.finish(0);
        wait("it is released", || !server.list()[0].queues[0].suspended);
    }
}
