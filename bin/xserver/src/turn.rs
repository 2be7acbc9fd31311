//! One turn of the scheduler: ask it, and write what it wants into the gates.
//!
//! What the scheduler believes and what a guest believes about a queue must not drift apart. A guest tells *ready* only once, until
//! the server takes that back (`Activity::reclaim`); so a queue that was told idle stays in `lingering` until the scheduler gave
//! it up, and is looked at before each turn's decision, for it may have become ready again without a word. SYNC POINTS of both: `queue::activity`.

use crate::guests::Guests;
use crate::logbook::Kind;
use xsched_core::{ClientId, DeviceId, Event, Operation, QueueId, Time};
use xsched_queue::gate::Verdict;

/// What came out of a turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// When the next one is due, if nothing happens before.
    pub(crate) next: Option<Time>,
    /// Guests that have parted from the server.
    pub(crate) parted: Vec<ClientId>,
    /// Guests that others wait for now and that have work, as far as they said: they are to look again.
    pub(crate) to_look: Vec<ClientId>,
}

impl Guests {
    /// Decides, and lets it come true.
    pub(crate) fn turn(&mut self, now: Time) -> Turn {
        let turn = self.rounds(now);
        self.turns += 1;
        turn
    }

    fn rounds(&mut self, now: Time) -> Turn {
        // Each round follows from news of the one before; a guest that makes news all the time is left for the next turn.
        const ROUNDS: usize = 8;
        let mut turn = std::mem::take(&mut self.early);
        let (mut operations, mut probes) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for queue in self.lingering_unseen() {
                self.read_activity(queue, now);
            }
            turn.next = self.scheduler.decide(now, &mut operations);
            self.tell_news(now);
            for operation in operations.drain(..) {
                self.note(operation, &mut probes);
            }
            // Gates follow the last word of the scheduler only.
            if self.give_up_lingering(now) {
                continue;
            }
            if !self.write_gates(now, &mut turn) & !self.answer(&mut probes, now) {
                return turn;
            }
        }
        turn.next = Some(now);
        turn
    }

    /// Decides before an answer is given that depends on it. What else came out is left for the turn that has to follow.
    pub(crate) fn turn_early(&mut self, now: Time) {
        self.early = self.turn(now);
    }

    /// Says what the policy has to say of groups, if that is news.
    fn tell_news(&mut self, now: Time) {
        for (group, device, text) in self.scheduler.take_news() {
            let Some((client, guest)) = self.table.iter().find(|(_, guest)| guest.group == group) else {
                continue;
            };
            if self.log.admits(Kind::Change, guest.credentials.uid, now) {
                let key = guest.key(device).map(ToString::to_string).unwrap_or_default();
                tracing::info!("{client} {guest} group {group} on {key}: {text}");
            }
        }
    }

    fn note(&mut self, operation: Operation, probes: &mut Vec<QueueId>) {
        let mut wish = |client, device, change: &dyn Fn(&mut Verdict)| {
            tracing::debug!("{operation:?}");
            self.touched.insert(device);
            if let Some(guest) = self.table.get_mut(&client) {
                guest.wish(device, change);
                self.unwritten.insert((client, device));
            }
        };
        match operation {
            Operation::Suspend { client, device } => wish(client, device, &|wish| wish.suspended = true),
            Operation::Resume { client, device } => wish(client, device, &|wish| wish.suspended = false),
            Operation::Window { client, device } => wish(client, device, &|wish| wish.windowed = true),
            Operation::Unwindow { client, device } => wish(client, device, &|wish| wish.windowed = false),
            Operation::Await { client, device } => wish(client, device, &|wish| wish.awaited = true),
            Operation::Unawait { client, device } => wish(client, device, &|wish| wish.awaited = false),
            Operation::Probe { queue } => probes.push(queue),
        }
    }

    /// Those that linger and were not looked at since the last turn.
    fn lingering_unseen(&self) -> Vec<QueueId> {
        let unseen = self.lingering.iter().filter(|(_, turn)| **turn != self.turns);
        unseen.map(|(queue, _)| *queue).collect()
    }

    /// Queues that the scheduler no longer believes ready are to be told of again. Returns whether one is ready after all.
    fn give_up_lingering(&mut self, now: Time) -> bool {
        let mut is_news = false;
        let is_over = |queue: &&QueueId| !self.scheduler.is_ready(**queue);
        let over: Vec<QueueId> = self.lingering.keys().filter(is_over).copied().collect();
        for queue in over {
            self.lingering.remove(&queue);
            if self.slot(queue).is_some_and(|slot| slot.activity.reclaim().is_err()) {
                self.scheduler.handle(Event::QueueReady { queue }, now);
                is_news = true;
            }
        }
        is_news
    }

    /// Returns whether the scheduler was told something.
    fn write_gates(&mut self, now: Time, turn: &mut Turn) -> bool {
        let mut is_news = false;
        // Closing comes before opening, so that two who should not share a device do not share it for a moment.
        let is_held = |(client, device): &(ClientId, DeviceId)| {
            self.table.get(client).is_some_and(|guest| guest.is_to_be_held(*device))
        };
        let (to_close, to_open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unwritten).into_iter().partition(is_held);
        for (client, device) in to_close.into_iter().chain(to_open) {
            match self.table.get(&client).map(|guest| guest.decree(device)) {
                Some(Ok(true)) => {
                    is_news |= self.look_for_idle(client, device, now);
                    if self.table.get_mut(&client).is_some_and(|guest| guest.is_to_look(now)) {
                        turn.to_look.push(client);
                    }
                }
                Some(Err(_)) if !turn.parted.contains(&client) => turn.parted.push(client),
                _ => {}
            }
        }
        if self.scheduler.ledger.is_closing() {
            self.scheduler.ledger.closed(xsched_ipc::server::now());
        }
        is_news
    }

    /// A guest that was alone so far has not told what became idle.
    fn look_for_idle(&mut self, client: ClientId, device: DeviceId, now: Time) -> bool {
        // Of all that the guest has, those only that count as ready: there may be very many idle ones.
        let idle: Vec<QueueId> = (self.scheduler.ready_queues_of(client, device))
            .filter(|queue| {
                !self.lingering.contains_key(queue)
                    && self.slot(*queue).is_some_and(|slot| !slot.activity.look().is_ready())
            })
            .collect();
        for &queue in &idle {
            self.scheduler.handle(Event::QueueIdle { queue }, now);
            self.lingering.insert(queue, self.turns);
        }
        !idle.is_empty()
    }

    /// Answers the scheduler's questions. Returns whether there were any.
    fn answer(&mut self, probes: &mut Vec<QueueId>, now: Time) -> bool {
        let is_news = !probes.is_empty();
        for queue in probes.drain(..) {
            self.tell_progress(queue, now);
        }
        is_news
    }
}
