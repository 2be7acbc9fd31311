//! Garbage, and peers that do not do their part: they are dropped, and nobody else notices.

use crate::guest::{Guest, connect, page};
use crate::harness::{PATIENCE, Server, stays, wait};
use rustix::net::sockopt::Timeout;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xsched_core::{DeviceKey, Hints};
use xsched_ipc::control::Request;
use xsched_ipc::guest::{Link, SharedPage};
use xsched_ipc::page::{DEVICES, Edge, EdgeKind, LAYOUT, Page};
use xsched_ipc::wire::{self, Kind};
use xsched_queue::gate::Epoch;

/// A peer that sends what it likes.
pub(crate) struct Raw(pub(crate) OwnedFd);

impl Raw {
    fn connect(server: &Server) -> Raw {
        Raw::connect_to(&server.socket())
    }

    pub(crate) fn connect_to(path: &Path) -> Raw {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        Raw(socket)
    }

    pub(crate) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); 1024];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        // It may have been dropped already.
        let _ = rustix::net::sendmsg(&self.0, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL);
    }

    /// Waits until the server takes this guest in, and gives the doorbell; or until it ends the connection.
    pub(crate) fn doorbell(&self) -> Option<OwnedFd> {
        rustix::net::sockopt::set_socket_timeout(&self.0, Timeout::Recv, Some(PATIENCE)).unwrap();
        let mut space = [MaybeUninit::uninit(); 256];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 4096];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received =
            rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags);
        let length = match received {
            Ok(received) => received.bytes,
            Err(rustix::io::Errno::CONNRESET) => return None,
            Err(error) => panic!("{error}"),
        };
        let fds = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let doorbell = fds.flatten().collect::<Vec<_>>().into_iter().next();
        doorbell.filter(|_| matches!(wire::open(&bytes[..length]), Ok((Kind::Welcome, _))))
    }

    /// Whether the server has ended the connection.
    pub(crate) fn is_ended(&self) -> bool {
        let mut buffer = [0; 65536];
        loop {
            match rustix::net::recv(&self.0, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(rustix::io::Errno::CONNRESET) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// The server's last words; after them it has closed the connection.
    fn farewell(&self) -> String {
        let mut words = String::new();
        let mut buffer = [0; 4096];
        loop {
            match rustix::io::read(&self.0, &mut buffer) {
                Ok(0) => return words,
                Ok(length) => {
                    if let Ok((Kind::Refused, body)) = wire::open(&buffer[..length]) {
                        words = wire::reason(body);
                    }
                }
                Err(rustix::io::Errno::CONNRESET) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

pub(crate) fn hello() -> wire::Hello {
    let program = "p".into();
    wire::Hello { layout: LAYOUT, epoch: Epoch::FIRST, program, group: None, hints: Hints::default() }
}

#[test]
fn a_peer_that_is_refused_again_and_again_gets_one_line_a_second_and_an_account() {
    let server = Server::start(&[]);
    for _ in 0..300 {
        let raw = Raw::connect(&server);
        raw.send(b"garbage", &[]);
        assert_ne!(raw.farewell(), "", "it is told why, each time");
    }
    let lines = |log: &str| log.lines().filter(|line| line.contains("refused pid")).count();
    let left_out = |log: &str| -> usize {
        let count = |line: &str| line.split_once("left out: ")?.1.split(' ').next()?.parse::<usize>().ok();
        log.lines().filter_map(count).sum()
    };
    wait("all are accounted for", || lines(&server.log()) + left_out(&server.log()) == 300);
    // As many lines as there were seconds.
    assert!(lines(&server.log()) < 100, "{}", server.log());
}

/// A small generator, so that a failure comes again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[test]
fn garbage_on_the_socket_ends_its_own_connection_only() {
    let server = Server::start(&[]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    let (mut random, shared) = (Random(42), SharedPage::create().unwrap());
    for round in 0..400 {
        let mut bytes = match round % 4 {
            0 => (0..random.below(200)).map(|_| random.next() as u8).collect(),
            1 => wire::packet(Kind::Request, b"{\"hint\":{}}"),
            _ => hello().to_packet(),
        };
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len() + 1);
            match bytes.get_mut(at) {
                Some(byte) => *byte ^= 1 << random.below(8),
                None => bytes.push(random.next() as u8),
            }
        }
        let raw = Raw::connect(&server);
        let fds = [shared.fd().unwrap(), shared.fd().unwrap()];
        raw.send(&bytes, &fds[..random.below(3)]);
    }
    assert!(low.is_held() && high.gate().is_open());
    wait("nobody stayed", || server.list().len() == 2);
    high.finish(0);
    wait("low goes on", || !low.is_held());
    assert_eq!((low.link(), high.link()), (Link::Up, Link::Up));
}

#[test]
fn another_version_is_refused_and_both_versions_are_named() {
    let server = Server::start(&[]);
    let mut packet = hello().to_packet();
    packet[4] = 9;
    let raw = Raw::connect(&server);
    raw.send(&packet, &[]);
    assert_eq!(
        raw.farewell(),
        format!(
            "this xserver speaks version {} and the program version 9; use one version of xsched",
            wire::VERSION
        )
    );
    let raw = Raw::connect(&server);
    raw.send(&wire::Hello { layout: 33, ..hello() }.to_packet(), &[page().fd().unwrap()]);
    let said = format!("the guest's page has layout 33, the server's layout {LAYOUT}");
    assert_eq!(raw.farewell(), said);
}

#[test]
fn a_page_that_is_not_a_sealed_memfd_of_the_right_size_is_refused_with_the_reason() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let server = Server::start(&[]);
    let size = size_of::<xsched_ipc::page::Page>() as u64;
    let memfd = |size, seals| {
        let fd = memfd_create("t", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, size).unwrap();
        fcntl_add_seals(&fd, seals).unwrap();
        fd
    };
    let farewell = |fd: &OwnedFd| {
        let raw = Raw::connect(&server);
        raw.send(&hello().to_packet(), &[fd.as_fd()]);
        raw.farewell()
    };
    let said = farewell(&memfd(size, SealFlags::GROW));
    assert!(said.contains("which lacks"), "{said}");
    let said = farewell(&memfd(size + 1, SealFlags::GROW | SealFlags::SHRINK));
    assert!(said.contains(&format!("has {} bytes", size + 1)), "{said}");
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.set_len(size).unwrap();
    let said = farewell(&file.into());
    assert!(said.contains("the page is not usable"), "{said}");
    let (read, _write) = rustix::pipe::pipe().unwrap();
    assert!(farewell(&read).contains("not a memfd"));
    let raw = Raw::connect(&server);
    raw.send(&hello().to_packet(), &[]);
    assert!(raw.farewell().contains("number of fds"));
}

#[test]
fn garbage_in_the_page_ends_its_guest_only() {
    let server = Server::start(&[]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    let ends = |guest: Guest, words: &str| {
        wait(words, || match guest.link() {
            Link::Up | Link::Look | Link::Limits(_) | Link::Vigil(_) => false,
            Link::Down(said) => {
                assert!(said.as_ref().is_some_and(|said| said.contains(words)), "{said:?}");
                true
            }
        });
    };
    let guest = Guest::attach(&server, "bad ring", 0);
    guest.push(u64::MAX);
    ends(guest, "is not an event");
    let guest = Guest::attach(&server, "unused slot", 0);
    guest.tell(EdgeKind::Ready, 1);
    ends(guest, "which it says it never used");
    let guest = Guest::attach(&server, "no key", 0);
    guest.create(1, DEVICES as u8 - 1);
    ends(guest, "has no valid name");
    let guest = Guest::attach(&server, "one key twice", 0);
    guest.page().set_key(1, &DeviceKey::cpu(0));
    guest.create(1, 1);
    ends(guest, "which it named already");
    assert!(low.is_held());
    high.finish(0);
    wait("low goes on", || !low.is_held());
}

#[test]
fn a_page_full_of_random_words_harms_nobody_else() {
    let server = Server::start(&["--lease", "60s", "--max-suspend", "60s"]);
    let (low, high) = (Guest::attach(&server, "low", 20), Guest::attach(&server, "high", 30));
    low.launch(0);
    let mut random = Random(7);
    for round in 0..40 {
        let guest = Guest::attach(&server, "random", 0);
        let words = std::ptr::from_ref(guest.page()).cast::<AtomicU64>();
        let count = size_of::<Page>() / size_of::<AtomicU64>();
        for _ in 0..20 {
            for _ in 0..1 + random.below(4000) {
                // Half of them where gates, keys and the ring are.
                let at = if random.below(2) == 0 { random.below(400) } else { random.below(count) };
                // Rarely far from what would be valid.
                let value = random.next() >> (8 * random.below(8));
                // SAFETY: the page is nothing but atomics, as long as `count` words, and stays mapped.
                unsafe { &*words.add(at) }.store(value, Ordering::Relaxed);
            }
            guest.session.ring();
        }
        if round % 8 == 0 {
            high.launch(0);
            wait("low is held", || low.is_held());
            high.finish(0);
            wait("low goes on", || !low.is_held());
        }
    }
    wait("they are gone", || server.list().len() == 2);
}

#[test]
fn a_guest_that_says_more_after_its_hello_is_dropped() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "chatty", 0);
    rustix::net::send(guest.session.socket().unwrap(), &hello().to_packet(), SendFlags::NOSIGNAL).unwrap();
    wait("it is dropped", || matches!(guest.link(), Link::Down(_)));
}

#[test]
fn edges_that_found_no_room_are_made_up_for_by_reading_all_slots() {
    let server = Server::start(&[]);
    let low = Guest::attach(&server, "low", 0);
    low.launch(0);
    let many = Guest::attach(&server, "many", 10);
    wait("both are there", || server.list().len() == 2);
    server.signal(rustix::process::Signal::STOP);
    (1..700).for_each(|slot| many.create(slot, 0));
    (0..100).for_each(|slot| many.destroy(slot));
    many.create(u16::MAX, 0);
    many.launch(u16::MAX);
    server.signal(rustix::process::Signal::CONT);
    wait("low is held", || low.is_held());
    wait("all queues are known", || server.list()[1].queues.len() == 601);
    many.finish(u16::MAX);
    wait("low goes on", || !low.is_held());
}

#[test]
fn an_entry_without_a_ring_of_the_doorbell_is_found_soon() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "silent", 0);
    wait("its queue is known", || server.list()[0].queues.len() == 1);
    let activity = &guest.page().slot(0).unwrap().activity;
    assert!(activity.begin().was_idle && activity.raise());
    let edge = Edge { kind: EdgeKind::Ready, slot: 0, generation: 1 };
    assert!(guest.page().ring.push(edge.to_word()));
    wait("it is ready", || server.list()[0].queues[0].ready);
}

#[test]
fn indices_that_make_no_sense_do_not_mislead_the_server() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "wild", 0);
    guest.create(5000, 0);
    guest.destroy(5000);
    for slot in [1u16, 4000, 5000] {
        for kind in [EdgeKind::Destroyed, EdgeKind::Idle, EdgeKind::Ready, EdgeKind::Created] {
            guest.tell(kind, slot);
        }
    }
    guest.launch(0);
    wait("it is served", || server.list()[0].queues.first().is_some_and(|queue| queue.ready));
    assert_eq!(server.list()[0].queues.len(), 1);
}

