//! What a stranger sends to xserver: packets with files, over a real socket. Each is a whole valid message or the end of the connection.

use crate::message::{bare_hello, full_hello, given, lent, requests};
use crate::{Seed, input::Input};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use xsched_ipc::guest::SharedPage;
use xsched_ipc::page::Page;
use xsched_ipc::server::{Connection, Message};
use xsched_ipc::wire::{Loan, MAX_BLOB, MAX_BOND, MAX_FDS, MAX_PACKET};

/// Packets that one input may send: as many as are sure to find room.
const MOST: usize = 3;

pub(crate) fn run(data: &[u8]) {
    let (ours, theirs) = pair();
    let mut input = Input::new(data);
    for _ in 0..MOST {
        let length = usize::from(input.short());
        let files: Vec<BorrowedFd<'_>> =
            (0..input.byte()).take(20).map(|_| Files::get().choose(&mut input)).collect();
        send(&theirs, input.take(length), &files);
    }
    drop(theirs);
    let connection = Connection::new(ours).expect("a socket has credentials");
    // At most as many messages as packets, and then the end.
    for _ in 0..=MOST {
        match connection.receive() {
            Ok(Some(Message::Hello(newcomer))) => {
                assert!(
                    newcomer.page.gates().iter().all(|gate| gate.state().epoch() == newcomer.hello.epoch)
                );
            }
            Ok(Some(Message::Hints(_))) => {}
            Ok(Some(Message::Lend(lent))) => {
                let lent = lent.as_ref().map(|lent| &lent.remote);
                assert!(lent.is_none_or(|lent| lent.kind != 0 && lent.fds.len() <= MAX_FDS));
                assert!(lent.is_none_or(|lent| lent.blob.len() <= MAX_BLOB));
            }
            Ok(Some(Message::Bond(what))) => assert!((1..=MAX_BOND).contains(&what.len())),
            Ok(Some(Message::Request(_))) => {}
            Ok(None) => panic!("the peer is gone, and yet there may be more to come"),
            Err(_) => return,
        }
    }
    panic!("more messages than packets");
}

/// A pair of sockets as between a guest and the server.
pub(crate) fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .expect("a pair of sockets")
}

/// Sends a packet if there is room for it.
pub(crate) fn send(socket: &OwnedFd, bytes: &[u8], files: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); 1024];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(files));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags);
}

/// Files to send, from the right one to the wrong ones.
pub(crate) struct Files {
    page: SharedPage,
    heartbeat: xsched_ipc::server::Pulse,
    others: Vec<OwnedFd>,
}

impl Files {
    pub(crate) fn get() -> &'static Files {
        static FILES: OnceLock<Files> = OnceLock::new();
        FILES.get_or_init(|| {
            let page = SharedPage::create().expect("memory for a page");
            page.page().gates().iter().for_each(|gate| gate.start(bare_hello().epoch));
            let size = size_of::<Page>() as u64;
            let both = SealFlags::GROW | SealFlags::SHRINK;
            let (pipe, _) = rustix::pipe::pipe().expect("a pipe");
            let others = vec![
                memfd(size, SealFlags::GROW),
                memfd(size - 1, both),
                memfd(size, both | SealFlags::WRITE),
                memfd(0, both),
                pipe,
                pair().0,
                xsched_ipc::server::doorbell().expect("an eventfd"),
                std::fs::File::open("/dev/null").expect("/dev/null").into(),
            ];
            Files { page, heartbeat: xsched_ipc::server::Pulse::create().expect("memory"), others }
        })
    }

    /// One of them; half of the time a page, a heartbeat or a doorbell, as they should be.
    pub(crate) fn choose(&'static self, input: &mut Input<'_>) -> BorrowedFd<'static> {
        let choice = usize::from(input.byte()) % (self.others.len() + 2);
        match choice.checked_sub(2).and_then(|other| self.others.get(other)) {
            Some(other) => other.as_fd(),
            None if choice == 0 => self.page.fd().expect("nobody closed it"),
            None => self.heartbeat.fd(),
        }
    }
}

fn memfd(size: u64, seals: SealFlags) -> OwnedFd {
    let fd =
        rustix::fs::memfd_create("edges", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("a memfd");
    rustix::fs::ftruncate(&fd, size).expect("memory");
    rustix::fs::fcntl_add_seals(&fd, seals).expect("seals");
    fd
}

/// One packet as [`run`] reads it: the numbers are those of [`Files::choose`].
pub(crate) fn encode(packet: &[u8], files: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len().min(MAX_PACKET)).unwrap_or(u16::MAX);
    [&length.to_le_bytes()[..], &[files.len() as u8], files, packet].concat()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let bare = bare_hello().to_packet();
    let mut seeds = vec![
        ("hello", encode(&bare, &[0])),
        ("hello-full", encode(&full_hello().to_packet(), &[0])),
        ("hello-with-files", encode(&full_hello().to_packet(), &[0, 9, 9])),
        ("loan", [encode(&bare, &[0]), encode(&lent().to_packet(), &[9, 9])].concat()),
        ("loan-of-nothing", encode(&Loan::default().to_packet(), &[])),
        ("hello-without-page", encode(&bare, &[])),
        ("hello-unsealed", encode(&bare, &[2])),
        ("hello-small", encode(&bare, &[3])),
        ("hello-sealed-for-good", encode(&bare, &[4])),
        ("hello-pipe", encode(&bare, &[6])),
        ("hello-twice", [encode(&bare, &[0]), encode(&bare, &[0])].concat()),
        ("hints", encode(&given().to_packet(), &[])),
        ("hints-with-files", encode(&given().to_packet(), &[0])),
        ("too-many-files", encode(&bare, &[0; 20])),
    ];
    seeds.extend(
        requests()
            .into_iter()
            .filter_map(|(name, request)| Some((name, encode(&request.to_packet().ok()?, &[])))),
    );
    seeds
}
