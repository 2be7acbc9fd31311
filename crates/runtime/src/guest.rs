//! This process as a guest: its page, its slots, its link to xserver.

use crate::agent::Link;
use crate::beyond::{Beyond, SINGLE};
use crate::fork::PerLife;
use crate::lending::Lent;
use crate::local::Local;
use crate::manager::Manager;
use crate::queue::Queue;
use crate::watcher::Watcher;
use crate::{agent, config, errno, fork, given, manager, report};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use xsched_core::config::OnNoServer;
use xsched_core::{Config, DeviceKey, Hint, HintKind, Hints, Level, Limits, Time};
use xsched_hal::HwQueue;
use xsched_ipc::guest::SharedPage;
use xsched_ipc::heartbeat::now;
use xsched_ipc::page::{DEVICES, Edge, Page};
use xsched_queue::gate::{Epoch, Holder};

/// The first attach is waited for, so that the first launches are scheduled already; a program is not made to wait longer.
const FIRST_ATTACH: Duration = Duration::from_millis(200);

/// This process as a guest.
pub struct Guest {
    pub(crate) config: &'static Config,
    page: SharedPage,
    devices: Mutex<Vec<DeviceKey>>,
    queues: Mutex<Queues>,
    /// Serializes producers of the ring.
    producer: Mutex<()>,
    link: Mutex<Option<Arc<Link>>>,
    attached_once: Mutex<bool>,
    attach_tried: Condvar,
    exiting: AtomicBool,
    /// What the server allows at most, as in [`Limits`]; 0: as this program was started with.
    level: AtomicU8,
    threshold: AtomicU32,
    /// Something that the program gave is not told yet: to the process, or to a queue.
    pub(crate) untold: AtomicBool,
    pub(crate) process_untold: AtomicBool,
    /// Who schedules it, as `Manager::to_word` has it.
    pub(crate) manager: AtomicU32,
    /// Held while that changes, and while the scheduler inside the process does something to queues.
    pub(crate) switch: Mutex<()>,
    pub(crate) local: Local,
    pub(crate) has_agent: AtomicBool,
    /// What the program gave all of its queues.
    hints: Mutex<Hints>,
    pub(crate) watcher: Watcher,
    pub(crate) beyond: Beyond,
    pub(crate) lent: Lent,
}

/// Queues by slot. They are never freed, only used again, so that a late look at one is harmless.
#[derive(Default)]
struct Queues {
    all: Vec<&'static Queue>,
    /// Free ones in the page, and free ones that found no room there.
    free: Vec<&'static Queue>,
    free_apart: Vec<&'static Queue>,
}

static GUEST: AtomicPtr<Guest> = AtomicPtr::new(std::ptr::null_mut());

/// This process as a guest, made (and attached, if there is a server) at the first call. `None` if that is impossible, which has
/// been reported then: the program runs unscheduled.
pub fn guest() -> Option<&'static Guest> {
    if let Some(guest) = existing() {
        return Some(guest);
    }
    let _errno = errno::Keep::new();
    // First: the child of a fork that comes now must know that it is one.
    fork::watch();
    let life = fork::life();
    if MAKING.swap(life, Ordering::AcqRel) == life {
        // Another thread is at it, or it has failed before. No lock: the child of a fork would inherit it locked.
        while existing().is_none() && MADE.load(Ordering::Acquire) != life {
            std::thread::sleep(Duration::from_micros(200));
        }
        return existing();
    }
    let guest = make();
    MADE.store(life, Ordering::Release);
    guest
}

/// The life of the process in which a guest was, or is being, made.
static MAKING: AtomicU64 = AtomicU64::new(0);
/// The life in which that came to an end.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Runs `body` as if another thread were making the guest; then that comes to nothing.
#[cfg(test)]
pub(crate) fn someone_is_making<R>(body: impl FnOnce() -> R) -> R {
    MAKING.store(fork::life(), Ordering::Release);
    let result = body();
    MADE.store(fork::life(), Ordering::Release);
    result
}

