//! What the server makes of the hints that a program is started with, said before it starts: the server itself tells only its log.
//!
//! Invariant: silence where no server answers at once. The program itself says that there is none, and gets what it can when one comes.

use std::path::PathBuf;
use std::time::Duration;
use xsched_client::Client;
use xsched_core::hint::unread;
use xsched_core::status::ServerStatus;
use xsched_core::{HintKind, Hints};

/// The program is not kept waiting for a server that is busy.
const PATIENCE: Duration = Duration::from_millis(200);

/// One line for each hint that does not do what it says.
pub(crate) fn advise(places: &[PathBuf], hints: &Hints) -> Vec<String> {
    if hints.iter().next().is_none() {
        return Vec::new();
    }
    let status = Client::connect(places, PATIENCE).and_then(|mut client| client.status());
    status.map(|status| remarks(&status, hints)).unwrap_or_default()
}

fn remarks(status: &ServerStatus, hints: &Hints) -> Vec<String> {
    let uid = rustix::process::getuid().as_raw();
    let too_high = status.priority_ceiling.filter(|ceiling| hints.priority() > *ceiling).map(|ceiling| {
        format!(
            "priority {} is above {ceiling}, the highest that user {uid} may ask for: the program starts with {ceiling}; \
             root and the group xsched may go higher (priority_ceiling)",
            hints.priority()
        )
    });
    let is_unread = |kind: &HintKind| !status.policy_reads.contains(kind);
    let unread =
        hints.iter().map(|hint| hint.kind()).filter(is_unread).map(|kind| unread(&status.policy, kind));
    too_high.into_iter().chain(unread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::Hint;

    #[test]
    fn only_what_does_not_hold_is_said() {
        let status = ServerStatus {
            version: String::new(),
            pid: 1,
            policy: "HPF".into(),
            clients: 0,
            queues: 0,
            devices: vec![],
            policy_reads: vec![HintKind::Priority],
            priority_ceiling: Some(5),
            may_steer_all: false,
            totals: None,
        };
        let said = |hints: &[(HintKind, i64)]| {
            let mut all = Hints::default();
            hints.iter().for_each(|(kind, value)| all.set(Hint::new(*kind, *value).unwrap()));
            remarks(&status, &all)
        };
        assert_eq!(said(&[(HintKind::Priority, 5)]), [""; 0]);
        let all = said(&[(HintKind::Priority, 6), (HintKind::Utilization, 50)]);
        assert!(all[0].starts_with("priority 6 is above 5, the highest"), "{all:?}");
        assert_eq!(all[1], unread("HPF", HintKind::Utilization));
    }
}
