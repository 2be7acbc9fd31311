//! Turns: one account has the device at a time. What all policies that work so have in common; what differs is a [`Rule`].
//!
//! An *account* is a group, or a process with all its groups. Ready accounts stand in the order that the rule gives them; whose turn it is
//! goes on until its end, or until the rule says that the next one replaces it. A turn lasts until what was launched in it is done, and is
//! charged for it; several may be on the device nevertheless, with a kernel longer than the handover, or an account that got its
//! `max_suspend` due: the time is then divided evenly among them.
//!
//! Who can be taken off the device at any moment is waited for by nobody: its turn ends when it is over. To change hands takes some calls then, so turns by weight are longer ([`BY_CALLS`]),
//! and each begins with that change: all turns lose the same, and what is charged is the device's time.
//!
//! Invariants: a ready account stands in `order`, and in `alarms` if it has one; `running` names the accounts that have groups that run, and
//! they are charged up to `counted`. Absent: what an account is worth, and every constant of time.

use super::{Decision, DeviceView, HeldIdle, Policy, Run, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use xsched_core::id::IdMap;
use xsched_core::{DeviceId, GroupId, HintKind, Hints, Time};

/// How far behind one must be that comes back from idleness to end another one's turn: to change hands costs about this.
pub(super) const WORTH_A_CHANGE: Duration = Duration::from_millis(1);

/// The least length of turns that nobody gave a length, where the device is handed over by calls that take one off it and let the next one on: some 0.4 ms, in which it does nothing.
const BY_CALLS: Duration = Duration::from_millis(30);
/// The least length of any turn there: a tenth is lost.
const LEAST_BY_CALLS: Duration = Duration::from_millis(5);

/// Who pays for a turn: a group or a process, the same for all units under one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Payer(u32);

impl Payer {
    pub(super) fn group(unit: &Unit) -> Payer {
        Payer(unit.group.0)
    }

    pub(super) fn process(unit: &Unit) -> Payer {
        Payer(unit.process.0)
    }
}

/// What a group asks for; of an account with several, the most that one of its ready groups does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// Its part of the device, in a unit of the rule's.
    pub(super) weight: u32,
    /// How long its turns are.
    pub(super) timeslice: Duration,
}

/// What differs between policies of turns. There is one per device.
pub(super) trait Rule: fmt::Debug + Default + Send {
    /// What is remembered of an account.
    type State: fmt::Debug + Send;
    /// Least first. Depends on nothing but the state.
    type Order: Ord + Copy + fmt::Debug + Send;

    /// Whether a turn has to be earned before it begins, see [`Rule::begins_at`]: somebody may be ready and nobody run.
    const MUST_BE_EARNED: bool = false;
    /// Whether it matters how long an account was idle although nobody waited meanwhile, see [`Policy::goes_by_ready_time`].
    const GOES_BY_READY_TIME: bool = false;

    /// How long a turn is matters to nothing but what changes of hands cost.
    const HAS_ANY_LENGTH: bool = false;

    /// Whose turn it is when this unit runs.
    fn payer(unit: &Unit) -> Payer {
        Payer::group(unit)
    }

    /// What the unit's part of the device is.
    fn weight(unit: &Unit) -> u32 {
        unit.weight
    }

    /// The state of an account that was not there before.
    fn open(&self, now: Time) -> Self::State;

    /// The account is ready (it was not before if it `arrives`), or it asks for something else.
    fn on_ready(&self, state: &mut Self::State, ask: Ask, arrives: bool, now: Time);

    /// It is ready no more.
    fn on_idle(&self, state: &mut Self::State, now: Time);

    /// It begins or stops to run.
    fn on_run(&self, state: &mut Self::State, runs: bool, now: Time) {
        let _ = (state, runs, now);
    }

    /// It had this much of the device.
    fn charge(&self, state: &mut Self::State, ran: Duration, now: Time);

    /// When something becomes of it by itself, as long as it is ready. Depends on nothing but the state.
    fn alarm(state: &Self::State) -> Option<Time> {
        let _ = state;
        None
    }

    /// The time of its alarm has come.
    fn on_alarm(&self, state: &mut Self::State, now: Time) {
        let _ = (state, now);
    }

    /// It is `now` on the device, and this is the first of the ready accounts.
    fn pass(&mut self, first: Option<&Self::State>, now: Time) {
        let _ = (first, now);
    }

    /// Where it stands among the ready ones.
    fn order(state: &Self::State) -> Self::Order;

    /// How long its turn would be.
    fn turn(state: &Self::State) -> Duration;