fn make() -> Option<&'static Guest> {
    let page = match SharedPage::create() {
        Ok(page) => page,
        Err(e) => {
            report::once(&format!("this program runs unscheduled: {e}"));
            return None;
        }
    };
    let guest: &'static Guest = Box::leak(Box::new(Guest::new(page, config::config())));
    GUEST.store(std::ptr::from_ref(guest).cast_mut(), Ordering::Release);
    guest.start_manager(guest.manager());
    manager::catch_up(guest);
    if guest.manager() == Manager::Global {
        guest.await_first_attach();
    }
    Some(guest)
}

/// What the program gave all of its queues before it was a guest.
static HINTS: PerLife<Mutex<Hints>> = PerLife::new();

/// The program gives all of its queues a hint, those to come included.
pub fn set_hint(hint: Hint) {
    let _errno = errno::Keep::new();
    if let Ok(mut hints) = HINTS.get().lock() {
        hints.set(hint);
    }
    if let Some(guest) = existing() {
        guest.set_hint(hint);
    }
}

/// The program takes back what it gave all of its queues; what it was started with holds again.
pub fn unset_hint(kind: HintKind) {
    let _errno = errno::Keep::new();
    if let Ok(mut hints) = HINTS.get().lock() {
        hints.unset(kind);
    }
    if let Some(guest) = existing() {
        guest.unset_hint(kind);
    }
}

/// This process as a guest, if it is one.
pub(crate) fn existing() -> Option<&'static Guest> {
    // SAFETY: null or a leaked box.
    unsafe { GUEST.load(Ordering::Acquire).as_ref() }
}

/// In the child of a fork: async-signal-safe.
pub(crate) fn abandon_in_child() {
    if let Some(guest) = existing() {
        GUEST.store(std::ptr::null_mut(), Ordering::Release);
        guest.page.detach_after_fork();
        guest.page.number().close();
        agent::close_in_child();
    }
}

impl Guest {
    pub(crate) fn new(page: SharedPage, config: &'static Config) -> Guest {
        let manager = manager::chosen(config);
        for gate in page.page().gates() {
            gate.start(Epoch::FIRST);
            if config.on_no_server != OnNoServer::Run && manager == Manager::Global {
                gate.hold(Holder::Local);
            }
        }
        Guest {
            config,
            page,
            devices: Mutex::default(),
            queues: Mutex::default(),
            producer: Mutex::default(),
            link: Mutex::default(),
            attached_once: Mutex::default(),
            attach_tried: Condvar::default(),
            exiting: AtomicBool::new(false),
            level: AtomicU8::new(0),
            threshold: AtomicU32::new(0),
            untold: AtomicBool::new(false),
            process_untold: AtomicBool::new(false),
            manager: AtomicU32::new(manager.to_word()),
            switch: Mutex::default(),
            local: Local::default(),
            has_agent: AtomicBool::new(false),
            hints: Mutex::new(HINTS.get().lock().map(|hints| *hints).unwrap_or_default()),
            watcher: Watcher::default(),
            beyond: Beyond::default(),
            lent: Lent::default(),
        }
    }

