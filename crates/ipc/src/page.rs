//! The page that a guest shares with xserver: gate words, device names, the event ring and a slot per queue.
//!
//! The guest makes it (a memfd, sealed in size) and keeps it across servers; the server maps it as it comes with the hello. Everything
//! in it is an atomic, so that neither side can hand the other an invalid value, only a wrong one; wrong values from a guest
//! harm that guest alone. Zeroed memory is a page with open gates and no queues, which is what the child of a fork gets.
//!
//! The page is large, but memory is used only where it was touched: the guest says how many slots it ever used, and the server
//! reads no others. What comes before the slots leaves room for some of them in the first 4 KiB, which are all that a common guest costs.

use crate::ring::Ring;
use xsched_core::sync::{AtomicU32, AtomicU64, Ordering};
use xsched_core::{DeviceKey, Level, Value};
use xsched_queue::activity::Activity;
use xsched_queue::gate::GateWord;

/// Devices that one process can use under XSched.
pub const DEVICES: usize = 32;
/// Queues that have a slot of their own: as many as an index of 16 bits can tell apart.
pub const SLOTS: usize = 1 << 16;
/// Changes whenever the layout does, or what its words mean; both sides must agree.
pub const LAYOUT: u32 = 4;

const KEY_WORDS: usize = 8;

/// The page.
#[repr(C)]
#[derive(Debug)]
pub struct Page {
    gates: [GateWord; DEVICES],
    keys: [[AtomicU64; KEY_WORDS]; DEVICES],
    /// Slots below this index were ever used.
    used: AtomicU32,
    /// How often the guest has let itself go on its devices, because the server was silent.
    let_go: AtomicU32,
    /// Events to the server.
    pub ring: Ring,
    slots: [Slot; SLOTS],
}

/// One queue: a cache line of its own. One outside of a page (the default) is a slot that no server reads.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Slot {
    /// Launches, threads inside, ready.
    pub activity: Activity,
    /// Commands known to be completed, counted like `Snapshot::begun`.
    pub completed: AtomicU64,
    tag: AtomicU64,
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Slot>() == 64 && align_of::<Slot>() == 64);
    assert!(size_of::<GateWord>() == 4 && size_of::<Activity>() == 8);
    assert!(std::mem::offset_of!(Page, slots) + 8 * size_of::<Slot>() <= 4096);
};

/// What a slot's tag says: which queue lives there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Counts the lives of the slot.
    pub generation: u32,
    /// Index of the queue's device in the page.
    pub device: u8,
    /// How far the queue can be preempted.
    pub level: Level,
}

impl Tag {
    fn to_word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.device) << 8 | u64::from(self.level.number())
    }

    /// `None` if no queue lives there.
    fn from_word(word: u64) -> Option<Tag> {
        let [level, device, ..] = word.to_le_bytes();
        let level = Level::from_number(level)?;
        (usize::from(device) < DEVICES).then_some(Tag { generation: (word >> 32) as u32, device, level })
    }
}

impl Page {
    /// The gate of the process on its device number `device`.
    #[inline]
    pub fn gate(&self, device: u8) -> Option<&GateWord> {
        self.gates.get(usize::from(device))
    }

    /// Every gate.
    pub fn gates(&self) -> &[GateWord] {
        &self.gates
    }

    /// The slot with this index.
    #[inline]
    pub fn slot(&self, index: u16) -> Option<&Slot> {
        self.slots.get(usize::from(index))
    }

    /// Guest: a queue moves into the slot. The slot is empty and nobody launches on it yet. Before any event that names it.
    pub fn occupy(&self, index: u16, device: u8, level: Level) -> Option<Tag> {
        self.used.fetch_max(u32::from(index) + 1, Ordering::AcqRel);
        Some(self.slot(index)?.occupy(device, level))
    }

    /// Server: how many slots were ever used, as far as one can believe it.
    pub fn used(&self) -> usize {
        (self.used.load(Ordering::Acquire) as usize).min(SLOTS)
    }

    /// Guest: it is about to let go whatever the server has stopped of it on devices, and stays attached.
    ///
    /// SYNC POINT with xserver's `interrupt::lever::Owner`: the guest counts up and then lets go; the server stops something and then looks here. So whoever comes last lets go.
    pub fn count_letting_go(&self) {
        self.let_go.fetch_add(1, Ordering::SeqCst);
    }

    /// Server: how often it did. Wraps.
    pub fn times_let_go(&self) -> u32 {
        self.let_go.load(Ordering::SeqCst)
    }

    /// Guest: names its device number `device`. Before the first queue on it.
    pub fn set_key(&self, device: u8, key: &DeviceKey) {
        let Some(words) = self.keys.get(usize::from(device)) else { return };
        let mut bytes = [0u8; KEY_WORDS * 8];
        for (to, from) in bytes.iter_mut().zip(key.as_str().bytes()) {
            *to = from;
        }
        for (word, chunk) in words.iter().zip(bytes.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*chunk), Ordering::Release);
        }
    }

    /// Server: the name of the guest's device number `device`, if it is a valid one.
    pub fn key(&self, device: u8) -> Option<DeviceKey> {
        let words = self.keys.get(usize::from(device))?;
        let bytes: Vec<u8> =
            words.iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes()).collect();
        let end = bytes.iter().position(|b| *b == 0)?;
        DeviceKey::parse(std::str::from_utf8(bytes.get(..end)?).ok()?).ok()
    }
}

