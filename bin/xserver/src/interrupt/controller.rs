//! The thread that does to one device's channel groups what is desired: a call takes some hundred microseconds, for which the scheduler's thread has no time.
//!
//! For each group there is what is desired and what was done last; the thread carries out the most pressing difference, one call at a time, until there
//! is none. So only the latest wish counts (but who was to go on does, for its longest time off begins anew then), however many came while a call was under way, and the rate of calls is bounded by the driver's own speed.
//! Invariants: who is to be off is off before others get their turns; a group that is given up is let go before another lever of its process is used,
//! for that may be the same group; and of a process that has parted from the server, or has let itself go, nothing
//! stays off ([`Owner`]). Who cannot be let go is said to be ([`Condition::is_left_off`]). Deliberately absent: what is desired, and why.

use super::desired::{Desired, Turns};
use super::lever::{Condition, Lever, Owner};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Turns that are as short as can be.
const SHORT: Duration = Duration::from_micros(1);
/// Turns that do not end before a burst does.
const LONG: Duration = Duration::from_secs(1);

/// A call that has not returned after this is stuck: it takes less than one millisecond, as a rule, and this thread may have to wait for a processor.
const STUCK: Duration = Duration::from_millis(500);

/// How often it is tried to let a group go before that is given up.
const TRIES: usize = 3;

/// A number for a lever, of its own among all that a controller ever had.
pub(crate) type Number = u64;

/// Does what is desired.
#[derive(Debug, Default)]
pub(crate) struct Controller {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    last: Number,
}

#[derive(Debug, Default)]
struct Shared {
    seats: Mutex<Seats>,
    news: Condvar,
    over: Condvar,
}

/// All levers. The lock protects what is desired and what was done, and is never held across a call.
#[derive(Debug, Default)]
struct Seats {
    table: BTreeMap<Number, Seat>,
    /// The call that is under way, and since when.
    call: Option<(Number, Step, Instant)>,
    is_ending: bool,
    is_over: bool,
}

/// A lever in use.
#[derive(Debug)]
struct Seat {
    lever: Arc<dyn Lever>,
    owner: Owner,
    /// Levers of one process have the same.
    process: u32,
    /// For the log.
    name: String,
    condition: Arc<Condition>,
    desired: Desired,
    done: Done,
    /// It was to go on since it was stopped, and has not yet.
    is_due: bool,
    is_given_up: bool,
    /// How often its process had let itself go when that was done.
    let_go: u32,
}

/// What was done to a group.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    /// Turns as the driver made them, once it was asked.
    plain: Option<Duration>,
    turns: Turns,
    is_interruptible: bool,
    is_off: bool,
}

/// One call. In the order in which they press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// What is off of a process that has parted: it may be attached anew already, and held as such.
    LetGo,
    Hold,
    /// Before anybody is prepared: who comes with many groups must not keep others off for longer than the scheduler allows.
    Release,
    MakeInterruptible,
    Shorten,
    Share,
    Ask,
    Lengthen,
    Restore,
    /// No call: it is let go already.
    Forget,
}

impl Controller {
    /// Takes a lever in use, of a process with this number. `name` is for the log. Answers its number, and where one sees what becomes of it.
    pub(crate) fn adopt(
        &mut self,
        lever: Arc<dyn Lever>,
        owner: Owner,
        process: u32,
        name: String,
    ) -> (Number, Arc<Condition>) {
        if self.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("xserver-control".into()).stack_size(256 * 1024);
            match thread.spawn(move || shared.run()) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    tracing::warn!("cannot start a thread, so nothing is interrupted on devices: {error}")
                }
            }
        }
        self.last += 1;
        let condition = Arc::new(Condition::default());
        let let_go = owner.times_let_go();
        let seat = Seat {
            lever,
            owner,
            process,
            name,
            condition: Arc::clone(&condition),
            desired: Desired::default(),
            done: Done::default(),
            is_due: false,
            is_given_up: false,
            let_go,
        };
        self.shared.lock().table.insert(self.last, seat);
        self.shared.news.notify_one();
        (self.last, condition)
    }

    /// Changes what is desired of some.
    pub(crate) fn want(&self, wishes: impl IntoIterator<Item = (Number, Desired)>) {
        let mut is_news = false;
        let mut seats = self.shared.lock();
        for (number, desired) in wishes {
            let Some(seat) = seats.table.get_mut(&number) else { continue };
            // Who has let itself go is off no more.
            is_news |= seat.owner.times_let_go() != seat.let_go;
            if seat.desired != desired {
                seat.is_due |= seat.done.is_off && !desired.is_off;
                seat.desired = desired;
                is_news = true;
            }
        }
        drop(seats);
        if is_news {
            self.shared.news.notify_one();
        }
    }

    /// Looks whether the call that is under way is stuck. As long as it is, nothing here can be controlled; and who is off and is to go on can only let itself go.
    pub(crate) fn look_for_stuck_call(&self) {
        let seats = self.shared.lock();
        let stuck = seats.call.filter(|(.., since)| since.elapsed() >= STUCK);
        for (number, seat) in &seats.table {
            if seat.condition.set_stuck(stuck.is_some()) && stuck.is_some_and(|(of, ..)| of == *number) {
                tracing::warn!(
                    "{}: a call to the driver is stuck, so nobody is interrupted there",
                    seat.name
                );
            }
            let is_off =
                seat.done.is_off || stuck.is_some_and(|(of, step, _)| (of, step) == (*number, Step::Hold));
            if stuck.is_some() && is_off && !seat.desired.is_off {
                seat.condition.leave_off();
            }
        }
    }

    /// Gives all levers of a process up: the groups are let go, and the levers closed, at once.
    pub(crate) fn give_up(&self, process: u32) {
        let mut seats = self.shared.lock();
        seats
            .table
            .values_mut()
            .filter(|seat| seat.process == process)
            .for_each(|seat| seat.is_given_up = true);
        drop(seats);
        self.shared.news.notify_one();
    }

    /// Nothing is desired any more; what is off is let go. Does not wait for that.
    pub(crate) fn end(&self) {
        self.shared.lock().is_ending = true;
        self.shared.news.notify_one();
    }

    /// How many levers are in use, those included that are being given up.
    pub(super) fn len(&self) -> usize {
        self.shared.lock().table.len()
    }
}

