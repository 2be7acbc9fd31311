//! What is pending, in flight and marked, and what the worker does next. Plain data: no lock, no wait, no call of the device's.
//!
//! Commands are numbered from 1 in the order of their submits: first those that are complete, then those in flight, then those
//! pending, without gaps. So a number and two lengths say where a command is.

use super::failures::Stretches;
use super::{LaunchConfig, Level};
use crate::gate::Holders;
use crate::weakenable;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use xsched_hal::{Error, HwCommand, Mark};

weakenable! {
    /// A command is claimed in the same locked step in which the holders are looked at.
    const CLAIMS: bool, "deferred_claim"
}

/// Commands that are not launched, and where it is noted if one fails.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) commands: VecDeque<Box<dyn HwCommand>>,
    pub(super) stretches: Stretches,
}

#[derive(Clone)]
pub(super) struct Placed {
    /// All commands up to this number are before the mark.
    pub(super) behind: u64,
    pub(super) mark: Arc<dyn Mark>,
}

/// What the worker does next.
pub(super) enum Step {
    /// Launch what [`State::claim`] answers, once the way is open.
    Launch,
    /// Put a mark behind the commands up to this number.
    Mark(u64),
    /// Wait for this mark: the window is full, or the end has come.
    Wait(Placed),
    /// Wait for something to do.
    Sleep,
    /// Go.
    End,
}

pub(super) struct State {
    pending: VecDeque<Box<dyn HwCommand>>,
    /// Taken by the worker (the last one may be in the middle of its launch) and not known to be complete: so many.
    in_flight: usize,
    /// Of all of these.
    stretches: Stretches,
    /// Marks not known to be complete, oldest first.
    marks: VecDeque<Placed>,
    pub(super) completed: u64,
    /// The highest number that somebody waits for: it gets a mark soon.
    pub(super) wanted: u64,
    /// The worker is about to launch a command or inside its launch.
    pub(super) launching: bool,
    pub(super) holders: Holders,
    pub(super) level: Level,
    pub(super) config: LaunchConfig,
    pub(super) is_ending: bool,
    /// Of each thread that waits for progress, the command that it waits for; 0 if it is to be woken at any.
    pub(super) waiting: Vec<u64>,
    /// Those of them that wait for launches. The others need not be woken at each: theirs are marks, ends and failures.
    pub(super) waiting_for_launches: usize,
    /// Not told to anybody by `wait_all`.
    pub(super) first_error: Option<Error>,
}

impl State {
    pub(super) fn new(level: Level) -> State {
        State {
            pending: VecDeque::new(),
            in_flight: 0,
            stretches: Stretches::default(),
            marks: VecDeque::new(),
            completed: 0,
            wanted: 0,
            launching: false,
            holders: Holders::default(),
            level,
            config: LaunchConfig::default(),
            is_ending: false,
            waiting: Vec::new(),
            waiting_for_launches: 0,
            first_error: None,
        }
    }

    /// The number of the newest command.
    pub(super) fn submitted(&self) -> u64 {
        self.taken() + self.pending.len() as u64
    }

    /// The number of the newest command whose launch has returned.
    pub(super) fn launched(&self) -> u64 {
        self.taken() - u64::from(self.launching)
    }

