//! What the agent lends xserver, so that it can stop what this process has on its devices; and how that is taken back.
//!
//! A platform says by a number when there is something new to lend ([`xsched_hal::Controls`]); the agent looks now and then. Invariant: what was lent is let
//! go by this process itself whenever it parts from the server, however that came, and behind the parting: what the server does later it undoes itself,
//! because it looks whether it still has this process after each thing that it does (SYNC POINT with `xserver`'s `interrupt::lever::Owner`). Only plain system calls
//! are made for that: a thread of the program may sit in the vendor's library with its locks and wait for the very device that is stopped.

use crate::guest::Guest;
use crate::offered::offered;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsched_core::Level;
use xsched_hal::{Controls, RemoteControl};
use xsched_ipc::guest::Session;
use xsched_ipc::wire::{MAX_BLOB, MAX_FDS};

/// How often the agent looks whether there is something new to lend, and whether who has it still lives.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// What is lent to the present server, as the agent knows it.
#[derive(Debug, Default)]
pub(crate) struct Lending {
    /// The number of what was told last; `None`: nothing is lent.
    told: Option<u64>,
}

/// What this process has lent to some server since it began: then it has to be let go at the end. Apart from the agent's own, for whoever ends the process.
#[derive(Debug, Default)]
pub(crate) struct Lent(AtomicBool);

impl Lending {
    /// Tells the server what is new; it gets nothing that it may not use.
    pub(crate) fn tell(&mut self, guest: &Guest, session: &Session) {
        let Some(controls) = offered() else { return };
        let is_wanted =
            guest.config.device_control && guest.highest_level() >= Level::Interrupt && !guest.is_exiting();
        self.tell_by(controls, is_wanted, |remote| {
            if remote.is_some() {
                guest.lent.0.store(true, Ordering::SeqCst);
            }
            send(session, remote)
        });
    }

    fn tell_by(
        &mut self,
        controls: &dyn Controls,
        is_wanted: bool,
        mut send: impl FnMut(Option<&RemoteControl>) -> bool,
    ) {
        let new = is_wanted.then(|| controls.generation());
        if new == self.told {
            return;
        }
        // What comes while this is put together moves the number again.
        let remote = new.and_then(|_| controls.remote());
        if send(remote.as_ref()) {
            self.told = new;
        }
    }
}

impl Lent {
    /// Lets everything go that was lent. After the parting.
    pub(crate) fn rescue(&self) {
        if self.0.load(Ordering::SeqCst) {
            offered().inspect(|controls| controls.rescue());
        }
    }

    /// Lets everything go on that a server may have stopped, and leaves it as it is otherwise.
    pub(crate) fn let_go(&self) {
        if self.0.load(Ordering::SeqCst) {
            offered().inspect(|controls| controls.let_go());
        }
    }

    /// Whether a server that freezes may leave something stopped.
    pub(crate) fn is_any(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Whether there was room for it. What is too large is not lent.
fn send(session: &Session, remote: Option<&RemoteControl>) -> bool {
    use rustix::fd::AsFd;
    let remote = remote.filter(|remote| remote.fds.len() <= MAX_FDS && remote.blob.len() <= MAX_BLOB);
    let fds: Vec<_> = remote.map(|remote| remote.fds.iter().map(AsFd::as_fd).collect()).unwrap_or_default();
    session.lend(remote.map(|remote| (remote.kind, fds.as_slice(), remote.blob.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[derive(Debug, Default)]
    struct Contexts(AtomicU64);

    impl Controls for Contexts {
        fn can_interrupt(&self, _device: &xsched_core::DeviceKey) -> Result<(), String> {
            Ok(())
        }

        fn generation(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        fn remote(&self) -> Option<RemoteControl> {
            let generation = self.generation();
            (generation > 0).then(|| RemoteControl {
                kind: 1,
                fds: vec![],
                blob: generation.to_le_bytes().to_vec(),
            })
        }

        fn let_go(&self) {}

        fn rescue(&self) {}
    }

    /// What was sent: which contexts; 0 for nothing.
    fn tell(lending: &mut Lending, contexts: &Contexts, is_wanted: bool, has_room: bool) -> Vec<u64> {
        let mut sent = vec![];
        lending.tell_by(contexts, is_wanted, |remote| {
            sent.push(remote.map_or(0, |remote| u64::from_le_bytes(*remote.blob.first_chunk().unwrap())));
            has_room
        });
        sent
    }

    #[test]
    fn what_is_new_is_told_once_and_until_there_was_room_for_it() {
        let (mut lending, contexts) = (Lending::default(), Contexts::default());
        contexts.0.store(1, Ordering::SeqCst);
        assert_eq!(tell(&mut lending, &contexts, true, false), [1]);
        contexts.0.store(2, Ordering::SeqCst);
        assert_eq!(tell(&mut lending, &contexts, true, true), [2], "the newest only");
        assert!(tell(&mut lending, &contexts, true, true).is_empty());
        contexts.0.store(3, Ordering::SeqCst);
        assert_eq!(tell(&mut lending, &contexts, true, true), [3]);
        assert_eq!(tell(&mut Lending::default(), &contexts, true, true), [3], "the next server is told anew");
    }

    #[test]
    fn a_level_below_interrupting_then_nothing_is_lent_and_what_was_is_taken_back() {
        let (mut lending, contexts) = (Lending::default(), Contexts::default());
        contexts.0.store(7, Ordering::SeqCst);
        assert!(tell(&mut lending, &contexts, false, true).is_empty());
        assert_eq!(tell(&mut lending, &contexts, true, true), [7]);
        assert_eq!(tell(&mut lending, &contexts, false, false), [0]);
        assert_eq!(tell(&mut lending, &contexts, false, true), [0]);
        assert!(tell(&mut lending, &contexts, false, true).is_empty());
    }
}
