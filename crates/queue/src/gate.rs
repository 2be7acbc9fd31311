//! The gate word: may the threads of a process launch on a device?
//!
//! One 32-bit word per process and device, in the page shared with xserver: the holders that keep the gate closed, what
//! xserver says about others, and an epoch. A launch passes while no holder bit is set. Each holder sets and clears its own
//! bit in one atomic step, so that none can undo another.
//!
//! The epoch settles who is right when xserver was away: a process that rescued itself (server dead or frozen) clears
//! the server's bits and counts the epoch up *in the same step*, and the server changes the word only while it carries the epoch
//! of the server's own hello. So whatever a thawed server still does with the old epoch is void. That needs compare-and-swap
//! instead of plain or/and; it is off the launch path.
//!
//! A queue can have a word of its own besides, which no server reads: there the program and the scheduler inside the process hold that queue alone,
//! and the scheduler inside says what else the server says in the process's word ([`GateWord::rule`]). A launch goes by both together
//! ([`GateState::and`]).
//!
//! A process can *excuse* itself from the server's part for a while, and stay attached: while the server is silent and something of the process may be
//! stopped on a device, its launches pass. The server's bits stay as they are, so that they hold again when it speaks, and the server need not know.
//!
//! Every access is relaxed: the word alone carries the meaning. Who must look at another word next has a fence of his own
//! ([`crate::activity`]), and the kernel orders the word against going to sleep.

use crate::futex::FutexWord;
use crate::weakenable;
use std::fmt;
use std::time::Duration;
use xsched_core::sync::Ordering;

/// Who keeps a gate closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Holder {
    /// The program, through the API.
    Application = 1 << 0,
    /// The scheduler inside the process.
    Local = 1 << 1,
    /// xserver.
    Server = 1 << 2,
}

/// A set of holders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Holders(u32);

impl Holders {
    /// The program, through the API.
    pub const APPLICATION: Holders = Holders(Holder::Application as u32);
    /// The scheduler inside the process.
    pub const LOCAL: Holders = Holders(Holder::Local as u32);
    /// xserver.
    pub const SERVER: Holders = Holders(Holder::Server as u32);

    /// Adds.
    pub fn set(&mut self, other: Holders) {
        self.0 |= other.0;
    }

    /// Takes away.
    pub fn clear(&mut self, other: Holders) {
        self.0 &= !other.0;
    }

    /// Whether all of `other` are in.
    pub fn contains(self, other: Holders) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nobody is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const HOLDERS: u32 = Holder::Application as u32 | Holder::Local as u32 | Holder::Server as u32;
const AWAITED: u32 = 1 << 3;
const WINDOW: u32 = 1 << 4;
const ORDERED: u32 = 1 << 5;
const EXCUSED: u32 = 1 << 6;
const DEEP: u32 = 1 << 7;
const EPOCH_SHIFT: u32 = 8;
const SERVERS_BITS: u32 = Holder::Server as u32 | AWAITED | WINDOW | DEEP;

/// Counts how often a process parted from a server; 24 bits, wraps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch(u32);

impl Epoch {
    /// The first.
    pub const FIRST: Epoch = Epoch(1);

    /// The epoch with this number, if it has 24 bits.
    pub fn from_number(n: u32) -> Option<Epoch> {
        (n >> (32 - EPOCH_SHIFT) == 0).then_some(Epoch(n))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The one after it.
    pub fn next(self) -> Epoch {
        Epoch((self.0 + 1) & (u32::MAX >> EPOCH_SHIFT))
    }
}

/// What a gate word said at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GateState(u32);

impl GateState {
    /// No holder keeps it closed, or only the server, from whom the process has excused itself.
    #[inline]
    pub fn is_open(self) -> bool {
        let holders = self.0 & HOLDERS;
        holders == 0 || holders == Holder::Server as u32 && self.0 & EXCUSED != 0
    }

    /// Open, nobody waits for it, no window and no order to keep: the launch path's one comparison.
    #[inline]
    pub fn is_free(self) -> bool {
        self.0 & (HOLDERS | AWAITED | WINDOW | ORDERED) == 0
    }

