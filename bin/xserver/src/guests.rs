//! All guests: what their pages say, as events for the scheduler.
//!
//! An entry of a ring only says *where* to look; what is true stands in the slot. So each entry, and each slot after an overflow, is
//! handled by the one function [`Guests::read_slot`], and no order or loss of entries can mislead it.

use crate::clients::{Guest, Known};
use crate::devices::Devices;
use crate::groups::Groups;
use crate::logbook::Logbook;
use crate::numbers;
use crate::quota::Quota;
use crate::record::Recorded;
use crate::rulebook::Rulebook;
use crate::scans::Scans;
use crate::turn::Turn;
use std::collections::{BTreeMap, BTreeSet};
use xsched_core::id::IdMap;
use xsched_core::{ClientId, DeviceId, DeviceKey, Event, HintSource, QueueId, Time};
use xsched_ipc::page::{Edge, EdgeKind, Slot};
use xsched_ipc::peer::Credentials;
use xsched_ipc::server::Newcomer;
use xsched_queue::activity::Snapshot;
use xsched_sched::Scheduler;

/// All guests, and the scheduler.
#[derive(Debug)]
pub(crate) struct Guests {
    pub(crate) scheduler: Recorded,
    /// In boxes, so that those who look for one do not walk over the others.
    pub(crate) table: BTreeMap<ClientId, Box<Guest>>,
    /// Where each queue lives.
    pub(crate) places: IdMap<QueueId, (ClientId, u16)>,
    /// Queues that were told idle and of which the guest still believes that the server thinks them ready; and before which turn each was looked at.
    pub(crate) lingering: BTreeMap<QueueId, u64>,
    /// Turns so far.
    pub(crate) turns: u64,
    /// Gates whose wish changed.
    pub(crate) unwritten: BTreeSet<(ClientId, DeviceId)>,
    /// Devices on which something happened since `interrupt` looked at them last.
    pub(crate) touched: BTreeSet<DeviceId>,
    /// Guests whose processes are to be looked at (`facts`); `None` while nobody wants to know about any.
    pub(crate) to_look: Option<BTreeSet<ClientId>>,
    /// What came out of a turn before its time, for the next one.
    pub(crate) early: Turn,
    pub(crate) scans: Scans,
    /// Entries of rings that were read, ever.
    pub(crate) news: u64,
    /// Room for those of one ring.
    edges: Vec<Edge>,
    pub(crate) log: Logbook,
    pub(crate) rules: Rulebook,
    /// Guests that the rules have not been asked about since they changed.
    pub(crate) unclassified: BTreeSet<ClientId>,
    /// Guests that have not been told their limits.
    pub(crate) to_limit: BTreeSet<ClientId>,
    devices: Devices,
    groups: Groups,
    /// Slots that are read: each costs memory, of ours and of the page, whether or not a queue lives there.
    quota: Quota,
    last_client: u32,
    last_queue: u64,
}

impl Guests {
    pub(crate) fn new(scheduler: Scheduler) -> Guests {
        Guests {
            scheduler: Recorded::new(scheduler),
            table: BTreeMap::new(),
            places: IdMap::default(),
            lingering: BTreeMap::new(),
            turns: 0,
            unwritten: BTreeSet::new(),
            touched: BTreeSet::new(),
            to_look: None,
            early: Turn::default(),
            scans: Scans::default(),
            news: 0,
            edges: Vec::new(),
            log: Logbook::default(),
            rules: Rulebook::default(),
            unclassified: BTreeSet::new(),
            to_limit: BTreeSet::new(),
            devices: Devices::default(),
            groups: Groups::default(),
            quota: Quota::new("queues", 1 << 18, 1 << 17),
            last_client: 0,
            last_queue: 0,
        }
    }

    /// A number for the next guest.
    pub(crate) fn new_client(&mut self) -> ClientId {
        ClientId(numbers::next(&mut self.last_client, |number| self.table.contains_key(&ClientId(number))))
    }

    /// Takes a guest in. Then it is to be classified, and its queues are read by [`Guests::read_page`].
    pub(crate) fn join(
        &mut self,
        client: ClientId,
        link: u32,
        credentials: Credentials,
        newcomer: Newcomer,
        now: Time,
    ) {
        let group = self.groups.join(credentials.uid, newcomer.hello.group.as_deref());
        let hints = newcomer.hello.hints;
        self.scheduler.name_client(client, credentials.pid, &newcomer.hello.program);
        self.table.insert(client, Box::new(Guest::new(link, credentials, group, newcomer)));
        self.scheduler.handle(Event::ClientJoined { client, group }, now);
        for hint in hints.iter() {
            self.tell(client, hint.kind(), now, |told| told.set(HintSource::Environment, hint));
        }
        if let Some(to_look) = &mut self.to_look {
            to_look.insert(client);
        }
    }

