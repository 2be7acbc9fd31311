//! The scheduler inside the process: the same one as xserver's, for the queues of this process alone, each of them a group of its own.
//!
//! A thread of ours that is there only while this is the one who schedules. It is told *where* something happened and reads the queue's words
//! itself, so nothing is lost if it looks late; what it decides goes into each queue's own word. It never calls the vendor's library and takes no
//! lock that is held across a vendor's call. Beliefs about a queue are kept in line as in xserver's turn (`bin/xserver/src/turn.rs`): a queue
//! that was idle is told of again only once it was given up here, and until then it is looked at before each decision.

use crate::guest::{Guest, clock};
use crate::manager::Manager;
use crate::queue::Queue;
use crate::{agent, fork};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use xsched_core::hint::HINTS;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hint, Hints, Operation, QueueId, Time};
use xsched_queue::gate::Verdict;
use xsched_sched::{PolicyKind, Scheduler, Settings};

/// The longest sleep.
const LONGEST: Duration = Duration::from_secs(10);
/// Each round follows from news of the one before; queues that make news all the time are left for the next turn.
const ROUNDS: usize = 8;

/// Where the thread is told to look, and whether it is there.
#[derive(Default)]
pub(crate) struct Local {
    inbox: Mutex<Inbox>,
    wake: Condvar,
    is_present: AtomicBool,
    /// Counts the times at which another one took over: what was decided before is void then.
    era: AtomicU32,
}

/// What the lock of [`Local`] protects.
#[derive(Default)]
struct Inbox {
    /// Each queue once: see `Queue::is_news`.
    news: Vec<&'static Queue>,
    is_woken: bool,
}

impl Local {
    /// Something happened to the queue.
    pub(crate) fn news(&self, queue: &'static Queue) {
        // SYNC POINT with `take`: the flag is cleared before the queue is read.
        if !queue.is_news.swap(true, Ordering::SeqCst) {
            self.tell(|inbox| inbox.news.push(queue));
        }
    }

    /// Makes sure that the thread is there, and looks at everything.
    pub(crate) fn start(&self, guest: &'static Guest) -> io::Result<()> {
        self.tell(|_| ());
        if self.is_present.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        fork::watch_exit_again();
        agent::spawn("xsched-local", move || guest.local.run(guest))
            .inspect_err(|_| self.is_present.store(false, Ordering::SeqCst))
    }

    /// Another one schedules now: what was decided is void, and the thread ends.
    pub(crate) fn stop(&self, guest: &'static Guest) {
        self.era.fetch_add(1, Ordering::SeqCst);
        guest.queues().into_iter().for_each(|queue| queue.rule_no_more());
        self.tell(|_| ());
    }

    fn tell(&self, what: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut inbox);
        inbox.is_woken = true;
        drop(inbox);
        self.wake.notify_one();
    }

    /// Waits for news, at most until then.
    fn take(&self, until: Option<Time>) -> Vec<&'static Queue> {
        let bound = until.map_or(LONGEST, |time| time.since(clock()).min(LONGEST));
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(inbox, bound, |inbox| !inbox.is_woken);
        let (mut inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inbox.is_woken = false;
        let news = std::mem::take(&mut inbox.news);
        drop(inbox);
        news.iter().for_each(|queue| queue.is_news.store(false, Ordering::SeqCst));
        news
    }

    fn run(&self, guest: &'static Guest) {
        loop {
            let era = self.era.load(Ordering::SeqCst);
            if let Manager::Local(policy) = guest.manager()
                && !guest.is_exiting()
            {
                Run::new(guest, policy, era).run();
            }
            self.is_present.store(false, Ordering::SeqCst);
            // Whoever started us before this counted on us.
            if !matches!(guest.manager(), Manager::Local(_))
                || guest.is_exiting()
                || self.is_present.swap(true, Ordering::SeqCst)
            {
                return;
            }
        }
    }
}

/// What is known of a queue in one life of it.
struct Known {
    queue: &'static Queue,
    life: u32,
    hints: Hints,
    wish: Verdict,
}

/// One time of being the one who schedules.
struct Run {
    guest: &'static Guest,
    policy: PolicyKind,
    scheduler: Scheduler,
    /// The newest life of each queue, by the queue's address.
    ids: HashMap<usize, u64>,
    known: BTreeMap<u64, Known>,
    /// Told idle, and not given up by the scheduler yet.
    lingering: BTreeSet<u64>,
    last_id: u64,
    /// As it was when this began.
    era: u32,
}

