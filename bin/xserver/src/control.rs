//! What control clients ask, and the answers.

use crate::clients::Guest;
use crate::guests::Guests;
use crate::logbook::Kind;
use crate::rights::Rights;
use crate::rulebook::line_of;
use std::collections::BTreeMap;
use xsched_core::hint::{HINTS, unread};
use xsched_core::status::{ClientStatus, QueueStatus, RulesStatus, ServerStatus};
use xsched_core::text::Value;
use xsched_core::{ClientId, DeviceId, Hint, HintKind, HintSource, Level, QueueId, Time};
use xsched_ipc::control::{Reply, Request, Target};
use xsched_ipc::peer::Credentials;
use xsched_sched::{POLICIES, PolicyKind};

/// Queues in one reply of a list: about half a packet.
const STRETCH: usize = 128;

/// A list under way.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The process to go on with, or the first one behind it, and the slot; `None` at the end.
    at: Option<(ClientId, usize)>,
    count: u32,
    /// As of when times are told.
    now: Time,
}

impl Default for Listing {
    fn default() -> Listing {
        Listing { at: Some((ClientId(0), 0)), count: 0, now: Time::ZERO }
    }
}

/// What is answered: a reply with what belongs to it, or a list, which is made bit by bit because it may be long.
#[derive(Debug)]
pub(crate) enum Answered {
    Replies(Vec<Reply>),
    List(Listing),
}

/// Does what `who` asks for, as far as it may. A turn has to follow.
pub(crate) fn answer(
    guests: &mut Guests,
    rights: &Rights,
    who: &Credentials,
    request: Request,
    now: Time,
) -> Answered {
    let done = match request {
        Request::List => return Answered::List(Listing { now, ..Listing::default() }),
        Request::Status => Ok(Reply::Server(status(guests, rights, who, now))),
        Request::Follow { from } => {
            let (next, lost, list) = guests.scheduler.ledger.chronicle.read(from, now);
            Ok(Reply::Happenings { next, lost, list })
        }
        Request::Policy => Ok(policy(guests)),
        Request::SetPolicy { name } => set_policy(guests, rights, who, &name, now),
        Request::Hint { target, kind, value } => hint(guests, rights, who, target, (kind, Some(value)), now),
        Request::Unset { target, kind } => hint(guests, rights, who, target, (kind, None), now),
        Request::Rules => return Answered::Replies(rules(guests, rights)),
        Request::ReloadRules => match reload_rules(guests, rights, who, now) {
            Ok(()) => return Answered::Replies(rules(guests, rights)),
            Err(why) => Err(why),
        },
    };
    Answered::Replies(vec![done.unwrap_or_else(Reply::Refused)])
}

impl Listing {
    /// The next process, or the next of its queues, or the end of the list, which is not to be asked for more.
    pub(crate) fn next(&mut self, guests: &Guests) -> Reply {
        let there = self.at.and_then(|(from, slot)| Some((from, slot, guests.table.range(from..).next()?)));
        let Some((from, slot, (client, guest))) = there else {
            return Reply::Done { count: self.count, note: None };
        };
        // The process that the list was at may be gone.
        let slot = if *client == from { slot } else { 0 };
        self.count += u32::from(slot == 0);
        let (status, next) = client_status(guests, *client, guest, slot, self.now);
        self.at = match next {
            Some(slot) => Some((*client, slot)),
            None => client.0.checked_add(1).map(|client| (ClientId(client), 0)),
        };
        Reply::Client(status)
    }
}

fn status(guests: &Guests, rights: &Rights, who: &Credentials, now: Time) -> ServerStatus {
    let policy = guests.scheduler.policy();
    ServerStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        policy: policy_name(guests),
        clients: guests.table.len() as u32,
        queues: guests.scheduler.queue_count() as u32,
        devices: guests.device_keys(),
        policy_reads: policy.map(|policy| policy.info().reads.to_vec()).unwrap_or_default(),
        priority_ceiling: rights.ceiling_of(who),
        may_steer_all: rights.is_trusted(who),
        totals: Some(guests.scheduler.ledger.totals(now)),
    }
}

fn policy_name(guests: &Guests) -> String {
    guests.scheduler.policy().map(|policy| policy.to_string()).unwrap_or_default()
}

fn policy(guests: &Guests) -> Reply {
    let available = POLICIES.iter().map(|info| (info.name.into(), info.help.into())).collect();
    Reply::Policy { current: policy_name(guests), available }
}

fn set_policy(
    guests: &mut Guests,
    rights: &Rights,
    who: &Credentials,
    name: &str,
    now: Time,
) -> Result<Reply, String> {
    rights.check_server(who)?;
    let new = PolicyKind::parse(name).map_err(|expected| {
        let start: String = name.chars().take(64).collect();
        format!("{start:?} is not a policy; {expected}")
    })?;
    let before = policy_name(guests);
    guests.scheduler.set_policy(new, now);
    if guests.log.admits(Kind::Change, who.uid, now) {
        tracing::info!("policy {before} -> {new} by uid {} pid {}", who.uid, who.pid);
    }
    Ok(policy(guests))
}