    /// Forgets a guest; its gates are opened as far as they are still the server's.
    pub(crate) fn leave(&mut self, client: ClientId, now: Time) -> Option<Box<Guest>> {
        let guest = self.table.remove(&client)?;
        self.scans.forget(client);
        self.unclassified.remove(&client);
        self.to_limit.remove(&client);
        guest.release();
        guest.keys().for_each(|key| self.devices.put_back(key));
        self.groups.leave(guest.credentials.uid, guest.group_name.as_deref(), guest.group);
        self.quota.put_back(guest.credentials.uid, guest.readable());
        for (known, _) in guest.queues() {
            self.places.remove(&known.queue);
            self.lingering.remove(&known.queue);
        }
        self.scheduler.handle(Event::ClientLeft { client }, now);
        Some(guest)
    }

    /// The guest shares something with all who named it too: from now on they are suspended and resumed as one, and so are those who were with
    /// either of them.
    pub(crate) fn bond(&mut self, client: ClientId, what: Vec<u8>, now: Time) {
        let Some(guest) = self.table.get(&client) else { return };
        let Some((from, to)) = self.groups.bond(guest.credentials.uid, what, guest.group) else { return };
        for (&client, guest) in self.table.iter_mut().filter(|(_, guest)| guest.group == from) {
            guest.group = to;
            self.scheduler.handle(Event::ClientMoved { client, group: to }, now);
            if !guest.is_unlogged {
                tracing::info!("{client} {guest} shares something with group {to}, and is in it now");
            }
        }
    }

    /// The guest rang. An error says what is wrong with its page, and is the end of it.
    pub(crate) fn read_ring(&mut self, client: ClientId, now: Time) -> Result<(), String> {
        let Some(guest) = self.table.get(&client) else { return Ok(()) };
        let (mut edges, mut garbage) = (std::mem::take(&mut self.edges), None);
        let is_overflow = guest.page.ring.drain(|word| match Edge::from_word(word) {
            Some(edge) => edges.push(edge),
            None => garbage = Some(word),
        });
        if let Some(word) = garbage {
            return Err(format!("its ring holds {word:#x}, which is not an event"));
        }
        self.news += edges.len() as u64;
        edges.drain(..).try_for_each(|edge| self.read_slot(client, edge.slot, Some(edge.kind), now))?;
        self.edges = edges;
        if is_overflow {
            let slots = self.readable(client)?;
            self.scans.add(client, slots);
        }
        Ok(())
    }

    /// How many slots of the guest may be read: all that it says it used, if it may have so many.
    fn readable(&mut self, client: ClientId) -> Result<usize, String> {
        let Some(guest) = self.table.get_mut(&client) else { return Ok(0) };
        let (used, readable) = (guest.page.used(), guest.readable());
        if used > readable {
            self.quota.take(guest.credentials.uid, used - readable)?;
            guest.make_readable(used);
        }
        Ok(guest.readable())
    }

    /// Reads the next stretch of slots whose ring overflowed. An error says whose page is wrong, and how.
    pub(crate) fn scan(&mut self, now: Time) -> Result<(), (ClientId, String)> {
        let Some((client, mut slots)) = self.scans.next(now) else { return Ok(()) };
        slots
            .try_for_each(|slot| self.read_slot(client, slot as u16, None, now))
            .map_err(|reason| (client, reason))
    }

    /// Reads all of the page, as it has to be after the hello.
    pub(crate) fn read_page(&mut self, client: ClientId, now: Time) -> Result<(), String> {
        self.read_ring(client, now)?;
        let slots = self.readable(client)?;
        (0..slots).try_for_each(|slot| self.read_slot(client, slot as u16, None, now))
    }

    /// Brings what the scheduler knows in line with what a slot says. `told` is what the guest said about the slot, if it did.
    fn read_slot(
        &mut self,
        client: ClientId,
        index: u16,
        told: Option<EdgeKind>,
        now: Time,
    ) -> Result<(), String> {
        if let Some(to_look) = self.to_look.as_mut().filter(|_| told == Some(EdgeKind::Ready)) {
            to_look.insert(client);
        }
        let Some(mut guest) = self.table.get_mut(&client) else { return Ok(()) };
        if usize::from(index) >= guest.readable() {
            if usize::from(index) >= self.readable(client)? {
                return Err(format!("its ring names slot {index}, which it says it never used"));
            }
            let Some(again) = self.table.get_mut(&client) else { return Ok(()) };
            guest = again;
        }
        let Some(tag) = guest.page.slot(index).map(Slot::tag) else { return Ok(()) };
        if let Some(known) = guest.known(index).filter(|known| !known.is(tag)) {
            guest.set_known(index, None);
            guest.told.forget_queue(known.queue);
            self.places.remove(&known.queue);
            self.lingering.remove(&known.queue);
            self.scheduler.handle(Event::QueueDestroyed { queue: known.queue }, now);
        }
        let Some(tag) = tag else { return Ok(()) };
        let known = match guest.known(index) {
            Some(known) => {
                guest.set_known(index, Some(known.at(tag.level)));
                known
            }
            None => {
                let device = guest.device(client, tag.device, &mut self.devices)?;
                guest.key(device).into_iter().for_each(|key| self.scheduler.name_device(device, key));
                self.last_queue += 1;
                let queue = QueueId(self.last_queue);
                let known = Known::new(queue, device, tag);
                guest.set_known(index, Some(known));
                self.places.insert(queue, (client, index));
                let hints = Default::default();
                self.scheduler.handle(Event::QueueCreated { queue, client, device, hints }, now);
                known
            }
        };
        let look = guest.page.slot(index).map(|slot| slot.activity.look());
        let told_ready = told == Some(EdgeKind::Ready);
        look.into_iter().for_each(|look| self.follow(look, (known.queue, known.device), told_ready, now));
        if told == Some(EdgeKind::Done) {
            self.tell_progress(known.queue, now);
        }
        Ok(())
    }

