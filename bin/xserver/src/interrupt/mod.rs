//! Interrupting what runs on a device (Level 3), by controls that guests lend: channel groups are given short or long turns, or kept off altogether.
//!
//! Gates go on as without this: they keep launches back at once. What is here follows from what the scheduler has decided (`desired`, `bursts`), after each
//! turn, for the devices that something happened on; a thread for each device does it (`controllers`), because a call takes longer than a decision. Invariants:
//! a lever is used for the process that lent it and as long as that is attached; who lent nothing, or something that cannot be used, is scheduled by gates.
//! What is lent is checked by `platforms`, and whether it works is asked of the driver first. Deliberately absent: vendors.

mod bursts;
mod controller;
mod controllers;
mod desired;
mod lever;
mod platforms;
mod vigils;

use crate::guests::Guests;
use crate::links;
use bursts::Bursts;
use controllers::{Controllers, Place};
use desired::{Desired, Member, Off, desired};
use lever::Owner;

pub(crate) use lever::Condition;
use platforms::Placed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use vigils::Vigils;
use xsched_core::{ClientId, DeviceId, DeviceKey, Event, Fact, GroupId, Level, Time};
use xsched_ipc::server::Control;
use xsched_sched::Contender;

/// Queues that are looked at to count launches; a burst with work on more of them is seen as far as these tell.
const MOST_QUEUES: usize = 256;

/// Who has not wanted a device for so long shares it with nobody: longer than the gaps of those who work, shorter than it takes a user to notice.
const MOMENT: Duration = Duration::from_millis(100);

/// What guests have lent, and what is done with it.
#[derive(Debug, Default)]
pub(crate) struct Interrupts {
    loans: BTreeMap<ClientId, Loan>,
    bursts: BTreeMap<(DeviceId, GroupId), Bursts>,
    off: BTreeMap<(DeviceId, GroupId), Off>,
    /// When each group was last seen to want a device, and whether it still did at the last look.
    wanted: BTreeMap<(DeviceId, GroupId), (Time, bool)>,
    controllers: Controllers,
    vigils: Vigils,
    /// Those whose launches can be taken off the device at any moment, and so need not be few.
    deep: BTreeSet<(ClientId, DeviceId)>,
    /// Processes of which the scheduler was told that they can be taken off their devices.
    interruptible: BTreeSet<ClientId>,
    /// What that depends on may have changed.
    is_to_tell: bool,
    /// When to look at a device again, although nothing happens.
    due: BTreeMap<DeviceId, Time>,
}

/// What one guest has lent.
#[derive(Debug)]
struct Loan {
    levers: Vec<Lent>,
    allowance: Allowance,
}

/// One channel group.
#[derive(Debug)]
struct Lent {
    device: DeviceKey,
    place: Place,
    condition: Arc<Condition>,
}

impl Interrupts {
    /// A guest lends something in place of what it lent before. An error says what is wrong with the guest.
    pub(crate) fn lend(
        &mut self,
        guests: &mut Guests,
        client: ClientId,
        control: Option<(Control, Option<links::Lent>)>,
        now: Time,
    ) -> Result<(), String> {
        let Some(guest) = guests.table.get(&client) else { return Ok(()) };
        // The old loan stays if this is the guest's end: then it is given up with it.
        let mut allowance = self.loans.get(&client).map(|loan| loan.allowance).unwrap_or_default();
        allowance.take(now)?;
        let levers = match control.map(|(control, files)| platforms::levers(control, files)) {
            None => Vec::new(),
            Some(Ok(levers)) => levers,
            Some(Err(why)) => {
                if !guest.is_unlogged {
                    tracing::info!("{client} {guest} is not interrupted on devices: {why}");
                }
                Vec::new()
            }
        };
        self.adopt(guests, client, levers, allowance, now);
        Ok(())
    }

