//! What this process shares with others across the device: who may wait for whom there, so that all who name it are suspended as one.
//!
//! Invariant: the lock is held for no longer than a send that does not wait. What is not told yet, because there is no server or no room in the
//! socket, is told by the agent, which also tells each new server everything.

use crate::guest;
use crate::{config, errno, fork, report};
use std::collections::BTreeMap;
use std::sync::Mutex;
use xsched_ipc::guest::Session;
use xsched_ipc::wire::MAX_BOND;

/// What one process names at most. It is for handles that processes hand to each other, of which there are few.
const MOST: usize = 1024;

/// What is shared, and whether the present server was told.
type Bonds = Mutex<BTreeMap<Vec<u8>, bool>>;

static BONDS: fork::PerLife<Bonds> = fork::PerLife::new();

/// The program shares something with other processes, who know it by the same bytes: a handle that it exported or opened. `kind` keeps those
/// of different sorts apart.
pub fn share(kind: &str, handle: &[u8]) {
    let name = [kind.as_bytes(), b":", handle].concat();
    let is_wanted = config::config().join_sharers && name.len() <= MAX_BOND;
    let _errno = errno::Keep::new();
    let Ok(mut bonds) = BONDS.get().lock() else { return };
    if !is_wanted || bonds.contains_key(&name) {
        return;
    }
    if bonds.len() >= MOST {
        return report::once(&format!(
            "more than {MOST} handles shared with other processes: for those beyond, nobody is held together with them"
        ));
    }
    let is_told = guest::existing().and_then(|guest| guest.link()).is_some_and(|link| link.bond(&name));
    bonds.insert(name, is_told);
}

/// Tells what was not told yet; to a new server everything.
pub(crate) fn tell(session: &Session, is_new: bool) {
    let Ok(mut bonds) = BONDS.get().lock() else { return };
    for (name, is_told) in bonds.iter_mut() {
        *is_told = *is_told && !is_new || session.bond(name);
    }
}
