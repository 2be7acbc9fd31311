//! What stands in a packet: a header that never changes, and behind it what its kind says.
//!
//! One message is one packet of a SEQPACKET socket. Numbers are in the machine's own byte order, for both ends are on it. Texts
//! stand behind the fixed part of a message, one after the other; their lengths are in the fixed part and must add up exactly. The
//! header and [`Kind::Refused`] are the same in every version, so that any two versions can tell each other that they do not fit.

use xsched_core::text::{is_printable, printable};
use xsched_core::{Hint, HintKind, Hints, Level, Limits};
use xsched_queue::gate::Epoch;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of everything behind the header, the page's layout apart.
pub const VERSION: u16 = 4;
/// The largest packet, in bytes.
pub const MAX_PACKET: usize = 64 * 1024;
/// File descriptors that come with one packet at most; the kernel closes what is more.
pub const MAX_FDS: usize = 16;
/// The longest program or group name, in bytes.
pub const MAX_NAME: usize = 255;
/// The longest blob of a loan, in bytes.
pub const MAX_BLOB: usize = 32 * 1024;
/// The longest name of something that processes share, in bytes; the shortest has one.
pub const MAX_BOND: usize = 128;

/// What a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Kind {
    /// Guest to server, first: a [`Hello`], with the page's fd.
    Hello = 1,
    /// Server to guest: a [`Welcome`], with the doorbell's and the heartbeat's fd.
    Welcome = 2,
    /// Server to anybody: why the connection ends, as text.
    Refused = 3,
    /// Control: a `control::Request` as JSON.
    Request = 4,
    /// Control: a `control::Reply` as JSON.
    Reply = 5,
    /// Server to guest: others wait until you are idle, and you have not said so: find out. No body.
    Look = 6,
    /// Server to guest: what you may use at most; a [`LimitsBody`].
    Limits = 7,
    /// Guest to server: what stands in the body is shared with others, who name it by the same bytes: be suspended as one with them.
    Bond = 8,
    /// Guest to server: what its program gave all its queues, or one; a [`ProgramHints`].
    Hints = 9,
    /// Guest to server: what it lends from now on, in place of what it lent before; a [`Loan`], with its fds.
    Lend = 10,
    /// Server to guest: something of yours may be stopped on a device from now on, or not any more: how closely to watch the sign of life; a [`VigilBody`].
    Vigil = 11,
}

/// A guest introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// `page::LAYOUT` of the guest.
    pub layout: u32,
    /// What the gates in its page carry.
    pub epoch: Epoch,
    /// Name of the program.
    pub program: String,
    /// Name of the group that it joins.
    pub group: Option<String>,
    /// What all its queues start with.
    pub hints: Hints,
}

/// A `hal::RemoteControl` as it stands in a packet: what the guest's device queues can be stopped by from outside. It holds for the time of the attachment, or
/// until the next loan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loan {
    /// Who can read it; 0 for nothing, which takes back what was lent.
    pub kind: u32,
    /// How many fds belong to it.
    pub fds: usize,
    /// The platform's own.
    pub blob: Vec<u8>,
}

/// The server takes a guest in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Welcome {
    /// The guest's number.
    pub client: u32,
}

/// Limits as a packet has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LimitsBody {
    /// Number of the level; 0 for no limit.
    pub level: u32,
    /// 0 for no limit.
    pub threshold: u32,
}

/// Whether a guest keeps a vigil, as a packet has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VigilBody {
    /// 0 or 1.
    pub is_kept: u32,
}

