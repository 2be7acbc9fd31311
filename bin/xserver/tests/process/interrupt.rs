//! What the server does to channel groups that guests lend it, on a simulated control device; and that nothing of it stays, whoever goes.

use crate::guest::{Guest, Process};
use crate::harness::{Server, send, stays, wait};
use fake_rm::{Device, PLAIN};
use rustix::process::Signal;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsched_core::{DeviceKey, Hint, HintKind, Hints, Level};
use xsched_ipc::guest::Link;
use xsched_ipc::wire::ProgramHints;

const A_WHILE: Duration = Duration::from_millis(300);
const NOT_SUPPORTED: u32 = 0x56;

/// Nobody's lease lapses, and nobody gets a due.
const STRICT: [&str; 4] = ["--lease", "60s", "--max-suspend", "60s"];

/// A guest that lends its only channel group.
fn lender(server: &Server, name: &str, priority: i64) -> (Guest, Device) {
    let (guest, device) = (Guest::attach(server, name, priority), Device::new(priority as u32 + 7));
    lend(&guest, &device);
    (guest, device)
}

fn lend(guest: &Guest, device: &Device) {
    let (kind, blob) = device.loan(&DeviceKey::cpu(0), 1);
    assert!(guest.session.lend(Some((kind, &[device.file().as_fd()], &blob))));
}

fn is(device: &Device, turns: Duration, is_interruptible: bool) -> bool {
    device.group(0).is_some_and(|group| (group.turns, group.is_interruptible) == (turns, is_interruptible))
}

fn is_stopped(device: &Device) -> bool {
    device.group(0).unwrap().is_stopped
}

/// Many small launches, for longer than it takes to see that they are.
fn be_eager(urgent: &Guest) {
    for _ in 0..10 {
        (0..100).for_each(|_| urgent.launch(0));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How many files of simulated devices the server has open.
fn files(server: &Server) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().contains("fake-rm")).count()
}

/// A greedy and an urgent guest; the greedy one is stopped.
fn stopped(server: &Server) -> ((Guest, Device), (Guest, Device)) {
    let (greedy, urgent) = (lender(server, "greedy", 0), lender(server, "urgent", 5));
    wait("both are lent", || files(server) == 2);
    greedy.0.launch(0);
    urgent.0.launch(0);
    wait("the greedy one has short turns", || is(&greedy.1, Duration::from_micros(1), true));
    wait("the urgent one has long ones", || is(&urgent.1, Duration::from_secs(1), false));
    be_eager(&urgent.0);
    wait("the greedy one is stopped", || is_stopped(&greedy.1));
    (greedy, urgent)
}

#[test]
fn an_eager_urgent_guest_has_the_greedy_one_stopped_while_it_is_ready_and_no_longer() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), (urgent, _urgents)) = stopped(&server);
    stays("it is stopped", A_WHILE, || is_stopped(&held));
    assert!(server.list().iter().all(|client| client.queues[0].level == Level::Interrupt));
    urgent.finish(0);
    wait("it goes on", || !is_stopped(&held) && !greedy.is_held());
    assert!(is(&held, Duration::from_micros(1), true), "short turns stay");
    urgent.launch(0);
    wait("known to be eager, it is stopped at once", || is_stopped(&held));
    drop(urgent);
    wait("the urgent one is gone, and all is as it was", || !is_stopped(&held) && is(&held, PLAIN, false));
    wait("its file is closed", || files(&server) == 1);
}

#[test]
fn a_group_that_is_lent_no_more_is_as_it_was_and_lent_again_is_stopped_again() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), _urgent) = stopped(&server);
    assert!(greedy.session.lend(None));
    wait("it is as it was", || !is_stopped(&held) && is(&held, PLAIN, false));
    wait("its file is closed", || files(&server) == 1);
    lend(&greedy, &held);
    wait("it is stopped again", || is_stopped(&held));
}

#[test]
fn a_server_that_is_asked_to_end_leaves_nothing_stopped() {
    let mut server = Server::preloaded(&STRICT);
    let ((_greedy, held), _urgent) = stopped(&server);
    server.signal(Signal::TERM);
    assert!(server.wait_for_end().success());
    assert!(!is_stopped(&held));
}

