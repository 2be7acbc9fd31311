//! What one group is promised of one device, what it has had of that, and what is learnt about its jobs.
//!
//! A *constant bandwidth server* with a hard reservation (Abeni and Buttazzo, 1998): in each period, as long as the deadline, it may use its
//! share of the period before its deadline; what is used up comes anew at the end of the period, and a period begins with a job. If all
//! shares together are no more than the device, and the one whose deadline comes first always runs, each gets its share in time.

use std::time::Duration;
use xsched_core::Time;

/// All of a device.
const WHOLE: u64 = 1_000_000;
/// The most that may be promised of a device.
pub(super) const MOST: u64 = WHOLE / 100 * 95;
/// What a trial needs at least.
pub(super) const LEAST: u64 = WHOLE / 100;
/// For how long a share is kept for one that rests, at least.
const KEPT: Duration = Duration::from_secs(10);
/// So many jobs are remembered ...
const JOBS: usize = 8;
/// ... and so many are a trial.
const TRIAL_JOBS: usize = 4;
/// A trial ends with no good when one job was not done after so many periods.
const TRIAL_PERIODS: u32 = 4;

/// Shares are in parts of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not judged yet, or not any more.
    Unknown,
    /// Nobody knows what it needs; it has all that is left for some jobs.
    OnTrial { share: u64 },
    /// With so much; if its jobs have grown and there is no more, with what they need.
    Admitted { share: u64, needs: Option<u64> },
    /// It needs this, if that is known, and else more than was left.
    Refused { needs: Option<u64>, left: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// From ready to done.
    length: Duration,
    /// A share in percent, if it says one.
    utilization: Option<i64>,
    /// What the last jobs took, and how many there were.
    took: [Duration; JOBS],
    jobs: usize,
    pub(super) standing: Standing,
    /// How many jobs it has had in the background since it was judged.
    missed: usize,
    /// The end of the period under way.
    pub(super) due: Time,
    /// What is left of its share until then.
    left: Duration,
    /// The job under way: since when it is ready, and what it has used.
    job: Option<Time>,
    used: Duration,
    /// The periods that were over before it was done.
    periods: u32,
    pub(super) runs: bool,
    /// Up to when its time is counted.
    counted: Time,
}

impl Standing {
    /// What is promised to it.
    pub(super) fn share(self) -> u64 {
        match self {
            Standing::OnTrial { share } | Standing::Admitted { share, .. } => share,
            Standing::Unknown | Standing::Refused { .. } => 0,
        }
    }

    pub(super) fn is_trial(self) -> bool {
        matches!(self, Standing::OnTrial { .. })
    }

    /// Whether it is admitted, and with all that it needs, as far as that is known.
    pub(super) fn verdict(self) -> Option<(bool, bool)> {
        match self {
            Standing::Unknown | Standing::OnTrial { .. } => None,
            Standing::Admitted { needs, .. } => Some((true, needs.is_none())),
            Standing::Refused { .. } => Some((false, false)),
        }
    }
}

