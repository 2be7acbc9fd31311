//! Thousands of messages and pages that make no sense, while others are scheduled.

use crate::guest::Guest;
use crate::harness::{PATIENCE, Server, wait};
use crate::hostile::{Random, Raw, hello};
use crate::somebody::{Job, NOBODY, Somebody};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use xsched_core::DeviceKey;
use xsched_ipc::control::Request;
use xsched_ipc::guest::{Link, SharedPage};
use xsched_ipc::page::{Edge, EdgeKind, Page};
use xsched_ipc::wire::{self, Kind};
use xsched_queue::gate::Epoch;

/// Hostile connections at a time.
const AT_A_TIME: usize = 12;

/// Sends garbage in all ways, so many times; answers how many connections the server ended.
pub(crate) fn rage(socket: &Path, rounds: u32) -> usize {
    let mut random = Random(u64::from(rounds));
    let pages: Vec<SharedPage> = (0..AT_A_TIME + 1).map(|_| SharedPage::create().unwrap()).collect();
    let mut alive: VecDeque<Raw> = VecDeque::new();
    let mut ended = 0;
    for round in 0..rounds as usize {
        let raw = Raw::connect_to(socket);
        let page = &pages[round % pages.len()];
        if random.below(2) == 0 {
            message(&raw, page, &mut random);
        } else {
            guest(&raw, page, &mut random);
        }
        alive.push_back(raw);
        if alive.len() > AT_A_TIME {
            ended += usize::from(alive.pop_front().is_some_and(|raw| raw.is_ended()));
        }
    }
    ended
}

/// A message with some bytes wrong, and any files.
fn message(raw: &Raw, page: &SharedPage, random: &mut Random) {
    let mut bytes = match random.below(6) {
        0 => (0..random.below(300)).map(|_| random.next() as u8).collect(),
        1 => wire::packet(Kind::Request, br#"{"hint":{"target":{"queue":1},"kind":"priority","value":5}}"#),
        2 => Request::List.to_packet().unwrap(),
        3 => wire::Loan { kind: 1, fds: random.below(4), blob: vec![1; random.below(100)] }.to_packet(),
        4 => wire::Hello { group: Some("job".into()), ..hello() }.to_packet(),
        _ => hello().to_packet(),
    };
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len() + 1);
        match bytes.get_mut(at) {
            Some(byte) => *byte ^= 1 << random.below(8),
            None => bytes.push(random.next() as u8),
        }
    }
    let (pipe, _end) = rustix::pipe::pipe().unwrap();
    let null: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let all = [page.fd().unwrap(), pipe.as_fd(), null.as_fd(), raw.0.as_fd()];
    let fds: Vec<BorrowedFd<'_>> = (0..random.below(4)).map(|_| all[random.below(all.len())]).collect();
    raw.send(&bytes, &fds);
}

/// A guest that is taken in, and then writes anything anywhere.
fn guest(raw: &Raw, shared: &SharedPage, random: &mut Random) {
    let page = shared.page();
    page.gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
    page.set_key(0, &DeviceKey::cpu(0));
    raw.send(&hello().to_packet(), &[shared.fd().unwrap()]);
    let Some(doorbell) = raw.doorbell() else { return };
    let words = std::ptr::from_ref(page).cast::<AtomicU64>();
    for _ in 0..1 + random.below(6) {
        for _ in 0..random.below(60) {
            // Mostly where gates, keys, the ring and the first slots are; rarely far from what would be valid.
            let at =
                if random.below(8) == 0 { random.below(size_of::<Page>() / 8) } else { random.below(600) };
            let value = random.next() >> (8 * random.below(8));
            // SAFETY: the page is nothing but atomics, longer than that, and stays mapped.
            unsafe { &*words.add(at) }.store(value, Ordering::Relaxed);
        }
        for _ in 0..random.below(8) {
            let kind =
                [EdgeKind::Created, EdgeKind::Ready, EdgeKind::Idle, EdgeKind::Destroyed][random.below(4)];
            let slot = random.below(8) as u16;
            let edge = Edge { kind, slot, generation: random.below(3) as u32 };
            let _ = page.ring.push(if random.below(50) == 0 { random.next() } else { edge.to_word() });
        }
        xsched_ipc::guest::ring(doorbell.as_fd());
    }
}

/// What a server has of the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Usage {
    fds: usize,
    threads: usize,
    maps: usize,
    /// In KiB.
    memory: usize,
}

impl Usage {
    fn of(pid: u32) -> Usage {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let text = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap();
        let status = text("status");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
        let maps = text("maps").matches("xsched-page").count();
        Usage { fds: count("fd"), threads: count("task"), maps, memory }
    }

    /// Without those who are just leaving: the fewest files of some looks.
    fn at_rest(pid: u32) -> Usage {
        let looks = (0..50).map(|_| {
            std::thread::sleep(Duration::from_millis(2));
            Usage::of(pid)
        });
        looks.min_by_key(|usage| usage.fds).unwrap()
    }
}

#[test]
fn ten_thousand_fuzzed_messages_and_pages_end_their_senders_only_and_leave_nothing_behind() {
    const ROUNDS: u32 = 10_000;
    let server = Server::start(&["--lease", "600s", "--max-suspend", "600s"]);
    let (low, high) = (Guest::attach(&server, "low", 20), Guest::attach(&server, "high", 30));
    // Who is not root cannot be two users, and one's own guests may be as urgent as they like.
    let user = rustix::process::geteuid().is_root().then_some(NOBODY);
    // What is made once and kept is made now; the allocator takes a few thousand rounds to have all that it keeps.
    let mut first = Somebody::start(Job::Storm(ROUNDS / 3), &server.socket(), user, None);
    first.says();
    drop(first);
    wait("the first are gone", || server.list().len() == 2);
    let before = Usage::at_rest(server.pid());

    let mut storm = Somebody::start(Job::Storm(ROUNDS), &server.socket(), user, None);
    low.launch(0);
    let mut turns = 0;
    while !storm.is_gone() {
        if user.is_some() {
            high.launch(0);
            wait("low is held", || low.is_held());
            assert!(!high.is_held());
            high.finish(0);
            wait("low goes on", || !low.is_held());
            turns += 1;
        }
        assert_eq!((low.link(), high.link()), (Link::Up, Link::Up));
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = storm.says();
    let ended: u32 = said.strip_suffix(" ended").unwrap().parse().unwrap();
    println!("{turns} turns meanwhile; the server ended {ended} of {ROUNDS} connections; {before:?}");
    assert!(ended > ROUNDS / 4, "{ended}");
    assert!(user.is_none() || turns > 10, "{turns}");

    wait("nobody stayed", || server.list().len() == 2);
    let mut after = Usage::of(server.pid());
    // Files of strangers are closed in the background, and who asked for the list may not be gone yet.
    let start = Instant::now();
    while after.fds > before.fds || after.threads > before.threads || after.maps > before.maps {
        assert!(start.elapsed() < PATIENCE, "{before:?}, then {after:?}");
        std::thread::sleep(Duration::from_millis(10));
        after = Usage::of(server.pid());
    }
    // A user may have slots enough for 4 MiB of tables, which malloc keeps for the next. Anything that was lost with each connection would be more.
    assert!(after.memory < before.memory + 8 * 1024, "{before:?}, then {after:?}");
    server.wait_for_log("refused pid ");
    server.wait_for_log("dropped c");
}
