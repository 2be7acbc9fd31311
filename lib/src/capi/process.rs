//! Hints for the whole process: `xsched/process.h`, which other implementations do not have.

use super::types::{self, XHintKind, XResult};
use super::{Answer, exports};
use xsched_core::HintKind;
use xsched_runtime::{set_hint, unset_hint};

exports! {
    /// Gives all queues of the process a hint.
    fn XProcessHint(kind: XHintKind, value: i64) = give;
    /// Takes it back.
    fn XProcessUnhint(kind: XHintKind) = take_back;
}

fn give(kind: XHintKind, value: i64) -> Answer {
    set_hint(types::hint(kind_of(kind)?, value)?);
    Ok(())
}

fn take_back(kind: XHintKind) -> Answer {
    unset_hint(kind_of(kind)?);
    Ok(())
}

fn kind_of(number: XHintKind) -> Result<HintKind, XResult> {
    let kind = u8::try_from(number).ok().and_then(HintKind::from_code);
    kind.ok_or(XResult::INVALID_VALUE)
}
