//! Bytes into entries.

use crate::bytes::signed;
use crate::entry::{End, Entry, Header};
use crate::write::kind;
use crate::{MAGIC, MAX_TEXT, VERSION};
use xsched_core::{
    ClientId, DeviceId, Event, Fact, GroupId, Hint, HintKind, Hints, Operation, QueueId, Time,
};

/// Why bytes are no recording, or none any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else altogether.
    #[error("it is not a recording of xserver: those begin with \"XSTRACE\"")]
    NotATrace,
    /// Of another version of the format.
    #[error("it is a recording in version {0} of the format, and only version {VERSION} can be read")]
    Version(u8),
    /// It ends within a record: the server was killed, or the file was cut.
    #[error("it ends within the record at byte {offset}")]
    CutOff {
        /// Where the record begins.
        offset: usize,
    },
    /// What stands there cannot be.
    #[error("byte {offset}: {what}")]
    Bad {
        /// Where.
        offset: usize,
        /// What is wrong.
        what: String,
    },
}

/// Reads the entries of a recording, in their order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the record that is being read begins.
    record: usize,
    now: Time,
    is_over: bool,
}

impl<'a> Reader<'a> {
    /// A reader behind the header, and the header.
    pub fn new(bytes: &'a [u8]) -> Result<(Header, Reader<'a>), Error> {
        if !bytes.starts_with(MAGIC) {
            return Err(Error::NotATrace);
        }
        let mut reader = Reader { bytes, at: MAGIC.len(), record: 0, now: Time::ZERO, is_over: false };
        match reader.byte()? {
            VERSION => {}
            other => return Err(Error::Version(other)),
        }
        let count = reader.number()?;
        let mut header = Header::default();
        // Each takes bytes, so a count that is too high ends at the end of them.
        for _ in 0..count {
            header.0.push((reader.text()?, reader.text()?));
        }
        Ok((header, reader))
    }

    /// Where the entry that was answered last begins.
    pub fn offset(&self) -> usize {
        self.record
    }

