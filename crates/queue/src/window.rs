//! The soft window: how much work of a queue may be in flight while somebody more urgent may come.
//!
//! At Level 1 an urgent program waits for what others have launched already, so a queue that may be preempted keeps only a little in flight:
//! about [`Settings::work`] of device time, counted in commands by a learnt time per command (or [`Settings::threshold`] commands if
//! the user says so), never less than one command. A program that waits for its queue itself, about as often as that, is left alone.
//! Progress is known by marks: events that the launching thread puts behind some of its launches.
//!
//! Whom it protects decides how large it has to be: who has the device for 20 ms minds one of two milliseconds before that less than the other one, once let go, minds the gaps. So it
//! grows with how long the queue is usually held back, see [`Holds`].
//!
//! The window is *soft*. A program may legally launch a thousand commands behind an event that it sets itself afterwards: if
//! nothing completes for a while, launches pass until something does.
//!
//! Deliberately absent: a clock (times come in), sleeping (the caller sleeps as long as [`Admission::NotBefore`] says).

use std::collections::VecDeque;
use std::time::Duration;
use xsched_core::Time;
use xsched_hal::{Error, HwQueue, Mark};

/// What the user may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Device time in flight.
    pub work: Duration,
    /// Commands in flight, instead of device time.
    pub threshold: Option<u32>,
    /// Commands that may be in flight however long they are: at least one.
    pub least: u64,
}

/// May the next command be launched?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Now,
    /// Ask again, not before this time.
    NotBefore(Time),
}

/// Commands in flight as long as nothing is learnt: one runs, one waits. Only one, once the queue was held back: a program that keeps two in flight and waits for each itself
/// would never show how long they are.
const UNLEARNT: u64 = 2;
/// The most commands in flight.
const MOST: u64 = 4096;
/// Without completion for this long, launches pass. Longer where single commands are known to be longer.
const PATIENCE: Duration = Duration::from_millis(5);
/// But never longer than this: a program waits for us no longer, however long its commands are.
const MOST_PATIENCE: Duration = Duration::from_secs(10);
/// The same, as long as the length of a command is unknown.
const FIRST_PATIENCE: Duration = Duration::from_millis(25);
/// The shortest and the longest sleep between two looks at the marks.
const SHORTEST_LOOK: Duration = Duration::from_micros(50);
const LONGEST_LOOK: Duration = Duration::from_micros(500);
/// Marks kept; more are not made.
const MARKS: usize = 256;

/// Progress of one queue. Its owner locks it; it is touched only while others wait or may come, or when the program waits for its queue.
#[derive(Default)]
pub struct Window {
    marks: VecDeque<(u64, Box<dyn Mark>)>,
    /// The newest command that has a mark behind it.
    marked: u64,
    /// The newest mark is a tail's, which may also wait for what is launched later.
    is_tailed: bool,
    /// Commands known to be done.
    completed: u64,
    /// When that was last found to have grown, or the queue began to be busy; and whether the queue was busy ever since.
    progress: Option<(Time, bool)>,
    /// When the marks were last looked at.
    looked: Option<Time>,
    /// Nanoseconds per command.
    per_command: Option<f64>,
    /// For how long launches have waited since the last progress, in all turns together; the end of what is counted, in this turn.
    waited: (Duration, Option<Time>),
    /// Launches pass until something completes.
    stalled: bool,
    /// What the program launches before it waits: since when, from which command, and how many the last times.
    burst: Burst,
    holds: Holds,
}

/// For how long the queue was held back, the last times: so long somebody else had the device.
#[derive(Default)]
struct Holds {
    last: [Duration; Holds::MEMORY],
    count: usize,
}

impl Holds {
    const MEMORY: usize = 8;
    /// The window is such a part of a mean hold: so much longer than alone may those wait at most for whom the queue is held back,
    const PART: u32 = 4;
    /// and at most so many times as large as the user has it.
    const MOST: u32 = 4;

    fn add(&mut self, hold: Duration) {
        if let Some(place) = self.last.get_mut(self.count % Self::MEMORY) {
            *place = hold;
        }
        self.count += 1;
    }

    /// The mean of the last ones; those that have yet to come count as none.
    fn mean(&self) -> Duration {
        self.last.iter().sum::<Duration>() / Self::MEMORY as u32
    }

    /// The window, for that of the settings.
    fn widen(&self, work: Duration) -> Duration {
        (self.mean() / Self::PART).clamp(work, work.saturating_mul(Self::MOST))
    }
}