    /// When it may begin a turn; `None` for not until something else happens. Who comes later in the order may not begin before.
    fn begins_at(&self, state: &Self::State, now: Time) -> Option<Time> {
        let _ = state;
        Some(now)
    }

    /// Whether the first one that waits is to run now, instead of the one whose turn it is or was last.
    fn replaces(&self, next: &Account<Self::State>, holder: &Account<Self::State>, at: Moment) -> bool;
}

/// How a turn stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) began: Time,
    /// Its end has come.
    pub(super) is_over: bool,
}

/// One who has turns.
#[derive(Debug)]
pub(super) struct Account<S> {
    payer: Payer,
    /// Its groups that are ready.
    asks: BTreeMap<GroupId, Ask>,
    /// Groups that it has, and those of them that run.
    groups: usize,
    running: usize,
    ready_since: Option<Time>,
    pub(super) state: S,
}

impl<S> Account<S> {
    pub(super) fn runs(&self) -> bool {
        self.running > 0
    }

    /// Whether it became ready later than that.
    pub(super) fn has_come_since(&self, time: Time) -> bool {
        self.ready_since.is_some_and(|since| since > time)
    }

    fn is_ready(&self) -> bool {
        !self.asks.is_empty()
    }

    fn is_admitted(&self, view: &DeviceView<'_>) -> bool {
        self.asks.keys().any(|&group| view.admits(group))
    }

    fn ask(&self) -> Ask {
        self.asks.values().fold(Ask::default(), |most, ask| Ask {
            weight: most.weight.max(ask.weight),
            timeslice: most.timeslice.max(ask.timeslice),
        })
    }
}

/// A policy of turns by one rule.
#[derive(Debug)]
pub(super) struct Turns<R: Rule> {
    devices: BTreeMap<DeviceId, Device<R>>,
}

#[derive(Debug)]
struct Device<R: Rule> {
    rule: R,
    accounts: IdMap<Payer, Account<R::State>>,
    groups: IdMap<GroupId, Member>,
    order: BTreeSet<(R::Order, Payer)>,
    alarms: BTreeSet<(Time, Payer)>,
    /// One, mostly.
    running: Vec<Payer>,
    counted: Time,
    turn: Option<Turn>,
}

/// A group as a part of its account.
#[derive(Clone, Copy, Debug)]
struct Member {
    payer: Payer,
    runs: bool,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    payer: Payer,
    began: Time,
    end: Time,
}

impl<R: Rule> Default for Turns<R> {
    fn default() -> Self {
        Turns { devices: BTreeMap::new() }
    }
}

impl<R: Rule> Default for Device<R> {
    fn default() -> Self {
        Device {
            rule: R::default(),
            accounts: IdMap::default(),
            groups: IdMap::default(),
            order: BTreeSet::new(),
            alarms: BTreeSet::new(),
            running: Vec::new(),
            counted: Time::ZERO,
            turn: None,
        }
    }
}

impl<R: Rule> Turns<R> {
    /// Whether nobody has queues.
    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// The groups that are ready.
    pub(super) fn ready(&self, id: DeviceId) -> impl Iterator<Item = GroupId> + '_ {
        let accounts = self.devices.get(&id).into_iter().flat_map(Device::ready);
        accounts.flat_map(|account| account.asks.keys().copied())
    }

    /// Whether the group is ready, and the turn is its account's, or was last, or is to be the next if it is nobody's.
    pub(super) fn has_turn(&self, id: DeviceId, group: GroupId) -> bool {
        let Some(device) = self.devices.get(&id) else { return false };
        let holder = device.holder().map(|(holder, _)| holder).or_else(|| device.ready().next());
        holder.is_some_and(|holder| holder.asks.contains_key(&group))
    }
}

impl<R: Rule> Policy for Turns<R> {
    fn decide(&self, view: &DeviceView<'_>, now: Time, decision: &mut Decision) {
        if let Some(device) = self.devices.get(&view.device()) {
            device.decide(view, now, decision);
        }
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn goes_by_ready_time(&self, _hints: &Hints) -> bool {
        R::GOES_BY_READY_TIME
    }

    fn holds_alone(&self) -> bool {
        R::MUST_BE_EARNED
    }

    fn on_time(&mut self, id: DeviceId, now: Time) {
        if let Some(device) = self.devices.get_mut(&id) {
            device.count(now);
        }
    }

    fn on_ready(&mut self, id: DeviceId, unit: &Unit, now: Time) {
        let device = self.devices.entry(id).or_default();
        device.count(now);
        device.enter(unit, now);
        device.pass(now);
    }

    fn on_idle(&mut self, id: DeviceId, group: GroupId, now: Time) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.count(now);
        device.rest(group, now);
        device.pass(now);
    }

