//! Shortest remaining time first: who is likely to be done soonest runs, as learnt from its own earlier bursts; nobody waits without end.
//!
//! What remains of a group's burst is what is [expected](super::bursts) of it, less what has passed. One that has lasted for longer than expected is taken to
//! last for as long again, and the first burst of a group for one turn (its timeslice hint). Who becomes ready with less than what remains of the turn's holder
//! takes over at once; otherwise the question is asked again at the end of each turn, so those that go on and on have turns like equals.
//!
//! Whoever has waited for [`PATIENCE`] goes first for one turn, those who waited longest before others: with n ready groups nobody waits for longer than
//! that and n turns. Absent: hints of how long a burst will be, shares, priorities.

use super::bursts::Bursts;
use super::turns::{Account, Ask, Moment, Rule, Turns, WORTH_A_CHANGE};
use std::time::Duration;
use xsched_core::Time;

/// For how long others may go before a group.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shortest remaining time first.
pub(super) type Srtf = Turns<Shortest>;

/// The rule.
#[derive(Debug, Default)]
pub(super) struct Shortest;

/// What is known of a group.
#[derive(Debug)]
pub(super) struct Job {
    timeslice: Duration,
    bursts: Bursts,
    /// Since when it has been ready without running.
    waits_since: Option<Time>,
    runs: bool,
    /// What it still may run for because it had waited for so long, and since when.
    owed: Option<(Time, Duration)>,
}

/// Those who have waited for too long come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Since when they had been waiting.
    Owed(Time),
    /// What remains.
    Remaining(Duration),
}

impl Rule for Shortest {
    type State = Job;
    type Order = Order;

    const GOES_BY_READY_TIME: bool = true;

    fn open(&self, _now: Time) -> Job {
        Job {
            timeslice: Duration::ZERO,
            bursts: Bursts::default(),
            waits_since: None,
            runs: false,
            owed: None,
        }
    }

    fn on_ready(&self, job: &mut Job, ask: Ask, arrives: bool, now: Time) {
        job.timeslice = ask.timeslice;
        if arrives {
            job.waits_since = (!job.runs).then_some(now);
        }
    }

    fn on_idle(&self, job: &mut Job, _now: Time) {
        job.bursts.end();
        (job.waits_since, job.owed) = (None, None);
    }

    fn on_run(&self, job: &mut Job, runs: bool, now: Time) {
        job.runs = runs;
        job.waits_since = (!runs).then_some(now);
    }

    fn charge(&self, job: &mut Job, ran: Duration, _now: Time) {
        job.bursts.run(ran);
        job.owed = job.owed.filter(|(_, left)| *left > ran).map(|(since, left)| (since, left - ran));
    }

    fn alarm(job: &Job) -> Option<Time> {
        job.waits_since.filter(|_| job.owed.is_none()).map(|since| since + PATIENCE)
    }

    fn on_alarm(&self, job: &mut Job, _now: Time) {
        job.owed = job.waits_since.map(|since| (since, job.timeslice));
    }

    fn order(job: &Job) -> Order {
        match job.owed {
            Some((since, _)) => Order::Owed(since),
            None => Order::Remaining(job.remaining()),
        }
    }

    fn turn(job: &Job) -> Duration {
        job.timeslice
    }

    fn replaces(&self, next: &Account<Job>, holder: &Account<Job>, turn: Moment) -> bool {
        let (waits, has) = (&next.state, &holder.state);
        if turn.is_over {
            return Shortest::order(waits) < Shortest::order(has);
        }
        if waits.owed.is_some() || has.owed.is_some() {
            // Whoever is owed a turn has it to its end.
            return has.owed.is_none();
        }
        next.has_come_since(turn.began) && waits.remaining() + WORTH_A_CHANGE < has.remaining()
    }
}

impl Job {
    fn remaining(&self) -> Duration {
        let so_far = self.bursts.so_far();
        let expected = self.bursts.expected().unwrap_or(self.timeslice);
        if so_far < expected { expected - so_far } else { so_far }
    }
}