    /// What a launch goes by: both words at once. The epoch stays this one's.
    #[inline]
    #[must_use]
    pub fn and(self, own: GateState) -> GateState {
        GateState(self.0 | own.0 & ((1 << EPOCH_SHIFT) - 1))
    }

    /// Commands may have been submitted that come before a launch.
    #[inline]
    pub fn is_ordered(self) -> bool {
        self.0 & ORDERED != 0
    }

    /// Others are held back until this one is idle: idle edges are told at once, progress is marked.
    #[inline]
    pub fn is_awaited(self) -> bool {
        self.0 & AWAITED != 0
    }

    /// Somebody more urgent may come: only a small window may be in flight.
    #[inline]
    pub fn is_windowed(self) -> bool {
        self.0 & WINDOW != 0
    }

    /// What is launched can be taken off the device at any moment: the window is a deep one, and as long as there is room in it launches pass a gate that
    /// the server alone keeps closed, so that the device has work at once when it opens.
    #[inline]
    pub fn is_deep(self) -> bool {
        self.0 & DEEP != 0
    }

    /// Closed, by the server alone, and may be filled up.
    pub fn is_to_be_filled(self) -> bool {
        self.0 & HOLDERS == Holder::Server as u32 && self.is_deep()
    }

    /// This one keeps it closed.
    pub fn is_held_by(self, holder: Holder) -> bool {
        self.0 & holder as u32 != 0
    }

    /// The epoch.
    pub fn epoch(self) -> Epoch {
        Epoch(self.0 >> EPOCH_SHIFT)
    }
}

impl fmt::Debug for GateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (1, "application"),
            (2, "local"),
            (4, "server"),
            (AWAITED, "awaited"),
            (WINDOW, "window"),
            (ORDERED, "ordered"),
            (EXCUSED, "excused"),
            (DEEP, "deep"),
        ];
        write!(f, "epoch {}", self.epoch().0)?;
        names.iter().filter(|(bit, _)| self.0 & bit != 0).try_for_each(|(_, name)| write!(f, " {name}"))
    }
}

/// What the server wants of a process on a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Launches wait.
    pub suspended: bool,
    /// See [`GateState::is_awaited`].
    pub awaited: bool,
    /// See [`GateState::is_windowed`].
    pub windowed: bool,
    /// See [`GateState::is_deep`].
    pub deep: bool,
}

impl Verdict {
    /// As it stands in a word, where `holder` is the one who says it.
    fn bits(self, holder: Holder) -> u32 {
        let bits = [
            (self.suspended, holder as u32),
            (self.awaited, AWAITED),
            (self.windowed, WINDOW),
            (self.deep, DEEP),
        ];
        bits.iter().filter(|(on, _)| *on).fold(0, |word, (_, bit)| word | bit)
    }
}

/// The word carries another epoch than the server's: the process has parted from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the gate carries epoch {found}, not {expected}: the process has detached")]
pub struct Stale {
    /// In the word.
    pub found: u32,
    /// The server's.
    pub expected: u32,
}

weakenable! {
    /// Epoch and bits are checked and changed in one step.
    const CHECKS_EPOCH: bool, "gate_epoch"
}
weakenable! {
    /// Opening a gate wakes those who wait at it.
    const WAKES: bool, "gate_wake"
}

/// The gate of one process on one device. Zeroed memory is an open gate of epoch 0.
#[repr(transparent)]
#[derive(Debug)]
pub struct GateWord(FutexWord);

impl GateWord {
    /// An open gate.
    #[cfg(not(loom))]
    pub const fn new(epoch: Epoch) -> GateWord {
        GateWord(FutexWord::new(epoch.0 << EPOCH_SHIFT))
    }

    /// An open gate.
    #[cfg(loom)]
    pub fn new(epoch: Epoch) -> GateWord {
        GateWord(FutexWord::new(epoch.0 << EPOCH_SHIFT))
    }

    /// What it says now. A launch that looks just before the gate closes still goes through: Level 1 promises no more, and
    /// levels above it stop that launch on the device.
    #[inline]
    pub fn state(&self) -> GateState {
        GateState(self.0.word().load(Ordering::Relaxed))
    }