    fn on_decision(&mut self, id: DeviceId, decision: &Decision, now: Time) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        let holder = device.holder().filter(|(holder, turn)| !holder.runs() || now < turn.end);
        let holder = holder.map(|(holder, _)| holder.payer);
        let next = decision
            .run
            .named()
            .first()
            .and_then(|group| device.groups.get(group))
            .map(|member| member.payer);
        if next.is_none() || next != holder {
            let next = next.and_then(|payer| device.accounts.get(&payer));
            device.turn = next.map(|account| Turn::of::<R>(account, now));
        }
    }

    fn on_run(&mut self, id: DeviceId, group: GroupId, run: Run, now: Time) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.count(now);
        let begins = device.run(group, run == Run::Began, now);
        // A turn begins when the device is free for it.
        if let Some(account) = begins.and_then(|payer| device.accounts.get(&payer))
            && let Some(turn) = device.turn.as_mut().filter(|turn| turn.payer == account.payer)
        {
            *turn = Turn::of::<R>(account, now);
        }
        device.pass(now);
    }

    fn on_leave(&mut self, id: DeviceId, group: GroupId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.leave(group);
        if device.accounts.is_empty() {
            self.devices.remove(&id);
        }
    }
}

impl Turn {
    fn of<R: Rule>(account: &Account<R::State>, now: Time) -> Turn {
        Turn { payer: account.payer, began: now, end: now + R::turn(&account.state) }
    }
}

impl<R: Rule> Device<R> {
    /// Everybody was charged, and every alarm has been, up to `now`.
    fn decide(&self, view: &DeviceView<'_>, now: Time, decision: &mut Decision) {
        if R::MUST_BE_EARNED {
            decision.held_idle = HeldIdle::Recent;
        }
        let may_begin = |account: &Account<R::State>| {
            self.rule.begins_at(&account.state, now).is_some_and(|begins| begins <= now)
        };
        let goes_on = |&(account, turn): &(&Account<R::State>, Turn)| {
            account.is_admitted(view) && (now < turn.end || !account.runs() || may_begin(account))
        };
        let holder = self.holder().filter(goes_on);
        let is_holder = |account: &Account<R::State>| holder.is_some_and(|(h, _)| h.payer == account.payer);
        let mut others = self.ready().filter(|account| account.is_admitted(view) && !is_holder(account));
        let first = others.next();
        let next = first.filter(|account| may_begin(account));
        let (runs, end) = match (holder, next) {
            (Some((holder, turn)), next) => {
                let moment = Moment { began: turn.began, is_over: holder.runs() && now >= turn.end };
                match next.filter(|next| self.rule.replaces(next, holder, moment)) {
                    Some(next) => (next, now + R::turn(&next.state)),
                    None if now < turn.end => (holder, turn.end),
                    None => (holder, now + R::turn(&holder.state)),
                }
            }
            (None, Some(next)) => (next, now + R::turn(&next.state)),
            (None, None) => {
                decision.again = first.and_then(|account| self.rule.begins_at(&account.state, now));
                return;
            }
        };
        decision.run.extend(runs.asks.keys().copied().filter(|&group| view.admits(group)));
        decision.held_idle = HeldIdle::Recent;
        // Whoever is alone goes on at the end of its turn, unless it has to earn another one.
        let has_end = self.order.len() > 1 || R::MUST_BE_EARNED;
        let alarm = self.alarms.first().map(|&(at, _)| at);
        decision.again = has_end.then(|| alarm.map_or(end, |alarm| alarm.min(end)));
    }

