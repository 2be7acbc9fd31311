//! The loop: one thread owns everything, waits for all of it at once, and never waits for anybody in particular.
//!
//! Each turn: hear who has something to say, give a sign of life, let the scheduler decide, sleep until the next thing is due.
//! If this process dies or is frozen, its guests notice that the sign of life is missing and run on by themselves.

use crate::clients::Guest;
use crate::control::{self, Answered};
use crate::crowd::Crowd;
use crate::facts::Facts;
use crate::guests::Guests;
use crate::interrupt::Interrupts;
use crate::links::{Answer, Links, Role};
use crate::logbook::Kind;
use crate::manager::{Manager, Status};
use crate::pace::Pace;
use crate::poller::{Poller, Source, Wake};
use crate::recorder::Recorder;
use crate::rights::Rights;
use crate::rulebook::Rulebook;
use crate::signals::Signals;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::time::Duration;
use xsched_core::{ClientId, Hint, HintKind, Size, Time};
use xsched_ipc::Error;
use xsched_ipc::control::{Reply, Request};
use xsched_ipc::server::{
    self, Control, HEARTBEAT_CLOSELY, HEARTBEAT_EVERY, Listener, Message, Newcomer, Pulse, now,
};
use xsched_ipc::wire::VERSION;
use xsched_sched::Scheduler;

/// Guests at a time.
const MOST_GUESTS: usize = 4096;
/// For how long newcomers and control clients are heard in one turn, if there are so many.
const A_MOMENT: Duration = Duration::from_micros(200);
/// While news are heard in bulk, so many guests at most are heard at once. If it would have to be more, nothing is heard in bulk.
const MOST_IN_A_HURRY: usize = 16;
/// What is said of a peer that left.
const CLOSED: &str = "it closed the connection";

/// The server.
pub(crate) struct Server {
    poller: Poller,
    listener: Listener,
    signals: Signals,
    manager: Manager,
    pulse: Pulse,
    links: Links,
    guests: Guests,
    facts: Facts,
    /// `None` if nothing is to be interrupted on devices.
    interrupts: Option<Interrupts>,
    rights: Rights,
    crowd: Crowd,
    pace: Pace,
    /// Guests whose doorbells end a rest.
    in_a_hurry: BTreeSet<ClientId>,
    /// When to give a sign of life at the latest, if anybody is there.
    beat_due: Time,
    /// When the last turn began, which is a sign of life.
    beaten: Time,
    /// No fd was left for the next connection: when to try again.
    accepting_again: Option<Time>,
    is_ending: bool,
}

impl Server {
    pub(crate) fn new(
        listener: Listener,
        signals: Signals,
        manager: Manager,
        scheduler: Scheduler,
        rights: Rights,
        rules: Rulebook,
        display: Option<String>,
    ) -> Result<Server> {
        let poller = Poller::new().context("epoll_create failed")?;
        poller.add(&listener, Source::Listener, Wake::Readable).context("epoll_ctl failed")?;
        poller.add(&signals.end, Source::End, Wake::Readable).context("epoll_ctl failed")?;
        poller.add(&signals.reload, Source::Reload, Wake::Readable).context("epoll_ctl failed")?;
        let facts = Facts::new(display).context("eventfd failed")?;
        poller.add(facts.bell(), Source::Display, Wake::EachWrite).context("epoll_ctl failed")?;
        let mut guests = Guests::new(scheduler);
        guests.rules = rules;
        guests.scheduler.ledger.start(now());
        Ok(Server {
            poller,
            listener,
            signals,
            manager,
            pulse: Pulse::create()?,
            links: Links::new(most_files()),
            guests,
            facts,
            interrupts: Some(Interrupts::default()),
            rights,
            crowd: Crowd::default(),
            pace: Pace::default(),
            in_a_hurry: BTreeSet::new(),
            beat_due: Time::ZERO,
            beaten: Time::ZERO,
            accepting_again: None,
            is_ending: false,
        })
    }

    /// Has everything that the scheduler is told and decides recorded.
    pub(crate) fn record(&mut self, recorder: Recorder, limit: Size) {
        self.guests.scheduler.record(recorder, limit.as_bytes());
    }

    /// Has nothing interrupted on devices.
    pub(crate) fn leave_devices_alone(&mut self) {
        self.interrupts = None;
    }

