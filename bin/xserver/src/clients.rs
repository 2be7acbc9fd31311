//! One attached guest: who it is, its page, and what the server knows of the page.

use crate::devices::Devices;
use crate::identity;
use crate::interrupt::Condition;
use crate::told::Told;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, DeviceKey, GroupId, Level, QueueId, Time};
use xsched_ipc::page::{Slot, Tag};
use xsched_ipc::peer::Credentials;
use xsched_ipc::server::{GuestPage, Newcomer};
use xsched_queue::gate::{Epoch, GateWord, Stale, Verdict};
use xsched_rules::Class;

/// An attached guest.
#[derive(Debug)]
pub(crate) struct Guest {
    /// The number of its connection.
    pub(crate) link: u32,
    pub(crate) credentials: Credentials,
    pub(crate) program: String,
    /// The container that it is in.
    pub(crate) container: Option<String>,
    pub(crate) group: GroupId,
    pub(crate) group_name: Option<String>,
    pub(crate) page: Arc<GuestPage>,
    /// The priority that it was started with and may not have.
    pub(crate) refused_priority: Option<i64>,
    /// Its hints, by who gave them.
    pub(crate) told: Told,
    /// What the rules make of it.
    pub(crate) class: Class,
    /// So many came at once that nothing is logged of this one.
    pub(crate) is_unlogged: bool,
    epoch: Epoch,
    /// By number in the page, as far as numbers were ever used.
    devices: Vec<Option<Seen>>,
    /// By slot, as far as slots may be read.
    slots: Vec<Option<Known>>,
    asked_to_look: Option<Time>,
    /// The channel groups that it has lent, each on its device, and what has become of that.
    pub(crate) lent: Vec<(DeviceKey, Arc<Condition>)>,
}

/// A queue that the scheduler was told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) queue: QueueId,
    pub(crate) device: DeviceId,
    pub(crate) level: Level,
    generation: u32,
}

/// A device of the guest's page.
#[derive(Debug)]
struct Seen {
    id: DeviceId,
    key: DeviceKey,
    wish: Verdict,
}

/// `hashcat[4711]`.
impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.program, self.credentials.pid)
    }
}

impl Guest {
    pub(crate) fn new(link: u32, credentials: Credentials, group: GroupId, newcomer: Newcomer) -> Guest {
        let Newcomer { hello, page } = newcomer;
        Guest {
            link,
            container: identity::container(&credentials),
            credentials,
            program: hello.program,
            group,
            group_name: hello.group,
            page: Arc::new(page),
            refused_priority: None,
            told: Told::default(),
            class: Class::default(),
            is_unlogged: false,
            epoch: hello.epoch,
            devices: Vec::new(),
            slots: Vec::new(),
            asked_to_look: None,
            lent: Vec::new(),
        }
    }

