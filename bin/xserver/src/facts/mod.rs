//! Facts: what the system says about guests' processes, found out while the policy in force goes by it.
//!
//! A policy names the facts that it wants (`PolicyInfo::wants`); as long as none is wanted, nothing here reads, wakes or keeps anything.
//!
//! - CPU priorities: `/proc/PID/stat` of a guest that becomes ready, not again within 10 ms, and of all guests in turn, some ten times a second.
//! - The active window: `display` follows it. A guest belongs to it if its process, or one that it descends from, has it; from whom it descends is
//!   read once, so that it does not matter if a parent ends.
//!
//! Absent: waiting. What is read is little at a time, and who may wait (for an X server) is a thread of its own. docs/design/0016

mod display;
mod process;

use self::display::{Display, Seen, State};
use self::process::{Stat, lineage};
use crate::guests::Guests;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use xsched_core::{ClientId, Event, Fact, FactKind, Time};

/// When a guest's process is looked at again because it is ready.
const SOON: Duration = Duration::from_millis(10);
/// When the next ones are looked at in turn ...
const EACH: Duration = Duration::from_millis(100);
/// ... and how many: about a tenth of a millisecond's work.
const AT_A_TIME: usize = 16;

/// The most that are looked at in one turn, if very many come at once.
const AT_MOST: usize = 256;

/// Finds out facts.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The display to follow; none if nobody named one.
    display_name: Option<String>,
    /// What the policy in force wants.
    wants: &'static [FactKind],
    known: BTreeMap<ClientId, Known>,
    /// Where the next round goes on, and when.
    next: ClientId,
    due: Option<Time>,
    display: Option<Display>,
    /// One that was left, as long as it has not ended.
    leaving: Option<JoinHandle<()>>,
    seen: Seen,
    bell: Arc<OwnedFd>,
    /// It was said that `/proc` tells nothing of some.
    has_complained: bool,
}

/// What was found out about a guest's process.
#[derive(Debug, Default)]
struct Known {
    looked_at: Time,
    cpu_priority: Option<i16>,
    /// It, and those that it descends from.
    lineage: Option<Vec<u32>>,
    has_active_window: Option<bool>,
}

