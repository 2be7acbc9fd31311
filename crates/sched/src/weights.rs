//! How much of a device a group asks for: the sum of the utilizations of its ready queues.
//!
//! The hint of a process counts once, however many of its queues are ready: `xcli run --utilization 25` is a quarter of the
//! device whether the program has one queue or ten. Hints of single queues add up. Kept up to date with each change, so
//! that nobody has to go through queues.

use crate::state::{Gate, Queue, UnitState};
use xsched_core::{ClientId, HintKind};

/// The most that a group can ask for, in percent.
const WHOLE: u64 = 100;

/// What one process asks for on one device.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    /// Sum over the ready queues that have a utilization of their own.
    own: u64,
    /// Ready queues that go by the utilization of their process ...
    common: usize,
    /// ... which is this.
    of_process: u64,
}

/// What one ready queue asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Share {
    /// Nothing beyond what its process asks for.
    Common,
    Own(u64),
}

impl Weight {
    pub(crate) fn set_process(&mut self, utilization: i64) {
        self.of_process = percent(utilization);
    }

    /// A queue became ready.
    pub(crate) fn add(&mut self, share: Share) {
        match share {
            Share::Common => self.common += 1,
            Share::Own(percent) => self.own += percent,
        }
    }

    /// A queue is ready no more.
    pub(crate) fn take(&mut self, share: Share) {
        match share {
            Share::Common => self.common = self.common.saturating_sub(1),
            Share::Own(percent) => self.own = self.own.saturating_sub(percent),
        }
    }

    fn sum(&self) -> u64 {
        self.own + if self.common > 0 { self.of_process } else { 0 }
    }
}

impl Queue {
    pub(crate) fn share(&self) -> Share {
        match self.has_own_utilization {
            true => Share::Own(percent(self.hints.get(HintKind::Utilization))),
            false => Share::Common,
        }
    }
}

impl UnitState {
    /// Changes what one of its processes asks for, and the sum with it.
    pub(crate) fn reweigh(&mut self, client: ClientId, change: impl FnOnce(&mut Weight)) {
        let Some(gate) = self.gates.get_mut(client) else { return };
        let before = gate.weight.sum();
        change(&mut gate.weight);
        self.utilization = (self.utilization + gate.weight.sum()).saturating_sub(before);
    }

    /// Takes a process out, with what it asks for.
    pub(crate) fn take_gate(&mut self, client: ClientId) -> Option<Gate> {
        let gate = self.gates.remove(client)?;
        self.utilization = self.utilization.saturating_sub(gate.weight.sum());
        Some(gate)
    }

    /// Puts it into another group's unit.
    pub(crate) fn put_gate(&mut self, client: ClientId, gate: Gate) {
        self.utilization += gate.weight.sum();
        self.gates.get_or_insert_with(client, || gate);
    }

    /// What the group asks for on the device, in percent.
    pub(crate) fn weight(&self) -> u32 {
        u32::try_from(self.utilization.min(WHOLE)).unwrap_or(0)
    }
}

fn percent(utilization: i64) -> u64 {
    u64::try_from(utilization).unwrap_or(0)
}
