//! Hello and refusal between the two sides, in one process.

#![cfg(not(loom))]

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xsched_core::{ClientId, Hints, Time};
use xsched_ipc::control::{self, Reply, Request};
use xsched_ipc::guest::{self, Hello, Link, SharedPage};
use xsched_ipc::page::{Edge, EdgeKind};
use xsched_ipc::server::{Connection, Listener, Message, Newcomer, Pulse, doorbell};
use xsched_ipc::{Error, wire};
use xsched_queue::gate::Epoch;

const PATIENCE: Duration = Duration::from_secs(5);

fn socket() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sub/x.sock");
    (directory, path)
}

fn hello() -> Hello {
    Hello { epoch: Epoch::FIRST, program: "p".into(), group: None, hints: Hints::default() }
}

/// A page of epoch 1.
fn page() -> SharedPage {
    let page = SharedPage::create().unwrap();
    page.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
    page
}

fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "nothing came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Takes the next one in and hears what it says first.
fn hear(listener: &Listener) -> (Connection, Result<Message, Error>) {
    let connection = wait(|| listener.accept().unwrap());
    let message = wait(|| connection.receive().transpose());
    (connection, message)
}

fn refusal_of(packet: &[u8], fds: &[OwnedFd]) -> Error {
    let (_directory, path) = socket();
    let listener = Listener::bind(&path, true).unwrap();
    let client = raw(&path);
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); 1024];
    let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&fds));
    }
    let flags = rustix::net::SendFlags::NOSIGNAL;
    rustix::net::sendmsg(&client, &[std::io::IoSlice::new(packet)], &mut ancillary, flags).unwrap();
    hear(&listener).1.unwrap_err()
}

fn raw(path: &Path) -> OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .unwrap();
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

#[test]
fn a_guest_attaches_and_both_see_page_doorbell_and_heartbeat() {
    let (_directory, path) = socket();
    let listener = Listener::bind(&path, true).unwrap();
    let page = page();
    std::thread::scope(|scope| {
        let guest = scope.spawn(|| guest::connect(&path, &page, &hello(), PATIENCE).unwrap());
        let (connection, message) = hear(&listener);
        let Ok(Message::Hello(newcomer)) = message else { panic!() };
        let Newcomer { hello, page: mapped } = *newcomer;
        assert_eq!((hello.program.as_str(), hello.epoch), ("p", Epoch::FIRST));
        assert_eq!(connection.credentials().pid, std::process::id());
        assert!(connection.pidfd().is_some());
        let (pulse, bell) = (Pulse::create().unwrap(), doorbell().unwrap());
        connection.welcome(ClientId(9), bell.as_fd(), &pulse).unwrap();
        let session = guest.join().unwrap();
        assert_eq!(session.client, ClientId(9));
        let fds = [session.socket(), session.doorbell()].map(|fd| fd.unwrap().as_raw_fd());
        // The table of fds has room for 64 at least, and the end of it is taken.
        assert!(fds.iter().all(|fd| *fd >= 48), "{fds:?}");

        pulse.beat(Time::from_nanos(5));
        assert_eq!(session.heartbeat.last(), Time::from_nanos(5));
        let edge = Edge { kind: EdgeKind::Ready, slot: 3, generation: 1 };
        assert!(page.page().ring.push(edge.to_word()));
        session.ring();
        let mut count = [0; 8];
        rustix::io::read(&bell, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 1);
        let mut seen = vec![];
        assert!(!mapped.ring.drain(|word| seen.extend(Edge::from_word(word))));
        assert_eq!(seen, [edge]);

        let (read, _write) = rustix::pipe::pipe().unwrap();
        for loan in [Some((7, &[read.as_fd()][..], &[1, 2][..])), None] {
            assert!(session.lend(loan));
            let Message::Lend(lent) = wait(|| connection.receive().unwrap()) else { panic!() };
            let lent =
                lent.as_ref().map(|lent| (lent.remote.kind, lent.remote.fds.len(), &*lent.remote.blob));
            assert_eq!(lent, loan.map(|(kind, fds, blob)| (kind, fds.len(), blob)));
        }

        assert_eq!(session.poll(), Link::Up);
        connection.refuse("enough");
        assert_eq!(session.poll(), Link::Down(Some("enough".into())));
        drop(connection);
        assert_eq!(session.poll(), Link::Down(None));
    });
}