#[test]
fn a_control_client_that_never_reads_keeps_nobody_waiting() {
    let server = Server::start(&[]);
    let (low, high) = (Guest::attach(&server, "low", 0), Guest::attach(&server, "high", 10));
    (1..500).for_each(|slot| low.create(slot, 0));
    wait("all queues are known", || server.list()[0].queues.len() == 500);
    let deaf = Raw::connect(&server);
    rustix::io::ioctl_fionbio(&deaf.0, true).unwrap();
    let request = Request::List.to_packet().unwrap();
    (0..200).for_each(|_| deaf.send(&request, &[]));
    low.launch(0);
    for _ in 0..10 {
        high.launch(0);
        wait("low is held", || low.is_held());
        high.finish(0);
        wait("low goes on", || !low.is_held());
    }
}

#[test]
fn silent_connections_and_half_closed_ones_keep_nobody_waiting() {
    let server = Server::start(&[]);
    let silent: Vec<Raw> = (0..200).map(|_| Raw::connect(&server)).collect();
    let half = Raw::connect(&server);
    rustix::net::shutdown(&half.0, rustix::net::Shutdown::Write).unwrap();
    assert_eq!(half.farewell(), "it closed the connection");
    let guest = Guest::attach(&server, "served", 0);
    guest.launch(0);
    wait("it is served", || server.list()[0].queues.first().is_some_and(|queue| queue.ready));
    assert_eq!(silent[0].farewell(), "it did not say what it wants");
    assert!(PATIENCE > Duration::from_secs(5));
}

#[test]
fn a_page_may_be_attached_twice_and_its_epochs_still_hold() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "first", 0);
    let second = connect(&server.socket(), &guest.page, Epoch::FIRST, "second", None, 0).unwrap();
    guest.launch(0);
    stays("the server lives", Duration::from_millis(50), || second.poll() == Link::Up);
    assert_eq!(server.list().len(), 2);
}