    /// Commands pending and in flight.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.pending.len(), self.in_flight)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.in_flight == 0
    }

    /// How far the device queue should be stopped.
    pub(super) fn wanted_level(&self) -> Level {
        if self.holders.is_empty() { Level::Block } else { self.level }
    }

    /// The oldest mark behind command `number`.
    pub(super) fn mark_behind(&self, number: u64) -> Option<Placed> {
        self.marks.iter().find(|placed| placed.behind >= number).cloned()
    }

    /// The mark behind everything, if nothing is left to launch or mark.
    pub(super) fn mark_behind_all(&self) -> Option<Placed> {
        self.mark_behind(self.submitted())
    }

    /// Takes over commands that come behind all others.
    pub(super) fn take_over(&mut self, new: &mut Pending) {
        if self.pending.is_empty() {
            // The room goes back and forth.
            std::mem::swap(&mut self.pending, &mut new.commands);
        } else {
            self.pending.append(&mut new.commands);
        }
        self.stretches.append(&mut new.stretches);
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Decides the worker's next step. `is_open`: a launch would not have to wait on its way.
    pub(super) fn next(&self, is_open: bool) -> Step {
        let unmarked = self.taken() - self.marked();
        let may_launch = self.may_launch();
        // One that is far from its launch needs no mark yet: else each command before it would get one.
        let is_awaited = self.wanted > self.marked() && self.wanted <= self.taken();
        let is_batch = unmarked >= self.config.batch as u64;
        if unmarked > 0 && (!may_launch || !is_open || is_awaited || is_batch) {
            return Step::Mark(self.taken());
        }
        if may_launch {
            return Step::Launch;
        }
        let has_to_wait =
            self.is_ending || self.is_full() && self.holders.is_empty() && !self.pending.is_empty();
        match self.marks.front() {
            Some(placed) if has_to_wait => Step::Wait(placed.clone()),
            None if self.is_ending && self.is_idle() => Step::End,
            _ => Step::Sleep,
        }
    }

    /// Takes the next command, and answers its number too, if it may be launched now; in one step with [`State::launching`], so that a suspension sees it.
    pub(super) fn claim(&mut self) -> Option<(Box<dyn HwCommand>, u64)> {
        if !self.may_launch() {
            return None;
        }
        let command = self.pending.pop_front()?;
        self.in_flight += 1;
        self.launching = CLAIMS;
        Some((command, self.taken()))
    }

    fn is_full(&self) -> bool {
        self.in_flight >= self.config.threshold
    }

    fn may_launch(&self) -> bool {
        self.holders.is_empty() && !self.is_full() && !self.pending.is_empty()
    }

    /// Notes that commands in flight failed.
    pub(super) fn fail(&mut self, numbers: RangeInclusive<u64>, error: Error) {
        // Only the first error of a command counts, and only that of the first command is kept for everybody.
        if self.stretches.fail(*numbers.start()..numbers.end() + 1, &error) {
            self.first_error.get_or_insert(error);
        }
    }

    /// Whether somebody who waits has something to do: his command is complete, or has a mark behind it.
    pub(super) fn has_news(&self) -> bool {
        let reached = self.completed.max(self.marked());
        self.waiting.iter().any(|number| *number <= reached)
    }

    pub(super) fn placed(&mut self, behind: u64, mark: Arc<dyn Mark>) {
        self.marks.push_back(Placed { behind, mark });
    }

    /// The commands up to `behind` are complete, or will never be known to be.
    pub(super) fn complete(&mut self, behind: u64, result: Result<(), Error>) {
        while self.marks.front().is_some_and(|placed| placed.behind <= behind) {
            self.marks.pop_front();
        }
        let behind = behind.min(self.taken());
        if behind <= self.completed {
            return;
        }
        if let Err(error) = result {
            self.fail(self.completed + 1..=behind, error);
        }
        self.in_flight -= usize::try_from(behind - self.completed).unwrap_or(self.in_flight);
        self.completed = behind;
        self.stretches.complete(behind);
    }

    /// Takes out what is pending. The numbers stay: they count as in flight until the next mark.
    pub(super) fn discard(&mut self) -> VecDeque<Box<dyn HwCommand>> {
        self.stretches.fail(self.taken() + 1..self.submitted() + 1, &Error::Discarded);
        self.in_flight += self.pending.len();
        std::mem::take(&mut self.pending)
    }

    /// Takes out what is pending, and counts what is in flight as lost.
    pub(super) fn abandon(&mut self) -> VecDeque<Box<dyn HwCommand>> {
        let commands = self.discard();
        self.complete(self.taken(), Err(Error::Lost { call: "the end of the queue" }));
        commands
    }

    /// The number of the newest command that is no longer pending.
    fn taken(&self) -> u64 {
        self.completed + self.in_flight as u64
    }

    /// The number of the newest command with a mark behind it.
    fn marked(&self) -> u64 {
        self.marks.back().map_or(self.completed, |placed| placed.behind)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::super::failures::Stretch;
    use super::*;
    use xsched_hal::HwQueue;

    struct Nothing;

    impl HwCommand for Nothing {
        fn launch(&mut self, _: &dyn HwQueue) -> Result<(), Error> {
            Ok(())
        }
    }

    impl Mark for Nothing {
        fn is_complete(&self) -> Result<bool, Error> {
            Ok(true)
        }
    }

    /// xorshift: the same run every time.
    fn random(seed: &mut u64, below: u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed % below
    }

    fn push(state: &mut State) -> u64 {
        let mut new = Pending { commands: [Box::new(Nothing) as _].into(), ..Pending::default() };
        let number = state.submitted() + 1;
        new.stretches.push(Arc::new(Stretch::from(number)));
        state.take_over(&mut new);
        number
    }

    /// Does what the worker does; returns whether there was anything to do.
    fn step(state: &mut State, launches: &mut u64) -> bool {
        match state.next(true) {
            Step::Launch => {
                assert!(state.claim().is_some());
                assert!(state.holders.is_empty() && state.launching);
                assert!(state.counts().1 <= state.config.threshold);
                state.launching = false;
                *launches += 1;
            }
            Step::Mark(behind) => state.placed(behind, Arc::new(Nothing)),
            Step::Wait(placed) => state.complete(placed.behind, Ok(())),
            Step::Sleep | Step::End => return false,
        }
        true
    }

    #[test]
    fn who_waits_has_news_when_its_command_has_a_mark_behind_it_or_is_complete_and_not_before() {
        let mut state = State::new(Level::Block);
        for _ in 0..10 {
            push(&mut state);
        }
        for _ in 0..8 {
            assert!(state.claim().is_some());
        }
        assert!(!state.has_news(), "nobody waits");
        state.waiting = vec![9, 3];
        state.placed(2, Arc::new(Nothing));
        state.complete(2, Ok(()));
        assert!(!state.has_news());
        state.placed(4, Arc::new(Nothing));
        assert!(state.has_news(), "the third one has a mark behind it");
        state.waiting = vec![9];
        assert!(!state.has_news());
        state.complete(9, Ok(()));
        assert!(!state.has_news(), "the ninth one is not launched");
        state.waiting.push(0);
        assert!(state.has_news(), "to be woken at anything");
    }

    #[test]
    fn every_history_launches_all_and_sleeps_only_with_nothing_to_do() {
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..if cfg!(miri) { 3 } else { 200 } {
            let mut state = State::new(Level::Block);
            let (mut submits, mut discarded, mut launches) = (0, 0, 0);
            for _ in 0..200 {
                match random(&mut seed, 16) {
                    0..5 => submits = push(&mut state),
                    5 => state.holders.set(Holders::LOCAL),
                    6 => state.holders.clear(Holders::LOCAL),
                    7 => state.wanted = state.submitted(),
                    8 if random(&mut seed, 8) == 0 => discarded += state.discard().len() as u64,
                    9 => {
                        let threshold = 1 + random(&mut seed, 5) as usize;
                        let batch = 1 + random(&mut seed, threshold as u64) as usize;
                        // The window closes at once; what is in flight already stays.
                        if state.counts().1 <= threshold {
                            state.config = LaunchConfig { threshold, batch };
                        }
                    }
                    10 => {
                        if let Some(placed) = state.mark_behind(state.completed + 1) {
                            state.complete(placed.behind, Ok(()));
                        }
                    }
                    _ if !step(&mut state, &mut launches) => {
                        let (pending, in_flight) = state.counts();
                        assert!(pending == 0 || !state.holders.is_empty());
                        assert_eq!(state.taken(), state.marked(), "{in_flight} in flight without a mark");
                    }
                    _ => {}
                }
                assert_eq!(state.submitted(), submits);
            }
            (state.holders, state.is_ending) = (Holders::default(), true);
            while step(&mut state, &mut launches) {}
            assert!(state.is_idle() && matches!(state.next(true), Step::End));
            assert_eq!(launches + discarded, submits);
            assert!(state.first_error.is_none());
        }
    }
}