impl Run {
    fn new(guest: &'static Guest, policy: PolicyKind, era: u32) -> Run {
        let config = guest.config;
        let settings = Settings {
            grace: config.grace,
            lease: config.lease,
            max_suspend: config.max_suspend,
            handover: config.handover,
            ..Settings::default()
        };
        Run {
            guest,
            policy,
            // Each queue is a client and a group to it.
            scheduler: Scheduler::new(policy, settings).within_one_process(),
            ids: HashMap::new(),
            known: BTreeMap::new(),
            lingering: BTreeSet::new(),
            last_id: 0,
            era,
        }
    }

    fn run(mut self) {
        let mut news = self.guest.queues();
        while let Manager::Local(policy) = self.guest.manager()
            && self.is_current()
        {
            let now = clock();
            if policy != self.policy {
                self.scheduler.set_policy(policy, now);
                self.policy = policy;
            }
            news.into_iter().for_each(|queue| self.read(queue, now));
            let next = self.turn(now);
            news = self.guest.local.take(next);
        }
    }

    /// Nobody has taken over since, and the process is not ending.
    fn is_current(&self) -> bool {
        self.guest.local.era.load(Ordering::SeqCst) == self.era && !self.guest.is_exiting()
    }

    /// Brings what is known of the queue in line with what its words say.
    fn read(&mut self, queue: &'static Queue, now: Time) {
        let address = std::ptr::from_ref(queue).addr();
        let life = queue.life();
        let known = self.ids.get(&address).copied();
        let is_same = |id: &u64| self.known.get(id).is_some_and(|known| known.life == life);
        let id = match known.filter(is_same) {
            Some(id) => id,
            None => {
                known.inspect(|id| self.leave(*id, now));
                if !Queue::is_alive(life) {
                    self.ids.remove(&address);
                    return;
                }
                self.join(queue, life, now)
            }
        };
        self.ids.insert(address, id);
        self.read_hints(id, now);
        self.read_activity(id, now);
        self.tell_progress(id, now);
    }

    fn join(&mut self, queue: &'static Queue, life: u32, now: Time) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let device = DeviceId(queue.device().into());
        self.scheduler.handle(Event::ClientJoined { client: client(id), group: GroupId(client(id).0) }, now);
        let hints = self.guest.hints();
        let created = Event::QueueCreated { queue: QueueId(id), client: client(id), device, hints };
        self.scheduler.handle(created, now);
        self.known.insert(id, Known { queue, life, hints, wish: Verdict::default() });
        id
    }

    fn leave(&mut self, id: u64, now: Time) {
        self.known.remove(&id);
        self.lingering.remove(&id);
        self.scheduler.handle(Event::ClientLeft { client: client(id) }, now);
    }

    /// What the program gave the queue goes before what it gave all of them.
    fn read_hints(&mut self, id: u64, now: Time) {
        let Some(known) = self.known.get_mut(&id) else { return };
        let mut hints = self.guest.hints();
        let Some(own) = known.queue.control(known.life).map(|control| control.hints) else { return };
        own.iter().for_each(|hint| hints.set(hint));
        for kind in HINTS.iter().map(|info| info.kind) {
            if hints.given(kind) != known.hints.given(kind)
                && let Ok(hint) = Hint::new(kind, hints.get(kind))
            {
                self.scheduler.handle(Event::QueueHint { queue: QueueId(id), hint }, now);
            }
        }
        known.hints = hints;
    }

    /// Tells the scheduler whether the queue has work. One that the program holds back itself wants no device.
    fn read_activity(&mut self, id: u64, now: Time) {
        let Some(known) = self.known.get(&id) else { return };
        let queue = QueueId(id);
        let look = known.queue.look();
        let believed = self.scheduler.is_ready(queue);
        if look.is_ready() && !known.queue.is_held_by_program() {
            if self.lingering.remove(&id) || !believed {
                self.scheduler.handle(Event::QueueReady { queue }, now);
            }
        } else if believed || look.is_reported() {
            // Work so short that it was done before we looked has its grace too.
            if !believed && !self.lingering.contains(&id) && !look.is_ready() {
                self.scheduler.handle(Event::QueueReady { queue }, now);
            }
            self.scheduler.handle(Event::QueueIdle { queue }, now);
            self.lingering.insert(id);
        }
    }

