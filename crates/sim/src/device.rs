//! A simulated device: lines of commands, of which it runs the first ones, and what each preemption level can hold back.
//!
//! Work is reckoned in the device's own time `done`, which goes on as fast as each running command does; so a change of speed (another
//! command begins beside it, or the device is taken for a switch) touches no command. Its unit is 2^-32 ns. Invariant: a line's first
//! command is in `running` or in `waiting`, or the line is held. Absent: who the lines belong to, and why they are held.

use crate::workload::{DeviceSpec, Sharing};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use xsched_core::{Level, Time};

/// The index of a line, as [`Device::add_line`] answered it.
pub(crate) type LineId = u32;

#[derive(Debug)]
pub(crate) struct Device {
    level: Level,
    /// At most so many run.
    most: usize,
    engines: u128,
    switch: Duration,
    lines: Vec<Line>,
    /// By the time `done` at which they end.
    running: BTreeSet<(u128, LineId)>,
    /// By the order of their launches.
    waiting: BTreeSet<(u64, LineId)>,
    /// Work done by whatever ran all the time.
    done: u128,
    /// When `done` was reckoned last.
    at: Time,
    /// Until then it is switching, and does nothing else.
    taken_until: Time,
    launches: u64,
    /// Lines whose first command began to run (true), or does not run any more.
    pub(crate) changes: Vec<(LineId, bool)>,
}

#[derive(Debug, Default)]
struct Line {
    commands: VecDeque<Command>,
    place: Place,
    held: bool,
    /// Device time that it got.
    worked: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Command {
    number: u64,
    /// Device time that it needs yet.
    left: Duration,
    was_interrupted: bool,
}

/// Where the first command of a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Nowhere,
    Waiting,
    /// It began when `done` was the first number, and ends when it is the second.
    Running(u128, u128),
}

const UNIT: u32 = 32;
/// Less than this is nothing: half a nanosecond.
const NOTHING: u128 = 1 << (UNIT - 1);

fn units(time: Duration) -> u128 {
    time.as_nanos() << UNIT
}

fn time(units: u128) -> Duration {
    Duration::from_nanos(u64::try_from((units + NOTHING) >> UNIT).unwrap_or(u64::MAX))
}

impl Device {
    pub(crate) fn new(spec: &DeviceSpec) -> Device {
        Device {
            level: spec.level,
            most: if spec.sharing == Sharing::Fair { usize::MAX } else { spec.engines as usize },
            engines: u128::from(spec.engines),
            switch: spec.switch,
            lines: Vec::new(),
            running: BTreeSet::new(),
            waiting: BTreeSet::new(),
            done: 0,
            at: Time::ZERO,
            taken_until: Time::ZERO,
            launches: 0,
            changes: Vec::new(),
        }
    }

    /// Another line of commands.
    pub(crate) fn add_line(&mut self) -> LineId {
        self.lines.push(Line::default());
        (self.lines.len() - 1) as LineId
    }

    /// Puts a command behind those of its line.
    pub(crate) fn launch(&mut self, line: LineId, length: Duration, now: Time) {
        self.reckon(now);
        self.launches += 1;
        let command = Command { number: self.launches, left: length, was_interrupted: false };
        self.line(line).commands.push_back(command);
        self.look_at(line);
        self.fill();
    }

    /// Holds back what the device's level can hold back.
    pub(crate) fn hold(&mut self, line: LineId, now: Time) {
        if self.level < Level::Deactivate || self.line(line).held {
            return;
        }
        self.reckon(now);
        self.line(line).held = true;
        let place = self.line(line).place;
        match place {
            Place::Waiting => self.stop_waiting(line),
            Place::Running(..) if self.level == Level::Interrupt => {
                self.stop_running(line);
                let command = self.line(line).commands.front_mut();
                command.into_iter().for_each(|command| command.was_interrupted = true);
                self.take_for_a_switch();
            }
            Place::Running(..) | Place::Nowhere => {}
        }
        self.fill();
    }

    /// Takes [`Device::hold`] back.
    pub(crate) fn release(&mut self, line: LineId, now: Time) {
        if std::mem::take(&mut self.line(line).held) {
            self.reckon(now);
            self.look_at(line);
            self.fill();
        }
    }

