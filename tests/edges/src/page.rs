//! Whatever a guest does with its page, as xserver reads it: the server lives, keeps nothing of it afterwards, and two guests of
//! somebody else are scheduled as if it were not there.

use crate::Seed;
use crate::input::Input;
use crate::message::bare_hello;
use rustix::fs::FallocateFlags;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xsched_core::{ClientId, DeviceKey, Hint, HintKind, Level, QueueId};
use xsched_ipc::control::{Reply, Request, Target};
use xsched_ipc::guest::SharedPage;
use xsched_ipc::page::{DEVICES, Edge, EdgeKind, Page};
use xsched_ipc::peer::Credentials;
use xsched_ipc::server::{GuestPage, Newcomer};
use xsched_ipc::wire::Hello;
use xsched_queue::gate::Epoch;
use xsched_sched::{PolicyKind, Settings};
use xserver::rehearsal::{Kept, Rehearsal};

/// Steps that one input may take; with their pauses they stay within the lease.
const MOST_STEPS: usize = 512;
/// Never over in these runs.
const LONG: Duration = Duration::from_secs(100 * 3600);
const GRACE: Duration = Duration::from_micros(200);
/// More than the grace.
const A_WHILE: Duration = Duration::from_millis(2);
const ROOT: u32 = 0;
const STRANGER: u32 = 1001;

/// One step.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Step {
    /// Any word to any place.
    Write,
    /// The same word to some places in a row.
    Fill,
    /// An entry to the ring that looks like one.
    Edge,
    /// Any entry to the ring.
    Entry,
    Ring,
    Occupy,
    Vacate,
    Launch,
    Finish,
    /// A name for a device.
    Key,
    /// To ask for something.
    Ask,
    /// To part, or to attach again.
    Come,
    /// Time passes.
    Pass,
    /// The urgent honest guest launches, or is done.
    High,
    /// The other honest guest does.
    Low,
}

const STEPS: [Step; 15] = [
    Step::Write,
    Step::Fill,
    Step::Edge,
    Step::Entry,
    Step::Ring,
    Step::Occupy,
    Step::Vacate,
    Step::Launch,
    Step::Finish,
    Step::Key,
    Step::Ask,
    Step::Come,
    Step::Pass,
    Step::High,
    Step::Low,
];

thread_local! {
    /// Pages are mapped for good, so all inputs share these: one for each honest guest, and the stranger's.
    static PAGES: RefCell<Option<[SharedPage; 3]>> = const { RefCell::new(None) };
}

pub(crate) fn run(data: &[u8]) {
    PAGES.with_borrow_mut(|pages| {
        let pages =
            pages.get_or_insert_with(|| std::array::from_fn(|_| SharedPage::create().expect("memory")));
        let [low, high, stranger] = &*pages;
        let mut play = Play::new(low, high, stranger);
        let mut input = Input::new(data);
        for _ in 0..MOST_STEPS {
            let Some(step) = input.next() else { break };
            play.step(STEPS[usize::from(step) % STEPS.len()], &mut input);
            play.check();
        }
        play.close();
    });
}

struct Play<'a> {
    server: Rehearsal,
    low: Honest<'a>,
    high: Honest<'a>,
    page: &'a SharedPage,
    stranger: Option<ClientId>,
    /// What the server kept before a stranger came.
    kept: Kept,
    /// For how long neither of the honest guests did anything.
    quiet_for: Duration,
}

/// A guest with one queue that does all as it should.
struct Honest<'a> {
    page: &'a SharedPage,
    client: ClientId,
    is_busy: bool,
}

impl<'a> Play<'a> {
    fn new(low: &'a SharedPage, high: &'a SharedPage, page: &'a SharedPage) -> Play<'a> {
        let settings = Settings { grace: GRACE, lease: LONG, max_suspend: LONG, ..Settings::default() };
        let mut server = Rehearsal::new(PolicyKind::Hpf, settings, 0);
        let low = Honest::attach(&mut server, low, 20);
        let high = Honest::attach(&mut server, high, 30);
        wipe(page);
        let kept = server.kept();
        Play { server, low, high, page, stranger: None, kept, quiet_for: LONG }
    }

    fn page(&self) -> &'static Page {
        self.page.page()
    }

