//! What a hostile server sends to a guest and to xcli, over a real socket. They end within their patience, leave no file open, and a
//! guest's gates are open afterwards.

use crate::message::replies;
use crate::socket::{Files, encode, pair, send};
use crate::{Seed, input::Input};
use rustix::fd::{BorrowedFd, OwnedFd};
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;
use xsched_core::{Hints, Level, Limits};
use xsched_ipc::control::{ControlConnection, Reply, Request};
use xsched_ipc::guest::{self, Hello, Link, SharedPage};
use xsched_ipc::wire::{self, Kind, LimitsBody, Welcome};
use xsched_queue::gate::Epoch;

/// Packets that one input may send.
const MOST: usize = 4;
/// Longer than anything that does not wait takes: the server's end is closed before the guest looks.
const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    /// A page is mapped for good, so all inputs share one, and the epochs count on.
    static GUEST: RefCell<Option<(SharedPage, Epoch)>> = const { RefCell::new(None) };
}

pub(crate) fn run(data: &[u8]) {
    // All that is kept from one input to the next exists before files are counted.
    Files::get();
    GUEST.with_borrow_mut(|guest| _ = guest.get_or_insert_with(new_guest));
    let before = open_files();
    let mut input = Input::new(data);
    let is_for_guest = input.choose(&[true, false]);
    let (ours, theirs) = pair();
    for _ in 0..MOST {
        let length = usize::from(input.short());
        let files: Vec<BorrowedFd<'_>> =
            (0..input.byte()).take(20).map(|_| Files::get().choose(&mut input)).collect();
        send(&theirs, input.take(length), &files);
    }
    // That was all, but it still hears what is said to it.
    rustix::net::shutdown(&theirs, rustix::net::Shutdown::Write).expect("a socket");
    if is_for_guest {
        guest(ours)
    } else {
        asker(ours)
    }
    drop(theirs);
    assert_eq!(open_files(), before, "files stay open");
}

fn guest(socket: OwnedFd) {
    GUEST.with_borrow_mut(|guest| {
        let (page, epoch) = guest.get_or_insert_with(new_guest);
        let gates = page.page().gates();
        gates.iter().for_each(|gate| gate.start(*epoch));
        let (program, hints) = ("p".into(), Hints::default());
        let hello = Hello { epoch: *epoch, program, group: None, hints };
        if let Ok(session) = guest::attach(socket, Path::new("here"), page, &hello, PATIENCE) {
            let mut links = (0..=MOST).map(|_| session.poll());
            let is_down = links.any(|link| matches!(link, Link::Down(_)));
            assert!(is_down, "the server is gone, and the guest does not see it");
            session.ring();
            gates.iter().for_each(|gate| assert!(gate.rescue(*epoch)));
        }
        *epoch = epoch.next();
        assert!(gates.iter().all(|gate| gate.state().is_free() && gate.state().epoch() == *epoch));
    });
}

fn asker(socket: OwnedFd) {
    let connection = ControlConnection::new(socket, Path::new("here"), PATIENCE);
    let is_over = (0..=MOST).any(|_| connection.ask(&Request::List).is_err());
    assert!(is_over, "more answers than packets");
}

fn new_guest() -> (SharedPage, Epoch) {
    (SharedPage::create().expect("memory for a page"), Epoch::FIRST)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

pub(crate) fn seeds() -> Vec<Seed> {
    let welcome = encode(&Welcome { client: 7 }.to_packet(), &[8, 1]);
    let look = encode(&wire::packet(Kind::Look, &[]), &[]);
    let farewell = encode(&wire::packet(Kind::Refused, b"xserver is ending"), &[]);
    let limits = LimitsBody::to_packet(Limits { level: Some(Level::Block), threshold: Some(4) });
    let limits = encode(&limits, &[]);
    let to_guest = |packets: &[&[u8]]| [&[0], packets.concat().as_slice()].concat();
    let mut seeds = vec![
        ("guest-served", to_guest(&[&welcome, &look, &farewell])),
        ("guest-limited", to_guest(&[&welcome, &limits, &farewell])),
        ("guest-refused", to_guest(&[&farewell])),
        ("guest-wrong-files", to_guest(&[&encode(&Welcome { client: 7 }.to_packet(), &[0, 0])])),
        ("guest-too-many-files", to_guest(&[&encode(&Welcome { client: 7 }.to_packet(), &[8; 20])])),
        ("guest-look-with-files", to_guest(&[&welcome, &encode(&wire::packet(Kind::Look, &[]), &[7, 6])])),
    ];
    let packets = |reply: Reply| encode(&reply.to_packets().unwrap_or_default().concat(), &[]);
    seeds.extend(
        replies().into_iter().map(|(name, reply)| (name, [&[1], packets(reply).as_slice()].concat())),
    );
    seeds
}