    fn adopt(
        &mut self,
        guests: &mut Guests,
        client: ClientId,
        levers: Vec<Placed>,
        allowance: Allowance,
        now: Time,
    ) {
        self.controllers.give_up(client.0);
        self.vigils.end(client, now);
        let Some(guest) = guests.table.get(&client) else { return };
        let owner = Owner::new(Arc::clone(&guest.page), guest.epoch());
        let adopt = |(device, lever): Placed| {
            let name = format!("{client} {guest} on {device}");
            let (place, condition) = self.controllers.adopt(&device, lever, owner.clone(), client.0, name)?;
            Some(Lent { device, place, condition })
        };
        let levers: Vec<Lent> = levers.into_iter().filter_map(adopt).collect();
        let lent = levers.iter().map(|lent| (lent.device.clone(), Arc::clone(&lent.condition))).collect();
        self.loans.insert(client, Loan { levers, allowance });
        self.is_to_tell = true;
        guests.touched.extend(guests.devices_of(client).into_iter().map(|(_, device)| device));
        guests.table.entry(client).and_modify(|guest| guest.lent = lent);
    }

    /// The guest is gone, or going.
    pub(crate) fn forget(&mut self, client: ClientId) {
        if self.loans.remove(&client).is_some() {
            self.controllers.give_up(client.0);
            self.vigils.forget(client);
            self.deep.retain(|(deep, _)| *deep != client);
            self.interruptible.remove(&client);
        }
    }

    /// After each turn of the scheduler: has done what follows from it. Answers when to come again at the latest.
    pub(crate) fn follow(&mut self, guests: &mut Guests, now: Time) -> Option<Time> {
        let mut touched = std::mem::take(&mut guests.touched);
        let over = self.vigils.pass(now);
        // What it is told now it decides about in the next turn.
        let is_news = std::mem::take(&mut self.is_to_tell) && self.tell(guests, now);
        if self.loans.values().all(|loan| loan.levers.is_empty()) {
            self.bursts.clear();
            self.off.clear();
            self.wanted.clear();
            self.due.clear();
            for (client, device) in std::mem::take(&mut self.deep) {
                set_deep(guests, client, device, false);
            }
            return if is_news { Some(now) } else { over };
        }
        touched.extend(self.due.iter().filter(|(_, due)| **due <= now).map(|(&device, _)| device));
        for device in touched {
            match self.look(guests, device, now) {
                Some(due) => self.due.insert(device, due),
                None => self.due.remove(&device),
            };
        }
        let again = is_news.then_some(now);
        self.due.values().chain(&over).chain(&again).min().copied()
    }

    /// Whether anybody watches this server's sign of life closely.
    pub(crate) fn is_watched(&self) -> bool {
        self.vigils.is_any()
    }

    /// Tells those who are to watch it, or no more; who cannot hear it now is told later.
    pub(crate) fn say_vigils(&mut self, tell: impl FnMut(ClientId, bool) -> bool) {
        self.vigils.say(tell);
    }

    /// Those who stay stopped although they should go on, because the driver does not let this server do it: they can do it themselves, when they have parted.
    pub(crate) fn left_off(&self) -> Vec<ClientId> {
        let is_left_off = |loan: &Loan| loan.levers.iter().any(|lent| lent.condition.is_left_off());
        self.loans.iter().filter(|(_, loan)| is_left_off(loan)).map(|(client, _)| *client).collect()
    }

    /// Has everything looked at by the next [`Interrupts::follow`]: a driver may have answered meanwhile.
    pub(crate) fn refresh(&mut self, guests: &mut Guests) {
        if !self.loans.is_empty() {
            self.controllers.look_for_stuck_calls();
            self.is_to_tell = true;
            guests.touched.extend(guests.scheduler.devices());
        }
    }

