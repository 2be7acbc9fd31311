//! Values as text. What is accepted is written back such that it reads the same.

use crate::Seed;
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;
use xsched_core::config::{OnNoServer, Scheduler};
use xsched_core::hint::HINTS;
use xsched_core::{ClientId, DeviceId, DeviceKey, GroupId, Hint, Level, QueueId, Value, text};
use xsched_sched::PolicyKind;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    value::<Duration>(text);
    value::<Level>(text);
    value::<bool>(text);
    value::<u32>(text);
    value::<Option<String>>(text);
    value::<Scheduler>(text);
    value::<OnNoServer>(text);
    if let Ok(key) = DeviceKey::parse(text) {
        assert!(key.as_str().len() <= DeviceKey::MAX_LEN && key.as_str() == text);
    }
    assert!(DeviceKey::parse(DeviceKey::named(text, data.len()).as_str()).is_ok());
    for info in HINTS {
        if let Ok(hint) = Hint::parse(info.kind, "here", text) {
            assert!((info.min..=info.max).contains(&hint.value()));
            assert_eq!(Hint::parse(info.kind, "here", &hint.value().to_string()), Ok(hint));
        }
    }
    id::<ClientId>(text);
    id::<GroupId>(text);
    id::<DeviceId>(text);
    id::<QueueId>(text);
    if let Ok(policy) = PolicyKind::parse(text) {
        assert_eq!(PolicyKind::parse(&policy.to_string()), Ok(policy));
    }
    let shown = text::printable(text);
    assert_eq!(text::printable(&shown), shown);
    assert!(!shown.chars().any(char::is_control));
}

fn value<T: Value + PartialEq + Debug>(text: &str) {
    if let Ok(value) = T::parse(text) {
        assert_eq!(T::parse(&value.show()), Ok(value));
    }
}

fn id<T: FromStr<Err = text::Expected> + ToString + PartialEq + Debug>(text: &str) {
    if let Ok(id) = text.parse::<T>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let texts = [
        ("duration", "200us"),
        ("level", "deactivate"),
        ("switch", "off"),
        ("scheduler", "GLB"),
        ("no-server", "wait"),
        ("pci", "pci:0000:65:00.0"),
        ("uuid", "uuid:0123456789abcdef0123456789abcdef"),
        ("priority", "-256"),
        ("queue", "q7"),
        ("policy", "hpf"),
        ("escape", "a\u{1b}[2Jb\u{202e}c"),
    ];
    texts.map(|(name, text)| (name, text.into())).into()
}
