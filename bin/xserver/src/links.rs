//! Everybody who is connected: those who have not said yet what they want, guests, and control clients.
//!
//! A link costs the server a few fds and nothing else; how many there may be is bounded, for each user and together. What a control
//! client does not read stays in its outbox, and nothing more is read from it until that is empty.

use crate::poller::{Poller, Source, Wake};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use xsched_core::{ClientId, Time};
use xsched_ipc::Error;
use xsched_ipc::server::Connection;

/// Links of all users together.
pub(crate) const MOST: usize = 4096;
/// Links of one user other than root.
pub(crate) const MOST_OF_ONE_USER: usize = 1024;
/// How long somebody may be silent before it said what it wants.
const SILENCE: Duration = Duration::from_secs(5);

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) role: Role,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Role {
    /// It has not said so yet.
    Fresh {
        /// When it connected.
        since: Time,
    },
    /// A guest.
    Guest {
        /// Its number.
        client: ClientId,
        /// What it rings.
        doorbell: OwnedFd,
    },
    /// A control client, with the packets that it has not taken yet.
    Control(VecDeque<Vec<u8>>),
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    table: HashMap<u32, Link>,
    by_user: BTreeMap<u32, usize>,
    fresh: usize,
    last: u32,
}

impl Links {
    /// Takes a connection in. The error says why not, and was said to the peer.
    pub(crate) fn add(&mut self, connection: Connection, now: Time, poller: &Poller) -> Result<u32, String> {
        let uid = connection.credentials().uid;
        let of_user = self.by_user.get(&uid).copied().unwrap_or(0);
        if self.table.len() >= MOST || uid != 0 && of_user >= MOST_OF_ONE_USER {
            let reason =
                format!("too many connections: {} of user {uid}, {} in all", of_user, self.table.len());
            connection.refuse(&reason);
            return Err(reason);
        }
        self.last = self.last.wrapping_add(1);
        let number = self.last;
        poller
            .add(&connection, Source::Link(number), Wake::Readable)
            .map_err(|e| format!("epoll_ctl: {e}"))?;
        *self.by_user.entry(uid).or_default() += 1;
        self.fresh += 1;
        self.table.insert(number, Link { connection, role: Role::Fresh { since: now } });
        Ok(number)
    }

    /// The link with this number, if it is still there.
    pub(crate) fn get(&self, number: u32) -> Option<&Link> {
        self.table.get(&number)
    }

    /// A link has said what it is.
    pub(crate) fn set_role(&mut self, number: u32, role: Role, poller: &Poller) -> rustix::io::Result<()> {
        let Some(link) = self.table.get_mut(&number) else { return Ok(()) };
        if let Role::Guest { doorbell, .. } = &role {
            poller.add(doorbell, Source::Doorbell(number), Wake::EachWrite)?;
            if let Some(pidfd) = link.connection.pidfd() {
                poller.add(pidfd, Source::Process(number), Wake::Readable)?;
            }
        }
        if matches!(link.role, Role::Fresh { .. }) {
            self.fresh -= 1;
        }
        link.role = role;
        Ok(())
    }

    /// Ends a link.
    pub(crate) fn remove(&mut self, number: u32, poller: &Poller) -> Option<Link> {
        let link = self.table.remove(&number)?;
        poller.remove(&link.connection);
        link.connection.pidfd().into_iter().for_each(|pidfd| poller.remove(pidfd));
        match &link.role {
            Role::Fresh { .. } => self.fresh -= 1,
            Role::Guest { doorbell, .. } => poller.remove(doorbell),
            Role::Control(_) => {}
        }
        let uid = link.connection.credentials().uid;
        if let Some(count) = self.by_user.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                self.by_user.remove(&uid);
            }
        }
        Some(link)
    }

    /// Sends packets to a control client, as far as there is room; the rest waits in its outbox.
    pub(crate) fn send(&mut self, number: u32, packets: Vec<Vec<u8>>, poller: &Poller) -> Result<(), Error> {
        let Some(Link { connection, role: Role::Control(outbox) }) = self.table.get_mut(&number) else {
            return Ok(());
        };
        let had_to_wait = !outbox.is_empty();
        outbox.extend(packets);
        while let Some(packet) = outbox.front() {
            if !connection.try_send(packet, &[])? {
                break;
            }
            outbox.pop_front();
        }
        let has_to_wait = !outbox.is_empty();
        if had_to_wait != has_to_wait {
            let wake = if has_to_wait { Wake::Writable } else { Wake::Readable };
            poller
                .change(connection.as_fd(), Source::Link(number), wake)
                .map_err(|errno| Error::System { call: "epoll_ctl", errno })?;
        }
        Ok(())
    }

    /// Whether somebody has not said yet what it wants.
    pub(crate) fn has_fresh(&self) -> bool {
        self.fresh > 0
    }

    /// Those who were silent for too long.
    pub(crate) fn silent(&self, now: Time) -> Vec<u32> {
        let is_silent =
            |link: &Link| matches!(link.role, Role::Fresh { since } if now.since(since) > SILENCE);
        self.table.iter().filter(|(_, link)| is_silent(link)).map(|(number, _)| *number).collect()
    }

    /// All of them.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.table.keys().copied().collect()
    }
}
