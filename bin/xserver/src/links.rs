//! Everybody who is connected: those who have not said yet what they want, guests, and control clients.
//!
//! A link costs the server a few fds and nothing else. What a control client does not read stays in its outbox, and nothing
//! more is read from it, or prepared for it, until that is empty.

use crate::control::Listing;
use crate::numbers;
use crate::poller::{Poller, Source, Wake};
use crate::quota::Quota;
use rustix::io::Result as IoResult;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use xsched_core::id::IdMap;
use xsched_core::{ClientId, Time};
use xsched_ipc::Error;
use xsched_ipc::server::{Connection, is_stuck};

/// How long somebody may be silent before it said what it wants.
const SILENCE: Duration = Duration::from_secs(5);

/// Files of the server's own, and some for those who are to be told that there is no room.
const OWN_FILES: usize = 64;
/// Of each connection: its socket, and its process.
const FILES_OF_A_LINK: usize = 2;

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) role: Role,
    /// Files that it keeps open here, but for those that it has lent.
    files: usize,
}

/// Stands for files that somebody has lent: they count as his until this is dropped, for a call on them may outlast the one who lent them.
#[derive(Debug)]
pub(crate) struct Lent {
    uid: u32,
    count: usize,
    given_back: Sender<(u32, usize)>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Nobody is left to count only if all is over.
        let _ = self.given_back.send((self.uid, self.count));
    }
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
    /// A control client.
    Control(Answer),
}

/// What a control client has still to get.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Packets that it has not taken yet.
    pub(crate) outbox: VecDeque<Vec<u8>>,
    /// What comes behind them.
    pub(crate) listing: Option<Listing>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Links {
    table: IdMap<u32, Link>,
    quota: Quota,
    /// A control client that does not read what it asked for costs memory.
    control_quota: Quota,
    /// Of those that this process may have open: a guest may bring some.
    files: Quota,
    /// Lent files that are closed by now, and where their stand-ins say so.
    closed: Receiver<(u32, usize)>,
    closing: Sender<(u32, usize)>,
    fresh: usize,
    last: u32,
}

impl Links {
    /// For a process that may have so many files open.
    pub(crate) fn new(most_files: usize) -> Links {
        let files = most_files.saturating_sub(OWN_FILES);
        let (closing, closed) = channel();
        Links {
            table: IdMap::default(),
            quota: Quota::new("connections", 4352, 1024),
            control_quota: Quota::new("control connections", 256, 32),
            files: Quota::new("open files", files, files / 2),
            closed,
            closing,
            fresh: 0,
            last: 0,
        }
    }

    /// Takes a connection in. The error says why not, and was said to the peer.
    pub(crate) fn add(&mut self, connection: Connection, now: Time, poller: &Poller) -> Result<(), String> {
        self.count_closed();
        let uid = connection.credentials().uid;
        let number = numbers::next(&mut self.last, |number| self.table.contains_key(&number));
        let watch = || {
            poller
                .add(&connection, Source::Link(number), Wake::Readable)
                .map_err(|e| format!("epoll_ctl: {e}"))
        };
        let is_welcome = match is_stuck() && uid != 0 {
            true => Err("too many file descriptors of strangers wait to be closed".to_owned()),
            false => self.quota.take(uid, 1),
        };
        let has_files = is_welcome.and_then(|()| {
            self.files.take(uid, FILES_OF_A_LINK).inspect_err(|_| self.quota.put_back(uid, 1))
        });
        let is_in = has_files.and_then(|()| {
            watch().inspect_err(|_| {
                self.files.put_back(uid, FILES_OF_A_LINK);
                self.quota.put_back(uid, 1);
            })
        });
        if let Err(reason) = is_in {
            connection.refuse(&reason);
            return Err(reason);
        }
        self.fresh += 1;
        self.table
            .insert(number, Link { connection, role: Role::Fresh { since: now }, files: FILES_OF_A_LINK });
        Ok(())
    }

    /// The link with this number, if it is still there.
    pub(crate) fn get(&self, number: u32) -> Option<&Link> {
        self.table.get(&number)
    }

    /// The link will keep so many more files open. The error says why it may not.
    pub(crate) fn take_files(&mut self, number: u32, count: usize) -> Result<(), String> {
        let Some(link) = self.table.get_mut(&number) else { return Ok(()) };
        self.files.take(link.connection.credentials().uid, count)?;
        link.files += count;
        Ok(())
    }

    /// The link lends so many files, which are its user's until what is answered is dropped. The error says why it may not.
    pub(crate) fn lend_files(&mut self, number: u32, count: usize) -> Result<Option<Lent>, String> {
        self.count_closed();
        let Some(link) = self.table.get(&number) else { return Ok(None) };
        let uid = link.connection.credentials().uid;
        self.files.take(uid, count)?;
        Ok(Some(Lent { uid, count, given_back: self.closing.clone() }))
    }