    /// The shared page.
    pub(crate) fn page(&self) -> &'static Page {
        self.page.page()
    }

    pub(crate) fn shared_page(&self) -> &SharedPage {
        &self.page
    }

    /// The epoch that all gates carry, but for the moment in which a thread parts.
    pub(crate) fn epoch(&self) -> Epoch {
        self.page().gate(0).map_or(Epoch::FIRST, |gate| gate.state().epoch())
    }

    /// Before a hello: a new epoch for all gates, on which they also agree if two threads that parted at once have left them apart.
    pub(crate) fn renew_epoch(&self) -> Epoch {
        let epoch = self.epoch().next();
        self.page().gates().iter().for_each(|gate| gate.start(epoch));
        epoch
    }

    /// Gives a native queue a slot. `None` if it cannot be scheduled, which has been reported.
    pub fn adopt(&'static self, hw: Arc<dyn HwQueue>, in_order: bool) -> Option<&'static Queue> {
        let _errno = errno::Keep::new();
        let device = self.device_index(hw.device())?;
        let mut queues = self.queues.lock().ok()?;
        let index = u16::try_from(queues.all.len()).ok().filter(|index| usize::from(*index) < SINGLE);
        let free = queues.free.pop().or_else(|| queues.free_apart.pop());
        let queue = match free {
            Some(queue) => queue,
            None => {
                let queue = Queue::new(self, index)?;
                queues.all.push(queue);
                queue
            }
        };
        drop(queues);
        if !queue.is_listed() {
            report::once(&format!("more than {SINGLE} queues: to the server, those beyond are one queue"));
            self.beyond.open(self.page(), device).into_iter().for_each(|edge| self.tell(edge));
        }
        queue.occupy(hw, device, self.highest_level(), in_order)?;
        // The server may have said something else meanwhile.
        queue.limit_level(self.highest_level());
        Some(queue)
    }

    /// What the server, or nobody any more, allows at most.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.level.store(limits.level.map_or(0, Level::number), Ordering::SeqCst);
        self.threshold.store(limits.threshold.unwrap_or(0), Ordering::SeqCst);
        let level = self.highest_level();
        self.queues().into_iter().for_each(|queue| queue.limit_level(level));
    }

    /// The highest level to use.
    pub(crate) fn highest_level(&self) -> Level {
        Level::from_number(self.level.load(Ordering::SeqCst)).unwrap_or(self.config.auto_xqueue_level)
    }

    /// The most that the server allows.
    pub(crate) fn allowed_threshold(&self) -> Option<u32> {
        Some(self.threshold.load(Ordering::Relaxed)).filter(|given| *given > 0)
    }

    /// The most commands in flight while somebody more urgent may come, if there is such a number.
    pub(crate) fn threshold(&self) -> Option<u32> {
        self.allowed_threshold().or(self.config.auto_xqueue_threshold)
    }

    /// The queue is free for another life.
    pub(crate) fn reclaim(&self, queue: &'static Queue) {
        if let Ok(mut queues) = self.queues.lock() {
            if queue.is_listed() { queues.free.push(queue) } else { queues.free_apart.push(queue) }
        }
    }

    /// Every queue that was ever made.
    pub(crate) fn queues(&self) -> Vec<&'static Queue> {
        self.queues.lock().map(|queues| queues.all.clone()).unwrap_or_default()
    }

    /// What holds for all of its queues: what it was started with, and what the program gave them.
    pub(crate) fn hints(&self) -> Hints {
        let mut all = self.config.hints;
        if let Ok(hints) = self.hints.lock() {
            hints.iter().for_each(|hint| all.set(hint));
        }
        all
    }

    fn set_hint(&'static self, hint: Hint) {
        if let Ok(mut hints) = self.hints.lock() {
            hints.set(hint);
        }
        self.queues().into_iter().for_each(|queue| queue.tell_local());
        given::of_process(self);
    }

    fn unset_hint(&'static self, kind: HintKind) {
        if let Ok(mut hints) = self.hints.lock() {
            hints.unset(kind);
        }
        self.queues().into_iter().for_each(|queue| queue.tell_local());
        given::of_process(self);
    }

    /// Does something with what the program gave all of its queues, while that stays as it is.
    pub(crate) fn with_given<R>(&self, look: impl FnOnce(&Hints) -> R) -> R {
        match self.hints.lock() {
            Ok(hints) => look(&hints),
            Err(_) => look(&Hints::default()),
        }
    }

    /// Tells the server.
    pub(crate) fn tell(&self, edge: Edge) {
        let ring = {
            let _one = self.producer.lock();
            self.page().ring.push(edge.to_word())
        };
        if ring && let Some(link) = self.link() {
            link.ring_doorbell();
        }
    }

    /// Makes native queues start what was launched: somebody may be waiting for it.
    pub(crate) fn flush_all(&self) {
        // A queue that is idle has nothing to start; there may be very many of them.
        for queue in self.queues().into_iter().filter(|queue| queue.snapshot().is_ready()) {
            queue.flush();
        }
    }

    /// Parts from the server if it seems dead; whoever waits at a gate goes on. Returns whether it did.
    pub(crate) fn rescue_if_stale(&self) -> bool {
        let epoch = self.epoch();
        match self.link() {
            Some(link) if !link.heartbeat().is_stale(now()) => false,
            link => {
                self.part(epoch);
                link.inspect(|link| link.hang_up());
                true
            }
        }
    }

    /// The server is silent while something of this process may be stopped: lets it go and opens the gates for the server's part, without parting. By the
    /// agent alone.
    pub(crate) fn excuse(&self) {
        let epoch = self.epoch();
        // SYNC POINT: see `Page::count_letting_go`.
        self.page().count_letting_go();
        self.lent.let_go();
        self.page().gates().iter().for_each(|gate| gate.excuse(epoch));
    }

    /// The server speaks again. What it had stopped it will stop again itself.
    pub(crate) fn obey(&self) {
        self.page().gates().iter().for_each(|gate| gate.obey());
    }

    /// Opens the gates for the server's part and makes what it still does with `epoch` void.
    pub(crate) fn part(&self, epoch: Epoch) {
        for gate in self.page().gates() {
            gate.rescue(epoch);
        }
    }

    /// Nothing is held back any more, until the end of the process.
    pub(crate) fn open_for_good(&self) {
        self.exiting.store(true, Ordering::SeqCst);
        self.part(self.epoch());
        for gate in self.page().gates() {
            gate.let_go(Holder::Local);
        }
        self.lent.rescue();
        // Who has the lock at this moment may be this very thread, interrupted by a handler of the program's. Threads that wait see `exiting`.
        if let Ok(queues) = self.queues.try_lock() {
            let all = queues.all.clone();
            drop(queues);
            all.into_iter().for_each(Queue::set_free_for_good);
        }
    }

    /// Whether xserver schedules this process, and it is not ending.
    pub(crate) fn is_global(&self) -> bool {
        self.manager() == Manager::Global && !self.is_exiting()
    }

    pub(crate) fn is_exiting(&self) -> bool {
        self.exiting.load(Ordering::SeqCst)
    }

    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.link.lock().ok()?.clone()
    }

    /// The agent has tried to attach. False if the link is not wanted any more: another one schedules this process now.
    pub(crate) fn set_link(&self, link: Option<Arc<Link>>) -> bool {
        let attached = link.is_some();
        if let Ok(mut current) = self.link.lock() {
            // Under the lock: either this sees that there is another manager, or he sees the link.
            if attached && self.manager() != Manager::Global {
                return false;
            }
            *current = link;
        }
        if attached {
            self.link().inspect(|link| given::tell_rest(self, link.session(), true));
            self.page().gates().iter().for_each(|gate| gate.let_go(Holder::Local));
        }
        if let Ok(mut once) = self.attached_once.lock() {
            *once = true;
            self.attach_tried.notify_all();
        }
        true
    }

    fn await_first_attach(&self) {
        let Ok(once) = self.attached_once.lock() else { return };
        let _ = self.attach_tried.wait_timeout_while(once, FIRST_ATTACH, |once| !*once);
    }

    fn device_index(&self, key: &DeviceKey) -> Option<u8> {
        let mut devices: MutexGuard<'_, Vec<DeviceKey>> = self.devices.lock().ok()?;
        let index = match devices.iter().position(|known| known == key) {
            Some(index) => index,
            None if devices.len() < DEVICES => {
                devices.push(key.clone());
                self.page().set_key(u8::try_from(devices.len() - 1).ok()?, key);
                devices.len() - 1
            }
            None => {
                report::once(&format!("more than {DEVICES} devices: queues on {key} run unscheduled"));
                return None;
            }
        };
        u8::try_from(index).ok()
    }
}

/// The moment, for those who do not want to read the clock themselves.
pub(crate) fn clock() -> Time {
    now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_that_came_apart_agree_on_an_epoch_before_the_next_hello() {
        let guest = Guest::new(SharedPage::create().unwrap(), config::config());
        let gates = guest.page().gates();
        // Two threads part at once, and the one that began later overtakes the other behind the first gate.
        let (first, ahead) = (guest.epoch(), Epoch::from_number(guest.epoch().number() + 1).unwrap());
        assert!(gates[0].rescue(first));
        guest.part(ahead);
        guest.part(first);
        assert_ne!(gates[0].state().epoch(), gates[1].state().epoch());
        let epoch = guest.renew_epoch();
        assert!(gates.iter().all(|gate| gate.state().epoch() == epoch));
        assert!(epoch.number() > ahead.number() + 1, "nobody has heard of it");
    }
}