    fn step(&mut self, step: Step, input: &mut Input<'_>) {
        match step {
            Step::Write => self.write(place(input), input.long()),
            Step::Fill => {
                let (from, count, word) = (place(input), usize::from(input.byte()), input.long());
                (from..from + count).for_each(|at| self.write(at, word));
            }
            Step::Edge => {
                let kind =
                    input.choose(&[EdgeKind::Created, EdgeKind::Destroyed, EdgeKind::Ready, EdgeKind::Idle]);
                let edge = Edge { kind, slot: slot(input), generation: u32::from(input.byte()) };
                let _ = self.page().ring.push(edge.to_word());
            }
            Step::Entry => drop(self.page().ring.push(input.long())),
            Step::Ring => self.stranger.into_iter().for_each(|client| self.server.ring(client)),
            Step::Occupy => {
                let level = input.choose(&[Level::Block, Level::Deactivate, Level::Interrupt]);
                let device = input.byte() % DEVICES as u8;
                self.page().occupy(slot(input), device, level);
            }
            Step::Vacate => self.slot(slot(input)).vacate(),
            Step::Launch => {
                let activity = &self.slot(slot(input)).activity;
                let _ = activity.begin();
                activity.raise();
                activity.end();
            }
            Step::Finish => {
                let activity = &self.slot(slot(input)).activity;
                activity.try_idle(activity.snapshot());
            }
            Step::Key => {
                let keys = [DeviceKey::cpu(0), DeviceKey::cpu(1), DeviceKey::pci(0, 1, 2, 3)];
                let key = &keys[usize::from(input.byte()) % keys.len()];
                self.page().set_key(input.byte() % DEVICES as u8, key);
            }
            Step::Ask => self.ask(input),
            Step::Come => match self.stranger.take() {
                Some(client) => self.server.leave(client),
                None => self.come(input),
            },
            Step::Pass => {
                self.pass(input.choose(&[Duration::from_nanos(1), GRACE, A_WHILE, Duration::from_secs(1)]))
            }
            Step::High => {
                self.high.take_turn(&mut self.server);
                self.quiet_for = Duration::ZERO;
            }
            Step::Low => {
                self.low.take_turn(&mut self.server);
                self.quiet_for = Duration::ZERO;
            }
        }
    }