fn hint(
    guests: &mut Guests,
    rights: &Rights,
    who: &Credentials,
    target: Target,
    (kind, value): (HintKind, Option<i64>),
    now: Time,
) -> Result<Reply, String> {
    let read = |value| Hint::new(kind, value).map_err(|expected| format!("{value} is not valid; {expected}"));
    let hint = value.map(read).transpose()?;
    let (targets, name) = resolve(guests, &target)?;
    for (_, owner) in &targets {
        match hint {
            Some(hint) => rights.check_hint(who, *owner, hint)?,
            None => rights.check_process(who, *owner)?,
        }
    }
    let source = if rights.is_trusted(who) { HintSource::Operator } else { HintSource::User };
    let (mut count, mut covered) = (0, None);
    for &(client, _) in &targets {
        let queue = match target {
            Target::Queue(queue) => Some(queue),
            Target::Client(_) | Target::Pid(_) => None,
        };
        guests.tell(client, kind, now, |told| match (queue, hint) {
            (Some(queue), Some(hint)) => told.set_queue(queue, source, hint),
            (Some(queue), None) => drop(told.unset_queue(queue, source, kind)),
            (None, Some(hint)) => told.set(source, hint),
            (None, None) => drop(told.unset(source, kind)),
        });
        count += queue.map_or_else(|| guests.scheduler.queues_of(client).count() as u32, |_| 1);
        let rule = hint.and_then(|_| stronger_rule(guests, client, kind, source));
        covered = covered.or(rule);
    }
    if guests.log.admits(Kind::Change, who.uid, now) {
        let change = value.map_or_else(|| "taken back".into(), |value| format!("set to {value}"));
        tracing::info!("{} of {name} {change} by uid {} pid {}", kind.info().name, who.uid, who.pid);
    }
    let policy = guests.scheduler.policy().map(PolicyKind::info);
    let is_unread = |policy: &&xsched_sched::PolicyInfo| hint.is_some() && !policy.reads.contains(&kind);
    let unread = policy.filter(is_unread).map(|policy| unread(policy.name, kind));
    // What the policy thinks of it now.
    guests.turn_early(now);
    let devices = targets.iter().flat_map(|(client, _)| guests.devices_of(*client));
    let remark = devices.filter_map(|(client, device)| guests.scheduler.remark(client, device)).next();
    let notes: Vec<String> = covered.into_iter().chain(unread).chain(remark).collect();
    Ok(Reply::Done { count, note: (!notes.is_empty()).then(|| notes.join("; ")) })
}

/// What to say to whoever is less than a rule.
fn stronger_rule(guests: &Guests, client: ClientId, kind: HintKind, source: HintSource) -> Option<String> {
    let guest = guests.table.get(&client)?;
    let (value, held) = guest.told.held(kind);
    let line = line_of(&guest.class, kind).filter(|_| held > source)?;
    let place = guests.rules.place(line);
    Some(format!("{} stays {value}: the rule {place} goes before what its user says", kind.info().name))
}

/// The rules in force, each in a reply of its own, with how many processes match it of those that were asked about.
fn rules(guests: &Guests, rights: &Rights) -> Vec<Reply> {
    // Long lists of patterns are cut, so that each fits into its packet.
    const LONGEST: usize = 4096;
    let mut processes: BTreeMap<u32, u32> = BTreeMap::new();
    let is_asked = |(client, _): &(&ClientId, _)| !guests.unclassified.contains(client);
    for line in guests.table.iter().filter(is_asked).flat_map(|(_, guest)| &guest.class.lines) {
        *processes.entry(*line).or_default() += 1;
    }
    let reads = guests.scheduler.policy().map(|policy| policy.info().reads).unwrap_or_default();
    let count = |line| processes.get(&line).copied().unwrap_or(0);
    let RulesStatus { file, rules, mut notes } = guests.rules.status(rights, reads, count);
    let more = guests.unclassified.len();
    if more > 0 {
        notes.insert(
            0,
            format!(
                "not counted, because they are yet to be looked at: {more} more of the attached processes"
            ),
        );
    }
    let rules = rules.into_iter().map(|mut rule| {
        if let Some((end, _)) = rule.whom.char_indices().nth(LONGEST) {
            rule.whom.truncate(end);
            rule.whom.push('…');
        }
        Reply::Rule(rule)
    });
    let notes = notes.into_iter().take(20).collect();
    rules.chain([Reply::Rules(RulesStatus { file, rules: Vec::new(), notes })]).collect()
}