#[test]
fn a_frozen_server_costs_no_more_than_the_patience() {
    let (_directory, path) = socket();
    let listener = Listener::bind(&path, true).unwrap();
    let page = page();
    let start = Instant::now();
    let error = guest::connect(&path, &page, &hello(), Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    let mut waiting = vec![];
    while let Ok(connection) = control::connect(&path, Duration::from_millis(50)) {
        waiting.push(connection);
        assert!(waiting.len() < 10_000);
    }
    let error = control::connect(&path, Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().contains("a connection within 50ms"), "{error}");
    assert!(start.elapsed() < PATIENCE);
    drop(listener);
    let error = guest::connect(&path, &page, &hello(), PATIENCE).unwrap_err();
    assert!(matches!(error, Error::NoServer { .. }), "{error}");
}

#[test]
fn a_refusal_reaches_its_peer_also_when_the_server_left_something_unread() {
    let (_directory, path) = socket();
    let listener = Listener::bind(&path, true).unwrap();
    let client = control::connect(&path, PATIENCE).unwrap();
    client.send(&Request::Status).unwrap();
    client.send(&Request::Status).unwrap();
    let (connection, message) = hear(&listener);
    assert!(matches!(message, Ok(Message::Request(Request::Status))));
    connection.refuse("no\nmore");
    drop(connection);
    assert_eq!(client.receive().unwrap_err().to_string(), "xserver refused: no more");
}

#[test]
fn a_hello_that_failed_leaves_gates_that_its_server_cannot_close() {
    let (_directory, path) = socket();
    let listener = Listener::bind(&path, true).unwrap();
    let page = page();
    let error = guest::connect(&path, &page, &hello(), Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(page.page().gates().iter().all(|gate| gate.state().epoch() != Epoch::FIRST));
    // The server thaws and hears of it.
    let (_, message) = hear(&listener);
    assert!(matches!(message, Err(Error::BadPage(_))), "{message:?}");
}

#[test]
fn a_request_gets_its_reply() {
    let (_directory, path) = socket();
    let listener = Listener::bind(&path, true).unwrap();
    let client = control::connect(&path, PATIENCE).unwrap();
    client.send(&Request::List).unwrap();
    let (connection, _) = hear(&listener);
    for packet in (Reply::Done { count: 0, note: None }).to_packets().unwrap() {
        assert!(connection.try_send(&packet, &[]).unwrap());
    }
    assert_eq!(client.receive().unwrap(), Reply::Done { count: 0, note: None });
}

#[test]
fn a_second_server_is_told_who_the_first_is_and_the_next_one_takes_over() {
    let (directory, path) = socket();
    let first = Listener::bind(&path, false).unwrap();
    let error = Listener::bind(&path, false).unwrap_err().to_string();
    assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
    drop(first);
    assert_eq!(std::fs::read_dir(directory.path().join("sub")).unwrap().count(), 0);
    // A server that was killed leaves both files behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    std::fs::write(format!("{}.lock", path.display()), "1\n").unwrap();
    drop(Listener::bind(&path, true).unwrap());
    // Nothing but a socket is ever removed.
    std::fs::write(&path, "precious").unwrap();
    let error = Listener::bind(&path, true).unwrap_err().to_string();
    assert!(error.starts_with("put a socket in place of the file"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn what_is_not_a_hello_is_refused_by_name() {
    let hello = wire::Hello {
        layout: xsched_ipc::page::LAYOUT,
        epoch: Epoch::FIRST,
        program: "p".into(),
        group: None,
        hints: Hints::default(),
    };
    let good = hello.to_packet();
    let mut version = good.clone();
    version[4] = 77;
    assert!(matches!(refusal_of(&version, &[]), Error::Version { theirs: 77 }));
    let layout = wire::Hello { layout: 12, ..hello }.to_packet();
    assert!(matches!(refusal_of(&layout, &[]), Error::Layout { theirs: 12 }));
    assert!(matches!(refusal_of(&good, &[]), Error::Garbage(_)), "no page");
    let file = || OwnedFd::from(tempfile::tempfile().unwrap());
    assert!(matches!(refusal_of(&good, &[file()]), Error::BadPage(_)));
    assert!(matches!(refusal_of(&good, &[file(), file()]), Error::Garbage(_)), "an fd too many");
    let many: Vec<OwnedFd> = (0..20).map(|_| file()).collect();
    assert!(matches!(refusal_of(&good, &many), Error::Garbage(_)), "more fds than any packet has");
    assert!(matches!(refusal_of(b"hello", &[]), Error::Garbage(_)));
    let loan = wire::Loan { kind: 7, fds: 1, blob: vec![] }.to_packet();
    assert!(matches!(refusal_of(&loan, &[]), Error::Garbage(_)), "a loan without its file");
    assert!(matches!(refusal_of(&loan, &[file(), file()]), Error::Garbage(_)), "and with one too many");
    assert!(matches!(refusal_of(&wire::packet(wire::Kind::Welcome, &[0; 4]), &[]), Error::Garbage(_)));
    assert!(matches!(refusal_of(&vec![0; wire::MAX_PACKET + 1], &[]), Error::Garbage(_)));
}
