//! One line to stderr for what the user must know, each kind once per process.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Mutex;

/// Writes `xsched: <text>` once: the same text is not written again.
pub fn once(text: &str) {
    static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let fresh = SAID.lock().is_ok_and(|mut said| {
        let said = said.get_or_insert_default();
        said.len() < 64 && said.insert(text.to_owned())
    });
    if fresh {
        // One write, so that lines of several threads do not mix. Nobody can be told if stderr is closed.
        let _ = std::io::stderr().write_all(format!("xsched: {text}\n").as_bytes());
    }
}