    fn slot(&self, slot: u16) -> &'static xsched_ipc::page::Slot {
        self.page().slot(slot).expect("a slot of the page")
    }

    fn write(&self, at: usize, word: u64) {
        const WORDS: usize = size_of::<Page>() / size_of::<AtomicU64>();
        let words = std::ptr::from_ref(self.page()).cast::<AtomicU64>();
        // SAFETY: a page is nothing but atomics, it is WORDS long, and stays mapped.
        unsafe { &*words.add(at % WORDS) }.store(word, Ordering::Relaxed);
    }

    fn come(&mut self, input: &mut Input<'_>) {
        self.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
        let group = input.choose(&[None, Some("job"), Some("honest")]).map(String::from);
        let client =
            attach(&mut self.server, self.page, STRANGER, Hello { group, ..hello(i64::from(input.byte())) });
        self.stranger = Some(client);
    }

    /// A stranger may look, and may steer what is his own.
    fn ask(&mut self, input: &mut Input<'_>) {
        let queue = u64::from(input.byte() % 8);
        let target = input
            .choose(
                &[
                    Target::Queue(QueueId(queue)),
                    Target::Client(ClientId(queue as u32)),
                    Target::Pid(ROOT + 1),
                    Target::Pid(STRANGER),
                ]
                .each_ref(),
            )
            .clone();
        let is_honests = match target {
            Target::Queue(QueueId(n)) => (1..=2).contains(&n),
            Target::Client(client) => client == self.low.client || client == self.high.client,
            Target::Pid(pid) => pid == ROOT + 1,
        };
        let kind = input.choose(&[HintKind::Priority, HintKind::Utilization, HintKind::Deadline]);
        let hint = Request::Hint { target, kind, value: i64::from(input.short()) - 300 };
        let set = Request::SetPolicy { name: "HPF".into() };
        let request =
            input.choose(&[hint, set, Request::List, Request::Status, Request::Policy].each_ref()).clone();
        let must_not = is_honests && matches!(request, Request::Hint { .. })
            || matches!(request, Request::SetPolicy { .. });
        let replies = self.server.ask(&who(STRANGER), request);
        assert!(replies.iter().all(|reply| reply.to_packets().is_ok()), "an answer that cannot be sent");
        assert!(
            !must_not || matches!(replies.as_slice(), [Reply::Refused(_)]),
            "a stranger steers: {replies:?}"
        );
    }

    fn pass(&mut self, time: Duration) {
        self.server.pass(time);
        self.quiet_for = self.quiet_for.saturating_add(time);
    }

    fn check(&mut self) {
        for (client, reason) in self.server.take_dropped() {
            assert_eq!(Some(client), self.stranger, "dropped: {reason}");
            self.stranger = None;
        }
        assert!(!self.high.is_held(), "the most urgent guest is held");
        if self.high.is_busy {
            assert!(self.low.is_held(), "the urgent guest has work, and the other one is not held");
        } else if self.low.is_busy && self.quiet_for > GRACE {
            // Nobody tells that he is idle until somebody waits for it.
            assert!(!self.low.is_held(), "held although nobody more urgent has work");
        }
        let kept = self.server.kept();
        assert_eq!(kept.guests, 2 + usize::from(self.stranger.is_some()));
        assert_eq!(kept.queues, kept.scheduled_queues);
    }

    fn close(mut self) {
        if let Some(client) = self.stranger.take() {
            self.server.leave(client);
        }
        for (honest, is_busy) in [(&mut self.high, false), (&mut self.low, true)] {
            if honest.is_busy != is_busy {
                honest.take_turn(&mut self.server);
            }
        }
        self.pass(A_WHILE);
        self.check();
        assert_eq!(self.server.kept(), self.kept);
    }
}