    /// What its gates carry as long as it is this server's.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The queue that is known to live in a slot.
    pub(crate) fn known(&self, slot: u16) -> Option<Known> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// All known queues with their slots.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (Known, &Slot)> {
        self.queues_from(0).map(|(_, known, slot)| (known, slot))
    }

    /// The known queues in slots from this index on, with that index.
    pub(crate) fn queues_from(&self, first: usize) -> impl Iterator<Item = (usize, Known, &Slot)> {
        let known = self.slots.iter().enumerate().skip(first);
        let known = known.filter_map(|(index, known)| Some((index, (*known)?)));
        known.filter_map(|(index, known)| Some((index, known, self.page.slot(u16::try_from(index).ok()?)?)))
    }

    /// How many slots may be read: those that the guest said it used, as far as the server knows.
    pub(crate) fn readable(&self) -> usize {
        self.slots.len()
    }

    /// So many slots may be read from now on.
    pub(crate) fn make_readable(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), None);
    }

    /// Notes who lives in a slot.
    pub(crate) fn set_known(&mut self, slot: u16, known: Option<Known>) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = known;
        }
    }

    /// The device that a tag names, taken from `devices` the first time; an error if the page names none, or names it twice.
    pub(crate) fn device(
        &mut self,
        client: ClientId,
        local: u8,
        devices: &mut Devices,
    ) -> Result<DeviceId, String> {
        if let Some(Some(seen)) = self.devices.get(usize::from(local)) {
            return Ok(seen.id);
        }
        let key = self.page.key(local).ok_or_else(|| format!("its device {local} has no valid name"))?;
        if self.devices.iter().flatten().any(|seen| seen.key == key) {
            return Err(format!("its device {local} is {key}, which it named already"));
        }
        let id = devices.take(&key, self.credentials.uid)?;
        if !self.is_unlogged {
            tracing::info!("{client} {self} uses {id} {key}");
        }
        let index = usize::from(local);
        if self.devices.len() <= index {
            self.devices.resize_with(index + 1, || None);
        }
        if let Some(place) = self.devices.get_mut(index) {
            *place = Some(Seen { id, key, wish: Verdict::default() });
        }
        Ok(id)
    }

    /// The key of a device that it uses.
    pub(crate) fn key(&self, device: DeviceId) -> Option<&DeviceKey> {
        self.devices.iter().flatten().find(|seen| seen.id == device).map(|seen| &seen.key)
    }

    /// Whether all that it has on a device can be interrupted there.
    pub(crate) fn is_interruptible(&self, device: DeviceId) -> bool {
        let mut lent = self.lent_on(device).peekable();
        lent.peek().is_some() && lent.all(Condition::is_usable)
    }

    /// Why it is not, if it should be.
    pub(crate) fn refusal(&self, device: DeviceId) -> Option<&str> {
        self.lent_on(device).find_map(Condition::refusal)
    }

    /// What has become of the channel groups that it has lent on a device.
    pub(crate) fn lent_on(&self, device: DeviceId) -> impl Iterator<Item = &Condition> {
        let key = self.key(device);
        self.lent.iter().filter(move |(on, _)| Some(on) == key).map(|(_, condition)| &**condition)
    }

    /// The keys of all devices that it uses.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &DeviceKey> {
        self.devices.iter().flatten().map(|seen| &seen.key)
    }

    /// Changes what is wanted of it on a device, by the next [`Guest::decree`].
    pub(crate) fn wish(&mut self, device: DeviceId, change: impl FnOnce(&mut Verdict)) {
        if let Some(seen) = self.devices.iter_mut().flatten().find(|seen| seen.id == device) {
            change(&mut seen.wish);
        }
    }

    /// Whether what it launches on a device can be taken off it at any moment, from now on. What changes is written at once: by the next turn, if it has parted.
    pub(crate) fn set_deep(&mut self, device: DeviceId, is_deep: bool) -> Result<(), Stale> {
        let seen = self.devices.iter_mut().flatten().find(|seen| seen.id == device);
        let Some(seen) = seen.filter(|seen| seen.wish.deep != is_deep) else { return Ok(()) };
        seen.wish.deep = is_deep;
        self.decree(device).map(drop)
    }

    /// Whether its gate on the device is to be closed.
    pub(crate) fn is_to_be_held(&self, device: DeviceId) -> bool {
        self.devices.iter().flatten().any(|seen| seen.id == device && seen.wish.suspended)
    }

    /// Writes what is wanted into the gate. Returns whether the guest has just learnt that others wait for it.
    pub(crate) fn decree(&self, device: DeviceId) -> Result<bool, Stale> {
        let Some((wish, gate)) = self.gate(device) else { return Ok(false) };
        let was_awaited = gate.state().is_awaited();
        gate.decree(self.epoch, wish)?;
        Ok(wish.awaited && !was_awaited)
    }

    /// Closes the gate ahead of the next [`Guest::decree`], which has to follow: nothing is wished by this.
    pub(crate) fn close_ahead(&self, device: DeviceId) {
        if let Some((wish, gate)) = self.gate(device) {
            // If the guest has parted, the next decree finds that too.
            let _ = gate.decree(self.epoch, Verdict { suspended: true, ..wish });
        }
    }

    fn gate(&self, device: DeviceId) -> Option<(Verdict, &GateWord)> {
        let seen = self.devices.iter().zip(self.page.gates());
        let mut seen = seen.filter_map(|(seen, gate)| Some((seen.as_ref()?, gate)));
        seen.find(|(seen, _)| seen.id == device).map(|(seen, gate)| (seen.wish, gate))
    }

    /// Others wait for it now. Whether to ask it to look: not again while its watcher is still about from the last time.
    pub(crate) fn is_to_look(&mut self, now: Time) -> bool {
        const AGAIN: Duration = Duration::from_secs(1);
        let is_due = self.asked_to_look.is_none_or(|then| now.since(then) >= AGAIN);
        if is_due {
            self.asked_to_look = Some(now);
        }
        is_due
    }

    /// Opens all gates, as far as they are still ours.
    pub(crate) fn release(&self) {
        for gate in self.page.gates() {
            let _ = gate.decree(self.epoch, Verdict::default());
        }
    }
}

impl Known {
    pub(crate) fn new(queue: QueueId, device: DeviceId, tag: Tag) -> Known {
        Known { queue, device, level: tag.level, generation: tag.generation }
    }

    /// The same with the level that its slot says now.
    pub(crate) fn at(self, level: Level) -> Known {
        Known { level, ..self }
    }

    /// Whether it lives in this life of its slot.
    pub(crate) fn is_life(self, generation: u32) -> bool {
        self.generation == generation
    }

    /// Whether this is the queue that the slot's tag says.
    pub(crate) fn is(&self, tag: Option<Tag>) -> bool {
        tag.is_some_and(|tag| tag.generation == self.generation)
    }
}