    /// Serves until a signal ends it.
    pub(crate) fn run(mut self) -> Result<()> {
        let (mut next, mut sources, mut began) = (None, Vec::new(), now());
        self.manager.ready();
        while !self.is_ending {
            // Who stands in line is not waited for.
            let is_behind = !self.crowd.is_empty() || !self.guests.unclassified.is_empty();
            let until = if is_behind { Some(Time::ZERO) } else { self.until(next) };
            let rest = if is_behind { None } else { self.rest(began, now()) };
            rest.into_iter().for_each(|until| self.poller.rest(until));
            let rested = rest.map(|_| now());
            self.poller.wait(until, &mut sources).context("epoll_wait failed")?;
            for source in &sources {
                // After a rest there are many, and it is known who of them can preempt anybody.
                if let Source::Doorbell(client) = source
                    && (rest.is_none() || self.in_a_hurry.contains(client))
                {
                    self.guests.preempt_at_once(*client);
                }
            }
            let time = now();
            self.pulse.beat(time);
            self.beaten = time;
            began = rested.unwrap_or(time);
            for source in sources.drain(..) {
                match source {
                    Source::Link(_) | Source::Listener => self.crowd.add(source),
                    _ => self.hear(source, time),
                }
                // However much there is to hear from one, the others see that the server lives.
                self.pulse.beat(now());
            }
            while let Some(source) = self.crowd.next() {
                self.hear(source, time);
                let now = now();
                self.pulse.beat(now);
                if now.since(time) > A_MOMENT {
                    break;
                }
            }
            while let Some(client) = self.guests.unclassified.first().copied() {
                self.guests.classify(client, &self.rights, time);
                let now = now();
                self.pulse.beat(now);
                if now.since(time) > A_MOMENT {
                    break;
                }
            }
            if self.beat_due <= time {
                self.beat_due = time + HEARTBEAT_EVERY;
                self.read_all_rings(time);
                self.guests.audit(time);
                self.interrupts.iter_mut().for_each(|interrupts| interrupts.refresh(&mut self.guests));
                self.part_with_those_left_off(time);
            }
            if let Err((client, reason)) = self.guests.scan(time)
                && let Some(link) = self.guests.table.get(&client).map(|guest| guest.link)
            {
                self.drop_link(link, &reason, time);
            }
            self.look_after_links(time);
            self.limit_guests();
            self.facts.follow(&mut self.guests, now());
            next = self.turn(now());
            let due = match &mut self.interrupts {
                Some(interrupts) => {
                    let due = interrupts.follow(&mut self.guests, now());
                    let (guests, links) = (&self.guests, &self.links);
                    interrupts.say_vigils(|client, is_kept| {
                        let link = guests.table.get(&client).and_then(|guest| links.get(guest.link));
                        link.is_none_or(|link| link.connection.have_vigil(is_kept))
                    });
                    due
                }
                None => {
                    self.guests.touched.clear();
                    None
                }
            };
            next = next.into_iter().chain(due).min();
            self.manager.look(time, self.status());
        }
        self.end();
        Ok(())
    }

    /// Until when to rest after a turn, because news come fast; who must not wait that long is heard nevertheless.
    fn rest(&mut self, began: Time, now: Time) -> Option<Time> {
        let until = self.pace.rest(self.guests.news, began, now);
        let hurry = until.and_then(|_| self.guests.scheduler.in_a_hurry(MOST_IN_A_HURRY));
        let (until, hurry) =
            until.zip(hurry).map_or((None, BTreeSet::new()), |(until, hurry)| (Some(until), hurry));
        let mut is_known = true;
        for client in self.in_a_hurry.symmetric_difference(&hurry) {
            let link = self.guests.table.get(client).and_then(|guest| self.links.get(guest.link));
            let Some(Role::Guest { doorbell, .. }) = link.map(|link| &link.role) else { continue };
            let is_hurry = hurry.contains(client);
            is_known &= self.poller.hurry(doorbell, *client, is_hurry).is_ok() || !is_hurry;
        }
        self.in_a_hurry = hurry;
        until.filter(|_| is_known)
    }