#[derive(Default)]
struct Burst {
    since: Option<(Time, u64)>,
    /// Commands in a burst that was short enough to be left alone.
    short: u64,
}

impl Window {
    /// Commands known to be completed, counted like `Snapshot::begun`.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// The learnt device time per command.
    pub fn per_command(&self) -> Option<Duration> {
        self.per_command.map(|ns| Duration::from_nanos(ns as u64))
    }

    /// Whether the newest mark is behind command number `begun`.
    pub fn has_mark_behind(&self, begun: u64) -> bool {
        self.marked >= begun || self.completed >= begun
    }

    /// Whether command number `launched + 1` may be launched now, after looking at the marks. `waiting_since`: when this was first
    /// asked for that command.
    pub fn admit(&mut self, launched: u64, settings: Settings, waiting_since: Time, now: Time) -> Admission {
        self.look(launched, now);
        let in_flight = launched.saturating_sub(self.completed);
        if in_flight == 0 {
            self.progress = Some((now, true));
            self.waited = (Duration::ZERO, None);
            self.burst.since.get_or_insert((now, launched));
        }
        if in_flight < self.limit(settings).max(self.burst.short) || self.marks.is_empty() || self.stalled {
            return Admission::Now;
        }
        let (since, _) = *self.progress.get_or_insert((now, false));
        let (waited, counted) = &mut self.waited;
        *waited += counted.replace(now).map_or(Duration::ZERO, |counted| now.since(counted));
        if now.since(since).max(*waited) >= self.patience() {
            self.stalled = true;
            return Admission::Now;
        }
        let longest =
            self.per_command().map_or(LONGEST_LOOK, |one| (one / 16).clamp(SHORTEST_LOOK, LONGEST_LOOK));
        Admission::NotBefore(now + now.since(waiting_since).clamp(SHORTEST_LOOK, longest))
    }

    /// Whether command number `launched + 1` may be launched although the queue is held back, after looking at the marks. Not soft: what does not complete is what
    /// is held back.
    pub fn has_room(&mut self, launched: u64, settings: Settings, now: Time) -> bool {
        self.look(launched, now);
        // The time since the last progress says nothing about what completes later.
        self.interrupted();
        launched.saturating_sub(self.completed) < self.limit(settings)
    }

    /// After command number `begun` was launched: puts a mark behind it if one is due.
    pub fn launched(&mut self, begun: u64, queue: &dyn HwQueue, settings: Settings) {
        if begun.saturating_sub(self.marked) >= (self.limit(settings) / 4).max(1) {
            self.mark(begun, queue);
        }
    }

    /// The same where nobody minds how much is in flight, and only progress is to be seen: a mark is due when as many commands are without
    /// one as there are marks pending. So `n` commands in flight cost about √2n marks, and however many they are, some show that they go on.
    pub fn follow(&mut self, begun: u64, queue: &dyn HwQueue) {
        if begun.saturating_sub(self.marked) >= (self.marks.len() as u64).max(1) {
            self.mark(begun, queue);
        }
    }

    /// Puts a mark behind command number `begun`, the newest, on the thread that launched it. A queue that refuses the mark goes without.
    pub fn mark(&mut self, begun: u64, queue: &dyn HwQueue) {
        if begun > self.marked && std::mem::take(&mut self.is_tailed) {
            // A tail's mark may tell nothing as long as the queue is busy, and would hide the progress of those behind it.
            self.marks.pop_back();
        }
        if begun > self.marked && self.marks.len() == MARKS {
            // The newest is the one that tells when all is done.
            self.marks.pop_back();
        }
        self.put(begun, || queue.mark());
    }

    /// The same on a thread that launches nothing.
    pub fn tail(&mut self, begun: u64, queue: &dyn HwQueue) {
        self.is_tailed |= self.put(begun, || queue.tail());
    }

    fn put(&mut self, begun: u64, mark: impl FnOnce() -> Result<Box<dyn Mark>, Error>) -> bool {
        if self.marks.len() < MARKS
            && begun > self.marked
            && let Ok(mark) = mark()
        {
            self.marks.push_back((begun, mark));
            self.marked = begun;
            return true;
        }
        false
    }