impl<'a> Honest<'a> {
    fn attach(server: &mut Rehearsal, page: &'a SharedPage, priority: i64) -> Honest<'a> {
        wipe(page);
        page.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
        page.page().set_key(0, &DeviceKey::cpu(0));
        page.page().occupy(0, 0, Level::Block);
        let group = Some(format!("honest {priority}"));
        let client = attach(server, page, ROOT, Hello { group, ..hello(priority) });
        Honest { page, client, is_busy: false }
    }

    fn is_held(&self) -> bool {
        !self.page.page().gates()[0].state().is_open()
    }

    /// Launches, or is done with what it launched.
    fn take_turn(&mut self, server: &mut Rehearsal) {
        let page = self.page.page();
        let slot = page.slot(0).expect("a slot");
        let tell = |kind| page.ring.push(Edge { kind, slot: 0, generation: 1 }.to_word());
        self.is_busy = !self.is_busy;
        let rings = if self.is_busy {
            let is_news = slot.activity.begin().was_idle && slot.activity.raise();
            slot.activity.end();
            is_news && tell(EdgeKind::Ready)
        } else {
            assert!(slot.activity.try_idle(slot.activity.snapshot()));
            page.gates()[0].state().is_awaited() && tell(EdgeKind::Idle)
        };
        if rings {
            server.ring(self.client);
        } else {
            // Whatever happens next, the server looks at it before it decides.
            server.pass(Duration::from_nanos(1));
        }
    }
}

fn attach(server: &mut Rehearsal, page: &SharedPage, uid: u32, hello: Hello) -> ClientId {
    let page = GuestPage::map(page.fd().expect("nobody closed it")).expect("a page of ours");
    server.attach(who(uid), Newcomer { hello, page })
}

/// A user; his processes have the number that follows.
fn who(uid: u32) -> Credentials {
    Credentials { pid: uid.max(1), uid, gid: uid, groups: Vec::new() }
}

fn hello(priority: i64) -> Hello {
    let mut hello = bare_hello();
    Hint::new(HintKind::Priority, priority).into_iter().for_each(|hint| hello.hints.set(hint));
    hello
}

/// Zeroes, as in a new page.
fn wipe(page: &SharedPage) {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let fd = page.fd().expect("nobody closed it");
    rustix::fs::fallocate(fd, flags, 0, size_of::<Page>() as u64).expect("a memfd may have holes");
}

/// Half of the time where gates, keys and the ring are.
fn place(input: &mut Input<'_>) -> usize {
    let at = usize::from(input.short());
    if at.is_multiple_of(2) { at / 2 % 400 } else { at }
}

/// Mostly one of a few.
fn slot(input: &mut Input<'_>) -> u16 {
    match input.byte() {
        255 => u16::MAX,
        254 => input.short(),
        few => u16::from(few % 8),
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    use Step::*;
    let script = |steps: &[(Step, &[u8])]| -> Vec<u8> {
        steps.iter().flat_map(|(step, arguments)| [&[*step as u8], *arguments].concat()).collect()
    };
    let entry = 0xdead_beef_u64.to_le_bytes();
    vec![
        (
            "life",
            script(&[
                (Key, &[0, 0]),
                (Come, &[0, 5]),
                (Occupy, &[0, 0, 1]),
                (Edge, &[0, 1, 1]),
                (Ring, &[]),
                (Launch, &[1]),
                (Edge, &[2, 1, 1]),
                (Ring, &[]),
                (High, &[]),
                (Pass, &[2]),
                (High, &[]),
                (Finish, &[1]),
                (Edge, &[3, 1, 1]),
                (Ring, &[]),
                (Vacate, &[1]),
                (Edge, &[1, 1, 1]),
                (Ring, &[]),
                (Come, &[]),
            ]),
        ),
        ("garbage", script(&[(Come, &[1, 0]), (Entry, &entry), (Ring, &[])])),
        ("no-key", script(&[(Come, &[2, 0]), (Occupy, &[0, 9, 2]), (Edge, &[0, 2, 1]), (Ring, &[])])),
        (
            "two-names",
            script(&[
                (Key, &[0, 0]),
                (Key, &[0, 1]),
                (Occupy, &[0, 0, 0]),
                (Occupy, &[0, 1, 1]),
                (Come, &[0, 0]),
            ]),
        ),
        (
            "overflow",
            script(&[
                (Key, &[1, 0]),
                (Come, &[0, 0]),
                (Occupy, &[1, 0, 255]),
                (Fill, &[100, 1, 3, 255, 255, 255, 255, 255, 255, 255, 255]),
                (Ring, &[]),
                (Pass, &[3]),
            ]),
        ),
        (
            "parted",
            script(&[
                (Key, &[0, 0]),
                (Occupy, &[0, 0, 0]),
                (Come, &[0, 0]),
                (Launch, &[0]),
                (Fill, &[0, 0, 8, 0, 2, 0, 0, 0, 2, 0, 0]),
                (Low, &[]),
                (High, &[]),
                (Ring, &[]),
            ]),
        ),
        (
            "steers",
            script(&[
                (Come, &[0, 0]),
                (Ask, &[1, 0, 0, 0, 2, 0]),
                (Ask, &[1, 1, 0, 0, 2, 1]),
                (Ask, &[0, 2, 0, 44, 1, 0]),
                (Ask, &[0, 3, 1, 0, 0, 2]),
            ]),
        ),
        (
            "storm",
            script(&[
                (High, &[]),
                (Low, &[]),
                (Pass, &[0]),
                (High, &[]),
                (Pass, &[1]),
                (High, &[]),
                (High, &[]),
                (Pass, &[2]),
                (Low, &[]),
            ]),
        ),
    ]
}