impl Server {
    pub(super) fn new(now: Time) -> Server {
        Server {
            length: Duration::ZERO,
            utilization: None,
            took: [Duration::ZERO; JOBS],
            jobs: 0,
            standing: Standing::Unknown,
            missed: 0,
            due: now,
            left: Duration::ZERO,
            job: None,
            used: Duration::ZERO,
            periods: 0,
            runs: false,
            counted: now,
        }
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// Notes what it asks for; answers whether that is news.
    pub(super) fn ask(&mut self, length: Duration, utilization: Option<i64>) -> bool {
        let before = (self.length, self.utilization);
        (self.length, self.utilization) = (length, utilization);
        before != (length, utilization)
    }

    /// Whether what it needs is learnt: it does not say.
    pub(super) fn is_learnt(&self) -> bool {
        self.utilization.is_none()
    }

    /// The share that it needs, if that is known; no more than `left` if only the margin is smaller then.
    pub(super) fn asks_for(&self, left: u64) -> Option<u64> {
        if let Some(percent) = self.utilization {
            return Some(u64::try_from(percent).unwrap_or(0) * (WHOLE / 100));
        }
        if self.jobs < TRIAL_JOBS {
            return None;
        }
        let mut took: Vec<Duration> = self.took.iter().take(self.jobs).copied().collect();
        took.sort_unstable();
        // One that was longer than all others may have been in somebody's way, or he in its.
        let typical = took.iter().rev().nth(1)?;
        let share = typical.as_nanos() * u128::from(WHOLE) / self.length.as_nanos().max(1);
        let share = u64::try_from(share).unwrap_or(u64::MAX).clamp(1, u64::MAX / 2);
        Some(if share > left { share } else { left.min(share + share / 8).max(1) })
    }

    /// It has been ready since then. Answers whether that is a job that was not known.
    pub(super) fn begin_job(&mut self, ready_since: Time) -> bool {
        let is_new = self.job != Some(ready_since);
        if is_new {
            (self.job, self.used, self.periods) = (Some(ready_since), Duration::ZERO, 0);
        }
        is_new
    }

    /// It is idle.
    pub(super) fn end_job(&mut self, now: Time) {
        self.job = None;
        self.counted = now;
        if self.standing.share() == 0 {
            // What a job takes that runs beside others says nothing, and what was learnt before grows old.
            self.missed += 1;
            self.jobs = self.jobs.saturating_sub(1);
        } else {
            let share = self.in_a_period();
            self.took.rotate_right(1);
            if let Some(last) = self.took.first_mut() {
                // Part of it was in the background, where it took longer than it needs.
                *last = self.used.min(share * 2);
            }
            self.jobs = JOBS.min(self.jobs + 1);
        }
    }

    /// It was judged: what was before that does not count.
    pub(super) fn judged(&mut self) {
        if !matches!(self.standing, Standing::Refused { needs: None, .. }) || self.is_to_be_tried_again() {
            self.missed = 0;
        }
    }

    /// Whether it has had so many jobs since it was tried that it may have changed.
    pub(super) fn is_to_be_tried_again(&self) -> bool {
        self.missed >= JOBS
    }

    /// Whether its trial is over: it has shown what it needs.
    pub(super) fn has_been_tried(&self) -> bool {
        self.standing.is_trial() && self.jobs >= TRIAL_JOBS
    }

    /// A period begins with a job, unless that would give it more than its share of the last one; `is_anew`: it had none.
    pub(super) fn begin_period(&mut self, is_anew: bool, now: Time) {
        let has_time = self.due > now && !is_anew;
        if has_time && self.left < part(self.due.since(now), self.standing.share()) {
            return;
        }
        (self.due, self.left) = (now + self.length, self.in_a_period());
    }

    /// As it is at `now`.
    pub(super) fn at(&self, now: Time) -> Server {
        let mut server = *self;
        let passed = if self.runs { now.since(self.counted) } else { Duration::ZERO };
        server.counted = self.counted.max(now);
        if server.job.is_none() {
            return server;
        }
        server.used += passed;
        if server.standing.share() == 0 {
            return server;
        }
        server.left = server.left.saturating_sub(passed);
        if server.left.is_zero() {
            if server.due <= now {
                let over = now.since(server.due).as_nanos() / server.length.as_nanos().max(1);
                let periods = u32::try_from(over).unwrap_or(u32::MAX).saturating_add(1);
                server.due = server.due + server.length.saturating_mul(periods);
                server.left = server.in_a_period();
                server.periods = server.periods.saturating_add(periods);
            }
            if let Standing::OnTrial { share } = server.standing
                && server.periods >= TRIAL_PERIODS
            {
                server.standing = Standing::Refused { needs: None, left: share };
            }
        }
        server
    }

    /// Whether it has a job, and a share.
    pub(super) fn is_promised(&self) -> bool {
        self.job.is_some() && self.standing.share() > 0
    }

    /// Whether nothing is left of its share until the end of the period.
    pub(super) fn is_spent(&self) -> bool {
        self.left.is_zero()
    }

    /// When its share is used up if it runs from now on.
    pub(super) fn spent_at(&self, now: Time) -> Time {
        now + self.left
    }

    /// Whether it has had no job for so long that its share need not be kept.
    pub(super) fn has_rested(&self, now: Time) -> bool {
        let kept = self.length.saturating_mul(10).max(KEPT);
        self.job.is_none() && self.standing.share() > 0 && now.since(self.counted) > kept
    }

    fn in_a_period(&self) -> Duration {
        part(self.length, self.standing.share())
    }
}

/// So much of it.
fn part(whole: Duration, share: u64) -> Duration {
    let nanos = whole.as_nanos() * u128::from(share) / u128::from(WHOLE);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