    fn tell_progress(&mut self, id: u64, now: Time) {
        let Some(known) = self.known.get(&id) else { return };
        let (launched, completed) = known.queue.progress();
        self.scheduler.handle(Event::QueueProgress { queue: QueueId(id), launched, completed }, now);
    }

    /// Decides, and lets it come true. Answers when the next turn is due.
    fn turn(&mut self, now: Time) -> Option<Time> {
        let (mut operations, mut probes) = (Vec::new(), BTreeSet::new());
        let mut unwritten = BTreeSet::new();
        for _ in 0..ROUNDS {
            for id in self.lingering.clone() {
                self.read_activity(id, now);
            }
            let next = self.scheduler.decide(now, &mut operations);
            for operation in operations.drain(..) {
                if let Operation::Probe { queue } = operation {
                    probes.insert(queue.0);
                }
                unwritten.extend(self.wish(operation));
            }
            if self.give_up_lingering(now) {
                continue;
            }
            let is_news = self.write(&std::mem::take(&mut unwritten), now);
            let asked = std::mem::take(&mut probes);
            asked.iter().for_each(|id| self.tell_progress(*id, now));
            if !is_news && asked.is_empty() {
                return next;
            }
        }
        Some(now)
    }

    /// Notes what an operation wants of its queue; answers which one that is.
    fn wish(&mut self, operation: Operation) -> Option<u64> {
        let (client, change): (ClientId, fn(&mut Verdict)) = match operation {
            Operation::Suspend { client, .. } => (client, |wish| wish.suspended = true),
            Operation::Resume { client, .. } => (client, |wish| wish.suspended = false),
            Operation::Window { client, .. } => (client, |wish| wish.windowed = true),
            Operation::Unwindow { client, .. } => (client, |wish| wish.windowed = false),
            Operation::Await { client, .. } => (client, |wish| wish.awaited = true),
            Operation::Unawait { client, .. } => (client, |wish| wish.awaited = false),
            Operation::Probe { .. } => return None,
        };
        let id = u64::from(client.0);
        change(&mut self.known.get_mut(&id)?.wish);
        Some(id)
    }

    /// Queues that the scheduler no longer believes ready are to be told of again. Returns whether one is ready after all.
    fn give_up_lingering(&mut self, now: Time) -> bool {
        let mut is_news = false;
        for id in self.lingering.clone() {
            let queue = QueueId(id);
            if self.scheduler.is_ready(queue) {
                continue;
            }
            self.lingering.remove(&id);
            // One that the program holds back is told of when it lets go.
            let Some(known) = self.known.get(&id).filter(|known| !known.queue.is_held_by_program()) else {
                continue;
            };
            if !known.queue.give_up() {
                self.scheduler.handle(Event::QueueReady { queue }, now);
                is_news = true;
            }
        }
        is_news
    }

    /// Writes what is wished into the queues' own words; who is held comes first. Returns whether the scheduler was told something.
    fn write(&mut self, unwritten: &BTreeSet<u64>, now: Time) -> bool {
        // Against a switch to another who schedules: after it, nothing is written.
        let Ok(_switch) = self.guest.switch.lock() else { return false };
        if !self.is_current() {
            return false;
        }
        let is_held = |id: &&u64| self.known.get(id).is_some_and(|known| known.wish.suspended);
        let (to_close, to_open): (Vec<&u64>, Vec<&u64>) = unwritten.iter().partition(is_held);
        let mut is_news = false;
        for &id in to_close.into_iter().chain(to_open) {
            let Some(Known { queue, life, wish, .. }) = self.known.get(&id) else { continue };
            if !queue.rule(*life, *wish) {
                continue;
            }
            let is_busy = queue.look().is_ready();
            if wish.awaited && is_busy {
                self.guest.watcher.wake(self.guest);
            }
            // A queue that was alone so far has not told that it became idle.
            if !is_busy && self.scheduler.is_ready(QueueId(id)) && self.lingering.insert(id) {
                self.scheduler.handle(Event::QueueIdle { queue: QueueId(id) }, now);
                is_news = true;
            }
        }
        is_news
    }
}

/// The client that stands for a queue, and the number of its group.
fn client(id: u64) -> ClientId {
    ClientId(u32::try_from(id).unwrap_or(u32::MAX))
}
