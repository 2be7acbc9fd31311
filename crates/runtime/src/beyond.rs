//! Queues beyond the slots of the page: together they are one queue to the server, for each device.
//!
//! Each still has its own activity and window, in a slot that nobody else reads. What the server must know of all of them is whether any
//! has work: the slot here is ready as long as one of them is. It says nothing of how much they launched or completed.
//!
//! SYNC POINT. A queue counts itself in before it makes the slot ready, and reads the slot before it counts itself out: so the last one out
//! cannot make the slot idle if another came in meanwhile (`Activity::try_idle` compares).

use std::sync::atomic::{AtomicUsize, Ordering};
use xsched_core::Level;
use xsched_ipc::page::{DEVICES, Edge, EdgeKind, Page, SLOTS};
use xsched_queue::activity::Activity;

/// Slots that single queues may have; the others are for those here.
pub(crate) const SINGLE: usize = SLOTS - DEVICES;

/// For each device, how many queues beyond the slots have work.
#[derive(Debug)]
pub(crate) struct Beyond {
    busy: [AtomicUsize; DEVICES],
}

impl Default for Beyond {
    fn default() -> Beyond {
        Beyond { busy: [const { AtomicUsize::new(0) }; DEVICES] }
    }
}

impl Beyond {
    /// There is a queue beyond the slots on this device. Answers what to tell the server if it is the first.
    pub(crate) fn open(&self, page: &Page, device: u8) -> Option<Edge> {
        let index = index(device)?;
        let is_open = page.slot(index)?.tag().is_some();
        let tag = (!is_open).then(|| page.occupy(index, device, Level::Block)).flatten()?;
        Some(Edge { kind: EdgeKind::Created, slot: index, generation: tag.generation })
    }

    /// One of them was idle and launches. Answers what to tell the server.
    pub(crate) fn begin(&self, page: &Page, device: u8) -> Option<Edge> {
        self.busy.get(usize::from(device))?.fetch_add(1, Ordering::SeqCst);
        self.move_on(page, device)
    }

    /// One of them launches: a sign of life, for the lease.
    pub(crate) fn move_on(&self, page: &Page, device: u8) -> Option<Edge> {
        let activity = activity(page, device)?;
        let is_news = activity.begin().was_idle && activity.raise();
        activity.end();
        is_news.then(|| edge(page, device, EdgeKind::Ready)).flatten()
    }

    /// One of them has become idle. Answers what to tell the server, if others wait for that.
    pub(crate) fn end(&self, page: &Page, device: u8) -> Option<Edge> {
        let activity = activity(page, device)?;
        let seen = activity.snapshot();
        let was = self.busy.get(usize::from(device))?.fetch_sub(1, Ordering::SeqCst);
        (was == 1 && activity.try_idle(seen)).then(|| edge(page, device, EdgeKind::Idle)).flatten()
    }
}

fn index(device: u8) -> Option<u16> {
    u16::try_from(SINGLE + usize::from(device)).ok()
}

fn activity(page: &Page, device: u8) -> Option<&Activity> {
    page.slot(index(device)?).map(|slot| &slot.activity)
}

fn edge(page: &Page, device: u8, kind: EdgeKind) -> Option<Edge> {
    let slot = index(device)?;
    Some(Edge { kind, slot, generation: page.slot(slot)?.tag()?.generation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_ipc::guest::SharedPage;

    #[test]
    fn all_of_them_together_are_ready_as_long_as_one_is() {
        let shared = SharedPage::create().unwrap();
        let (page, beyond) = (shared.page(), Beyond::default());
        let kind = |edge: Option<Edge>| edge.map(|edge| (edge.kind, usize::from(edge.slot) - SINGLE));
        assert_eq!(kind(beyond.open(page, 3)), Some((EdgeKind::Created, 3)));
        assert_eq!(kind(beyond.open(page, 3)), None);
        assert_eq!(kind(beyond.begin(page, 3)), Some((EdgeKind::Ready, 3)));
        assert_eq!(kind(beyond.begin(page, 3)), None);
        assert_eq!(kind(beyond.end(page, 3)), None);
        assert!(activity(page, 3).unwrap().snapshot().is_ready());
        let before = activity(page, 3).unwrap().snapshot().launched();
        assert_eq!(kind(beyond.move_on(page, 3)), None);
        assert_eq!(activity(page, 3).unwrap().snapshot().launched(), before + 1);
        assert_eq!(kind(beyond.end(page, 3)), Some((EdgeKind::Idle, 3)));
        assert!(!activity(page, 3).unwrap().snapshot().is_ready());
    }

    #[test]
    fn threads_that_come_and_go_leave_it_idle() {
        let shared = SharedPage::create().unwrap();
        let (page, beyond) = (shared.page(), Beyond::default());
        beyond.open(page, 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        beyond.begin(page, 0);
                        assert!(activity(page, 0).unwrap().snapshot().is_ready());
                        beyond.end(page, 0);
                    }
                });
            }
        });
        assert!(!activity(page, 0).unwrap().snapshot().is_ready());
    }
}