#[test]
fn a_server_that_thaws_after_its_guest_has_let_itself_go_does_not_stop_it_again() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), (urgent, _urgents)) = stopped(&server);
    urgent.finish(0);
    wait("it goes on", || !is_stopped(&held));
    server.signal(Signal::STOP);
    // What would have it stopped is in the ring when the server thaws.
    urgent.launch(0);
    greedy.rescue();
    server.signal(Signal::CONT);
    wait("the server sees it", || files(&server) == 1);
    stays("it runs", A_WHILE, || !is_stopped(&held));
}

/// How often the server gives a sign of life in a second.
fn beats(guest: &Guest) -> usize {
    let (start, mut beats, mut last) = (Instant::now(), 0, guest.session.heartbeat.last());
    while start.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
        beats += usize::from(std::mem::replace(&mut last, guest.session.heartbeat.last()) != last);
    }
    beats
}

/// What the guest hears next of its vigil.
fn vigil(guest: &Guest) -> bool {
    let mut heard = None;
    wait("it hears of its vigil", || {
        if let Link::Vigil(is_kept) = guest.session.poll() {
            heard = Some(is_kept);
        }
        heard.is_some()
    });
    heard.unwrap()
}

#[test]
fn who_is_stopped_watches_the_server_closely_and_nobody_does_when_nothing_has_been_stopped_for_a_while() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), (urgent, _urgents)) = stopped(&server);
    assert!(vigil(&greedy));
    assert!(beats(&greedy) > 20, "its sign of life is seldom, and a frozen one would be found out late");
    urgent.finish(0);
    wait("it goes on", || !is_stopped(&held));
    assert!(!vigil(&greedy));
    assert!(beats(&greedy) < 20, "it costs something although nothing is stopped");
}

#[test]
fn a_server_that_was_silent_for_a_moment_stops_the_guest_again_that_let_itself_go_and_stayed() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), _urgent) = stopped(&server);
    server.signal(Signal::STOP);
    greedy.page().count_letting_go();
    held.let_go(0);
    server.signal(Signal::CONT);
    wait("it is stopped again", || is_stopped(&held));
    wait("its turns are short again", || is(&held, Duration::from_micros(1), true));
    server.wait_for_log("it let itself go");
    assert!(!matches!(greedy.session.poll(), Link::Down(_)) && greedy.is_held());
    // The next stop ends as ever.
    drop(_urgent);
    wait("it goes on", || !is_stopped(&held) && !greedy.is_held());
}

#[test]
fn a_driver_that_does_not_let_a_guest_go_for_the_server_then_the_guest_is_told_to_do_it_itself() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), (urgent, _urgents)) = stopped(&server);
    held.refuse(NOT_SUPPORTED);
    urgent.finish(0);
    let mut said = None;
    wait("its link ends", || match greedy.link() {
        Link::Down(why) => {
            said = why;
            true
        }
        _ => false,
    });
    assert!(said.is_some_and(|why| why.contains("does not let its work go on")));
    wait("its file is closed", || files(&server) == 1);
    assert!(!greedy.is_held());
}

#[test]
fn an_urgent_process_that_is_killed_holds_nobody_and_its_device_file_is_closed() {
    let server = Server::preloaded(&STRICT);
    let (greedy, held) = lender(&server, "greedy", 0);
    greedy.launch(0);
    let device = Device::new(9);
    let urgent = Process::start_lending(&server, 5, &device);
    wait("the greedy one is stopped", || is_stopped(&held));
    wait("the server has both files", || files(&server) == 2);
    send(urgent.pid(), Signal::KILL);
    wait("the greedy one goes on", || !is_stopped(&held) && !greedy.is_held());
    wait("the dead one's file is closed", || files(&server) == 1);
}

#[test]
fn a_greedy_process_that_is_killed_while_it_is_stopped_leaves_no_file_and_one_that_is_frozen_is_stopped_all_the_same()
 {
    let server = Server::preloaded(&STRICT);
    let (urgent, _urgents) = lender(&server, "urgent", 5);
    let device = Device::new(9);
    let greedy = Process::start_lending(&server, 0, &device);
    wait("the server has both files", || files(&server) == 2);
    send(greedy.pid(), Signal::STOP);
    urgent.launch(0);
    be_eager(&urgent);
    wait("it is stopped", || is_stopped(&device));
    send(greedy.pid(), Signal::KILL);
    wait("its file is closed", || files(&server) == 1);
}

