//! What a policy is, and the table of all policies.
//!
//! A new policy is one file here and one row in `policies!`: its name, number and help derive from the row. A policy decides
//! per device among the groups that are ready there. All the rest, which is the same for every policy, is the scheduler's:
//! grace, leases, groups that span devices, `max_suspend`, groups of `PRIORITY_NO_EXECUTE`. Absent: clocks, threads, I/O.

mod awf;
mod bursts;
mod cfs;
mod chpf;
mod edf;
mod equals;
mod fair;
mod hhpf;
mod hpf;
mod kedf;
mod lax;
mod mlfq;
mod psl;
mod pup;
mod rank;
mod spup;
mod srtf;
mod turns;
mod up;

use crate::state::Readies;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use xsched_core::text::{Expected, Value};
use xsched_core::{ClientId, DeviceId, FactKind, GroupId, HintKind, Hints, Time};

pub use crate::running::Running;
pub use awf::Awf;
pub use chpf::Chpf;
pub use edf::Edf;
pub(crate) use equals::Equals;
pub use hhpf::Hhpf;
pub use hpf::Hpf;
pub use kedf::Kedf;
pub use lax::Lax;
pub use rank::{Rank, Subject};

/// Decides, per device, which of the ready groups run.
///
/// Implementations are pure: the same views, times and notifications give the same answers.
pub trait Policy: Send + fmt::Debug {
    /// Says who runs on the device from `now` on.
    ///
    /// Asked whenever something about the device's ready groups changed or the time of [`Decision::again`] has come. May be
    /// asked several times for one moment with some groups left out (they are held back on another device), and only the
    /// last answer comes true; what came true is told by [`Policy::on_run`].
    fn decide(&self, device: &DeviceView<'_>, now: Time, decision: &mut Decision);

    /// How urgent a queue is. What the policy then is told of as priorities are these: a group's is that of its most urgent ready queue. Asked
    /// when something about the queue has changed, and when the time of [`Rank::until`] has come.
    fn rank(&self, queue: &Subject<'_>, now: Time) -> Rank {
        let _ = now;
        Rank::from(queue.hints.priority())
    }

    /// Whether a group of priority `other` that becomes ready may take the device from a running one of priority `own`: the latter
    /// then keeps only a small window in flight. May depend only on which of the two priorities is higher. Policies that take
    /// turns leave it at yes.
    fn preempts(&self, other: i64, own: i64) -> bool {
        let _ = (other, own);
        true
    }

    /// Whether it certainly does: a running group of priority `own` is held back by the next decision, whatever else is ready, if a
    /// group of priority `other` becomes ready. Policies that take turns leave it at no.
    fn preempts_at_once(&self, other: i64, own: i64) -> bool {
        let _ = (other, own);
        false
    }

    /// Whether on each device all ready groups of the highest priority run, nobody else does, and no idle one below them may start; and a queue has the same
    /// priority ready and idle. Then it is known beforehand whose becoming ready changes anything for others.
    fn goes_by_priority_alone(&self) -> bool {
        false
    }

    /// Whether a group may be held back although nobody else wants the device: it then keeps a small window in any case.
    fn holds_alone(&self) -> bool {
        false
    }

    /// Whether it looks at all devices of the machine at once. Then they are all decided whenever something changed on one of them,
    /// [`DeviceView::top`] is that of the machine, and who runs on one device counts as holding back those who wait on another.
    fn is_machine_wide(&self) -> bool {
        false
    }

    /// The time has come to `now`, and a decision about the device follows.
    fn on_time(&mut self, device: DeviceId, now: Time) {
        let _ = (device, now);
    }

    /// The group is ready on the device, or something about it has changed. A policy that takes over is told of all.
    fn on_ready(&mut self, device: DeviceId, unit: &Unit, now: Time) {
        let _ = (device, unit, now);
    }

    /// The group is ready on the device no more.
    fn on_idle(&mut self, device: DeviceId, group: GroupId, now: Time) {
        let _ = (device, group, now);
    }

    /// This answer is the one that comes true.
    fn on_decision(&mut self, device: DeviceId, decision: &Decision, now: Time) {
        let _ = (device, decision, now);
    }

    /// Whether runs follow one another: a run lasts until what was launched in it is done, so that the group counts as running for a while
    /// after its gate was closed, and the next one begins then; at the latest after [`Settings::handover`](crate::Settings::handover).
    fn takes_turns(&self) -> bool {
        false
    }

    /// Whether it matters when a group becomes ready whose most urgent queue has these hints. It then tells whenever it is done, which is else not
    /// asked of it unless somebody waits.
    fn goes_by_ready_time(&self, hints: &Hints) -> bool {
        let _ = hints;
        false
    }

    /// The group began or stopped to run on the device; be it because of a decision, or because it had waited for `max_suspend`.
    /// For policies that keep accounts beyond [`Unit::run_time`]. A policy that takes over is told who runs, and since when.
    fn on_run(&mut self, device: DeviceId, group: GroupId, run: Run, now: Time) {
        let _ = (device, group, run, now);
    }

    /// What an operator should know about the group on the device: what it was promised, or refused.
    fn remark(&self, device: DeviceId, group: GroupId) -> Option<String> {
        let _ = (device, group);
        None
    }

    /// Those about whom [`Policy::remark`] says something else than before. They are taken out; asked after each decision.
    fn take_news(&mut self) -> Vec<(DeviceId, GroupId)> {
        Vec::new()
    }

    /// The group has no queue on the device any more: forget it.
    fn on_leave(&mut self, device: DeviceId, group: GroupId) {
        let _ = (device, group);
    }
}

/// A ready group on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The group.
    pub group: GroupId,
    /// The process whose it is; of a group of several, the first one that has queues on this device. Several groups may be of one process:
    /// under a local scheduler each queue is a group.
    pub process: ClientId,
    /// Priority of its most urgent ready queue, as [`Policy::rank`] has it; of a group that is ready on several devices, the highest of all of them, so
    /// that one top group is top everywhere.
    pub priority: i64,
    /// Hints of its most urgent ready queue on this device.
    pub hints: Hints,
    /// What it asks for, in percent of the device: the utilization of its process, or of its ready queues if they have hints of
    /// their own, or of all of these together; at most 100.
    pub weight: u32,
    /// All that it has on any device can be taken off it at any moment: [`xsched_core::Fact::Interruptible`], of all of its processes.
    pub is_interruptible: bool,
    /// Since when it has been ready on this device.
    pub ready_since: Time,
    /// Since when it has been running on this device; `None` while it is held back.
    pub running_since: Option<Time>,
    /// How long it ran before that, since its first queue on this device was made.
    pub ran: Duration,
}

