//! A closed loop: two kernels that fill the device are in flight on a stream at any time.

use crate::saturate::{Saturate, call};
use anyhow::Result;
use cuda_suite::cu::{Api, Handle};
use std::ptr::null_mut;

/// How many kernels are in flight.
const IN_FLIGHT: usize = 2;

/// The loop.
pub(crate) struct Pipeline<'a> {
    cu: &'a Api,
    work: &'a Saturate<'a>,
    stream: Handle,
    events: [Handle; IN_FLIGHT],
    launched: u64,
}

impl<'a> Pipeline<'a> {
    /// A loop of this work on this stream, in which nothing is in flight yet.
    pub(crate) fn new(cu: &'a Api, work: &'a Saturate<'a>, stream: Handle) -> Result<Pipeline<'a>> {
        let mut events = [null_mut(); IN_FLIGHT];
        for event in &mut events {
            // SAFETY: a place for the answer.
            call("cuEventCreate", unsafe { (cu.cuEventCreate)(event, 2) })?;
        }
        Ok(Pipeline { cu, work, stream, events, launched: 0 })
    }

    /// Waits until the oldest kernel in flight is complete, and launches the next one.
    pub(crate) fn step(&mut self, rounds: u64) -> Result<()> {
        let event = self.events[self.launched as usize % IN_FLIGHT];
        // SAFETY: an event of ours; one that was never recorded is complete.
        call("cuEventSynchronize", unsafe { (self.cu.cuEventSynchronize)(event) })?;
        self.work.launch_rounds(rounds, self.stream)?;
        // SAFETY: an event and a stream of ours.
        call("cuEventRecord", unsafe { (self.cu.cuEventRecord)(event, self.stream) })?;
        self.launched += 1;
        Ok(())
    }

    /// Kernels launched since the start.
    pub(crate) fn launched(&self) -> u64 {
        self.launched
    }

    /// Kernels known to be complete, right behind a step.
    pub(crate) fn completed(&self) -> u64 {
        self.launched.saturating_sub(IN_FLIGHT as u64)
    }

    /// Waits for all that is in flight.
    pub(crate) fn finish(&self) -> Result<()> {
        // SAFETY: a stream of ours.
        call("cuStreamSynchronize", unsafe { (self.cu.cuStreamSynchronize)(self.stream) })
    }
}

impl Drop for Pipeline<'_> {
    fn drop(&mut self) {
        for event in self.events {
            // SAFETY: an event of ours, which is not used again.
            unsafe { (self.cu.cuEventDestroy_v2)(event) };
        }
    }
}