    /// Decides about one device. Answers when to look again.
    fn look(&mut self, guests: &mut Guests, device: DeviceId, now: Time) -> Option<Time> {
        let contenders: Vec<Contender> = guests.scheduler.contenders(device).collect();
        let groups: BTreeSet<GroupId> = contenders.iter().map(|contender| contender.group).collect();
        let is_over = |at: &(DeviceId, GroupId)| at.0 == device && !groups.contains(&at.1);
        self.bursts.retain(|at, _| !is_over(at));
        self.off.retain(|at, _| !is_over(at));
        self.wanted.retain(|at, _| !is_over(at));
        let mut due = None;
        let mut wake = |at: Option<Time>| due = due.into_iter().chain(at).min();
        let members: Vec<Member> = contenders
            .iter()
            .map(|&is| {
                let bursts = self.learn(guests, device, is, now);
                wake(bursts.and_then(Bursts::due));
                let burst = bursts.map(Bursts::burst).unwrap_or_default();
                let at = (device, is.group);
                if is.is_ready || self.wanted.get(&at).is_some_and(|(_, did)| *did) {
                    self.wanted.insert(at, (now, is.is_ready));
                }
                let until =
                    self.wanted.get(&at).map(|(wanted, _)| *wanted + MOMENT).filter(|until| *until > now);
                wake(until.filter(|_| !is.is_ready));
                Member {
                    is,
                    burst,
                    is_whole: Self::is_whole(guests, is.group),
                    has_turns: Self::has_all(guests, is.group, device),
                    parts: parts(guests, is.group, device),
                    is_busy: until.is_some() || is.is_lapsed,
                }
            })
            .collect();
        let settings = guests.scheduler.settings();
        let bounds = (settings.max_suspend, settings.grant);
        let mut wishes: BTreeMap<GroupId, (Desired, bool)> = BTreeMap::new();
        let wanted = desired(&members, |one, other| guests.scheduler.goes_before(one, other));
        for (member, mut wish) in members.iter().zip(wanted) {
            let off = self.off.entry((device, member.is.group)).or_default();
            wish.is_off = off.admit(wish.is_off, bounds, now);
            wake(off.due(bounds.0));
            wishes.insert(member.is.group, (wish, member.is_at_hand(wish)));
        }
        let levers = self.loans.iter().flat_map(|(&client, loan)| {
            let guest = guests.table.get(&client);
            let key = guest.and_then(|guest| guest.key(device));
            let wish = guest.and_then(|guest| wishes.get(&guest.group)).copied().unwrap_or_default();
            let is_here = move |lent: &&Lent| Some(&lent.device) == key;
            loan.levers.iter().filter(is_here).map(move |lent| (client, lent.place, wish))
        });
        let levers: Vec<_> = levers.collect();
        for &(client, _, (wish, _)) in &levers {
            self.vigils.note(client, device, wish.is_off, now);
        }
        let at_hand = levers.iter().filter(|(.., (_, is_at_hand))| *is_at_hand).map(|(client, ..)| *client);
        self.deepen(guests, device, at_hand.collect());
        self.controllers.want(levers.into_iter().map(|(_, place, (wish, _))| (place, wish)));
        due
    }

    /// Who can be interrupted at any moment, by turns that end at once or by being off, need not be kept short of work: it loses the device all the same, and has
    /// work there when it gets it back. If control of it is lost, it is as anybody else again.
    fn deepen(&mut self, guests: &mut Guests, device: DeviceId, at_hand: BTreeSet<ClientId>) {
        let is_usable =
            |client: &ClientId| guests.table.get(client).is_some_and(|guest| guest.is_interruptible(device));
        let deep: BTreeSet<ClientId> = at_hand.into_iter().filter(is_usable).collect();
        let before: BTreeSet<ClientId> =
            self.deep.iter().filter(|(_, on)| *on == device).map(|(client, _)| *client).collect();
        for &client in before.difference(&deep) {
            self.deep.remove(&(client, device));
            set_deep(guests, client, device, false);
        }
        for &client in deep.difference(&before) {
            self.deep.insert((client, device));
            set_deep(guests, client, device, true);
        }
    }