    /// When to wake at the latest.
    fn until(&self, next: Option<Time>) -> Option<Time> {
        let is_watched =
            !self.guests.table.is_empty() || self.links.has_fresh() || self.accepting_again.is_some();
        let due = [
            next,
            is_watched.then_some(self.beat_due),
            self.interrupts
                .as_ref()
                .is_some_and(Interrupts::is_watched)
                .then(|| self.beaten + HEARTBEAT_CLOSELY),
            self.guests.scans.due(),
            self.guests.log.due(),
            self.facts.due(),
            self.guests.scheduler.flush_due(),
            self.manager.due(self.status()),
        ];
        due.into_iter().flatten().min()
    }

    fn hear(&mut self, source: Source, time: Time) {
        match source {
            Source::Listener => self.accept(time),
            Source::End => self.is_ending = true,
            Source::Display => self.facts.hear(&mut self.guests, time),
            Source::Reload => {
                self.signals.take_reload();
                self.manager.reloading(time);
                // What is wrong is in the log.
                let _ = self.guests.reload_rules();
                self.manager.ready();
            }
            Source::Link(number) => self.hear_link(number, time),
            Source::Process(number) => self.drop_link(number, "its process ended", time),
            Source::Doorbell(client) => {
                if let Err(reason) = self.guests.read_ring(client, time)
                    && let Some(link) = self.guests.table.get(&client).map(|guest| guest.link)
                {
                    self.drop_link(link, &reason, time);
                }
            }
        }
    }

