//! Entries into bytes.

use crate::bytes::{put, put_signed};
use crate::entry::{End, Entry, Header};
use crate::{MAGIC, MAX_TEXT, VERSION};
use xsched_core::{Event, Fact, Hint, Operation, Time};

/// Makes the bytes of a recording, which its owner takes out from time to time.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    last: Time,
}

/// See [`Writer::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: usize,
    last: Time,
}

/// What a record begins with. See docs/formats/trace.md.
pub(crate) mod kind {
    pub(crate) const END: u8 = 0x00;
    pub(crate) const CLIENT_JOINED: u8 = 0x01;
    pub(crate) const CLIENT_LEFT: u8 = 0x02;
    pub(crate) const QUEUE_CREATED: u8 = 0x03;
    pub(crate) const QUEUE_DESTROYED: u8 = 0x04;
    pub(crate) const QUEUE_READY: u8 = 0x05;
    pub(crate) const QUEUE_IDLE: u8 = 0x06;
    pub(crate) const QUEUE_PROGRESS: u8 = 0x07;
    pub(crate) const QUEUE_HINT: u8 = 0x08;
    pub(crate) const CLIENT_HINT: u8 = 0x09;
    pub(crate) const CLIENT_UNSET: u8 = 0x0a;
    pub(crate) const CLIENT_FACT: u8 = 0x0b;
    pub(crate) const CLIENT_MOVED: u8 = 0x0c;
    pub(crate) const DECISION: u8 = 0x20;
    pub(crate) const POLICY: u8 = 0x21;
    pub(crate) const CLIENT_NAME: u8 = 0x30;
    pub(crate) const DEVICE_NAME: u8 = 0x31;

    pub(crate) const SUSPEND: u8 = 1;
    pub(crate) const RESUME: u8 = 2;
    pub(crate) const WINDOW: u8 = 3;
    pub(crate) const UNWINDOW: u8 = 4;
    pub(crate) const AWAIT: u8 = 5;
    pub(crate) const UNAWAIT: u8 = 6;
    pub(crate) const PROBE: u8 = 7;

    pub(crate) const CPU_PRIORITY: u8 = 1;
    pub(crate) const ACTIVE_WINDOW: u8 = 2;
    pub(crate) const INTERRUPTIBLE: u8 = 4;
}

impl Writer {
    /// A recording that begins with this.
    pub fn new(header: &Header) -> Writer {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        put(&mut bytes, header.0.len() as u64);
        for text in header.0.iter().flat_map(|(name, value)| [name, value]) {
            put_text(&mut bytes, text);
        }
        Writer { bytes, last: Time::ZERO }
    }

    /// Appends an entry. Time does not run backwards: an earlier one counts as that of the entry before.
    pub fn entry(&mut self, entry: &Entry, now: Time) {
        match entry {
            Entry::Event(event) => self.event(event, now),
            Entry::Decision { operations, next } => self.decision(operations, *next, now),
            Entry::Policy(name) => {
                self.begin(kind::POLICY, now);
                put_text(&mut self.bytes, name);
            }
            Entry::Client { client, pid, program } => {
                let out = self.begin(kind::CLIENT_NAME, now);
                put(out, u64::from(client.0));
                put(out, u64::from(*pid));
                put_text(out, program);
            }
            Entry::Device { device, key } => {
                let out = self.begin(kind::DEVICE_NAME, now);
                put(out, u64::from(device.0));
                put_text(out, key);
            }
            Entry::End(end) => {
                let out = self.begin(kind::END, now);
                out.push(match end {
                    End::Closed => 1,
                    End::Full => 2,
                });
            }
        }
    }