    fn count_closed(&mut self) {
        self.closed.try_iter().for_each(|(uid, count)| self.files.put_back(uid, count));
    }

    /// A link has said what it is.
    pub(crate) fn set_role(&mut self, number: u32, role: Role, poller: &Poller) -> IoResult<()> {
        let Some(link) = self.table.get_mut(&number) else { return Ok(()) };
        if let Role::Guest { client, doorbell } = &role {
            poller.add(doorbell, Source::Doorbell(*client), Wake::EachWrite)?;
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
            Role::Control(_) => self.control_quota.put_back(link.connection.credentials().uid, 1),
        }
        let uid = link.connection.credentials().uid;
        self.quota.put_back(uid, 1);
        self.files.put_back(uid, link.files);
        Some(link)
    }

    /// A connection is a control client's, and has this to get. The error says why there is no room for it.
    pub(crate) fn set_control(&mut self, number: u32, answer: Answer, poller: &Poller) -> Result<(), String> {
        let Some(link) = self.table.get(&number) else { return Ok(()) };
        if !matches!(link.role, Role::Control(_)) {
            self.control_quota.take(link.connection.credentials().uid, 1)?;
        }
        self.set_role(number, Role::Control(answer), poller).map_err(|e| e.to_string())
    }

    /// Sends a control client what waits for it, taking more from `more` while there is room. Then it is watched for what comes next: room
    /// if something is left, else its next request.
    pub(crate) fn send(
        &mut self,
        number: u32,
        mut more: impl FnMut(&mut Answer) -> Result<(), Error>,
        poller: &Poller,
    ) -> Result<(), Error> {
        // Bounded, so that a long list does not keep others waiting.
        const ROUNDS: usize = 64;
        let Some(Link { connection, role: Role::Control(answer), .. }) = self.table.get_mut(&number) else {
            return Ok(());
        };
        for _ in 0..ROUNDS {
            if answer.outbox.is_empty() {
                more(answer)?;
            }
            match answer.outbox.front() {
                Some(packet) if connection.try_send(packet, &[])? => drop(answer.outbox.pop_front()),
                _ => break,
            }
        }
        let wake = if answer.is_over() { Wake::Readable } else { Wake::Writable };
        poller
            .change(&*connection, Source::Link(number), wake)
            .map_err(|errno| Error::System { call: "epoll_ctl", errno })
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

impl Answer {
    /// The client got all of it.
    pub(crate) fn is_over(&self) -> bool {
        self.outbox.is_empty() && self.listing.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType};

    fn connection() -> (Connection, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let (ours, theirs) = pair.unwrap();
        (Connection::new(ours).unwrap(), theirs)
    }

    #[test]
    fn who_would_take_more_files_than_there_are_is_refused_and_gives_back_what_he_had() {
        let (mut links, poller) = (Links::new(OWN_FILES + 12), Poller::new().unwrap());
        // Root gets all of them, others half.
        let most = if rustix::process::geteuid().is_root() { 12 } else { 6 };
        let mut peers = Vec::new();
        let mut add = |links: &mut Links| {
            let (connection, peer) = connection();
            peers.push(peer);
            links.add(connection, Time::ZERO, &poller)
        };
        add(&mut links).unwrap();
        links.take_files(1, most - 2).unwrap();
        assert!(add(&mut links).unwrap_err().contains("too many open files"));
        assert!(links.take_files(1, 1).is_err() && links.lend_files(1, 1).is_err());
        links.remove(1, &poller).unwrap();
        (0..most / FILES_OF_A_LINK).for_each(|_| add(&mut links).unwrap());
        assert!(add(&mut links).is_err());
        let last = links.numbers().into_iter().max().unwrap();
        links.remove(last, &poller).unwrap();
        let number = links.numbers().into_iter().min().unwrap();
        // Both what is lent and what was lent before are open for a moment, and for longer while a call is stuck.
        let first = links.lend_files(number, 1).unwrap();
        let second = links.lend_files(number, 1).unwrap();
        assert_eq!(links.files.taken(), most);
        assert!(links.lend_files(number, 1).is_err());
        drop(first);
        let third = links.lend_files(number, 1).unwrap();
        assert!(links.lend_files(number, 1).is_err());
        links.numbers().into_iter().for_each(|number| drop(links.remove(number, &poller)));
        links.count_closed();
        assert_eq!(
            (links.files.taken(), links.quota.taken(), links.has_fresh()),
            (2, 0, false),
            "theirs still"
        );
        drop((second, third));
        links.count_closed();
        assert_eq!(links.files.taken(), 0);
    }
}