#[test]
fn a_driver_that_refuses_then_nothing_is_done_any_more_and_gates_go_on() {
    let server = Server::preloaded(&STRICT);
    let ((greedy, held), (urgent, _urgents)) = stopped(&server);
    urgent.finish(0);
    wait("it goes on", || !is_stopped(&held));
    held.refuse(NOT_SUPPORTED);
    urgent.launch(0);
    server.wait_for_log("not interrupted any more");
    server.wait_for_log("not supported");
    wait("its gate is closed", || greedy.is_held());
    wait("it is said", || {
        let mut queues = server.list().into_iter().flat_map(|client| client.queues);
        let said = queues.find_map(|queue| Some((queue.remark?, queue.level)));
        said.is_some_and(|(remark, level)| remark.contains("not supported") && level == Level::Block)
    });
    stays("it is not stopped", A_WHILE, || !is_stopped(&held));
    urgent.finish(0);
    wait("its gate is open", || !greedy.is_held());
}

#[test]
fn turns_of_shares_are_handed_over_by_stopping_one_and_letting_the_next_one_go() {
    let server = Server::preloaded(&["--policy", "UP"]);
    let all = [lender(&server, "heavy", 0), lender(&server, "light", 1)];
    for ((guest, _), share) in all.iter().zip([75, 25]) {
        let mut hints = Hints::default();
        hints.set(Hint::new(HintKind::Utilization, share).unwrap());
        assert!(guest.session.give(&ProgramHints { slot: None, hints }));
        guest.launch(0);
    }
    for (_, device) in &all {
        wait("it can be interrupted", || is(device, PLAIN, true));
    }
    for (at, (guest, device)) in all.iter().enumerate().chain(all.iter().enumerate()) {
        let (other, others) = &all[1 - at];
        wait("it has the device", || !is_stopped(device) && is_stopped(others) && !guest.is_held());
        assert!(guest.gate().is_deep() && other.gate().is_deep());
    }
    let [(heavy, device), light] = all;
    drop(light);
    wait("alone, it goes on", || !is_stopped(&device) && !heavy.is_held());
}

#[test]
fn of_equals_who_yield_one_is_on_the_device_at_a_time_and_the_others_have_their_turns() {
    let server = Server::preloaded(&[]);
    let greedy = [0, 0, 0].map(|priority| {
        let (guest, device) = (Guest::attach(&server, "greedy", priority), Device::new(7));
        lend(&guest, &device);
        (guest, device)
    });
    let urgent = lender(&server, "urgent", 5);
    wait("all are lent", || files(&server) == 4);
    greedy.iter().for_each(|(guest, _)| guest.launch(0));
    urgent.0.launch(0);
    wait("others wait for it", || urgent.0.gate().is_awaited());
    urgent.0.finish(0);
    for (_, device) in &greedy {
        wait("its turns are short", || is(device, Duration::from_micros(1), true));
    }
    for (guest, device) in greedy.iter().chain(&greedy) {
        let others = || greedy.iter().filter(|(other, _)| !std::ptr::eq(other, guest));
        wait("it has the device", || !is_stopped(device) && others().all(|(_, other)| is_stopped(other)));
    }
    drop(urgent);
    wait("nobody goes before them", || {
        greedy.iter().all(|(guest, device)| !is_stopped(device) && !guest.is_held())
    });
}

#[test]
fn what_is_lent_to_a_server_that_leaves_devices_alone_or_is_no_control_is_closed_and_the_guest_stays() {
    let off = Server::preloaded(&[&STRICT[..], &["--device-control", "off"]].concat());
    let (guest, _device) = lender(&off, "lender", 0);
    guest.launch(0);
    wait("it is attached", || off.list().len() == 1);
    assert_eq!(files(&off), 0);

    // Without the library, the file is memory.
    let server = Server::start(&STRICT);
    let (guest, _device) = lender(&server, "lender", 0);
    server.wait_for_log("the file is not");
    wait("it is closed", || files(&server) == 0);
    guest.launch(0);
    wait("the guest is served", || server.list()[0].queues[0].ready);
}
