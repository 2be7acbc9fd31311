//! Recording: what the scheduler is told and decides goes into a file, from which `xcli sim --trace` can replay it.
//!
//! [`Recorded`] is the scheduler to the rest of the server: whatever changes it goes through here. Without a recording that costs a look at
//! an option. With one, bytes are made on the loop's thread and written by a thread that exists for that alone; the loop never waits for
//! it. Invariant: what is in the file is a prefix of what happened, without gaps. So a disk that does not keep up, is full, or a file as
//! large as it may be is the end of the recording, with a line in the log, and the server goes on. Absent: the format (`crates/trace`).

use crate::ledger::Ledger;
use crate::recorder::{Recorder, Trouble};
use std::ops::Deref;
use std::time::Duration;
use xsched_core::{ClientId, DeviceId, DeviceKey, Event, GroupId, Operation, Time, Value};
use xsched_sched::{PolicyKind, Scheduler};
use xsched_trace::{End, Entry, Header, Mark, Writer};

/// Bytes that are written at once.
const CHUNK: usize = 64 << 10;
/// What was recorded is in the file after this time at the latest.
const FLUSH: Duration = Duration::from_secs(1);
/// Room for the end.
const END: u64 = 32;

/// The scheduler, and who listens to what it is told.
#[derive(Debug)]
pub(crate) struct Recorded {
    scheduler: Scheduler,
    pub(crate) ledger: Ledger,
    recording: Option<Recording>,
}

/// A recording under way.
#[derive(Debug)]
struct Recording {
    writer: Writer,
    recorder: Recorder,
    limit: u64,
    /// Bytes handed over.
    written: u64,
    handed_over_at: Time,
    /// As of the scheduler: it does not let time run backwards.
    now: Time,
    /// Something was told and not decided on.
    has_news: bool,
    /// When the scheduler wants to be asked again.
    next: Option<Time>,
    /// Devices that were named.
    named: Vec<DeviceId>,
    /// As far as it is within the limit.
    mark: Mark,
}

impl Recorded {
    pub(crate) fn new(scheduler: Scheduler) -> Recorded {
        Recorded { scheduler, ledger: Ledger::default(), recording: None }
    }

    /// From now on, all goes into the recorder's file, up to so many bytes. Comes before anything was told.
    pub(crate) fn record(&mut self, recorder: Recorder, limit: u64) {
        let mut pairs = vec![
            ("server".into(), format!("xserver {}", env!("CARGO_PKG_VERSION"))),
            ("policy".into(), self.scheduler.policy().map(|policy| policy.to_string()).unwrap_or_default()),
        ];
        let mut settings = *self.scheduler.settings();
        pairs.extend(settings.named().map(|(name, value)| (name.to_string(), value.show())));
        let writer = Writer::new(&Header(pairs));
        self.recording = Some(Recording {
            mark: writer.mark(),
            writer,
            recorder,
            limit,
            written: 0,
            handed_over_at: Time::ZERO,
            now: Time::ZERO,
            has_news: false,
            next: None,
            named: Vec::new(),
        });
    }

    /// See [`Scheduler::handle`].
    pub(crate) fn handle(&mut self, event: Event, now: Time) {
        if let Some(recording) = &mut self.recording {
            recording.note(now);
            recording.writer.event(&event, recording.now);
            recording.has_news = true;
            self.look_after_recording();
        }
        self.ledger.hear(&event, &self.scheduler, now);
        self.scheduler.handle(event, now);
    }

    /// See [`Scheduler::decide`].
    pub(crate) fn decide(&mut self, now: Time, out: &mut Vec<Operation>) -> Option<Time> {
        let first = out.len();
        let next = self.scheduler.decide(now, out);
        self.ledger.decided(out.get(first..).unwrap_or_default(), now);
        if let Some(recording) = &mut self.recording {
            recording.decided(out.get(first..).unwrap_or_default(), next, now);
            self.look_after_recording();
        }
        next
    }

