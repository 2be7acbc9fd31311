//! What is written reads the same; what was not written is refused with its place.

use proptest::prelude::*;
use xsched_core::hint::HINTS;
use xsched_core::{ClientId, DeviceId, Event, Fact, GroupId, Hint, Hints, Operation, QueueId, Time};
use xsched_trace::{End, Entry, Error, Header, Reader, Writer};

fn hint() -> impl Strategy<Value = Hint> {
    (0..HINTS.len(), any::<prop::sample::Index>()).prop_map(|(n, index)| {
        let info = &HINTS[n];
        let value = info.min + index.index((info.max - info.min + 1) as usize) as i64;
        Hint::new(info.kind, value).unwrap()
    })
}

fn event() -> impl Strategy<Value = Event> {
    let (client, device) = (any::<u32>().prop_map(ClientId), any::<u32>().prop_map(DeviceId));
    let queue = any::<u64>().prop_map(QueueId);
    let fact = prop_oneof![
        any::<i16>().prop_map(Fact::CpuPriority),
        any::<bool>().prop_map(Fact::ActiveWindow),
        any::<bool>().prop_map(Fact::Interruptible)
    ];
    prop_oneof![
        (client.clone(), any::<u32>())
            .prop_map(|(client, group)| Event::ClientJoined { client, group: GroupId(group) }),
        (client.clone(), any::<u32>())
            .prop_map(|(client, group)| Event::ClientMoved { client, group: GroupId(group) }),
        client.clone().prop_map(|client| Event::ClientLeft { client }),
        (queue.clone(), client.clone(), device, prop::collection::vec(hint(), 0..4)).prop_map(
            |(queue, client, device, given)| {
                let mut hints = Hints::default();
                given.into_iter().for_each(|hint| hints.set(hint));
                Event::QueueCreated { queue, client, device, hints }
            }
        ),
        queue.clone().prop_map(|queue| Event::QueueDestroyed { queue }),
        queue.clone().prop_map(|queue| Event::QueueReady { queue }),
        queue.clone().prop_map(|queue| Event::QueueIdle { queue }),
        (queue.clone(), any::<u64>(), any::<u64>())
            .prop_map(|(queue, launched, completed)| Event::QueueProgress { queue, launched, completed }),
        (queue, hint()).prop_map(|(queue, hint)| Event::QueueHint { queue, hint }),
        (client.clone(), hint()).prop_map(|(client, hint)| Event::ClientHint { client, hint }),
        (client.clone(), hint()).prop_map(|(client, hint)| Event::ClientUnset { client, kind: hint.kind() }),
        (client, fact).prop_map(|(client, fact)| Event::ClientFact { client, fact }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    (0..7u8, any::<u32>(), any::<u32>(), any::<u64>()).prop_map(|(kind, client, device, queue)| {
        let (client, device) = (ClientId(client), DeviceId(device));
        match kind {
            0 => Operation::Suspend { client, device },
            1 => Operation::Resume { client, device },
            2 => Operation::Window { client, device },
            3 => Operation::Unwindow { client, device },
            4 => Operation::Await { client, device },
            5 => Operation::Unawait { client, device },
            _ => Operation::Probe { queue: QueueId(queue) },
        }
    })
}

/// An entry, and how much later than the one before it is.
fn step() -> impl Strategy<Value = (u64, Entry)> {
    let text = "\\PC{0,40}";
    let later = any::<u32>().prop_map(u64::from);
    let entry = prop_oneof![
        6 => event().prop_map(Entry::Event),
        4 => (prop::collection::vec(operation(), 0..6), prop::option::of(1..u64::from(u32::MAX)))
            .prop_map(|(operations, next)| Entry::Decision { operations, next: next.map(Time::from_nanos) }),
        1 => text.prop_map(Entry::Policy),
        1 => (any::<u32>(), any::<u32>(), text)
            .prop_map(|(client, pid, program)| Entry::Client { client: ClientId(client), pid, program }),
        1 => (any::<u32>(), text).prop_map(|(device, key)| Entry::Device { device: DeviceId(device), key }),
    ];
    (later, entry)
}

fn written(header: &Header, entries: &[(Time, Entry)]) -> Vec<u8> {
    let mut writer = Writer::new(header);
    entries.iter().for_each(|(time, entry)| writer.entry(entry, *time));
    writer.take()
}

fn read(bytes: &[u8]) -> Result<(Header, Vec<(Time, Entry)>), Error> {
    let (header, reader) = Reader::new(bytes)?;
    Ok((header, reader.collect::<Result<_, _>>()?))
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(
        pairs in prop::collection::vec(("[a-z]{1,9}", "\\PC{0,20}"), 0..5),
        steps in prop::collection::vec(step(), 0..60),
        is_ended in any::<bool>(),
    ) {
        let mut now = 0;
        let mut entries: Vec<(Time, Entry)> = steps.into_iter().map(|(later, entry)| {
            now += later;
            let entry = match entry {
                Entry::Decision { operations, next } => {
                    let next = next.map(|next| Time::from_nanos(now + next.as_nanos()));
                    Entry::Decision { operations, next }
                }
                entry => entry,
            };
            (Time::from_nanos(now), entry)
        }).collect();
        if is_ended {
            entries.push((Time::from_nanos(now), Entry::End(End::Full)));
        }
        let header = Header(pairs);
        let bytes = written(&header, &entries);
        prop_assert_eq!(read(&bytes), Ok((header.clone(), entries.clone())));

        // Cut anywhere, it is read up to the record that is not whole.
        for end in (0..bytes.len()).step_by(7) {
            match Reader::new(&bytes[..end]) {
                Err(error) => prop_assert!(matches!(error, Error::NotATrace | Error::CutOff { .. }), "{}", error),
                Ok((_, reader)) => {
                    for (found, entry) in reader.zip(&entries) {
                        match found {
                            Ok(found) => prop_assert_eq!(&found, entry),
                            Err(error) => prop_assert!(matches!(error, Error::CutOff { .. }), "{}", error),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_of_others_are_refused_with_their_place_or_read_as_something_that_can_be_written(
        junk in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = written(&Header::default(), &[]);
        bytes.extend(junk);
        match read(&bytes) {
            Ok((header, entries)) => prop_assert_eq!(read(&written(&header, &entries)), Ok((header, entries))),
            Err(Error::Bad { offset, .. } | Error::CutOff { offset }) => prop_assert!(offset < bytes.len()),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let start = written(&Header::default(), &[]);
    let with = |more: &[u8]| read(&[&start, more].concat()).unwrap_err().to_string();
    assert_eq!(
        read(b"hello").unwrap_err().to_string(),
        "it is not a recording of xserver: those begin with \"XSTRACE\""
    );
    assert_eq!(
        read(b"XSTRACE\n\x02").unwrap_err().to_string(),
        "it is a recording in version 2 of the format, and only version 1 can be read"
    );
    assert_eq!(with(&[0x77, 0]), "byte 11: 0x77 is no kind of record");
    assert_eq!(with(&[0x05]), "it ends within the record at byte 10");
    assert_eq!(
        with(&[0x05, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        "byte 21: a number is beyond 64 bits"
    );
    assert_eq!(
        with(&[0x09, 0, 1, 1, 0xff, 0xff, 3]),
        "byte 16: -32768 is not valid; expected priority from -256 to 255"
    );
    assert_eq!(with(&[0x00, 0, 1, 5]), "byte 13: something follows the end");
    assert_eq!(with(&[0x21, 0, 0xff, 2]), "byte 13: a text is longer than 255 bytes");
}

#[test]
fn an_edge_and_its_decision_are_few_bytes() {
    let mut writer = Writer::new(&Header::default());
    let (client, device) = (ClientId(3), DeviceId(1));
    writer.event(&Event::QueueReady { queue: QueueId(100) }, Time::from_nanos(1_000_000));
    writer.take();
    writer.event(&Event::QueueReady { queue: QueueId(101) }, Time::from_nanos(1_100_000));
    writer.decision(&[Operation::Suspend { client, device }], None, Time::from_nanos(1_100_000));
    assert_eq!(writer.len(), 5 + 7, "{:?}", writer.take());
}

#[test]
fn a_time_that_runs_backwards_and_a_text_that_is_too_long_are_bent_to_what_may_be() {
    let long = Entry::Policy("ä".repeat(300));
    let bytes =
        written(&Header::default(), &[(Time::from_nanos(5), long.clone()), (Time::from_nanos(3), long)]);
    let (_, entries) = read(&bytes).unwrap();
    assert_eq!(entries[1].0, Time::from_nanos(5));
    assert!(matches!(&entries[0].1, Entry::Policy(text) if text.chars().count() == 127));
}