    /// Whether an end was read.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn record(&mut self) -> Result<(Time, Entry), Error> {
        let kind = self.byte()?;
        let passed = self.number()?;
        let now = self.now.as_nanos().checked_add(passed);
        self.now = Time::from_nanos(now.ok_or_else(|| self.bad("the time is beyond all times"))?);
        let entry = match kind {
            kind::END => {
                self.is_over = true;
                match self.byte()? {
                    1 => Entry::End(End::Closed),
                    2 => Entry::End(End::Full),
                    other => return Err(self.bad(format!("{other} is no reason for an end"))),
                }
            }
            kind::DECISION => self.decision()?,
            kind::POLICY => Entry::Policy(self.text()?),
            kind::CLIENT_NAME => {
                Entry::Client { client: self.client()?, pid: self.small("pid")?, program: self.text()? }
            }
            kind::DEVICE_NAME => Entry::Device { device: self.device()?, key: self.text()? },
            kind => Entry::Event(self.event(kind)?),
        };
        Ok((self.now, entry))
    }

    fn event(&mut self, kind: u8) -> Result<Event, Error> {
        Ok(match kind {
            kind::CLIENT_JOINED => {
                Event::ClientJoined { client: self.client()?, group: GroupId(self.small("group")?) }
            }
            kind::CLIENT_MOVED => {
                Event::ClientMoved { client: self.client()?, group: GroupId(self.small("group")?) }
            }
            kind::CLIENT_LEFT => Event::ClientLeft { client: self.client()? },
            kind::QUEUE_CREATED => {
                let (queue, client, device) = (self.queue()?, self.client()?, self.device()?);
                let mut hints = Hints::default();
                for _ in 0..self.number()? {
                    hints.set(self.hint()?);
                }
                Event::QueueCreated { queue, client, device, hints }
            }
            kind::QUEUE_DESTROYED => Event::QueueDestroyed { queue: self.queue()? },
            kind::QUEUE_READY => Event::QueueReady { queue: self.queue()? },
            kind::QUEUE_IDLE => Event::QueueIdle { queue: self.queue()? },
            kind::QUEUE_PROGRESS => Event::QueueProgress {
                queue: self.queue()?,
                launched: self.number()?,
                completed: self.number()?,
            },
            kind::QUEUE_HINT => Event::QueueHint { queue: self.queue()?, hint: self.hint()? },
            kind::CLIENT_HINT => Event::ClientHint { client: self.client()?, hint: self.hint()? },
            kind::CLIENT_UNSET => Event::ClientUnset { client: self.client()?, kind: self.hint_kind()? },
            kind::CLIENT_FACT => Event::ClientFact { client: self.client()?, fact: self.fact()? },
            other => return Err(self.bad(format!("{other:#04x} is no kind of record"))),
        })
    }

    fn decision(&mut self) -> Result<Entry, Error> {
        let next = match self.number()? {
            0 => None,
            later => {
                let next = self.now.as_nanos().checked_add(later);
                Some(Time::from_nanos(next.ok_or_else(|| self.bad("the next time is beyond all times"))?))
            }
        };
        let mut operations = Vec::new();
        for _ in 0..self.number()? {
            operations.push(self.operation()?);
        }
        Ok(Entry::Decision { operations, next })
    }

    fn operation(&mut self) -> Result<Operation, Error> {
        let code = self.byte()?;
        if code == kind::PROBE {
            return Ok(Operation::Probe { queue: self.queue()? });
        }
        let (client, device) = (self.client()?, self.device()?);
        Ok(match code {
            kind::SUSPEND => Operation::Suspend { client, device },
            kind::RESUME => Operation::Resume { client, device },
            kind::WINDOW => Operation::Window { client, device },
            kind::UNWINDOW => Operation::Unwindow { client, device },
            kind::AWAIT => Operation::Await { client, device },
            kind::UNAWAIT => Operation::Unawait { client, device },
            other => return Err(self.bad(format!("{other} is no operation"))),
        })
    }

    fn hint(&mut self) -> Result<Hint, Error> {
        let (kind, value) = (self.hint_kind()?, signed(self.number()?));
        Hint::new(kind, value).map_err(|expected| self.bad(format!("{value} is not valid; {expected}")))
    }

    fn hint_kind(&mut self) -> Result<HintKind, Error> {
        let code = self.byte()?;
        HintKind::from_code(code).ok_or_else(|| self.bad(format!("{code} is no hint")))
    }

    fn fact(&mut self) -> Result<Fact, Error> {
        match self.byte()? {
            kind::CPU_PRIORITY => {
                let value = signed(self.number()?);
                let priority = i16::try_from(value);
                priority.map(Fact::CpuPriority).map_err(|_| self.bad(format!("{value} is no CPU priority")))
            }
            kind::ACTIVE_WINDOW => self.yes_or_no().map(Fact::ActiveWindow),
            kind::INTERRUPTIBLE => self.yes_or_no().map(Fact::Interruptible),
            other => Err(self.bad(format!("{other} is no fact"))),
        }
    }

    fn yes_or_no(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            is @ 0..=1 => Ok(is == 1),
            other => Err(self.bad(format!("{other} is neither no (0) nor yes (1)"))),
        }
    }

    fn client(&mut self) -> Result<ClientId, Error> {
        self.small("client").map(ClientId)
    }

    fn device(&mut self) -> Result<DeviceId, Error> {
        self.small("device").map(DeviceId)
    }

    fn queue(&mut self) -> Result<QueueId, Error> {
        self.number().map(QueueId)
    }

    fn small(&mut self, what: &str) -> Result<u32, Error> {
        let number = self.number()?;
        u32::try_from(number)
            .map_err(|_| self.bad(format!("{number} is too large for the number of a {what}")))
    }

    fn text(&mut self) -> Result<String, Error> {
        let length = self.number()?;
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_TEXT);
        let Some(length) = length else {
            return Err(self.bad(format!("a text is longer than {MAX_TEXT} bytes")));
        };
        let end = self.at + length;
        let text = self.bytes.get(self.at..end).ok_or(Error::CutOff { offset: self.record })?;
        let text = String::from_utf8(text.to_vec()).map_err(|_| self.bad("a text is not UTF-8"))?;
        self.at = end;
        Ok(text)
    }

    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && part > 1 {
                return Err(self.bad("a number is beyond 64 bits"));
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.bad("a number is longer than ten bytes"))
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.bytes.get(self.at).copied().ok_or(Error::CutOff { offset: self.record })?;
        self.at += 1;
        Ok(byte)
    }

    /// Something is wrong with the byte that was read last.
    fn bad(&self, what: impl Into<String>) -> Error {
        Error::Bad { offset: self.at.saturating_sub(1), what: what.into() }
    }
}

/// Entries with their times, until the bytes end, or an error, which is the last thing that is answered.
impl Iterator for Reader<'_> {
    type Item = Result<(Time, Entry), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        self.record = self.at;
        let record = if self.is_over {
            Err(Error::Bad { offset: self.at, what: "something follows the end".into() })
        } else {
            self.record()
        };
        if record.is_err() {
            self.at = self.bytes.len();
        }
        Some(record)
    }
}