    /// See [`Scheduler::set_policy`].
    pub(crate) fn set_policy(&mut self, policy: PolicyKind, now: Time) {
        if let Some(recording) = &mut self.recording {
            recording.note(now);
            recording.writer.entry(&Entry::Policy(policy.to_string()), recording.now);
            recording.has_news = true;
        }
        self.ledger.policy(policy.to_string(), now);
        self.scheduler.set_policy(policy, now);
    }

    /// See [`Scheduler::take_news`]. What is said is nothing to what is decided, so it is not recorded.
    pub(crate) fn take_news(&mut self) -> impl Iterator<Item = (GroupId, DeviceId, String)> + '_ {
        self.scheduler.take_news()
    }

    /// What a process is, for those who look at the recording.
    pub(crate) fn name_client(&mut self, client: ClientId, pid: u32, program: &str) {
        if let Some(recording) = &mut self.recording {
            recording.name(&Entry::Client { client, pid, program: program.into() });
        }
    }

    /// What a device is. Said again, it is not written again.
    pub(crate) fn name_device(&mut self, device: DeviceId, key: &DeviceKey) {
        if let Some(recording) = self.recording.as_mut().filter(|it| !it.named.contains(&device)) {
            recording.named.push(device);
            recording.name(&Entry::Device { device, key: key.to_string() });
        }
    }

    /// When something recorded is to be written, if nothing happens before.
    pub(crate) fn flush_due(&self) -> Option<Time> {
        let recording = self.recording.as_ref().filter(|recording| !recording.writer.is_empty())?;
        Some(recording.handed_over_at + FLUSH)
    }

    /// The server ends.
    pub(crate) fn finish(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.end(End::Closed).into_iter().for_each(Recorder::finish);
        }
    }

    /// Hands over what is due; and ends the recording when it is as large as it may be, or cannot go on.
    fn look_after_recording(&mut self) {
        let Some(recording) = &mut self.recording else { return };
        let size = recording.written + recording.writer.len() as u64;
        if size + END > recording.limit {
            tracing::warn!("{}: the recording is as large as it may be, and ends", recording.recorder.name());
            recording.writer.take_back(recording.mark);
            // Nobody waits for that: the thread ends when all is written.
            drop(self.recording.take().map(|recording| recording.end(End::Full)));
            return;
        }
        recording.mark = recording.writer.mark();
        let is_due = recording.now.since(recording.handed_over_at) >= FLUSH && !recording.writer.is_empty();
        if (is_due || recording.writer.len() >= CHUNK)
            && let Err(trouble) = recording.hand_over()
        {
            if trouble == Trouble::Behind {
                tracing::warn!(
                    "{}: the disk does not keep up, the recording ends",
                    recording.recorder.name()
                );
            }
            self.recording = None;
        }
    }
}

impl Recording {
    /// Something happens.
    fn note(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    fn name(&mut self, entry: &Entry) {
        // Names are nothing to the scheduler, so time stands still for them.
        self.writer.entry(entry, self.now);
    }

    fn decided(&mut self, operations: &[Operation], next: Option<Time>, now: Time) {
        self.now = self.now.max(now);
        // With nothing told and nothing due there was nothing to decide, and the server asks at each sign of life.
        if !self.has_news && operations.is_empty() && self.next.is_none_or(|due| due > self.now) {
            return;
        }
        self.has_news = false;
        self.next = next;
        self.writer.decision(operations, next, self.now);
    }

    fn hand_over(&mut self) -> Result<(), Trouble> {
        self.handed_over_at = self.now;
        let bytes = self.writer.take();
        self.written += bytes.len() as u64;
        self.mark = self.writer.mark();
        self.recorder.write(bytes)
    }

    /// Answers who is to be waited for, if the end is to be in the file.
    fn end(mut self, end: End) -> Option<Recorder> {
        self.writer.entry(&Entry::End(end), self.now);
        self.hand_over().ok().map(|()| self.recorder)
    }
}

impl Deref for Recorded {
    type Target = Scheduler;

    /// To look at it. To change it, there are the functions above.
    fn deref(&self) -> &Scheduler {
        &self.scheduler
    }
}

#[cfg(test)]
mod tests;