    /// A holder inside the process closes the gate.
    pub fn hold(&self, holder: Holder) {
        self.0.word().fetch_or(holder as u32, Ordering::Relaxed);
    }

    /// A holder inside the process lets go; waiting launches go on if it was the last.
    pub fn let_go(&self, holder: Holder) {
        self.0.word().fetch_and(!(holder as u32), Ordering::Relaxed);
        self.wake();
    }

    /// The scheduler inside the process says what it wants of a queue, in the queue's own word. Returns whether anything changed.
    pub fn rule(&self, verdict: Verdict) -> bool {
        const ITS_BITS: u32 = Holder::Local as u32 | AWAITED | WINDOW;
        let wanted = verdict.bits(Holder::Local);
        let before = self.change(|word| Some(word & !ITS_BITS | wanted)).unwrap_or_else(|word| word);
        if GateState(before).is_held_by(Holder::Local) && !verdict.suspended {
            self.wake();
        }
        before & ITS_BITS != wanted
    }

    /// From now on, launches look whether something was submitted before them.
    pub fn keep_order(&self) {
        self.0.word().fetch_or(ORDERED, Ordering::Relaxed);
    }

    /// A queue's own word begins another life: open, and nothing said. Who still waits goes on.
    pub fn clear(&self) {
        self.0.word().store(0, Ordering::Relaxed);
        self.wake();
    }

    /// The server says what it wants. Void, with an error, if the word carries another epoch than `epoch`. Returns whether anything
    /// changed.
    pub fn decree(&self, epoch: Epoch, verdict: Verdict) -> Result<bool, Stale> {
        let wanted = verdict.bits(Holder::Server);
        let before = self.change(|word| {
            let stale = CHECKS_EPOCH && GateState(word).epoch() != epoch;
            (!stale).then_some(word & !SERVERS_BITS | wanted)
        });
        let (before, done) = (GateState(before.unwrap_or_else(|word| word)), before.is_ok());
        if !done {
            return Err(Stale { found: before.epoch().0, expected: epoch.0 });
        }
        if before.is_held_by(Holder::Server) && (!verdict.suspended || verdict.deep && !before.is_deep()) {
            self.wake();
        }
        Ok(before.0 & SERVERS_BITS != wanted)
    }

    /// The process parts from its server: the server's bits are cleared and the epoch counts up, in one step; whoever waits goes on.
    /// Void if the word no longer carries `epoch` (somebody else rescued first). Returns whether this call did it.
    pub fn rescue(&self, epoch: Epoch) -> bool {
        let done = self
            .change(|word| {
                (GateState(word).epoch() == epoch)
                    .then_some(word & HOLDERS & !SERVERS_BITS | epoch.next().0 << EPOCH_SHIFT)
            })
            .is_ok();
        self.wake();
        done
    }

    /// Whoever waits for the server only goes on, as if it had not closed the gate, until [`GateWord::obey`]. Void if the word no longer carries `epoch`. Only the
    /// process itself; what the server says meanwhile is kept.
    pub fn excuse(&self, epoch: Epoch) {
        let done = self.change(|word| (GateState(word).epoch() == epoch).then_some(word | EXCUSED));
        if done.is_ok() {
            self.wake();
        }
    }

    /// What the server says holds again.
    pub fn obey(&self) {
        self.0.word().fetch_and(!EXCUSED, Ordering::Relaxed);
    }

    /// Sets the epoch of a gate that no server knows yet.
    pub fn start(&self, epoch: Epoch) {
        let _ = self.change(|word| Some(word & HOLDERS & !SERVERS_BITS | epoch.0 << EPOCH_SHIFT));
    }

    /// Sleeps until the word is no longer `seen`, at most for `bound`; may return early.
    pub fn wait(&self, seen: GateState, bound: Duration) {
        self.0.wait(seen.0, bound);
    }

    fn wake(&self) {
        if WAKES {
            self.0.wake_all();
        }
    }