    fn ready(&self) -> impl Iterator<Item = &Account<R::State>> + '_ {
        self.order.iter().filter_map(|(_, payer)| self.accounts.get(payer))
    }

    /// Whose turn it is or was last, if it is ready.
    fn holder(&self) -> Option<(&Account<R::State>, Turn)> {
        let turn = self.turn?;
        let holder = self.accounts.get(&turn.payer).filter(|account| account.is_ready())?;
        Some((holder, turn))
    }

    /// A group is ready, or something about it changed.
    fn enter(&mut self, unit: &Unit, now: Time) {
        let payer = R::payer(unit);
        let moved = self.groups.get(&unit.group).is_some_and(|member| member.payer != payer);
        let runs = moved && self.leave(unit.group).is_some_and(|member| member.runs);
        let account = self.accounts.entry(payer).or_insert_with(|| Account {
            payer,
            asks: BTreeMap::new(),
            groups: 0,
            running: 0,
            ready_since: None,
            state: self.rule.open(now),
        });
        self.groups.entry(unit.group).or_insert_with(|| {
            account.groups += 1;
            Member { payer, runs: false }
        });
        let ask = Ask { weight: R::weight(unit), timeslice: timeslice::<R>(unit) };
        self.change(payer, |rule, account| {
            let arrives = !account.is_ready();
            if arrives {
                account.ready_since = Some(unit.ready_since);
            }
            account.asks.insert(unit.group, ask);
            let ask = account.ask();
            rule.on_ready(&mut account.state, ask, arrives, now);
        });
        if runs {
            self.run(unit.group, true, now);
        }
    }

    /// A group is ready no more.
    fn rest(&mut self, group: GroupId, now: Time) {
        let Some(&Member { payer, .. }) = self.groups.get(&group) else { return };
        self.change(payer, |rule, account| {
            if account.asks.remove(&group).is_none() {
                return;
            }
            if account.is_ready() {
                let ask = account.ask();
                rule.on_ready(&mut account.state, ask, false, now);
            } else {
                account.ready_since = None;
                rule.on_idle(&mut account.state, now);
            }
        });
    }

    /// A group begins or stops to run; answers its account if that begins with it.
    fn run(&mut self, group: GroupId, runs: bool, now: Time) -> Option<Payer> {
        let member = self.groups.get_mut(&group)?;
        if std::mem::replace(&mut member.runs, runs) == runs {
            return None;
        }
        let payer = member.payer;
        let mut turned = false;
        self.change(payer, |rule, account| {
            let before = account.runs();
            account.running = if runs { account.running + 1 } else { account.running.saturating_sub(1) };
            turned = before != account.runs();
            if turned {
                rule.on_run(&mut account.state, runs, now);
            }
        });
        if turned {
            self.running.retain(|&other| other != payer);
            self.running.extend(runs.then_some(payer));
        }
        (turned && runs).then_some(payer)
    }

    /// A group is gone; answers what it was. An account without groups goes with it.
    fn leave(&mut self, group: GroupId) -> Option<Member> {
        let member = self.groups.get(&group).copied()?;
        let now = self.counted;
        self.rest(group, now);
        self.run(group, false, now);
        self.groups.remove(&group);
        let account = self.accounts.get_mut(&member.payer)?;
        account.groups = account.groups.saturating_sub(1);
        if account.groups == 0 {
            self.accounts.remove(&member.payer);
        }
        Some(member)
    }

    /// Brings everything up to `now`: charges those who run, and lets alarms off.
    fn count(&mut self, now: Time) {
        let passed = now.since(self.counted);
        self.counted = self.counted.max(now);
        if !passed.is_zero() {
            let running = std::mem::take(&mut self.running);
            let part = passed / u32::try_from(running.len()).unwrap_or(u32::MAX).max(1);
            for &payer in &running {
                self.change(payer, |rule, account| rule.charge(&mut account.state, part, now));
            }
            self.running = running;
        }
        let last = (now, Payer(u32::MAX));
        let due: Vec<Payer> = self.alarms.range(..=last).map(|&(_, payer)| payer).collect();
        for payer in due {
            self.change(payer, |rule, account| rule.on_alarm(&mut account.state, now));
        }
        self.pass(now);
    }

    fn pass(&mut self, now: Time) {
        let first = self.order.first().and_then(|(_, payer)| self.accounts.get(payer));
        self.rule.pass(first.map(|account| &account.state), now);
    }

    /// Changes an account and where it stands.
    fn change(&mut self, payer: Payer, change: impl FnOnce(&R, &mut Account<R::State>)) {
        let Some(account) = self.accounts.get_mut(&payer) else { return };
        if account.is_ready() {
            self.order.remove(&(R::order(&account.state), payer));
            R::alarm(&account.state).map(|at| self.alarms.remove(&(at, payer)));
        }
        change(&self.rule, account);
        if account.is_ready() {
            self.order.insert((R::order(&account.state), payer));
            R::alarm(&account.state).map(|at| self.alarms.insert((at, payer)));
        }
    }
}

/// How long the unit's turns are.
fn timeslice<R: Rule>(unit: &Unit) -> Duration {
    let hint = Duration::from_micros(u64::try_from(unit.hints.get(HintKind::Timeslice)).unwrap_or(0));
    let is_free = R::HAS_ANY_LENGTH && unit.hints.given(HintKind::Timeslice).is_none();
    match (unit.is_interruptible, is_free) {
        (false, _) => hint,
        (true, true) => hint.max(BY_CALLS),
        (true, false) => hint.max(LEAST_BY_CALLS),
    }
}