    /// Looks which marks are complete, of `launched` commands in all. Returns whether there was progress.
    pub fn look(&mut self, launched: u64, now: Time) -> bool {
        let mut reached = None;
        // A mark that fails will never tell more: whatever is behind it counts as done.
        while let Some((begun, mark)) = self.marks.front()
            && mark.is_complete().unwrap_or(true)
        {
            reached = Some(*begun);
            self.marks.pop_front();
        }
        self.is_tailed &= !self.marks.is_empty();
        let looked = self.looked.replace(now);
        let Some(reached) = reached.filter(|r| *r > self.completed) else { return false };
        if let Some((since, true)) = self.progress {
            self.learn(reached - self.completed, now.since(since), now.since(looked.unwrap_or(since)));
        }
        self.completed = reached;
        self.progress = Some((now, launched > reached));
        self.waited = (Duration::ZERO, None);
        self.stalled = false;
        true
    }

    /// The program has waited for all commands up to number `begun`.
    pub fn all_done(&mut self, begun: u64, settings: Settings, now: Time) {
        if begun <= self.completed {
            return;
        }
        while self.marks.front().is_some_and(|(b, _)| *b <= begun) {
            self.marks.pop_front();
        }
        self.is_tailed &= !self.marks.is_empty();
        if let Some((since, true)) = self.progress {
            let unseen = now.since(self.looked.unwrap_or(since));
            self.learn(begun - self.completed, now.since(since), unseen);
        }
        if let Some((since, from)) = self.burst.since.take() {
            let short = now.since(since) <= settings.work * 2;
            self.burst.short = if short { begun.saturating_sub(from).min(MOST) } else { 0 };
        }
        self.completed = begun;
        self.marked = self.marked.max(begun);
        self.progress = None;
        self.waited = (Duration::ZERO, None);
        self.stalled = false;
    }

    /// The queue is held back from now on. What it has on the device shares that from now on, but has been there for so long already: its commands are not shorter than that. Else a
    /// program whose turns are all shorter than one of its commands would never show that these have become longer, and would pass for stalled in each turn.
    pub fn held_back(&mut self, launched: u64, now: Time) {
        // What is done by now is no part of that: the program may have paused since.
        self.look(launched, now);
        if let (Some((since, true)), Some(known)) = (self.progress, &mut self.per_command) {
            let least = now.since(since).as_nanos() as f64;
            *known += (least - *known).max(0.0) / 4.0;
        }
        self.interrupted();
    }

    /// The queue is or was held back: the time since the last progress says nothing about its commands. But what does not complete in
    /// one turn does not in the next: a stall stays one, or else a program with short turns would never get past it.
    pub fn interrupted(&mut self) {
        self.progress = None;
        self.burst.since = None;
        self.waited.1 = None;
    }

    /// Launches of the queue were held back for so long, see [`Window::widened`].
    pub fn held(&mut self, hold: Duration) {
        self.holds.add(hold);
    }

    /// These settings, with more work in flight if the queue is held back for long: a quarter of that, at most four times as much.
    #[must_use]
    pub fn widened(&self, settings: Settings) -> Settings {
        Settings { work: self.holds.widen(settings.work), ..settings }
    }

    /// So many commands took `took` at most; the last `unseen` of it was behind the last look, at which they were not yet done.
    /// A long time not seen may have been a pause of the program's: then the sample can only show that the commands are shorter than thought.
    fn learn(&mut self, commands: u64, took: Duration, unseen: Duration) {
        if took.is_zero() {
            return;
        }
        let sample = took.as_nanos() as f64 / commands as f64;
        let is_seen = unseen <= (took / 2).max(LONGEST_LOOK * 4);
        if !is_seen && self.per_command.is_none_or(|known| sample > known) {
            return;
        }
        self.per_command = Some(match self.per_command {
            None => sample,
            Some(old) => old + (sample - old) / 4.0,
        });
    }

    fn limit(&self, settings: Settings) -> u64 {
        match (settings.threshold, self.per_command) {
            (Some(threshold), _) => u64::from(threshold.max(1)),
            (None, None) if self.holds.count == 0 => UNLEARNT,
            (None, None) => settings.least.max(1),
            (None, Some(ns)) => ((settings.work.as_nanos() as f64 / ns.max(1.0)) as u64)
                .clamp(settings.least.clamp(1, MOST), MOST),
        }
    }

    fn patience(&self) -> Duration {
        self.per_command().map_or(FIRST_PATIENCE, |one| one.saturating_mul(4).clamp(PATIENCE, MOST_PATIENCE))
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("completed", &self.completed)
            .field("marks", &self.marks.len())
            .field("per_command", &self.per_command())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