    /// What the line launched is gone.
    pub(crate) fn clear(&mut self, line: LineId, now: Time) {
        self.reckon(now);
        match self.line(line).place {
            Place::Waiting => self.stop_waiting(line),
            Place::Running(..) => self.stop_running(line),
            Place::Nowhere => {}
        }
        self.line(line).commands.clear();
        self.fill();
    }

    /// Takes out one command that has come to its end; answers its line.
    pub(crate) fn complete(&mut self, now: Time) -> Option<LineId> {
        self.reckon(now);
        let &(end, line) = self.running.first()?;
        if end > self.done + NOTHING {
            return None;
        }
        self.stop_running(line);
        self.line(line).commands.pop_front();
        self.look_at(line);
        self.fill();
        Some(line)
    }

    /// When the next command comes to its end, if nothing changes before.
    pub(crate) fn next(&self) -> Option<Time> {
        let &(end, _) = self.running.first()?;
        let (all, engines) = (self.running.len() as u128, self.engines.min(self.running.len() as u128));
        let left = end.saturating_sub(self.done);
        let wait = (left * all).div_ceil(engines).div_ceil(1 << UNIT);
        Some(self.at.max(self.taken_until) + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// Whether something of the line is running, or will run although it is held back.
    pub(crate) fn is_on_device(&self, line: LineId, is_held_back: bool) -> bool {
        let line = &self.lines[line as usize];
        match is_held_back && self.level >= Level::Deactivate {
            true => matches!(line.place, Place::Running(..)),
            false => !line.commands.is_empty(),
        }
    }

    /// Device time that the line got until now.
    pub(crate) fn worked(&mut self, line: LineId, now: Time) -> Duration {
        self.reckon(now);
        let done = self.done;
        let line = &self.lines[line as usize];
        match line.place {
            Place::Running(from, end) => line.worked + time(done.min(end).saturating_sub(from)),
            Place::Waiting | Place::Nowhere => line.worked,
        }
    }

    fn line(&mut self, line: LineId) -> &mut Line {
        &mut self.lines[line as usize]
    }

    /// Brings `done` to the present.
    fn reckon(&mut self, now: Time) {
        let all = self.running.len() as u128;
        let passed = units(now.since(self.at.max(self.taken_until)));
        // Nothing is done while nothing runs.
        self.done += (passed * all.min(self.engines)).checked_div(all).unwrap_or(0);
        self.at = self.at.max(now);
    }

    /// The line's first command, if it has a new one, waits; unless the line is held.
    fn look_at(&mut self, id: LineId) {
        let line = self.line(id);
        if let (Place::Nowhere, false, Some(first)) = (line.place, line.held, line.commands.front()) {
            let number = first.number;
            line.place = Place::Waiting;
            self.waiting.insert((number, id));
        }
    }

    fn stop_waiting(&mut self, id: LineId) {
        let line = self.line(id);
        line.place = Place::Nowhere;
        if let Some(number) = line.commands.front().map(|first| first.number) {
            self.waiting.remove(&(number, id));
        }
    }

    fn stop_running(&mut self, id: LineId) {
        let done = self.done;
        let line = self.line(id);
        let Place::Running(from, end) = line.place else { return };
        line.place = Place::Nowhere;
        let worked = time(done.min(end).saturating_sub(from));
        line.worked += worked;
        if let Some(first) = line.commands.front_mut() {
            // At least something is left of what is not complete.
            first.left = first.left.saturating_sub(worked).max(Duration::from_nanos(1));
        }
        self.running.remove(&(end, id));
        self.changes.push((id, false));
    }

    /// Begins as many commands as may run.
    fn fill(&mut self) {
        while self.running.len() < self.most
            && let Some((_, id)) = self.waiting.pop_first()
        {
            let done = self.done;
            let line = self.line(id);
            let Some(first) = line.commands.front_mut() else { continue };
            let end = done + units(first.left);
            if std::mem::take(&mut first.was_interrupted) {
                self.take_for_a_switch();
            }
            self.line(id).place = Place::Running(done, end);
            self.running.insert((end, id));
            self.changes.push((id, true));
        }
    }

    fn take_for_a_switch(&mut self) {
        self.taken_until = self.taken_until.max(self.at) + self.switch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn device(level: Level, sharing: Sharing, engines: u32) -> Device {
        let spec = DeviceSpec { level, sharing, engines, switch: MS / 10, ..DeviceSpec::new("d") };
        let mut device = Device::new(&spec);
        for _ in 0..3 {
            device.add_line();
        }
        device
    }

    fn at(ms: f64) -> Time {
        Time::ZERO + MS.mul_f64(ms)
    }

    /// Runs to the end: which line's command ended when, in tenths of a millisecond.
    fn ends(device: &mut Device) -> Vec<(LineId, u64)> {
        let mut ends = Vec::new();
        while let Some(next) = device.next() {
            while let Some(line) = device.complete(next) {
                ends.push((line, next.as_nanos() / 100_000));
            }
        }
        ends
    }

    #[test]
    fn in_order_of_launches_one_after_the_other_or_as_many_as_there_are_engines() {
        for (engines, wanted) in [(1, [(0, 10), (1, 20), (0, 30)]), (2, [(0, 10), (1, 10), (0, 20)])] {
            let mut device = device(Level::Block, Sharing::InOrder, engines);
            [0, 1, 0].into_iter().for_each(|line| device.launch(line, MS, Time::ZERO));
            assert_eq!(ends(&mut device), wanted);
            assert_eq!(device.worked(0, at(9.0)), 2 * MS);
        }
    }

    #[test]
    fn fair_sharing_gives_the_first_of_each_line_an_equal_part() {
        let mut device = device(Level::Block, Sharing::Fair, 1);
        device.launch(0, MS, Time::ZERO);
        device.launch(1, 2 * MS, Time::ZERO);
        assert_eq!(device.worked(1, at(1.0)), MS / 2);
        device.launch(2, MS / 2, at(1.0));
        // All three have a third: line 0 and 2 need 0.5 ms, and then line 1 has 1 ms left for itself.
        assert_eq!(ends(&mut device), [(0, 25), (2, 25), (1, 35)]);
    }

    #[test]
    fn what_is_launched_runs_to_its_end_at_level_one() {
        let mut device = device(Level::Block, Sharing::InOrder, 1);
        [0, 0, 1].into_iter().for_each(|line| device.launch(line, MS, Time::ZERO));
        device.hold(0, at(0.5));
        assert!(device.is_on_device(0, true));
        assert_eq!(ends(&mut device), [(0, 10), (0, 20), (1, 30)]);
    }

    #[test]
    fn what_has_not_started_is_held_back_at_level_two() {
        let mut device = device(Level::Deactivate, Sharing::InOrder, 1);
        [0, 0, 1].into_iter().for_each(|line| device.launch(line, MS, Time::ZERO));
        device.hold(0, at(0.5));
        assert_eq!(ends(&mut device), [(0, 10), (1, 20)]);
        assert!(!device.is_on_device(0, true) && device.is_on_device(0, false));
        device.release(0, at(5.0));
        assert_eq!(ends(&mut device), [(0, 60)]);
    }

    #[test]
    fn what_runs_is_switched_out_at_level_three_and_each_switch_takes_its_time() {
        let mut device = device(Level::Interrupt, Sharing::InOrder, 1);
        [0, 1].into_iter().for_each(|line| device.launch(line, MS, Time::ZERO));
        device.hold(0, at(0.4));
        assert_eq!(device.next(), Some(at(1.5)));
        device.release(0, at(0.6));
        assert_eq!(ends(&mut device), [(1, 15), (0, 22)]);
        assert_eq!(device.worked(0, at(9.0)), MS);
    }

    #[test]
    fn what_is_gone_leaves_the_device_to_others() {
        let mut device = device(Level::Block, Sharing::InOrder, 1);
        [0, 0, 1].into_iter().for_each(|line| device.launch(line, MS, Time::ZERO));
        device.clear(0, at(0.5));
        assert_eq!(ends(&mut device), [(1, 15)]);
        assert_eq!(device.worked(0, at(9.0)), MS / 2);
    }
}