/// The hints that a program has given, all of them: one that is not among them was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramHints {
    /// The queue's slot, and in which life of it; none: the process, for queues that were given none of their own.
    pub slot: Option<(u16, u32)>,
    /// All that it has been given.
    pub hints: Hints,
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbage {
    /// No header of ours.
    #[error("a packet of {0} bytes without our header")]
    NoHeader(usize),
    /// Written by another version.
    #[error("version {0} instead of {VERSION}")]
    Version(u16),
    /// A kind that is not known, or not expected here.
    #[error("a packet of kind {0}, which is not expected here")]
    Kind(u16),
    /// Too short, too long, or a field out of its range.
    #[error("{0} is not valid")]
    Field(&'static str),
}

/// A message as a packet.
pub fn packet(kind: Kind, body: &[u8]) -> Vec<u8> {
    let header = Header { magic: MAGIC, version: VERSION, kind: kind as u16 };
    [header.as_bytes(), body].concat()
}

/// Kind and body of a packet. A refusal is understood from any version.
pub fn open(packet: &[u8]) -> Result<(Kind, &[u8]), Garbage> {
    let no_header = Garbage::NoHeader(packet.len());
    let (header, body) = Header::read_from_prefix(packet).map_err(|_| no_header)?;
    let kind = match header.kind {
        1 => Some(Kind::Hello),
        2 => Some(Kind::Welcome),
        3 => Some(Kind::Refused),
        4 => Some(Kind::Request),
        5 => Some(Kind::Reply),
        6 => Some(Kind::Look),
        7 => Some(Kind::Limits),
        8 => Some(Kind::Bond),
        9 => Some(Kind::Hints),
        10 => Some(Kind::Lend),
        11 => Some(Kind::Vigil),
        _ => None,
    };
    match kind {
        _ if header.magic != MAGIC => Err(no_header),
        Some(Kind::Refused) => Ok((Kind::Refused, body)),
        _ if header.version != VERSION => Err(Garbage::Version(header.version)),
        Some(kind) => Ok((kind, body)),
        None => Err(Garbage::Kind(header.kind)),
    }
}

/// The body of a [`Kind::Bond`].
pub fn bond(body: &[u8]) -> Result<&[u8], Garbage> {
    if (1..=MAX_BOND).contains(&body.len()) { Ok(body) } else { Err(Garbage::Field("the bond's length")) }
}

/// A refusal's text, made fit for one line.
pub fn reason(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(1024).map(|c| if is_printable(c) { c } else { ' ' }).collect()
}

impl Hello {
    /// As a packet. Names that are too long are cut, characters in them that cannot be shown become `?`.
    pub fn to_packet(&self) -> Vec<u8> {
        let (program, group) = (name(&self.program), self.group.as_deref().map(name));
        let hints = hint_entries(&self.hints);
        let fixed = HelloFixed {
            layout: self.layout,
            epoch: self.epoch.number(),
            program: program.len() as u32,
            group: group.as_ref().map_or(NONE, |group| group.len() as u32),
            hints: hints.len() as u32,
            zero: 0,
        };
        let group = group.unwrap_or_default();
        packet(
            Kind::Hello,
            &[fixed.as_bytes(), hints.as_bytes(), program.as_bytes(), group.as_bytes()].concat(),
        )
    }

    /// Reads the body of a packet.
    pub fn parse(body: &[u8]) -> Result<Hello, Garbage> {
        let (fixed, mut rest) =
            HelloFixed::read_from_prefix(body).map_err(|_| Garbage::Field("the hello's length"))?;
        let epoch = Epoch::from_number(fixed.epoch).ok_or(Garbage::Field("the epoch"))?;
        let hints = take_hints(&mut rest, fixed.hints)?;
        let program = take_name(&mut rest, fixed.program, "the program's name")?;
        let group = match fixed.group {
            NONE => None,
            length => Some(take_name(&mut rest, length, "the group's name")?),
        };
        if !rest.is_empty() || fixed.zero != 0 {
            return Err(Garbage::Field("the hello's length"));
        }
        Ok(Hello { layout: fixed.layout, epoch, program, group, hints })
    }
}

impl Welcome {
    /// As a packet.
    pub fn to_packet(&self) -> Vec<u8> {
        packet(Kind::Welcome, self.as_bytes())
    }

    /// Reads the body of a packet.
    pub fn parse(body: &[u8]) -> Result<Welcome, Garbage> {
        Welcome::read_from_bytes(body).map_err(|_| Garbage::Field("the welcome's length"))
    }
}

impl ProgramHints {
    /// As a packet.
    pub fn to_packet(&self) -> Vec<u8> {
        let entries = hint_entries(&self.hints);
        let (slot, generation) = self.slot.map_or((NONE, 0), |(slot, generation)| (slot.into(), generation));
        let fixed = HintsFixed { slot, generation, count: entries.len() as u32, zero: 0 };
        packet(Kind::Hints, &[fixed.as_bytes(), entries.as_bytes()].concat())
    }

    /// Reads the body of a packet.
    pub fn parse(body: &[u8]) -> Result<ProgramHints, Garbage> {
        let (fixed, mut rest) =
            HintsFixed::read_from_prefix(body).map_err(|_| Garbage::Field("the hints' length"))?;
        let slot = match fixed.slot {
            NONE if fixed.generation != 0 => return Err(Garbage::Field("the hints' generation")),
            NONE => None,
            slot => {
                let slot = u16::try_from(slot).map_err(|_| Garbage::Field("the hints' slot"))?;
                Some((slot, fixed.generation))
            }
        };
        let hints = take_hints(&mut rest, fixed.count)?;
        if !rest.is_empty() || fixed.zero != 0 {
            return Err(Garbage::Field("the hints' length"));
        }
        Ok(ProgramHints { slot, hints })
    }
}

impl Loan {
    /// As a packet.
    pub fn to_packet(&self) -> Vec<u8> {
        let (fds, blob) = (self.fds as u32, self.blob.len() as u32);
        let fixed = LoanFixed { kind: self.kind, fds, blob, zero: 0 };
        packet(Kind::Lend, &[fixed.as_bytes(), &self.blob].concat())
    }

    /// Reads the body of a packet.
    pub fn parse(body: &[u8]) -> Result<Loan, Garbage> {
        let (fixed, mut rest) =
            LoanFixed::read_from_prefix(body).map_err(|_| Garbage::Field("the loan's length"))?;
        let blob = take(&mut rest, fixed.blob, MAX_BLOB, "the loan's blob")?;
        if !rest.is_empty() || fixed.zero != 0 {
            return Err(Garbage::Field("the loan's length"));
        }
        let fds = fixed.fds as usize;
        if fds > MAX_FDS || fixed.kind == 0 && (fds > 0 || !blob.is_empty()) {
            return Err(Garbage::Field("the loan's number of fds"));
        }
        Ok(Loan { kind: fixed.kind, fds, blob: blob.to_vec() })
    }
}

impl LimitsBody {
    /// As a packet.
    pub fn to_packet(limits: Limits) -> Vec<u8> {
        let level = limits.level.map_or(0, |level| level.number().into());
        let body = LimitsBody { level, threshold: limits.threshold.unwrap_or(0) };
        packet(Kind::Limits, body.as_bytes())
    }

    /// Reads the body of a packet.
    pub fn parse(body: &[u8]) -> Result<Limits, Garbage> {
        let body = LimitsBody::read_from_bytes(body).map_err(|_| Garbage::Field("the limits' length"))?;
        let level = match body.level {
            0 => None,
            number => {
                let level = u8::try_from(number).ok().and_then(Level::from_number);
                Some(level.ok_or(Garbage::Field("the limit's level"))?)
            }
        };
        Ok(Limits { level, threshold: Some(body.threshold).filter(|threshold| *threshold > 0) })
    }
}

impl VigilBody {
    /// As a packet.
    pub fn to_packet(is_kept: bool) -> Vec<u8> {
        packet(Kind::Vigil, VigilBody { is_kept: is_kept.into() }.as_bytes())
    }

    /// Reads the body of a packet: whether the sign of life is to be watched closely.
    pub fn parse(body: &[u8]) -> Result<bool, Garbage> {
        match VigilBody::read_from_bytes(body).map(|body| body.is_kept) {
            Ok(is_kept @ 0..=1) => Ok(is_kept == 1),
            _ => Err(Garbage::Field("the vigil")),
        }
    }
}

const MAGIC: u32 = u32::from_le_bytes(*b"XSch");
/// Length of a text that is not there.
const NONE: u32 = u32::MAX;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: u32,
    version: u16,
    kind: u16,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct HelloFixed {
    layout: u32,
    epoch: u32,
    program: u32,
    group: u32,
    hints: u32,
    zero: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct LoanFixed {
    kind: u32,
    fds: u32,
    blob: u32,
    zero: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct HintsFixed {
    slot: u32,
    generation: u32,
    count: u32,
    zero: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct HintEntry {
    code: u64,
    value: i64,
}

fn hint_entries(hints: &Hints) -> Vec<HintEntry> {
    hints.iter().map(|hint| HintEntry { code: hint.kind() as u64, value: hint.value() }).collect()
}

fn take_hints(rest: &mut &[u8], count: u32) -> Result<Hints, Garbage> {
    let mut hints = Hints::default();
    if count as usize > xsched_core::hint::HINTS.len() {
        return Err(Garbage::Field("the number of hints"));
    }
    for _ in 0..count {
        let (entry, behind) =
            HintEntry::read_from_prefix(rest).map_err(|_| Garbage::Field("a hint's length"))?;
        *rest = behind;
        let kind = u8::try_from(entry.code).ok().and_then(HintKind::from_code);
        let hint = kind.and_then(|kind| Hint::new(kind, entry.value).ok());
        hints.set(hint.ok_or(Garbage::Field("a hint"))?);
    }
    Ok(hints)
}

fn name(text: &str) -> String {
    let mut length = 0;
    let fits = |c: &char| {
        length += c.len_utf8();
        length <= MAX_NAME
    };
    printable(text).chars().take_while(fits).collect()
}

fn take<'a>(rest: &mut &'a [u8], length: u32, most: usize, what: &'static str) -> Result<&'a [u8], Garbage> {
    let taken = rest.split_at_checked(length as usize).filter(|_| length as usize <= most);
    let (taken, behind) = taken.ok_or(Garbage::Field(what))?;
    *rest = behind;
    Ok(taken)
}

fn take_name(rest: &mut &[u8], length: u32, what: &'static str) -> Result<String, Garbage> {
    let bytes = take(rest, length, MAX_NAME, what)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Garbage::Field(what))?;
    if text.is_empty() || !text.chars().all(is_printable) {
        Err(Garbage::Field(what))
    } else {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> Hello {
        let mut hints = Hints::default();
        hints.set(Hint::new(HintKind::Priority, -5).unwrap());
        hints.set(Hint::new(HintKind::Deadline, 77).unwrap());
        Hello {
            layout: 1, epoch: Epoch::FIRST, program: "hash cät".into(), group: Some("job".into()), hints
        }
    }

    #[test]
    fn a_hello_reads_back() {
        let bare = Hello { group: None, hints: Hints::default(), ..hello() };
        for hello in [hello(), bare] {
            let packet = hello.to_packet();
            let (kind, body) = open(&packet).unwrap();
            assert_eq!((kind, Hello::parse(body)), (Kind::Hello, Ok(hello)));
        }
    }

    #[test]
    fn a_programs_hints_read_back_and_what_is_not_such_is_refused() {
        for slot in [None, Some((7, 3)), Some((u16::MAX, 0))] {
            let given = ProgramHints { slot, hints: hello().hints };
            let packet = given.to_packet();
            let (kind, body) = open(&packet).unwrap();
            assert_eq!((kind, ProgramHints::parse(body)), (Kind::Hints, Ok(given)));
            assert!((0..body.len()).all(|length| ProgramHints::parse(&body[..length]).is_err()));
            assert!(ProgramHints::parse(&[body, &[0]].concat()).is_err());
        }
        let beyond = HintsFixed { slot: 1 << 16, generation: 0, count: 0, zero: 0 };
        assert_eq!(ProgramHints::parse(beyond.as_bytes()), Err(Garbage::Field("the hints' slot")));
    }

    #[test]
    fn a_loan_reads_back_and_what_is_not_such_is_refused() {
        let loan = Loan { kind: 3, fds: 2, blob: vec![1, 2, 3] };
        for loan in [loan.clone(), Loan { fds: MAX_FDS, blob: vec![7; MAX_BLOB], ..loan }, Loan::default()] {
            let packet = loan.to_packet();
            let (kind, body) = open(&packet).unwrap();
            assert_eq!((kind, Loan::parse(body)), (Kind::Lend, Ok(loan)));
            // Each length of a short one, some of a long one: this runs in an interpreter too.
            let step = body.len() / 64 + 1;
            assert!((0..body.len()).step_by(step).all(|length| Loan::parse(&body[..length]).is_err()));
            assert!(Loan::parse(&[body, &[0]].concat()).is_err());
        }
        for wrong in [
            Loan { kind: 3, fds: MAX_FDS + 1, blob: vec![] },
            Loan { kind: 3, fds: 1, blob: vec![7; MAX_BLOB + 1] },
            Loan { kind: 0, fds: 1, blob: vec![] },
            Loan { kind: 0, fds: 0, blob: vec![1] },
        ] {
            assert!(
                Loan::parse(open(&wrong.to_packet()).unwrap().1).is_err(),
                "{} {}",
                wrong.kind,
                wrong.fds
            );
        }
    }

    #[test]
    fn limits_read_back_and_a_level_that_there_is_not_is_refused() {
        let all = Limits { level: Some(Level::Deactivate), threshold: Some(7) };
        for limits in [all, Limits::default(), Limits { level: None, ..all }] {
            let packet = LimitsBody::to_packet(limits);
            let (kind, body) = open(&packet).unwrap();
            assert_eq!((kind, LimitsBody::parse(body)), (Kind::Limits, Ok(limits)));
        }
        assert!(LimitsBody::parse(LimitsBody { level: 4, threshold: 0 }.as_bytes()).is_err());
        assert!(LimitsBody::parse(&[0; 9]).is_err());
    }

    #[test]
    fn a_vigil_reads_back_and_what_is_not_such_is_refused() {
        for is_kept in [false, true] {
            let packet = VigilBody::to_packet(is_kept);
            let (kind, body) = open(&packet).unwrap();
            assert_eq!((kind, VigilBody::parse(body)), (Kind::Vigil, Ok(is_kept)));
        }
        assert!(VigilBody::parse(VigilBody { is_kept: 2 }.as_bytes()).is_err());
        assert!(VigilBody::parse(&[]).is_err() && VigilBody::parse(&[0; 5]).is_err());
    }

    #[test]
    fn names_are_cut_and_cleaned_by_the_sender_and_refused_by_the_reader_otherwise() {
        let long = Hello { program: format!("a\n\u{202e}{}", "ä".repeat(300)), ..hello() };
        let packet = long.to_packet();
        let read = Hello::parse(open(&packet).unwrap().1).unwrap();
        assert!(read.program.starts_with("a??ä") && read.program.len() <= MAX_NAME);
        let dirty: Vec<u8> =
            hello().to_packet().iter().map(|b| if *b == b' ' { b'\n' } else { *b }).collect();
        assert_eq!(Hello::parse(open(&dirty).unwrap().1), Err(Garbage::Field("the program's name")));
    }

    #[test]
    fn another_version_is_named_but_its_refusal_is_understood() {
        let mut other = hello().to_packet();
        other[4..6].copy_from_slice(&9u16.to_ne_bytes());
        assert_eq!(open(&other), Err(Garbage::Version(9)));
        let mut refused = packet(Kind::Refused, b"no");
        refused[4..6].copy_from_slice(&9u16.to_ne_bytes());
        assert_eq!(open(&refused), Ok((Kind::Refused, &b"no"[..])));
    }

    #[test]
    fn a_truncated_or_lengthened_hello_is_refused() {
        let whole = hello().to_packet();
        for length in 0..whole.len() {
            assert!(open(&whole[..length]).and_then(|(_, body)| Hello::parse(body)).is_err(), "{length}");
        }
        let longer = [whole, vec![0]].concat();
        assert!(Hello::parse(open(&longer).unwrap().1).is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_are_refused_and_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&bytes).is_err());
            let _ = Hello::parse(&bytes);
            let _ = Welcome::parse(&bytes);
            let _ = LimitsBody::parse(&bytes);
            let _ = VigilBody::parse(&bytes);
            let _ = ProgramHints::parse(&bytes);
            let _ = Loan::parse(&bytes);
            let _ = reason(&bytes);
        }

        #[test]
        fn a_hello_with_changed_bytes_is_refused_or_is_another_valid_hello(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
        ) {
            let mut packet = hello().to_packet();
            for (at, byte) in changes {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            if let Ok((Kind::Hello, body)) = open(&packet) && let Ok(read) = Hello::parse(body) {
                let again = read.to_packet();
                prop_assert_eq!(Hello::parse(open(&again).unwrap().1), Ok(read));
            }
        }
    }
}
