//! A controller for each device, so that a call that is stuck in the driver for one GPU delays nobody on another.
//!
//! Devices are what guests say they are, so their number is bounded: beyond [`LANES`] some share a thread, beyond [`MOST`] they are not controlled. Invariant: as long as anything of a
//! device is with a controller, more of it goes to the same one, which keeps the order among all levers of a process there.

use super::controller::{Controller, Number};
use super::desired::Desired;
use super::lever::{Condition, Lever, Owner};
use std::collections::BTreeMap;
use std::sync::Arc;
use xsched_core::DeviceKey;

/// Threads at most.
const LANES: usize = 32;
/// Devices whose controllers are remembered, before those are forgotten of which nothing is left.
const MANY: usize = 256;
/// Devices at most.
const MOST: usize = 1024;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Controllers {
    lanes: Vec<Controller>,
    of: BTreeMap<DeviceKey, usize>,
}

/// Where a lever is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    lane: usize,
    number: Number,
}

impl Controllers {
    /// Takes a lever in use: see [`Controller::adopt`]. `None` if there are too many devices.
    pub(crate) fn adopt(
        &mut self,
        device: &DeviceKey,
        lever: Arc<dyn Lever>,
        owner: Owner,
        process: u32,
        name: String,
    ) -> Option<(Place, Arc<Condition>)> {
        let lane = self.lane(device)?;
        let (number, condition) = self.lanes.get_mut(lane)?.adopt(lever, owner, process, name);
        Some((Place { lane, number }, condition))
    }

    fn lane(&mut self, device: &DeviceKey) -> Option<usize> {
        if let Some(&lane) = self.of.get(device) {
            return Some(lane);
        }
        if self.of.len() >= MANY {
            let lanes = &self.lanes;
            self.of.retain(|_, lane| lanes.get(*lane).is_some_and(|controller| controller.len() > 0));
        }
        if self.of.len() >= MOST {
            return None;
        }
        let lane = (0..LANES).min_by_key(|lane| self.of.values().filter(|of| *of == lane).count())?;
        while self.lanes.len() <= lane {
            self.lanes.push(Controller::default());
        }
        self.of.insert(device.clone(), lane);
        Some(lane)
    }

    /// Changes what is desired of some.
    pub(crate) fn want(&self, wishes: impl IntoIterator<Item = (Place, Desired)>) {
        let mut by_lane: BTreeMap<usize, Vec<(Number, Desired)>> = BTreeMap::new();
        for (place, desired) in wishes {
            by_lane.entry(place.lane).or_default().push((place.number, desired));
        }
        for (lane, wishes) in by_lane {
            self.lanes.get(lane).into_iter().for_each(|controller| controller.want(wishes.iter().copied()));
        }
    }

    /// See [`Controller::look_for_stuck_call`]; now and then.
    pub(crate) fn look_for_stuck_calls(&self) {
        self.lanes.iter().for_each(Controller::look_for_stuck_call);
    }

    /// Gives all levers of a process up: see [`Controller::give_up`].
    pub(crate) fn give_up(&self, process: u32) {
        self.lanes.iter().for_each(|controller| controller.give_up(process));
    }
}

impl Drop for Controllers {
    /// All end at once, each in its own time.
    fn drop(&mut self) {
        self.lanes.iter().for_each(Controller::end);
    }
}

#[cfg(test)]
mod tests {
    use super::super::desired::Turns;
    use super::super::lever::fake::{Fake, wait};
    use super::*;
    use xsched_ipc::guest::SharedPage;
    use xsched_ipc::server::GuestPage;
    use xsched_queue::gate::Epoch;

    fn owner() -> (Owner, SharedPage) {
        let shared = SharedPage::create().unwrap();
        shared.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
        let page = GuestPage::map(shared.fd().unwrap()).unwrap();
        (Owner::new(Arc::new(page), Epoch::FIRST), shared)
    }

    #[test]
    fn a_call_that_is_stuck_on_one_device_keeps_nobody_on_another_off_and_no_end_waits_long_for_it() {
        let (mut all, (owner, _page)) = (Controllers::default(), owner());
        let mut adopt = |index| {
            let fake = Arc::new(Fake::default());
            let lever: Arc<dyn Lever> = fake.clone();
            let adopted = all.adopt(&DeviceKey::cpu(index), lever, owner.clone(), index, "a test".into());
            let (place, condition) = adopted.unwrap();
            wait("the driver is asked", || condition.is_usable());
            (fake, place)
        };
        let ((stuck, first), (free, second)) = (adopt(1), adopt(2));
        let desired = |is_off| Desired { turns: Turns::Short, is_off };
        all.want([(second, desired(true))]);
        wait("it is off", || free.take().contains(&"short"));
        stuck.freeze("hold");
        all.want([(first, desired(true))]);
        wait("it is in the call", || stuck.is_frozen());
        all.want([(second, desired(false))]);
        wait("the other one is let go", || free.take() == ["release"]);
        let start = std::time::Instant::now();
        drop(all);
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
        stuck.thaw();
    }

    #[test]
    fn devices_have_threads_of_their_own_as_far_as_there_are_and_stay_with_them() {
        let mut all = Controllers::default();
        let key = |index: usize| DeviceKey::cpu(u32::try_from(index).unwrap());
        let lanes: Vec<usize> = (0..LANES).map(|index| all.lane(&key(index)).unwrap()).collect();
        assert_eq!(lanes, (0..LANES).collect::<Vec<_>>());
        assert!((0..LANES).all(|index| all.lane(&key(index)) == Some(index)));
        assert!(all.lane(&key(LANES)).is_some_and(|lane| lane < LANES), "it shares one");
        // Nothing is left of any: all are forgotten, and there are never too many.
        (0..5 * MOST).for_each(|index| assert!(all.lane(&key(index)).is_some()));
        assert!(all.of.len() <= MANY && all.lanes.len() == LANES);
    }
}