impl Unit {
    /// How long it has run on this device, the present run included. Time counts while it is ready and not held back,
    /// whether or not it shared the device meanwhile; see also [`Policy::takes_turns`].
    pub fn run_time(&self, now: Time) -> Duration {
        self.ran + self.running_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// One device as a policy sees it.
#[derive(Debug)]
pub struct DeviceView<'a> {
    device: DeviceId,
    readies: &'a Readies,
    without: &'a BTreeSet<GroupId>,
    top: Option<i64>,
}

impl<'a> DeviceView<'a> {
    pub(crate) fn new(
        device: DeviceId,
        readies: &'a Readies,
        without: &'a BTreeSet<GroupId>,
        top: Option<i64>,
    ) -> Self {
        DeviceView { device, readies, without, top }
    }

    /// Which device.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The ready groups, most urgent first, equally urgent ones by number. None of them has `PRIORITY_NO_EXECUTE`.
    pub fn ready(&self) -> impl Iterator<Item = &'a Unit> + '_ {
        self.readies.values().filter(|unit| self.admits(unit.group))
    }

    /// The highest priority of all ready groups of the device, or of the machine if the policy is [machine-wide](Policy::is_machine_wide).
    pub fn top(&self) -> Option<i64> {
        self.top
    }

    /// Whether the group may run: it is not held back on another device. For policies with an order of their own.
    pub fn admits(&self, group: GroupId) -> bool {
        !self.without.contains(&group)
    }
}

/// A policy's answer for one device. Empty at first: nobody runs, idle groups may start, not to be asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The ready groups that run; all others are held back.
    pub run: Running,
    /// The idle groups that are held back too, so that none of them slips in a first command before the policy is asked
    /// about it.
    pub held_idle: HeldIdle,
    /// When to ask again even if nothing changes: the end of a time slice.
    pub again: Option<Time>,
}

impl Default for Decision {
    fn default() -> Decision {
        Decision { run: Running::default(), held_idle: HeldIdle::Nobody, again: None }
    }
}

/// Which idle groups may not start on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldIdle {
    /// All may.
    Nobody,
    /// Those of a lower priority may not.
    Below(i64),
    /// Those may not that were ready within `contended_linger`: they are likely to be again. The cost so goes with the groups
    /// that use the device, not with those that are merely there.
    Recent,
}

impl HeldIdle {
    pub(crate) fn holds(self, priority: i64, is_recent: bool) -> bool {
        match self {
            HeldIdle::Nobody => false,
            HeldIdle::Below(floor) => priority < floor,
            HeldIdle::Recent => is_recent,
        }
    }

    /// The priority below which all are held.
    pub(crate) fn floor(self) -> i64 {
        match self {
            HeldIdle::Nobody | HeldIdle::Recent => i64::MIN,
            HeldIdle::Below(floor) => floor,
        }
    }
}

/// What happened to a group on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It is ready and not held back.
    Began,
    /// It was held back, or is ready no more; see also [`Policy::takes_turns`].
    Stopped {
        /// How long it ran.
        after: Duration,
    },
}

/// What is fixed about a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// Which one.
    pub kind: PolicyKind,
    /// Its name; case does not matter where it is read.
    pub name: &'static str,
    /// Its number in the C interface (`XPolicyType`).
    pub number: u32,
    /// Whether somebody always runs on a device where somebody is ready to.
    pub work_conserving: bool,
    /// The hints that it reads, and those that the scheduler reads under every policy.
    pub reads: &'static [HintKind],
    /// The facts about processes that it goes by. Nobody looks for others.
    pub wants: &'static [FactKind],
    /// One line of help: the first line of the policy's file.
    pub help: &'static str,
}

