//! Events from a guest to xserver: a bounded ring of 64-bit entries in the shared page, and the pending flag of its doorbell.
//!
//! One producer at a time (the guest holds a lock of its own), one consumer (xserver). The ring carries *edges*; the *levels* stand in
//! the slots. So a full ring loses nothing: the producer sets *overflow* and the consumer reads all slots again. Neither side ever
//! waits for the other, and neither believes the other's indices: they are masked, and a distance larger than the ring counts as overflow.

use xsched_core::sync::{AtomicU32, AtomicU64, Ordering};
use xsched_queue::weakenable;

/// Entries in a ring.
pub const ENTRIES: u32 = 128;

weakenable! {
    /// An entry is written before the index that shows it.
    const PUBLISH: Ordering = Release, "ring_publish"
}
weakenable! {
    /// The pending flag hands over what was pushed before it was found set.
    const PENDING: Ordering = AcqRel, "ring_pending"
}

/// The ring. Zeroed memory is an empty one.
#[repr(C)]
#[derive(Debug)]
pub struct Ring {
    tail: AtomicU32,
    head: AtomicU32,
    overflow: AtomicU32,
    pending: AtomicU32,
    entries: [AtomicU64; ENTRIES as usize],
}

impl Default for Ring {
    fn default() -> Ring {
        Ring {
            tail: AtomicU32::new(0),
            head: AtomicU32::new(0),
            overflow: AtomicU32::new(0),
            pending: AtomicU32::new(0),
            entries: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Ring {
    /// Producer: adds an entry, or notes that one was left out. Returns whether the doorbell must be rung.
    #[must_use]
    pub fn push(&self, entry: u64) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Acquire);
        match self.entries.get((tail % ENTRIES) as usize) {
            Some(cell) if tail.wrapping_sub(head) < ENTRIES => {
                cell.store(entry, Ordering::Relaxed);
                self.tail.store(tail.wrapping_add(1), PUBLISH);
            }
            _ => self.overflow.store(1, PUBLISH),
        }
        self.pending.swap(1, PENDING) == 0
    }

    /// Consumer: what [`Ring::drain`] would take now, at least if nothing was left out. It stays there.
    pub fn unread(&self) -> impl Iterator<Item = u64> + '_ {
        let (head, tail) = (self.head.load(Ordering::Relaxed), self.tail.load(Ordering::Acquire));
        let count = Some(tail.wrapping_sub(head)).filter(|count| *count <= ENTRIES).unwrap_or(0);
        let cells =
            (0..count).filter_map(move |n| self.entries.get((head.wrapping_add(n) % ENTRIES) as usize));
        cells.map(|cell| cell.load(Ordering::Relaxed))
    }

    /// Consumer: whether [`Ring::drain`] would find nothing, as far as can be seen without a word to the producer. What it is just pushing may be overlooked.
    pub fn is_quiet(&self) -> bool {
        let [tail, head] = [&self.tail, &self.head].map(|index| index.load(Ordering::Relaxed));
        let [overflow, pending] = [&self.overflow, &self.pending].map(|flag| flag.load(Ordering::Relaxed));
        tail == head && overflow == 0 && pending == 0
    }

    /// Consumer: takes what is there, at most one ring full. Returns whether entries were left out, so that all slots must be read.
    #[must_use]
    pub fn drain(&self, mut each: impl FnMut(u64)) -> bool {
        self.pending.swap(0, PENDING);
        let tail = self.tail.load(Ordering::Acquire);
        let mut head = self.head.load(Ordering::Relaxed);
        let mut lost = self.overflow.swap(0, Ordering::AcqRel) != 0;
        if tail.wrapping_sub(head) > ENTRIES {
            (head, lost) = (tail, true);
        }
        while head != tail {
            if let Some(cell) = self.entries.get((head % ENTRIES) as usize) {
                each(cell.load(Ordering::Relaxed));
            }
            head = head.wrapping_add(1);
        }
        self.head.store(head, Ordering::Release);
        lost
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn drained(ring: &Ring) -> (Vec<u64>, bool) {
        let mut all = Vec::new();
        let lost = ring.drain(|e| all.push(e));
        (all, lost)
    }

    #[test]
    fn entries_come_out_in_order_and_the_doorbell_rings_once_per_drain() {
        let ring = Ring::default();
        assert!(ring.is_quiet());
        assert!(ring.push(1));
        assert!(!ring.push(2) && !ring.is_quiet());
        assert_eq!(drained(&ring), (vec![1, 2], false));
        assert!(ring.is_quiet());
        assert!(ring.push(3));
        assert_eq!([(); 2].map(|()| ring.unread().collect::<Vec<_>>()), [[3], [3]], "it stays there");
        assert_eq!(drained(&ring), (vec![3], false));
        assert_eq!(ring.unread().count(), 0);
    }

    #[test]
    fn a_full_ring_reports_that_entries_were_left_out() {
        let ring = Ring::default();
        for e in 0..u64::from(ENTRIES) + 5 {
            let _ = ring.push(e);
        }
        let (all, lost) = drained(&ring);
        assert_eq!((all.len(), lost), (ENTRIES as usize, true));
        assert!(ring.is_quiet());
        assert_eq!(drained(&ring), (vec![], false));
    }

    #[test]
    fn indices_that_make_no_sense_count_as_overflow() {
        let ring = Ring::default();
        ring.tail.store(0x8000_0000, Ordering::Relaxed);
        assert!(!ring.is_quiet());
        assert_eq!(ring.unread().count(), 0);
        assert_eq!(drained(&ring), (vec![], true));
        assert!(ring.push(7));
        assert_eq!(drained(&ring), (vec![7], false));
    }
}