impl Facts {
    pub(crate) fn new(display_name: Option<String>) -> rustix::io::Result<Facts> {
        Ok(Facts {
            display_name,
            wants: &[],
            known: BTreeMap::new(),
            next: ClientId(0),
            due: None,
            display: None,
            leaving: None,
            seen: Seen::default(),
            bell: Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?),
            has_complained: false,
        })
    }

    /// Rings when there is something new to see of the display. To be watched for each write.
    pub(crate) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    /// When to come again at the latest.
    pub(crate) fn due(&self) -> Option<Time> {
        self.due
    }

    /// The guest is gone.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.known.remove(&client);
    }

    /// Does what the policy in force wants done. Comes before each turn of the scheduler, and costs nothing if nothing is wanted.
    pub(crate) fn follow(&mut self, guests: &mut Guests, now: Time) {
        let wants = guests.scheduler.policy().map_or(&[][..], |policy| policy.info().wants);
        if wants != self.wants {
            self.change(wants, guests, now);
        }
        for _ in 0..AT_MOST {
            let Some(client) = guests.to_look.as_mut().and_then(BTreeSet::pop_first) else { break };
            self.look(client, guests, SOON, now);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.follow_display();
            self.look_at_next(guests, now);
        }
        if guests.to_look.as_ref().is_some_and(|more| !more.is_empty()) {
            self.due = Some(now);
        }
    }

    /// The display's bell rang.
    pub(crate) fn hear(&mut self, guests: &mut Guests, now: Time) {
        let Some(display) = &self.display else { return };
        let seen = display.seen();
        if seen.state != self.seen.state {
            let name = self.display_name.as_deref().unwrap_or_default();
            match &seen.state {
                State::Connecting => {}
                State::Followed => tracing::info!("display {name}: its active window is followed"),
                State::WithoutManager => tracing::warn!(
                    "display {name}: no window manager says which window is active (_NET_ACTIVE_WINDOW); until one does, none is"
                ),
                State::Lost(why) => tracing::warn!(
                    "display {name} cannot be followed: {why}; it is tried again every second, and until then no window is active"
                ),
            }
        }
        let has_changed = seen.active != self.seen.active;
        self.seen = seen;
        if has_changed {
            tracing::debug!("active window: process {:?}", self.seen.active);
            for (&client, known) in &mut self.known {
                known.tell_window(client, self.seen.active, guests, now);
            }
        }
    }

    /// Another policy is in force.
    fn change(&mut self, wants: &'static [FactKind], guests: &mut Guests, now: Time) {
        self.wants = wants;
        self.known.clear();
        self.seen = Seen::default();
        self.has_complained = false;
        if let Some(display) = self.display.take() {
            self.leaving = Some(display.leave());
        }
        let is_any = !wants.is_empty();
        guests.to_look = is_any.then(|| guests.table.keys().copied().collect::<BTreeSet<_>>());
        self.due = is_any.then_some(now);
        if wants.contains(&FactKind::ActiveWindow) && self.display_name.is_none() {
            tracing::warn!(
                "there is no X display to follow, so no window is active: give one as `display`, --display or DISPLAY, and `xauthority`"
            );
        }
    }

    /// Follows the display, if it is wanted and not followed yet.
    fn follow_display(&mut self) {
        let Some(name) = self.display_name.as_ref().filter(|_| self.wants.contains(&FactKind::ActiveWindow))
        else {
            return;
        };
        // One that hangs is enough.
        self.leaving = self.leaving.take().filter(|thread| !thread.is_finished());
        if self.display.is_some() || self.leaving.is_some() {
            return;
        }
        match Display::follow(name, self.bell.clone()) {
            Ok(display) => self.display = Some(display),
            Err(error) if !self.has_complained => {
                self.has_complained = true;
                tracing::warn!("display {name} cannot be followed: no thread: {error}");
            }
            Err(_) => {}
        }
    }

    /// Looks at some guests, and next time at the next ones.
    fn look_at_next(&mut self, guests: &mut Guests, now: Time) {
        let in_turn = self.wants.contains(&FactKind::CpuPriority);
        let wants_display = self.wants.contains(&FactKind::ActiveWindow) && self.display_name.is_some();
        self.due = (in_turn || wants_display && self.display.is_none()).then_some(now + EACH);
        if !in_turn {
            return;
        }
        let table = &guests.table;
        let round = table.range(self.next..).chain(table.range(..self.next)).take(AT_A_TIME);
        let round: Vec<ClientId> = round.map(|(&client, _)| client).collect();
        self.next = round.last().map_or(ClientId(0), |last| ClientId(last.0.saturating_add(1)));
        round.into_iter().for_each(|client| self.look(client, guests, EACH, now));
    }

    /// Looks at a guest, if that is not done yet, or was not done within `within`.
    fn look(&mut self, client: ClientId, guests: &mut Guests, within: Duration, now: Time) {
        let Some(pid) = guests.table.get(&client).map(|guest| guest.credentials.pid) else { return };
        let is_new = !self.known.contains_key(&client);
        let known = self.known.entry(client).or_default();
        if !is_new && now.since(known.looked_at) < within {
            return;
        }
        known.looked_at = now;
        if self.wants.contains(&FactKind::CpuPriority) {
            match Stat::of(pid) {
                Ok(stat) if known.cpu_priority != Some(stat.cpu_priority) => {
                    known.cpu_priority = Some(stat.cpu_priority);
                    let fact = Fact::CpuPriority(stat.cpu_priority);
                    guests.scheduler.handle(Event::ClientFact { client, fact }, now);
                }
                Ok(_) => {}
                // It may have ended a moment ago.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound && !self.has_complained => {
                    self.has_complained = true;
                    tracing::warn!(
                        "/proc/{pid}/stat cannot be read ({error}): the CPU priority of {client} is taken for 0"
                    );
                }
                Err(_) => {}
            }
        }
        if self.wants.contains(&FactKind::ActiveWindow) && known.lineage.is_none() {
            known.lineage = Some(lineage(pid));
            known.tell_window(client, self.seen.active, guests, now);
        }
    }
}

impl Known {
    /// Tells the scheduler whether the guest belongs to the active window, if that is news.
    fn tell_window(&mut self, client: ClientId, active: Option<u32>, guests: &mut Guests, now: Time) {
        let Some(lineage) = &self.lineage else { return };
        let has = active.is_some_and(|active| lineage.contains(&active));
        if self.has_active_window != Some(has) {
            self.has_active_window = Some(has);
            let fact = Fact::ActiveWindow(has);
            guests.scheduler.handle(Event::ClientFact { client, fact }, now);
        }
    }
}