    /// Tells the scheduler whether the queue has work.
    pub(crate) fn read_activity(&mut self, queue: QueueId, now: Time) {
        let place = self.places.get(&queue).and_then(|(client, index)| {
            let guest = self.table.get(client)?;
            Some((guest.page.slot(*index)?, guest.known(*index)?.device))
        });
        let Some((slot, device)) = place else { return };
        self.follow(slot.activity.look(), (queue, device), false, now);
    }

    /// Tells the scheduler what a look at a queue says. `told_ready`: the guest said a moment ago that it is ready.
    fn follow(&mut self, look: Snapshot, (queue, device): (QueueId, DeviceId), told_ready: bool, now: Time) {
        let believed = self.scheduler.is_ready(queue);
        if look.is_ready() != believed {
            self.touched.insert(device);
        }
        if look.is_ready() {
            if self.lingering.remove(&queue).is_some() || !believed {
                self.scheduler.handle(Event::QueueReady { queue }, now);
            }
        } else if !told_ready && let Some(looked) = self.lingering.get_mut(&queue) {
            // That is known.
            *looked = self.turns;
        } else if believed || told_ready {
            // Work so short that it was done before we looked has its grace too.
            if !believed {
                self.scheduler.handle(Event::QueueReady { queue }, now);
            }
            self.scheduler.handle(Event::QueueIdle { queue }, now);
            self.lingering.insert(queue, self.turns);
        } else if look.is_reported() {
            // Lapsed, or left over from the guest's last server: idle now, and to be told of again.
            self.scheduler.handle(Event::QueueIdle { queue }, now);
            self.lingering.insert(queue, self.turns);
        }
    }

    /// Tells the scheduler how far the queue has come.
    pub(crate) fn tell_progress(&mut self, queue: QueueId, now: Time) {
        let Some(slot) = self.slot(queue) else { return };
        let launched = slot.activity.snapshot().launched();
        let completed = slot.completed.load(std::sync::atomic::Ordering::Relaxed);
        self.scheduler.handle(Event::QueueProgress { queue, launched, completed }, now);
    }

    /// Looks at the queues that count as ready: those that nobody waits for do not tell that they are idle. The ledger is to know at once; the
    /// scheduler, while somebody goes before another there: to those an idle program is to be none. (Among equals it would only cost each a word at its next launch.)
    pub(crate) fn audit(&mut self, now: Time) {
        for queue in self.scheduler.ledger.watched() {
            let Some(slot) = self.slot(queue) else { continue };
            let look = slot.activity.snapshot();
            let completed = slot.completed.load(std::sync::atomic::Ordering::Relaxed);
            let is_believed = self.scheduler.is_ready(queue);
            self.scheduler.ledger.audit(
                queue,
                is_believed,
                look.is_ready(),
                (look.launched(), completed),
                now,
            );
            let is_news = is_believed && !look.is_ready() && !self.lingering.contains_key(&queue);
            if is_news
                && self.scheduler.queue(queue).is_some_and(|known| self.scheduler.is_ordered(known.device))
            {
                self.read_activity(queue, now);
            }
        }
    }

    /// The slot of a queue.
    pub(crate) fn slot(&self, queue: QueueId) -> Option<&Slot> {
        let (client, index) = self.places.get(&queue)?;
        self.table.get(client)?.page.slot(*index)
    }

    /// How much all users together have taken of what each may have.
    pub(crate) fn taken_of_quota(&self) -> usize {
        self.quota.taken()
    }

    /// The devices on which a guest has queues.
    pub(crate) fn devices_of(&self, client: ClientId) -> BTreeSet<(ClientId, DeviceId)> {
        let queues = self.table.get(&client).into_iter().flat_map(|guest| guest.queues());
        queues.map(|(known, _)| (client, known.device)).collect()
    }

    /// The devices in use.
    pub(crate) fn device_keys(&self) -> Vec<DeviceKey> {
        self.devices.keys()
    }
}