    /// Tells the scheduler who can be taken off its devices, if that is news. Answers whether it was.
    fn tell(&mut self, guests: &mut Guests, now: Time) -> bool {
        let is_so = |client: &ClientId| {
            let mut devices = guests.devices_of(*client).into_iter().map(|(_, device)| device).peekable();
            devices.peek().is_some() && devices.all(|device| Self::has_lever(guests, *client, device))
        };
        let interruptible: BTreeSet<ClientId> = self.loans.keys().copied().filter(is_so).collect();
        let news: Vec<ClientId> = self.interruptible.symmetric_difference(&interruptible).copied().collect();
        for &client in &news {
            let fact = Fact::Interruptible(interruptible.contains(&client));
            guests.scheduler.handle(Event::ClientFact { client, fact }, now);
        }
        self.interruptible = interruptible;
        !news.is_empty()
    }

    /// What is known of a group's bursts on a device, if it matters.
    fn learn(&mut self, guests: &Guests, device: DeviceId, is: Contender, now: Time) -> Option<&Bursts> {
        if !is.leads {
            self.bursts.remove(&(device, is.group));
            return None;
        }
        let bursts = self.bursts.entry((device, is.group)).or_default();
        if is.is_ready && bursts.due().is_none_or(|due| due <= now) {
            bursts.ready(launched(guests, device, is.group), now);
        } else if !is.is_ready && bursts.is_ready() {
            bursts.idle(launched(guests, device, is.group), now);
        }
        Some(bursts)
    }

    /// Whether all that a group has on any device can be kept off.
    fn is_whole(guests: &Guests, group: GroupId) -> bool {
        guests.scheduler.devices_of(group).all(|device| Self::has_all(guests, group, device))
    }

    /// Whether there is a lever that works for each process of a group on a device, and it may be used.
    fn has_all(guests: &Guests, group: GroupId, device: DeviceId) -> bool {
        guests.scheduler.clients_on(group, device).all(|client| Self::has_lever(guests, client, device))
    }

    /// The same for one process.
    fn has_lever(guests: &Guests, client: ClientId, device: DeviceId) -> bool {
        let is_allowed = guests.limits_of(client).level.is_none_or(|level| level >= Level::Interrupt);
        is_allowed && guests.table.get(&client).is_some_and(|guest| guest.is_interruptible(device))
    }
}

fn set_deep(guests: &mut Guests, client: ClientId, device: DeviceId, is_deep: bool) {
    let Some(guest) = guests.table.get_mut(&client) else { return };
    if guest.set_deep(device, is_deep).is_err() {
        // It has parted, which the next turn finds.
        guests.unwritten.insert((client, device));
    }
}

/// How many channel groups a group has lent on a device.
fn parts(guests: &Guests, group: GroupId, device: DeviceId) -> usize {
    let clients = guests.scheduler.clients_on(group, device);
    clients.filter_map(|client| guests.table.get(&client)).map(|guest| guest.lent_on(device).count()).sum()
}

/// How much a group has launched on a device, as a number that only differences are taken of.
fn launched(guests: &Guests, device: DeviceId, group: GroupId) -> u64 {
    let clients = guests.scheduler.clients_on(group, device);
    let queues = clients.filter_map(|client| guests.table.get(&client)).flat_map(|guest| guest.queues());
    let queues = queues.filter(|(known, _)| known.device == device).take(MOST_QUEUES);
    queues.fold(0, |sum, (_, slot)| sum.wrapping_add(slot.activity.snapshot().launched()))
}

/// How often a guest may lend something else: as often as contexts come and go, and not so often that it keeps the driver busy.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u32,
    since: Time,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { left: Allowance::MOST, since: Time::ZERO }
    }
}

impl Allowance {
    const MOST: u32 = 64;
    const EACH: Duration = Duration::from_millis(50);

    fn take(&mut self, now: Time) -> Result<(), String> {
        let earned =
            u32::try_from(now.since(self.since).as_nanos() / Self::EACH.as_nanos()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(Self::MOST);
            self.since = now;
        }
        let too_often = || format!("it lends its devices' controls more often than every {:?}", Self::EACH);
        self.left = self.left.checked_sub(1).ok_or_else(too_often)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