impl Drop for Controller {
    /// Nothing stays off. Turns are restored by the processes themselves, which see the connection end; they see to the rest too, if the driver takes too
    /// long.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_millis(500);
        if self.thread.is_none() {
            return;
        }
        self.end();
        let seats = self.shared.lock();
        let _ = self.shared.over.wait_timeout_while(seats, PATIENCE, |seats| !seats.is_over);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Whoever panicked has changed one field of one seat at most.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut seats = self.lock();
        loop {
            if seats.is_ending {
                let off = seats.table.values().filter(|seat| seat.done.is_off);
                let off: Vec<_> = off.map(|seat| Arc::clone(&seat.lever)).collect();
                drop(seats);
                off.iter().for_each(|lever| drop(let_go(lever.as_ref())));
                self.lock().is_over = true;
                self.over.notify_all();
                return;
            }
            seats.table.values_mut().for_each(Seat::look);
            let Some((number, step)) = seats.next() else {
                seats = self.news.wait(seats).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if step == Step::Forget {
                let forgotten = seats.table.remove(&number);
                drop(seats);
                // Its file may be closed with it, which can take its time.
                drop(forgotten);
                seats = self.lock();
                continue;
            }
            let Some(seat) = seats.table.get(&number) else { continue };
            let call = Call::of(seat, step);
            seats.call = Some((number, step, Instant::now()));
            drop(seats);
            let outcome = call.make();
            seats = self.lock();
            seats.call = None;
            if let Some(seat) = seats.table.get_mut(&number) {
                seat.note(step, outcome);
                // Made before this call, or undone behind it.
                seat.let_go = call.let_go;
            }
        }
    }
}

impl Seats {
    /// The most pressing difference between what is desired and what was done.
    fn next(&self) -> Option<(Number, Step)> {
        let is_leaving =
            |process| self.table.values().any(|seat| seat.is_given_up && seat.process == process);
        let steps = self.table.iter().filter_map(|(&number, seat)| {
            let step = seat.next()?;
            (seat.is_given_up || !is_leaving(seat.process)).then_some((step, number))
        });
        steps.min().map(|(step, number)| (number, step))
    }
}

impl Seat {
    /// Whether its process has let itself go since this was last looked at: then it is off no more, its turns are as the driver made them, and both may have to be changed again.
    fn look(&mut self) {
        let times = self.owner.times_let_go();
        if std::mem::replace(&mut self.let_go, times) == times {
            return;
        }
        (self.done.turns, self.is_due) = (Turns::Plain, false);
        if std::mem::take(&mut self.done.is_off) && !self.is_given_up {
            tracing::warn!("{}: it let itself go, for this server was silent", self.name);
        }
    }

    fn next(&self) -> Option<Step> {
        let is_usable = self.condition.refusal().is_none() && self.owner.is_ours();
        if self.is_given_up || !is_usable {
            return self.last_steps();
        }
        let (desired, done) = (self.desired, self.done);
        if done.plain.is_none() {
            return Some(Step::Ask);
        }
        if self.is_due {
            return Some(Step::Release);
        }
        if desired.is_off && !done.is_off {
            return Some(Step::Hold);
        }
        if desired.turns.is_interruptible() && !done.is_interruptible {
            return Some(Step::MakeInterruptible);
        }
        if done.is_off && !desired.is_off {
            return Some(Step::Release);
        }
        match (done.turns, desired.turns) {
            // Who has let itself go has left that as it was.
            (Turns::Plain, Turns::Plain) if done.is_interruptible => Some(Step::Restore),
            (from, to) if from == to => None,
            (_, Turns::Short) => Some(Step::Shorten),
            (_, Turns::Shared) => Some(Step::Share),
            (_, Turns::Plain) => Some(Step::Restore),
            (_, Turns::Long) => Some(Step::Lengthen),
        }
    }

