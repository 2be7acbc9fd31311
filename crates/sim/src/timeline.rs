//! What each process was in at each moment: how long in all, and as a picture would show it.
//!
//! A [`Lane`] is cut into columns of equal time, and each column says how much of it was spent in which state; so its size does not go with
//! the number of changes. Idle time is what is left. Lanes are kept for the first [`MOST`] processes only, the sums for all.

use crate::workload::{Program, Workload};
use std::time::Duration;
use xsched_core::Time;

/// The most lanes of a timeline.
pub(crate) const MOST: usize = 40;
/// Columns of a lane.
pub(crate) const COLUMNS: usize = 1560;

/// What a process is in on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A command of it runs.
    Running,
    /// The same, but it is suspended: what was launched before runs to its end.
    Ending,
    /// It has work and may run, but the device runs others.
    Ready,
    /// It has work and is held back.
    Suspended,
    /// It has no work.
    Idle,
}

/// All states but idle, in the order in which they are drawn.
pub(crate) const SHOWN: [State; 4] = [State::Running, State::Ending, State::Ready, State::Suspended];

/// A picture's worth of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
    /// In the order of the workload.
    pub lanes: Vec<Lane>,
    /// Processes that have no lane.
    pub left_out: usize,
}

/// One process on one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// Its program's name; with a number if there are several, and with the device's if it uses several.
    pub name: String,
    /// For each column, the part of it spent in the states, in the order of [`State`]; idle is what is left.
    pub columns: Vec<[f32; SHOWN.len()]>,
}

/// Sums, and the way to the lane.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    lane: Option<usize>,
    state: State,
    since: Time,
    held_since: Option<Time>,
    spent: [Duration; SHOWN.len()],
    /// The longest time without a break for which it was suspended with work.
    pub(crate) longest_held: Duration,
    /// Times that it was suspended with work.
    pub(crate) preempted: u64,
}

/// Makes the timeline.
#[derive(Debug)]
pub(crate) struct Recorder {
    from: Time,
    column: Duration,
    timeline: Timeline,
}

impl State {
    fn is_held(self) -> bool {
        matches!(self, State::Ending | State::Suspended)
    }
}

impl Account {
    fn new(lane: Option<usize>) -> Account {
        Account {
            lane,
            state: State::Idle,
            since: Time::ZERO,
            held_since: None,
            spent: [Duration::ZERO; SHOWN.len()],
            longest_held: Duration::ZERO,
            preempted: 0,
        }
    }

    pub(crate) fn change(&mut self, state: State, now: Time, recorder: &mut Recorder) {
        if state == self.state {
            return;
        }
        self.note(now, recorder);
        self.state = state;
        if !state.is_held() {
            self.held_since = None;
        } else if self.held_since.is_none() {
            self.held_since = Some(now);
        }
    }

    /// The run is over.
    pub(crate) fn close(&mut self, now: Time, recorder: &mut Recorder) {
        self.note(now, recorder);
    }

    fn note(&mut self, now: Time, recorder: &mut Recorder) {
        if let Some(held_since) = self.held_since {
            self.longest_held = self.longest_held.max(now.since(held_since));
        }
        if self.state != State::Idle {
            self.spent[self.state as usize] += now.since(self.since);
            self.lane.into_iter().for_each(|lane| recorder.add(lane, self.state, self.since, now));
        }
        self.since = now;
    }

    /// For how long it was in this state, which is not idle.
    pub(crate) fn spent(&self, state: State) -> Duration {
        self.spent.get(state as usize).copied().unwrap_or_default()
    }

    /// For how long it was suspended with work.
    pub(crate) fn held(&self) -> Duration {
        self.spent[State::Ending as usize] + self.spent[State::Suspended as usize]
    }
}

impl Recorder {
    pub(crate) fn new(workload: &Workload) -> Recorder {
        let (from, to) = workload.draw.unwrap_or((Duration::ZERO, workload.duration));
        Recorder::of(from, to)
    }

    pub(crate) fn of(from: Duration, to: Duration) -> Recorder {
        let column = (to.saturating_sub(from) / COLUMNS as u32).max(Duration::from_nanos(1));
        let timeline = Timeline { from, to, lanes: Vec::new(), left_out: 0 };
        Recorder { from: Time::ZERO + from, column, timeline }
    }

    /// The account of the next process on a device.
    pub(crate) fn lane(&mut self, program: &Program, copy: u32, device: &str) -> Account {
        let mut name = program.name.clone();
        if program.count > 1 {
            name += &format!(" {}", copy + 1);
        }
        if program.devices.len() > 1 {
            name += &format!(" on {device}");
        }
        self.named(name)
    }

    pub(crate) fn named(&mut self, name: String) -> Account {
        if self.timeline.lanes.len() == MOST {
            self.timeline.left_out += 1;
            return Account::new(None);
        }
        self.timeline.lanes.push(Lane { name, columns: vec![[0.0; SHOWN.len()]; COLUMNS] });
        Account::new(Some(self.timeline.lanes.len() - 1))
    }

    fn add(&mut self, lane: usize, state: State, since: Time, until: Time) {
        let column = self.column.as_nanos() as u64;
        let (from, to) = (since.since(self.from).as_nanos() as u64, until.since(self.from).as_nanos() as u64);
        let columns = &mut self.timeline.lanes[lane].columns;
        let mut at = from;
        while at < to {
            let index = at / column;
            let Some(cell) = columns.get_mut(index as usize) else { return };
            let end = to.min((index + 1) * column);
            cell[state as usize] += (end - at) as f32 / column as f32;
            at = end;
        }
    }

    pub(crate) fn finish(self) -> Timeline {
        self.timeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_summed_and_drawn_where_it_was_spent() {
        let column = Duration::from_micros(1);
        let mut recorder = Recorder::of(10 * column, 10 * column + COLUMNS as u32 * column);
        let mut account = recorder.named("p".into());
        let at = |us: f64| Time::ZERO + column.mul_f64(us);
        account.change(State::Running, at(5.0), &mut recorder);
        account.change(State::Suspended, at(11.5), &mut recorder);
        account.change(State::Ending, at(12.0), &mut recorder);
        account.change(State::Idle, at(12.25), &mut recorder);
        account.change(State::Suspended, at(20.0), &mut recorder);
        account.close(at(1e6), &mut recorder);
        assert_eq!(account.held(), column.mul_f64(1e6 - 20.0 + 0.75));
        assert_eq!(account.longest_held, column.mul_f64(1e6 - 20.0));
        let lane = &recorder.finish().lanes[0];
        assert_eq!(lane.columns[..3], [[1.0, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.5], [0.0, 0.25, 0.0, 0.0]]);
        assert_eq!((lane.columns[9], lane.columns[COLUMNS - 1]), ([0.0; 4], [0.0, 0.0, 0.0, 1.0]));
    }

    #[test]
    fn the_first_processes_have_lanes_and_the_others_are_counted() {
        let mut recorder = Recorder::of(Duration::ZERO, Duration::from_secs(1));
        for n in 0..MOST + 3 {
            recorder.named(n.to_string());
        }
        let timeline = recorder.finish();
        assert_eq!((timeline.lanes.len(), timeline.left_out), (MOST, 3));
    }
}