    /// Appends what the scheduler is told.
    pub fn event(&mut self, event: &Event, now: Time) {
        match *event {
            Event::ClientJoined { client, group } => {
                let out = self.begin(kind::CLIENT_JOINED, now);
                put(out, u64::from(client.0));
                put(out, u64::from(group.0));
            }
            Event::ClientMoved { client, group } => {
                let out = self.begin(kind::CLIENT_MOVED, now);
                put(out, u64::from(client.0));
                put(out, u64::from(group.0));
            }
            Event::ClientLeft { client } => put(self.begin(kind::CLIENT_LEFT, now), u64::from(client.0)),
            Event::QueueCreated { queue, client, device, hints } => {
                let out = self.begin(kind::QUEUE_CREATED, now);
                put(out, queue.0);
                put(out, u64::from(client.0));
                put(out, u64::from(device.0));
                put(out, hints.iter().count() as u64);
                hints.iter().for_each(|hint| put_hint(out, hint));
            }
            Event::QueueDestroyed { queue } => put(self.begin(kind::QUEUE_DESTROYED, now), queue.0),
            Event::QueueReady { queue } => put(self.begin(kind::QUEUE_READY, now), queue.0),
            Event::QueueIdle { queue } => put(self.begin(kind::QUEUE_IDLE, now), queue.0),
            Event::QueueProgress { queue, launched, completed } => {
                let out = self.begin(kind::QUEUE_PROGRESS, now);
                put(out, queue.0);
                put(out, launched);
                put(out, completed);
            }
            Event::QueueHint { queue, hint } => {
                let out = self.begin(kind::QUEUE_HINT, now);
                put(out, queue.0);
                put_hint(out, hint);
            }
            Event::ClientHint { client, hint } => {
                let out = self.begin(kind::CLIENT_HINT, now);
                put(out, u64::from(client.0));
                put_hint(out, hint);
            }
            Event::ClientUnset { client, kind } => {
                let out = self.begin(kind::CLIENT_UNSET, now);
                put(out, u64::from(client.0));
                out.push(kind as u8);
            }
            Event::ClientFact { client, fact } => {
                let out = self.begin(kind::CLIENT_FACT, now);
                put(out, u64::from(client.0));
                match fact {
                    Fact::CpuPriority(value) => {
                        out.push(kind::CPU_PRIORITY);
                        put_signed(out, i64::from(value));
                    }
                    Fact::ActiveWindow(value) => {
                        out.push(kind::ACTIVE_WINDOW);
                        out.push(u8::from(value));
                    }
                    Fact::Interruptible(value) => {
                        out.push(kind::INTERRUPTIBLE);
                        out.push(u8::from(value));
                    }
                }
            }
        }
    }

    /// Appends what it decides.
    pub fn decision(&mut self, operations: &[Operation], next: Option<Time>, now: Time) {
        let now = now.max(self.last);
        let out = self.begin(kind::DECISION, now);
        // Nothing, or how much later; a time that is not later is as good as the next nanosecond.
        put(out, next.map_or(0, |next| nanos_between(now, next).max(1)));
        put(out, operations.len() as u64);
        for operation in operations {
            let (code, client, device) = match *operation {
                Operation::Suspend { client, device } => (kind::SUSPEND, client, device),
                Operation::Resume { client, device } => (kind::RESUME, client, device),
                Operation::Window { client, device } => (kind::WINDOW, client, device),
                Operation::Unwindow { client, device } => (kind::UNWINDOW, client, device),
                Operation::Await { client, device } => (kind::AWAIT, client, device),
                Operation::Unawait { client, device } => (kind::UNAWAIT, client, device),
                Operation::Probe { queue } => {
                    out.push(kind::PROBE);
                    put(out, queue.0);
                    continue;
                }
            };
            out.push(code);
            put(out, u64::from(client.0));
            put(out, u64::from(device.0));
        }
    }

    /// How many bytes wait to be taken.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether none do.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the bytes that were made so far.
    pub fn take(&mut self) -> Vec<u8> {
        let room = self.bytes.capacity();
        std::mem::replace(&mut self.bytes, Vec::with_capacity(room))
    }

    /// Where the last entry ends that was made so far.
    pub fn mark(&self) -> Mark {
        Mark { length: self.bytes.len(), last: self.last }
    }

    /// Takes back what was made since. Nothing may have been taken out meanwhile.
    pub fn take_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.length);
        self.last = mark.last;
    }

    fn begin(&mut self, kind: u8, now: Time) -> &mut Vec<u8> {
        let now = now.max(self.last);
        self.bytes.push(kind);
        put(&mut self.bytes, nanos_between(self.last, now));
        self.last = now;
        &mut self.bytes
    }
}

fn nanos_between(from: Time, to: Time) -> u64 {
    to.as_nanos().saturating_sub(from.as_nanos())
}

fn put_hint(out: &mut Vec<u8>, hint: Hint) {
    out.push(hint.kind() as u8);
    put_signed(out, hint.value());
}

/// The text, or the beginning of it that may stand in a recording.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let text = text.get(..end).unwrap_or_default();
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