    /// What is left to do for one that is not used any more. One that is refused is let go and stays, so that everybody sees why.
    fn last_steps(&self) -> Option<Step> {
        if self.done.is_off {
            return Some(Step::LetGo);
        }
        // Who has parted restores its turns itself.
        let is_plain = self.done.turns == Turns::Plain && !self.done.is_interruptible;
        if !is_plain && self.owner.is_ours() {
            return Some(Step::Restore);
        }
        self.is_given_up.then_some(Step::Forget)
    }

    fn note(&mut self, step: Step, outcome: Result<Option<Duration>, String>) {
        match (outcome, step) {
            (Ok(plain), Step::Ask) => {
                self.done.plain = plain;
                self.condition.works();
                tracing::debug!("{}: its work on the device can be interrupted", self.name);
            }
            (Err(why), Step::Ask) => self.refuse(why),
            (_, Step::Forget) => {}
            (outcome, Step::LetGo | Step::Release | Step::Restore) => {
                // It has been tried as often as it makes sense.
                match step {
                    Step::LetGo | Step::Release => {
                        (self.done.is_off, self.is_due) = (false, false);
                        if outcome.is_err() && self.owner.is_ours() {
                            self.condition.leave_off();
                        }
                    }
                    _ => (self.done.turns, self.done.is_interruptible) = (Turns::Plain, false),
                }
                outcome.err().into_iter().for_each(|why| self.refuse(why));
            }
            (
                outcome,
                Step::Hold | Step::MakeInterruptible | Step::Shorten | Step::Share | Step::Lengthen,
            ) => {
                // What is refused may have had its effect all the same, and is undone as if it had.
                match step {
                    Step::Hold => self.done.is_off = true,
                    Step::MakeInterruptible => self.done.is_interruptible = true,
                    Step::Shorten => self.done.turns = Turns::Short,
                    Step::Share => self.done.turns = Turns::Shared,
                    _ => self.done.turns = Turns::Long,
                }
                outcome.err().into_iter().for_each(|why| self.refuse(why));
            }
        }
    }

    fn refuse(&mut self, why: String) {
        if !self.is_given_up && self.condition.refusal().is_none() {
            tracing::info!("{}: its work on the device is not interrupted any more: {why}", self.name);
        }
        self.condition.refuse(why);
    }
}

/// A step with all that it needs, so that it can be made without the lock.
struct Call {
    step: Step,
    lever: Arc<dyn Lever>,
    owner: Owner,
    plain: Option<Duration>,
    let_go: u32,
}

impl Call {
    fn of(seat: &Seat, step: Step) -> Call {
        let (lever, owner) = (Arc::clone(&seat.lever), seat.owner.clone());
        Call { step, lever, owner, plain: seat.done.plain, let_go: seat.let_go }
    }

    fn make(&self) -> Result<Option<Duration>, String> {
        let lever = &self.lever;
        let outcome = match self.step {
            Step::Ask => return lever.plain_turns().map(Some),
            Step::Hold => lever.hold(),
            Step::MakeInterruptible => lever.set_interruptible(true),
            Step::Shorten => lever.set_turns(SHORT),
            Step::Share => self.plain.map_or(Ok(()), |plain| lever.set_turns(plain)),
            Step::Lengthen => lever.set_turns(LONG),
            Step::Restore => self.restore(),
            Step::LetGo | Step::Release => let_go(lever.as_ref()),
            Step::Forget => Ok(()),
        };
        if matches!(self.step, Step::Hold | Step::MakeInterruptible | Step::Shorten | Step::Lengthen)
            && !self.owner.is_ours()
        {
            // It has parted meanwhile, perhaps because this process was frozen in between, and has let its group go before this call.
            let _gone_if_it_fails = let_go(lever.as_ref());
            let _as_above = self.restore();
        }
        if self.owner.times_let_go() != self.let_go {
            // The same, and it has not parted: this is done again, if it is still desired. (`Seat::look` finds that it is not done.)
            let _gone_if_it_fails = match self.step {
                Step::Hold => let_go(lever.as_ref()),
                Step::Shorten | Step::Share | Step::Lengthen => {
                    self.plain.map_or(Ok(()), |plain| lever.set_turns(plain))
                }
                _ => Ok(()),
            };
        }
        outcome.map(|()| None)
    }

    /// As the driver made it.
    fn restore(&self) -> Result<(), String> {
        let plain = self.plain.map_or(Ok(()), |plain| self.lever.set_turns(plain));
        plain.and(self.lever.set_interruptible(false))
    }
}

/// Tries again: nothing else can be done for a group that stays stopped.
fn let_go(lever: &dyn Lever) -> Result<(), String> {
    let mut outcome = lever.release();
    for _ in 1..TRIES {
        if outcome.is_ok() {
            break;
        }
        outcome = lever.release();
    }
    outcome
}

#[cfg(test)]
mod tests;
