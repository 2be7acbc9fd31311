//! Hints and limits of guests: what was told, as far as it holds, goes to the scheduler, and what rules say, to guests.
//!
//! After the rules have changed, guests are asked about one after the other, some in each turn: looking at a process takes system calls,
//! and there may be thousands.

use crate::clients::Guest;
use crate::guests::Guests;
use crate::rights::Rights;
use crate::rulebook::{limits, line_of};
use crate::told::{Held, Told};
use xsched_core::hint::HINTS;
use xsched_core::status::{Limit, Origin};
use xsched_core::text::Problem;
use xsched_core::{ClientId, Event, Hint, HintKind, HintSource, Limits, Time};
use xsched_ipc::wire::ProgramHints;
use xsched_rules::Given;

impl Guests {
    /// Changes what a guest was told about one kind of hint; the scheduler hears what holds then.
    pub(crate) fn tell(
        &mut self,
        client: ClientId,
        kind: HintKind,
        now: Time,
        change: impl FnOnce(&mut Told),
    ) {
        let Some(guest) = self.table.get_mut(&client) else { return };
        let held = |told: &Told| {
            let (value, source) = told.held(kind);
            ((source != HintSource::Default).then_some(value), told.own(kind).collect::<Vec<_>>())
        };
        let before = held(&guest.told);
        change(&mut guest.told);
        let (value, own) = held(&guest.told);
        if before == (value, own.clone()) {
            return;
        }
        // A hint for the process ends those for its queues, so these come behind it.
        match value.and_then(|value| Hint::new(kind, value).ok()) {
            Some(hint) => self.scheduler.handle(Event::ClientHint { client, hint }, now),
            None => self.scheduler.handle(Event::ClientUnset { client, kind }, now),
        }
        for (queue, value) in own {
            if let Ok(hint) = Hint::new(kind, value) {
                self.scheduler.handle(Event::QueueHint { queue, hint }, now);
            }
        }
    }

    /// A guest's program has given hints; of those, it gets what its user may have. An error says what is wrong with the guest's page.
    pub(crate) fn take_hints(
        &mut self,
        client: ClientId,
        given: ProgramHints,
        rights: &Rights,
        now: Time,
    ) -> Result<(), String> {
        // The queue may be one that was made a moment ago.
        self.read_ring(client, now)?;
        let Some(guest) = self.table.get(&client) else { return Ok(()) };
        let who = guest.credentials.clone();
        let queue = match given.slot {
            None => None,
            Some((slot, generation)) => match guest.known(slot).filter(|known| known.is_life(generation)) {
                Some(known) => Some(known.queue),
                // It is gone.
                None => return Ok(()),
            },
        };
        for info in HINTS {
            let value = given.hints.given(info.kind).and_then(|value| Hint::new(info.kind, value).ok());
            let hint = value.map(|hint| rights.lower(&who, hint));
            self.tell(client, info.kind, now, |told| match (queue, hint) {
                (Some(queue), Some(hint)) => told.set_queue(queue, HintSource::Program, hint),
                (Some(queue), None) => drop(told.unset_queue(queue, HintSource::Program, info.kind)),
                (None, Some(hint)) => told.set(HintSource::Program, hint),
                (None, None) => drop(told.unset(HintSource::Program, info.kind)),
            });
        }
        Ok(())
    }

    /// Asks the rules about a guest.
    pub(crate) fn classify(&mut self, client: ClientId, rights: &Rights, now: Time) {
        self.unclassified.remove(&client);
        let Some(guest) = self.table.get_mut(&client) else { return };
        let class = self.rules.classify(rights, &guest.credentials, &guest.program);
        if class == guest.class {
            return;
        }
        let before = std::mem::replace(&mut guest.class, class.clone());
        if limits(&before) != limits(&class) {
            self.to_limit.insert(client);
        }
        for info in HINTS {
            let given = class.hints.iter().map(|given| given.value).find(|hint| hint.kind() == info.kind);
            self.tell(client, info.kind, now, |told| match given {
                Some(hint) => told.set(HintSource::Rule, hint),
                None => drop(told.unset(HintSource::Rule, info.kind)),
            });
        }
    }

    /// Reads the rules again; all guests are to be asked about then. What is wrong with the file is in the log, too.
    pub(crate) fn reload_rules(&mut self) -> Result<(), Vec<Problem>> {
        if let Err(problems) = self.rules.reload() {
            problems.iter().for_each(|problem| tracing::warn!("{problem}"));
            tracing::warn!("the rules stay as they were");
            return Err(problems);
        }
        self.unclassified.extend(self.table.keys());
        let file = self.rules.file().unwrap_or_else(|| "nowhere: there is no file".into());
        tracing::info!("rules read again: {} from {file}", self.rules.len());
        Ok(())
    }

    /// What a guest may use at most.
    pub(crate) fn limits_of(&self, client: ClientId) -> Limits {
        self.table.get(&client).map(|guest| limits(&guest.class)).unwrap_or_default()
    }

    /// Where the value of a hint came from that holds for a process or a queue of it.
    pub(crate) fn origin(&self, guest: &Guest, kind: HintKind, (_, source): Held) -> Origin {
        let line = line_of(&guest.class, kind).filter(|_| source == HintSource::Rule);
        Origin { source, rule: line.map(|line| self.rules.place(line)) }
    }

    /// What a rule limits, as it is shown.
    pub(crate) fn limit<T>(&self, given: Option<Given<T>>) -> Option<Limit<T>> {
        given.map(|Given { value, line, .. }| {
            let origin = Origin { source: HintSource::Rule, rule: Some(self.rules.place(line)) };
            Limit { value, origin }
        })
    }
}
