//! What control clients ask, and the answers.

use crate::clients::Guest;
use crate::guests::Guests;
use crate::logbook::Kind;
use crate::rights::Rights;
use std::collections::BTreeMap;
use xsched_core::hint::unread;
use xsched_core::status::{ClientStatus, QueueStatus, ServerStatus};
use xsched_core::text::Value;
use xsched_core::{ClientId, Event, Hint, HintKind, QueueId, Time};
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
}

impl Default for Listing {
    fn default() -> Listing {
        Listing { at: Some((ClientId(0), 0)), count: 0 }
    }
}

/// What is answered: one reply, or a list, which is made bit by bit because it may be long.
#[derive(Debug)]
pub(crate) enum Answered {
    Reply(Reply),
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
        Request::List => return Answered::List(Listing::default()),
        Request::Status => Ok(Reply::Server(status(guests, rights, who))),
        Request::Policy => Ok(policy(guests)),
        Request::SetPolicy { name } => set_policy(guests, rights, who, &name, now),
        Request::Hint { target, kind, value } => hint(guests, rights, who, target, (kind, value), now),
    };
    Answered::Reply(done.unwrap_or_else(Reply::Refused))
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
        let (status, next) = client_status(guests, *client, guest, slot);
        self.at = match next {
            Some(slot) => Some((*client, slot)),
            None => client.0.checked_add(1).map(|client| (ClientId(client), 0)),
        };
        Reply::Client(status)
    }
}

fn status(guests: &Guests, rights: &Rights, who: &Credentials) -> ServerStatus {
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
    guests.scheduler.set_policy(new);
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
    (kind, value): (HintKind, i64),
    now: Time,
) -> Result<Reply, String> {
    let hint = Hint::new(kind, value).map_err(|expected| format!("{value} is not valid; {expected}"))?;
    let (targets, name) = resolve(guests, &target)?;
    for (_, owner) in &targets {
        rights.check_hint(who, *owner, hint)?;
    }
    let mut count = 0;
    for (client, _) in targets {
        match target {
            Target::Queue(queue) => {
                guests.scheduler.handle(Event::QueueHint { queue, hint }, now);
                count += 1;
            }
            Target::Client(_) | Target::Pid(_) => {
                guests.scheduler.handle(Event::ClientHint { client, hint }, now);
                if let Some(guest) = guests.table.get_mut(&client).filter(|_| kind == HintKind::Priority) {
                    guest.refused_priority = None;
                }
                count += guests.scheduler.queues_of(client).count() as u32;
            }
        }
    }
    if guests.log.admits(Kind::Change, who.uid, now) {
        tracing::info!("{} of {name} set to {value} by uid {} pid {}", kind.info().name, who.uid, who.pid);
    }
    let policy = guests.scheduler.policy().map(PolicyKind::info);
    let note = policy.filter(|policy| !policy.reads.contains(&kind)).map(|policy| unread(policy.name, kind));
    Ok(Reply::Done { count, note })
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
fn client_status(
    guests: &Guests,
    client: ClientId,
    guest: &Guest,
    slot: usize,
) -> (ClientStatus, Option<usize>) {
    let scheduler = &guests.scheduler;
    let hints = |queue: QueueId| -> BTreeMap<HintKind, i64> {
        let hints = scheduler.queue(queue).map(|view| view.hints).unwrap_or_default();
        let given = hints.iter().map(|hint| (hint.kind(), hint.value()));
        [(HintKind::Priority, hints.priority())].into_iter().chain(given).collect()
    };
    let mut found = guest.queues_from(slot);
    let queues = found.by_ref().take(STRETCH).filter_map(|(_, known, slot)| {
        Some(QueueStatus {
            queue: known.queue,
            device_id: known.device,
            device: guest.key(known.device)?.clone(),
            level: known.level,
            ready: scheduler.is_ready(known.queue),
            suspended: scheduler.is_suspended(client, known.device),
            windowed: scheduler.is_windowed(client, known.device),
            awaited: scheduler.is_awaited(client, known.device),
            launched: slot.activity.snapshot().launched(),
            completed: slot.completed.load(std::sync::atomic::Ordering::Relaxed),
            suspensions: scheduler.suspensions(client, known.device),
            hints: hints(known.queue),
        })
    });
    let status = ClientStatus {
        client,
        pid: guest.credentials.pid,
        uid: guest.credentials.uid,
        program: guest.program.clone(),
        group: guest.group,
        group_name: guest.group_name.clone(),
        refused_priority: guest.refused_priority,
        queues: queues.collect(),
    };
    (status, found.next().map(|(slot, ..)| slot))
}