impl Slot {
    /// Guest: a queue moves in, see [`Page::occupy`].
    pub fn occupy(&self, device: u8, level: Level) -> Tag {
        let generation = ((self.tag.load(Ordering::Relaxed) >> 32) as u32).wrapping_add(1);
        let tag = Tag { generation, device, level };
        self.activity.reset();
        self.completed.store(0, Ordering::Relaxed);
        self.tag.store(tag.to_word(), Ordering::Release);
        tag
    }

    /// Guest: the queue that lives here can be preempted so far from now on. Returns whether that is news; not if another one lives here.
    pub fn set_level(&self, generation: u32, level: Level) -> bool {
        let mut word = self.tag.load(Ordering::Acquire);
        loop {
            let Some(tag) = Tag::from_word(word) else { return false };
            if tag.generation != generation || tag.level == level {
                return false;
            }
            let new = Tag { level, ..tag }.to_word();
            match self.tag.compare_exchange(word, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Guest: the queue moves out.
    pub fn vacate(&self) {
        self.tag.fetch_and(!u64::from(u32::MAX), Ordering::AcqRel);
    }

    /// Which queue lives here, if any.
    pub fn tag(&self) -> Option<Tag> {
        Tag::from_word(self.tag.load(Ordering::Acquire))
    }
}

/// An entry of the ring: something changed in a slot. The slot says what is true now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// What happened.
    pub kind: EdgeKind,
    /// Where.
    pub slot: u16,
    /// In which life of the slot.
    pub generation: u32,
}

/// What happened in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EdgeKind {
    /// A queue moved in.
    Created = 1,
    /// It moved out.
    Destroyed = 2,
    /// It became ready.
    Ready = 3,
    /// It became idle, while others waited for that.
    Idle = 4,
    /// What it had launched is done, while others waited for that; threads wait at the closed gate to launch more.
    Done = 5,
}

impl Edge {
    /// As a ring entry.
    pub fn to_word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot) << 8 | self.kind as u64
    }

    /// From a ring entry; `None` if it is garbage.
    pub fn from_word(word: u64) -> Option<Edge> {
        let kind = match word & 0xff {
            1 => EdgeKind::Created,
            2 => EdgeKind::Destroyed,
            3 => EdgeKind::Ready,
            4 => EdgeKind::Idle,
            5 => EdgeKind::Done,
            _ => return None,
        };
        let slot = u16::try_from((word >> 8) & 0xff_ffff).ok()?;
        Some(Edge { kind, slot, generation: (word >> 32) as u32 })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn page() -> Result<&'static Page, crate::Error> {
        Ok(crate::memory::SharedPage::create()?.page())
    }

    #[test]
    fn keys_read_back_and_garbage_is_none() {
        let page = page().unwrap();
        assert_eq!(page.key(0), None);
        page.set_key(3, &DeviceKey::cpu(0));
        assert_eq!(page.key(3), Some(DeviceKey::cpu(0)));
        page.keys[4].iter().for_each(|w| w.store(u64::MAX, Ordering::Relaxed));
        assert_eq!((page.key(4), page.key(200)), (None, None));
    }

    #[test]
    fn a_slot_that_is_used_again_has_another_generation() {
        let page = page().unwrap();
        let slot = page.slot(5).unwrap();
        assert_eq!(slot.tag(), None);
        let first = slot.occupy(2, Level::Block);
        assert_eq!(slot.tag(), Some(first));
        slot.vacate();
        assert_eq!(slot.tag(), None);
        assert_eq!(slot.occupy(2, Level::Block).generation, first.generation + 1);
        slot.tag.store(0x0000_0001_0000_ff01, Ordering::Relaxed);
        assert_eq!(slot.tag(), None, "device 255 is not one");
    }

    #[test]
    fn a_level_is_changed_for_the_queue_that_is_meant_and_no_other() {
        let slot = page().unwrap().slot(6).unwrap();
        assert!(!slot.set_level(0, Level::Block), "nobody lives there");
        let tag = slot.occupy(2, Level::Interrupt);
        assert!(
            slot.set_level(tag.generation, Level::Block) && !slot.set_level(tag.generation, Level::Block)
        );
        assert_eq!(slot.tag(), Some(Tag { level: Level::Block, ..tag }));
        assert!(!slot.set_level(tag.generation + 1, Level::Interrupt));
        slot.vacate();
        assert!(!slot.set_level(tag.generation, Level::Interrupt));
        assert_eq!(slot.tag(), None);
    }

    #[test]
    fn slots_are_used_from_the_first_one_on_and_a_number_of_them_that_makes_no_sense_is_all() {
        let page = page().unwrap();
        assert_eq!(page.used(), 0);
        page.occupy(4, 0, Level::Block);
        page.occupy(2, 0, Level::Block);
        assert_eq!(page.used(), 5);
        page.occupy(u16::MAX, 0, Level::Block);
        assert_eq!(page.used(), SLOTS);
        page.used.store(u32::MAX, Ordering::Relaxed);
        assert_eq!(page.used(), SLOTS);
    }

    #[test]
    fn edges_read_back_and_garbage_is_none() {
        for kind in [EdgeKind::Created, EdgeKind::Destroyed, EdgeKind::Ready, EdgeKind::Idle, EdgeKind::Done]
        {
            let edge = Edge { kind, slot: u16::MAX, generation: u32::MAX };
            assert_eq!(Edge::from_word(edge.to_word()), Some(edge));
        }
        for word in [0, 6, (SLOTS as u64) << 8 | 1, 0xff_ffff << 8 | 2] {
            assert_eq!(Edge::from_word(word), None);
        }
    }
}