fn reload_rules(guests: &mut Guests, rights: &Rights, who: &Credentials, now: Time) -> Result<(), String> {
    // Enough to mend a file by; a packet holds no more than so much text.
    const SHOWN: usize = 20;
    // So many processes are looked at before the answer, which counts them. The others take longer than anybody should wait.
    const AT_ONCE: usize = 8;
    rights.check_server(who)?;
    let read = guests.reload_rules();
    for client in guests.unclassified.iter().take(AT_ONCE).copied().collect::<Vec<_>>() {
        guests.classify(client, rights, now);
    }
    read.map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .take(SHOWN)
            .map(|problem| problem.to_string().chars().take(1000).collect())
            .collect();
        let more = match problems.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("\nand {more} more"),
        };
        format!("{}{more}\nthe rules stay as they were", lines.join("\n"))
    })
}

/// The processes that are meant, with their users, and a name for the log.
fn resolve(guests: &Guests, target: &Target) -> Result<(Vec<(ClientId, u32)>, String), String> {
    let found = |client: &ClientId| guests.table.get(client).map(|guest| (*client, guest.credentials.uid));
    match target {
        Target::Queue(queue) => {
            let owner = guests.places.get(queue).and_then(|(client, _)| found(client));
            Ok((vec![owner.ok_or_else(|| format!("there is no queue {queue}"))?], queue.to_string()))
        }
        Target::Client(client) => {
            let owner = found(client).ok_or_else(|| format!("there is no process {client}"))?;
            Ok((vec![owner], client.to_string()))
        }
        Target::Pid(pid) => {
            let of_pid = guests.table.iter().filter(|(_, guest)| *pid != 0 && guest.credentials.pid == *pid);
            let all: Vec<_> = of_pid.map(|(client, guest)| (*client, guest.credentials.uid)).collect();
            if all.is_empty() {
                return Err(format!("no process with pid {pid} is attached"));
            }
            Ok((all, format!("pid {pid}")))
        }
    }
}

/// The process with its queues from `slot` on, as many as fit, and the slot to go on with.
/// What an operator should know of a guest on a device: what the policy says, or that it is not interrupted there although it could be.
fn remark(guests: &Guests, client: ClientId, guest: &Guest, device: DeviceId) -> Option<String> {
    let refusal = || guest.refusal(device).map(|why| format!("not interrupted there: {why}"));
    guests.scheduler.remark(client, device).or_else(refusal)
}

fn client_status(
    guests: &Guests,
    client: ClientId,
    guest: &Guest,
    slot: usize,
    now: Time,
) -> (ClientStatus, Option<usize>) {
    let scheduler = &guests.scheduler;
    // Those that somebody gave, and the priority.
    let held = |queue: Option<QueueId>| {
        let held = |kind| queue.map_or(guest.told.held(kind), |queue| guest.told.held_by(queue, kind));
        let all = HINTS.iter().map(|info| (info.kind, held(info.kind)));
        let is_shown = |(kind, (_, source)): &(HintKind, (i64, HintSource))| {
            *kind == HintKind::Priority || *source != HintSource::Default
        };
        all.filter(is_shown)
            .map(|(kind, held)| (kind, held.0, guests.origin(guest, kind, held)))
            .collect::<Vec<_>>()
    };
    // Of most queues it is the same, and they may be many.
    let common = held(None);
    let mut found = guest.queues_from(slot);
    let queues = found.by_ref().take(STRETCH).filter_map(|(_, known, slot)| {
        let own = guest.told.has_own(known.queue).then(|| held(Some(known.queue)));
        let held = own.as_ref().unwrap_or(&common);
        Some(QueueStatus {
            queue: known.queue,
            device_id: known.device,
            device: guest.key(known.device)?.clone(),
            level: if guest.is_interruptible(known.device) { Level::Interrupt } else { known.level },
            ready: scheduler.is_ready(known.queue),
            suspended: scheduler.is_suspended(client, known.device),
            windowed: scheduler.is_windowed(client, known.device),
            awaited: scheduler.is_awaited(client, known.device),
            launched: slot.activity.snapshot().launched(),
            completed: slot.completed.load(std::sync::atomic::Ordering::Relaxed),
            suspensions: scheduler.suspensions(client, known.device),
            hints: held.iter().map(|(kind, value, _)| (*kind, *value)).collect(),
            origins: held.iter().map(|(kind, _, origin)| (*kind, origin.clone())).collect(),
            remark: remark(guests, client, guest, known.device),
            times: scheduler.ledger.times(known.queue, now),
        })
    });
    let status = ClientStatus {
        client,
        pid: guest.credentials.pid,
        uid: guest.credentials.uid,
        program: guest.program.clone(),
        container: guest.container.clone(),
        group: guest.group,
        group_name: guest.group_name.clone(),
        refused_priority: guest.refused_priority.filter(|_| {
            let (_, source) = guest.told.held(HintKind::Priority);
            source == HintSource::Environment
        }),
        level_limit: guests.limit(guest.class.level),
        threshold: guests.limit(guest.class.threshold),
        accounts: if slot == 0 { scheduler.ledger.accounts(client, now) } else { Vec::new() },
        queues: queues.collect(),
    };
    (status, found.next().map(|(slot, ..)| slot))
}