    /// Compare-and-swap loop: `Ok` holds the word before the change, `Err` the word that `change` refused.
    fn change(&self, change: impl Fn(u32) -> Option<u32>) -> Result<u32, u32> {
        let word = self.0.word();
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let Some(new) = change(seen) else { return Err(seen) };
            match word.compare_exchange_weak(seen, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(before) => return Ok(before),
                Err(now) => seen = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SUSPEND: Verdict = Verdict { suspended: true, awaited: true, windowed: true, deep: false };

    #[test]
    fn a_gate_is_open_only_when_no_holder_is_left() {
        let gate = GateWord::new(Epoch::FIRST);
        gate.hold(Holder::Application);
        gate.decree(Epoch::FIRST, SUSPEND).unwrap();
        gate.let_go(Holder::Application);
        assert!(!gate.state().is_open());
        assert!(gate.decree(Epoch::FIRST, Verdict::default()).unwrap());
        assert!(gate.state().is_free());
        assert!(!gate.decree(Epoch::FIRST, Verdict::default()).unwrap());
    }

    #[test]
    fn a_decree_with_an_old_epoch_is_void() {
        let gate = GateWord::new(Epoch::FIRST);
        gate.decree(Epoch::FIRST, SUSPEND).unwrap();
        gate.hold(Holder::Local);
        assert!(gate.rescue(Epoch::FIRST));
        assert!(!gate.rescue(Epoch::FIRST));
        assert_eq!(gate.decree(Epoch::FIRST, SUSPEND), Err(Stale { found: 2, expected: 1 }));
        assert!(gate.state().is_held_by(Holder::Local) && !gate.state().is_held_by(Holder::Server));
    }

    #[test]
    fn who_is_excused_passes_a_gate_that_the_server_alone_keeps_closed_and_obeys_again_with_all_that_was_said_meanwhile()
     {
        let gate = GateWord::new(Epoch::FIRST);
        gate.decree(Epoch::FIRST, SUSPEND).unwrap();
        gate.excuse(Epoch::FIRST.next());
        assert!(!gate.state().is_open(), "of another attachment");
        gate.excuse(Epoch::FIRST);
        assert!(gate.state().is_open() && !gate.state().is_free() && gate.state().is_held_by(Holder::Server));
        let own = GateWord::new(Epoch::FIRST);
        own.clear();
        own.hold(Holder::Application);
        assert!(!gate.state().and(own.state()).is_open(), "the program itself holds the queue");
        gate.hold(Holder::Local);
        assert!(!gate.state().is_open());
        gate.let_go(Holder::Local);
        gate.decree(Epoch::FIRST, Verdict::default()).unwrap();
        gate.decree(Epoch::FIRST, SUSPEND).unwrap();
        assert!(gate.state().is_open(), "still excused");
        gate.obey();
        assert!(!gate.state().is_open());
        gate.excuse(Epoch::FIRST);
        gate.rescue(Epoch::FIRST);
        assert!(gate.state().is_free());
        gate.decree(Epoch::FIRST.next(), SUSPEND).unwrap();
        assert!(!gate.state().is_open(), "no excuse outlasts the attachment");
    }

    #[test]
    fn in_a_queues_own_word_the_program_and_the_scheduler_inside_do_not_undo_each_other() {
        let (process, own) = (GateWord::new(Epoch::FIRST), GateWord::new(Epoch::FIRST));
        own.clear();
        own.hold(Holder::Application);
        assert!(own.rule(SUSPEND) && !own.rule(SUSPEND));
        own.let_go(Holder::Application);
        let both = process.state().and(own.state());
        assert!(!both.is_open() && both.is_awaited() && both.is_windowed() && both.epoch() == Epoch::FIRST);
        own.hold(Holder::Application);
        assert!(own.rule(Verdict::default()));
        assert!(own.state().is_held_by(Holder::Application) && !own.state().is_held_by(Holder::Local));
        own.let_go(Holder::Application);
        own.keep_order();
        let both = process.state().and(own.state());
        assert!(both.is_open() && !both.is_free() && both.is_ordered());
    }

    #[test]
    fn the_epoch_wraps_without_touching_the_bits() {
        let last = Epoch::from_number((1 << 24) - 1).unwrap();
        let gate = GateWord::new(last);
        gate.decree(last, SUSPEND).unwrap();
        assert!(gate.rescue(last));
        assert_eq!(gate.state().epoch().number(), 0);
        assert!(gate.state().is_free());
        assert_eq!(Epoch::from_number(1 << 24), None);
    }
}
