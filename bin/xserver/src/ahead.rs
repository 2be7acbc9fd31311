//! What is done ahead of the turn: the gates of those who are certainly preempted close as soon as the urgent guest has rung.
//!
//! A turn reads slots, asks the scheduler and keeps the books, all of it with a cache that has gone cold while the server slept. Until then those
//! who are to be held would go on launching. Invariant: what is done here is believed by nobody. Each gate that it closes is among those
//! that the turn writes, and there the scheduler's word alone counts.

use crate::guests::Guests;
use xsched_core::ClientId;
use xsched_ipc::page::{Edge, EdgeKind};

impl Guests {
    /// The guest has rung, and nothing of its ring has been read yet.
    pub(crate) fn preempt_at_once(&mut self, client: ClientId) {
        let Guests { table, scheduler, unwritten, .. } = self;
        let Some(guest) = table.get(&client) else { return };
        for edge in guest.page.ring.unread().filter_map(Edge::from_word) {
            let (Some(slot), Some(known)) = (guest.page.slot(edge.slot), guest.known(edge.slot)) else {
                continue;
            };
            if edge.kind != EdgeKind::Ready || !known.is(slot.tag()) || !slot.activity.snapshot().is_ready() {
                continue;
            }
            let mut is_effective = false;
            for preempted in scheduler.preempted_by(known.queue) {
                if let Some(guest) = table.get(&preempted) {
                    guest.close_ahead(known.device);
                    unwritten.insert((preempted, known.device));
                    is_effective = true;
                }
            }
            // The guest may have put in as many edges as it likes: one of them is enough work to be done ahead.
            if is_effective {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::{DeviceKey, Hint, HintKind, Hints, Level, Time};
    use xsched_ipc::guest::SharedPage;
    use xsched_ipc::page::LAYOUT;
    use xsched_ipc::peer::Credentials;
    use xsched_ipc::server::{GuestPage, Newcomer};
    use xsched_ipc::wire::Hello;
    use xsched_queue::gate::{Epoch, Holder};
    use xsched_sched::{PolicyKind, Scheduler, Settings};

    const NOW: Time = Time::from_nanos(1_000_000);

    /// A guest with an idle queue in slot 0, taken in by the server.
    fn join(guests: &mut Guests, priority: i64) -> (ClientId, SharedPage) {
        let shared = SharedPage::create().unwrap();
        let page = shared.page();
        page.gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
        page.set_key(0, &DeviceKey::cpu(0));
        page.occupy(0, 0, Level::Block).unwrap();
        let mut hints = Hints::default();
        hints.set(Hint::new(HintKind::Priority, priority).unwrap());
        let (layout, epoch) = (LAYOUT, Epoch::FIRST);
        let hello = Hello { layout, epoch, program: "test".into(), group: None, hints };
        let page = GuestPage::map(shared.fd().unwrap()).unwrap();
        let client = guests.new_client();
        let who = Credentials { pid: 1, uid: 1, gid: 1, groups: vec![] };
        guests.join(client, client.0, who, Newcomer { hello, page }, NOW);
        guests.read_page(client, NOW).unwrap();
        guests.turn(NOW);
        (client, shared)
    }

    fn launch(page: &SharedPage) -> Edge {
        let slot = page.page().slot(0).unwrap();
        assert!(slot.activity.begin().was_idle && slot.activity.raise());
        slot.activity.end();
        Edge { kind: EdgeKind::Ready, slot: 0, generation: slot.tag().unwrap().generation }
    }

    fn is_held(page: &SharedPage) -> bool {
        page.page().gate(0).unwrap().state().is_held_by(Holder::Server)
    }

    fn machine() -> Guests {
        Guests::new(Scheduler::new(PolicyKind::Hpf, Settings::default()))
    }

    fn ring(guests: &mut Guests, client: ClientId, page: &SharedPage) {
        let edge = launch(page);
        let _ = page.page().ring.push(edge.to_word());
        guests.preempt_at_once(client);
    }

    fn turn(guests: &mut Guests) {
        let all: Vec<ClientId> = guests.table.keys().copied().collect();
        all.into_iter().for_each(|client| guests.read_ring(client, NOW).unwrap());
        guests.turn(NOW);
    }

    #[test]
    fn who_is_preempted_is_held_before_the_turn_and_stays_held_after_it() {
        let mut guests = machine();
        let (greedy, greedy_page) = join(&mut guests, 0);
        let (urgent, urgent_page) = join(&mut guests, 1);
        ring(&mut guests, greedy, &greedy_page);
        turn(&mut guests);
        assert!(!is_held(&greedy_page));
        ring(&mut guests, urgent, &urgent_page);
        assert!(is_held(&greedy_page) && !is_held(&urgent_page));
        turn(&mut guests);
        assert!(is_held(&greedy_page) && !is_held(&urgent_page) && guests.unwritten.is_empty());
    }

    #[test]
    fn who_is_not_preempted_is_not_held_ahead() {
        let mut guests = machine();
        let (first, first_page) = join(&mut guests, 1);
        let (second, second_page) = join(&mut guests, 1);
        let (third, third_page) = join(&mut guests, 0);
        for (client, page) in [(first, &first_page), (second, &second_page), (third, &third_page)] {
            ring(&mut guests, client, page);
            assert!(![&first_page, &second_page].into_iter().any(is_held), "equals share");
            turn(&mut guests);
        }
        assert!(is_held(&third_page));
    }

    #[test]
    fn a_gate_that_was_closed_too_soon_is_opened_by_the_turn() {
        let mut guests = machine();
        let (greedy, greedy_page) = join(&mut guests, 0);
        let (urgent, urgent_page) = join(&mut guests, 1);
        ring(&mut guests, greedy, &greedy_page);
        turn(&mut guests);
        // It told that it is ready, and is gone before that is read.
        ring(&mut guests, urgent, &urgent_page);
        assert!(is_held(&greedy_page));
        guests.leave(urgent, NOW);
        turn(&mut guests);
        assert!(!is_held(&greedy_page));
    }
}
