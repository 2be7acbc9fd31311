//! Who watches this server's sign of life closely, because something of it is off: see `runtime`'s `vigil`.
//!
//! A vigil outlasts the time off by a while, so that one who is off again and again is told once. Pure; who is told, and how, is the server's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, Time};

/// How long a vigil goes on when nothing is off any more.
const LINGER: Duration = Duration::from_secs(1);

/// All vigils.
#[derive(Debug, Default)]
pub(crate) struct Vigils {
    off: BTreeSet<(ClientId, DeviceId)>,
    /// Until when; `None` as long as it is off somewhere.
    until: BTreeMap<ClientId, Option<Time>>,
    /// Those who are to be told that it begins, or that it ends.
    unsaid: BTreeSet<ClientId>,
}

impl Vigils {
    /// Something of the client is off on the device from now on, or nothing is.
    pub(crate) fn note(&mut self, client: ClientId, device: DeviceId, is_off: bool, now: Time) {
        if is_off {
            self.off.insert((client, device));
            if self.until.insert(client, None).is_none() {
                self.unsaid.insert(client);
            }
        } else if self.off.remove(&(client, device)) {
            self.linger(client, now);
        }
    }

    /// Nothing of the client is off any more, on any device.
    pub(crate) fn end(&mut self, client: ClientId, now: Time) {
        self.off.retain(|(off, _)| *off != client);
        self.linger(client, now);
    }

    fn linger(&mut self, client: ClientId, now: Time) {
        let is_off = self.off.range((client, DeviceId(0))..).next().is_some_and(|(off, _)| *off == client);
        if let Some(until) = self.until.get_mut(&client).filter(|until| until.is_none() && !is_off) {
            *until = Some(now + LINGER);
        }
    }

    /// The client is gone.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.off.retain(|(off, _)| *off != client);
        self.until.remove(&client);
        self.unsaid.remove(&client);
    }

    /// Ends those that are over. Answers when to come again.
    pub(crate) fn pass(&mut self, now: Time) -> Option<Time> {
        let over = self.until.iter().filter(|(_, until)| until.is_some_and(|until| until <= now));
        let over: Vec<ClientId> = over.map(|(client, _)| *client).collect();
        for client in over {
            self.until.remove(&client);
            self.unsaid.insert(client);
        }
        self.until.values().flatten().min().copied()
    }

    /// Whether anybody watches.
    pub(crate) fn is_any(&self) -> bool {
        !self.until.is_empty()
    }

    /// Tells those who have to be; who cannot hear it now is told later.
    pub(crate) fn say(&mut self, mut tell: impl FnMut(ClientId, bool) -> bool) {
        let until = &self.until;
        self.unsaid.retain(|client| !tell(*client, until.contains_key(client)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    const ONE: ClientId = ClientId(1);

    fn said(vigils: &mut Vigils) -> Vec<(ClientId, bool)> {
        let mut said = vec![];
        vigils.say(|client, is_kept| {
            said.push((client, is_kept));
            true
        });
        said
    }

    #[test]
    fn who_is_off_again_and_again_is_told_once_and_at_last_that_it_is_over() {
        let mut vigils = Vigils::default();
        assert!(!vigils.is_any() && vigils.pass(at(0)).is_none());
        for round in 0..5 {
            vigils.note(ONE, DeviceId(1), true, at(round * 100));
            vigils.note(ONE, DeviceId(1), false, at(round * 100 + 50));
            vigils.note(ONE, DeviceId(1), false, at(round * 100 + 70));
            assert_eq!(vigils.pass(at(round * 100 + 80)), Some(at(round * 100 + 1_050)));
        }
        assert_eq!((said(&mut vigils), vigils.is_any()), (vec![(ONE, true)], true));
        assert_eq!(vigils.pass(at(1_450)), None);
        assert_eq!((said(&mut vigils), vigils.is_any()), (vec![(ONE, false)], false));
        assert_eq!(said(&mut vigils), []);
    }

    #[test]
    fn who_is_off_on_two_devices_watches_until_both_go_on() {
        let mut vigils = Vigils::default();
        vigils.note(ONE, DeviceId(1), true, at(0));
        vigils.note(ONE, DeviceId(2), true, at(0));
        vigils.note(ONE, DeviceId(1), false, at(10));
        assert_eq!(vigils.pass(at(5_000)), None);
        assert!(vigils.is_any());
        vigils.end(ONE, at(6_000));
        assert_eq!(vigils.pass(at(6_000)), Some(at(7_000)));
    }

    #[test]
    fn who_has_no_room_is_told_later_and_who_is_gone_is_not() {
        let mut vigils = Vigils::default();
        vigils.note(ONE, DeviceId(1), true, at(0));
        vigils.note(ClientId(2), DeviceId(1), true, at(0));
        vigils.say(|client, _| client == ClientId(2));
        vigils.say(|client, is_kept| (client, is_kept) != (ONE, true));
        vigils.forget(ONE);
        assert_eq!(said(&mut vigils), []);
        assert!(vigils.is_any());
    }
}