    fn accept(&mut self, time: Time) {
        // Bounded, so that a crowd at the door does not keep those inside waiting.
        for _ in 0..16 {
            match self.listener.accept() {
                Ok(Some(connection)) => {
                    let uid = connection.credentials().uid;
                    if let Err(reason) = self.links.add(connection, time, &self.poller)
                        && self.guests.log.admits(Kind::Refused, uid, time)
                    {
                        tracing::warn!("refused a connection of uid {uid}: {reason}");
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    if self.guests.log.admits(Kind::NoRoom, 0, time) {
                        tracing::warn!("cannot take connections in for a moment: {error}");
                    }
                    self.accepting_again = Some(time + HEARTBEAT_EVERY);
                    let _ = self.poller.change(&self.listener, Source::Listener, Wake::Closed);
                    return;
                }
            }
        }
    }

    fn hear_link(&mut self, number: u32, time: Time) {
        let Some(link) = self.links.get(number) else { return };
        if matches!(&link.role, Role::Control(answer) if !answer.is_over()) {
            return self.send(number, time);
        }
        match (link.connection.receive(), &link.role) {
            (Ok(None), _) => {}
            (Ok(Some(Message::Hello(newcomer))), Role::Fresh { .. }) => self.take_in(number, *newcomer, time),
            (Ok(Some(Message::Request(request))), Role::Fresh { .. } | Role::Control(_)) => {
                self.serve(number, request, time);
            }
            (Ok(Some(Message::Hints(given))), Role::Guest { client, .. }) => {
                if let Err(reason) = self.guests.take_hints(*client, given, &self.rights, time) {
                    self.drop_link(number, &reason, time);
                }
            }
            (Ok(Some(Message::Bond(what))), Role::Guest { client, .. }) => {
                self.guests.bond(*client, what, time);
            }
            (Ok(Some(Message::Lend(lent))), Role::Guest { client, .. }) => {
                let client = *client;
                if let Err(reason) = self.take_loan(number, client, lent, time) {
                    self.drop_link(number, &reason, time);
                }
            }
            (Ok(Some(_)), _) => self.drop_link(number, "it sent what is not expected of it", time),
            (Err(Error::Closed), _) => self.drop_link(number, CLOSED, time),
            (Err(Error::Version { theirs }), _) => {
                let reason = format!(
                    "this xserver speaks version {VERSION} and the program version {theirs}; use one version of xsched"
                );
                self.drop_link(number, &reason, time);
            }
            (Err(error), _) => self.drop_link(number, &error.to_string(), time),
        }
    }

    /// A guest lends something. An error is the end of it.
    fn take_loan(
        &mut self,
        number: u32,
        client: ClientId,
        lent: Option<Control>,
        time: Time,
    ) -> Result<(), String> {
        let Some(interrupts) = &mut self.interrupts else { return Ok(()) };
        let files = self.links.lend_files(number, lent.as_ref().map_or(0, |lent| lent.remote.fds.len()))?;
        interrupts.lend(&mut self.guests, client, lent.map(|lent| (lent, files)), time)
    }

    /// A control client asks.
    fn serve(&mut self, number: u32, request: Request, time: Time) {
        let Some(link) = self.links.get(number) else { return };
        let who = link.connection.credentials().clone();
        let mut answer = Answer::default();
        match control::answer(&mut self.guests, &self.rights, &who, request, time) {
            Answered::List(listing) => answer.listing = Some(listing),
            Answered::Replies(replies) => {
                let packets = replies.iter().flat_map(|reply| reply.to_packets().unwrap_or_default());
                answer.outbox.extend(packets);
            }
        }
        if let Err(reason) = self.links.set_control(number, answer, &self.poller) {
            return self.drop_link(number, &reason, time);
        }
        self.send(number, time);
    }

    /// Goes on with what a control client has to get.
    fn send(&mut self, number: u32, time: Time) {
        let guests = &self.guests;
        let more = |answer: &mut Answer| {
            let Some(listing) = &mut answer.listing else { return Ok(()) };
            let reply = listing.next(guests);
            answer.outbox.extend(reply.to_packets()?);
            if matches!(reply, Reply::Done { .. }) {
                answer.listing = None;
            }
            Ok(())
        };
        if let Err(error) = self.links.send(number, more, &self.poller) {
            self.drop_link(number, &error.to_string(), time);
        }
    }

    /// A guest said hello.
    fn take_in(&mut self, number: u32, mut newcomer: Newcomer, time: Time) {
        let refused_priority = match self.try_take_in(number, &mut newcomer, time) {
            Ok(refused) => refused,
            Err(error) => return self.drop_link(number, &error.to_string(), time),
        };
        let (Some(client), Some(link)) = (self.client(number), self.links.get(number)) else { return };
        let who = link.connection.credentials().clone();
        self.guests.join(client, number, who.clone(), newcomer, time);
        if let Some(guest) = self.guests.table.get_mut(&client) {
            guest.refused_priority = refused_priority;
            guest.is_unlogged = !self.guests.log.admits(Kind::Life, who.uid, time);
        }
        self.guests.classify(client, &self.rights, time);
        if let Some(guest) = self.guests.table.get(&client).filter(|guest| !guest.is_unlogged) {
            let name = guest.group_name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
            tracing::info!("attached {client} {guest} uid {} group {}{name}", who.uid, guest.group);
        }
        if let Err(reason) = self.guests.read_page(client, time) {
            self.drop_link(number, &reason, time);
        }
    }

    /// Answers with the priority that it asked for and may not have.
    fn try_take_in(
        &mut self,
        number: u32,
        newcomer: &mut Newcomer,
        time: Time,
    ) -> Result<Option<i64>, Error> {
        if self.guests.table.len() >= MOST_GUESTS {
            return Err(Error::Refused(format!("{MOST_GUESTS} processes are attached already")));
        }
        // Its doorbell.
        self.links.take_files(number, 1).map_err(Error::Refused)?;
        let Some(link) = self.links.get(number) else { return Ok(None) };
        let who = link.connection.credentials();
        let (hints, asked) = self.rights.clamp(who, newcomer.hello.hints);
        if let Some(asked) = asked.filter(|_| self.guests.log.admits(Kind::Clamped, who.uid, time)) {
            tracing::warn!(
                "{}[{}] of uid {} asked for {} {} and starts with {}",
                newcomer.hello.program,
                who.pid,
                who.uid,
                asked.kind().info().name,
                asked.value(),
                hints.get(asked.kind())
            );
        }
        newcomer.hello.hints = hints;
        let client = self.guests.new_client();
        let doorbell = server::doorbell()?;
        link.connection.welcome(client, rustix::fd::AsFd::as_fd(&doorbell), &self.pulse)?;
        let role = Role::Guest { client, doorbell };
        let watched = self.links.set_role(number, role, &self.poller);
        watched.map_err(|errno| Error::System { call: "epoll_ctl", errno })?;
        Ok(asked.filter(|asked| asked.kind() == HintKind::Priority).map(Hint::value))
    }

    /// Ends a link, and what depends on it.
    fn drop_link(&mut self, number: u32, reason: &str, time: Time) {
        let Some(link) = self.links.remove(number, &self.poller) else { return };
        let who = link.connection.credentials();
        link.connection.refuse(reason);
        match link.role {
            Role::Guest { client, .. } => {
                self.facts.forget(client);
                self.in_a_hurry.remove(&client);
                self.interrupts.iter_mut().for_each(|interrupts| interrupts.forget(client));
                let guest = self.guests.leave(client, time);
                match guest.filter(|_| self.guests.log.admits(Kind::Life, who.uid, time)) {
                    Some(guest) => tracing::info!("dropped {client} {guest}: {reason}"),
                    None => tracing::debug!("dropped {client} of pid {}: {reason}", who.pid),
                }
            }
            Role::Fresh { .. } if reason == CLOSED => {}
            Role::Fresh { .. } if self.guests.log.admits(Kind::Refused, who.uid, time) => {
                tracing::info!("refused pid {} of uid {}: {reason}", who.pid, who.uid);
            }
            Role::Fresh { .. } => {}
            Role::Control(_) => tracing::debug!("control client with pid {} left: {reason}", who.pid),
        }
    }

    /// A guest's thread may have ended between its entry in the ring and the doorbell.
    fn read_all_rings(&mut self, time: Time) {
        let has_news = |guest: &Guest| !guest.page.ring.is_quiet();
        let guests: Vec<_> = (self.guests.table.iter())
            .filter_map(|(client, guest)| has_news(guest).then_some((*client, guest.link)))
            .collect();
        for (client, link) in guests {
            if let Err(reason) = self.guests.read_ring(client, time) {
                self.drop_link(link, &reason, time);
            }
            self.pulse.beat(now());
        }
    }

    /// Who is stopped on a device and cannot be let go by this server is told so by the end of its link: it tries itself.
    fn part_with_those_left_off(&mut self, time: Time) {
        let left = self.interrupts.as_ref().map(Interrupts::left_off).unwrap_or_default();
        for client in left {
            if let Some(link) = self.guests.table.get(&client).map(|guest| guest.link) {
                self.drop_link(link, "the driver does not let its work go on for this server", time);
            }
        }
    }

    fn look_after_links(&mut self, time: Time) {
        for account in self.guests.log.accounts(time) {
            tracing::warn!("{account}");
        }
        if self.accepting_again.is_some_and(|again| again <= time) {
            self.accepting_again = None;
            let _ = self.poller.change(&self.listener, Source::Listener, Wake::Readable);
        }
        if self.links.has_fresh() {
            for number in self.links.silent(time) {
                self.drop_link(number, "it did not say what it wants", time);
            }
        }
    }

    /// Tells guests what they may use at most, as far as there is room for it; the others in a later turn.
    fn limit_guests(&mut self) {
        for client in std::mem::take(&mut self.guests.to_limit) {
            let limits = self.guests.limits_of(client);
            let link = self.guests.table.get(&client).and_then(|guest| self.links.get(guest.link));
            if link.is_some_and(|link| !link.connection.limit(limits)) {
                self.guests.to_limit.insert(client);
            }
        }
    }

    fn turn(&mut self, time: Time) -> Option<Time> {
        loop {
            let turn = self.guests.turn(time);
            for link in
                turn.to_look.iter().filter_map(|client| self.guests.table.get(client)).map(|guest| guest.link)
            {
                self.links.get(link).into_iter().for_each(|link| link.connection.ask_to_look());
            }
            for client in &turn.parted {
                if let Some(link) = self.guests.table.get(client).map(|guest| guest.link) {
                    self.drop_link(link, "it has parted from this server", time);
                }
            }
            if turn.parted.is_empty() {
                return turn.next;
            }
        }
    }

    fn end(mut self) {
        let time = now();
        self.manager.stopping();
        tracing::info!("ending: {} attached processes run on unscheduled", self.guests.table.len());
        for number in self.links.numbers() {
            self.drop_link(number, "xserver is ending", time);
        }
        self.guests.scheduler.finish();
        // The listener goes with `self`, and the socket file with it if it is ours.
    }

    fn status(&self) -> Status {
        let scheduler = &self.guests.scheduler;
        Status {
            policy: scheduler.policy(),
            processes: self.guests.table.len(),
            queues: scheduler.queue_count(),
        }
    }

    fn client(&self, number: u32) -> Option<ClientId> {
        match self.links.get(number)?.role {
            Role::Guest { client, .. } => Some(client),
            _ => None,
        }
    }
}

/// How many files this process may have open.
fn most_files() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