macro_rules! policies {
    ($($kind:ident = $number:literal, $module:ident, $name:literal, reads: [$($hint:ident)*], $(wants: [$($fact:ident)*],)? work_conserving: $conserving:literal;)+) => {
        /// Which policy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum PolicyKind { $(
            #[doc = concat!("`", $name, "`")]
            $kind = $number
        ),+ }

        /// Every policy, in the order of their numbers.
        pub const POLICIES: &[PolicyInfo] = &[$(*PolicyKind::$kind.info()),+];

        impl PolicyKind {
            /// What is fixed about this policy.
            pub const fn info(self) -> &'static PolicyInfo {
                match self { $(PolicyKind::$kind => const { &PolicyInfo {
                    kind: PolicyKind::$kind,
                    name: $name,
                    number: $number,
                    reads: &[$(HintKind::$hint,)* HintKind::Gap],
                    wants: &[$($(FactKind::$fact),*)?],
                    work_conserving: $conserving,
                    help: first_doc_line(include_str!(concat!(stringify!($module), ".rs"))),
                } }),+ }
            }

            /// A fresh policy of this kind.
            pub fn build(self) -> Box<dyn Policy> {
                match self { $(PolicyKind::$kind => Box::new($module::$kind::default())),+ }
            }
        }

        impl Value for PolicyKind {
            const EXPECTED: &'static str = concat!("the name of a policy:" $(, " ", $name)+);

            fn parse(text: &str) -> Result<Self, Expected> {
                let found = POLICIES.iter().find(|info| info.name.eq_ignore_ascii_case(text.trim()));
                found.map(|info| info.kind).ok_or_else(|| Expected::new(Self::EXPECTED))
            }

            fn show(&self) -> String {
                self.info().name.into()
            }
        }
    };
}

policies! {
    Hpf = 1, hpf, "HPF", reads: [Priority], work_conserving: true;
    Hhpf = 2, hhpf, "HHPF", reads: [Priority], work_conserving: false;
    Chpf = 3, chpf, "CHPF", reads: [], wants: [CpuPriority], work_conserving: true;
    Up = 4, up, "UP", reads: [Utilization Timeslice], work_conserving: true;
    Pup = 5, pup, "PUP", reads: [Utilization Timeslice], work_conserving: true;
    Spup = 6, spup, "SPUP", reads: [Utilization Timeslice], work_conserving: false;
    Kedf = 7, kedf, "KEDF", reads: [Deadline Kdeadline Priority], work_conserving: true;
    Lax = 8, lax, "LAX", reads: [Laxity LaxPriority CriticalPriority Priority], work_conserving: true;
    Awf = 9, awf, "AWF", reads: [Priority], wants: [ActiveWindow], work_conserving: true;
    Cfs = 10, cfs, "CFS", reads: [Priority Timeslice], work_conserving: true;
    Mlfq = 11, mlfq, "MLFQ", reads: [Timeslice], work_conserving: true;
    Edf = 64, edf, "EDF", reads: [Deadline Utilization Priority], work_conserving: true;
    Srtf = 65, srtf, "SRTF", reads: [Timeslice], work_conserving: true;
    Psl = 66, psl, "PSL", reads: [Utilization Timeslice], work_conserving: true;
}

impl PolicyKind {
    /// The policy with this number in the C interface.
    pub fn from_number(number: u32) -> Option<PolicyKind> {
        POLICIES.iter().find(|info| info.number == number).map(|info| info.kind)
    }
}

impl FromStr for PolicyKind {
    type Err = Expected;
    fn from_str(text: &str) -> Result<Self, Expected> {
        Value::parse(text)
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().name)
    }
}

/// The first `//!` line of a source file without its mark, at compile time.
const fn first_doc_line(source: &'static str) -> &'static str {
    let (_mark, mut line) = source.split_at("//! ".len());
    let mut end = 0;
    let mut rest = line.as_bytes();
    while let [byte, tail @ ..] = rest {
        if *byte == b'\n' {
            line = line.split_at(end).0;
            break;
        }
        end += 1;
        rest = tail;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_without_regard_to_case_and_numbers_read_back() {
        for info in POLICIES {
            assert_eq!(info.name.to_lowercase().parse(), Ok(info.kind));
            assert_eq!(info.kind.to_string().parse(), Ok(info.kind));
            assert_eq!(PolicyKind::from_number(info.number), Some(info.kind));
            assert_eq!(info.kind.info(), info);
            assert!(info.help.len() > 10 && !info.help.contains("//"), "{:?}", info.help);
        }
        assert_eq!(PolicyKind::from_number(0), None);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_names_that_exist() {
        let error = "FIFO".parse::<PolicyKind>().unwrap_err().to_string();
        assert!(POLICIES.iter().all(|info| error.contains(info.name)), "{error}");
    }
}
