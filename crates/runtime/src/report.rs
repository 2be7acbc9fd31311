//! One line to stderr for what the user must know, each kind once per process.

use crate::signals;
use rustix::fd::BorrowedFd;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Writes `xsched: <text>` once: the same text is not written again.
pub fn once(text: &str) {
    static SAID: Mutex<Option<BTreeSet<String>>> = Mutex::new(None);
    // The lock is not waited for, because the child of a fork may have it locked for ever; at worst a line comes twice.
    let fresh = SAID.try_lock().map_or(true, |mut said| {
        let said = said.get_or_insert_default();
        said.len() < 64 && said.insert(text.to_owned())
    });
    if fresh {
        let line = format!("xsched: {text}\n");
        // One write, so that lines of several threads do not mix, and not the standard library's, which locks too. Nobody can be told if
        // stderr is closed.
        // SAFETY: the number of stderr, whatever the program has there; it is only written to.
        let stderr = unsafe { BorrowedFd::borrow_raw(2) };
        signals::without_sigpipe(|| rustix::io::write(stderr, line.as_bytes()));
    }
}
