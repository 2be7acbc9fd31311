//! A guest's side: the page it shares, and its way to a server.
//!
//! Everything here is bounded in time, also when the server is frozen, and keeps the caller's errno. Fds that stay open are
//! close-on-exec and have high numbers, so that programs which count on low ones are not disturbed; what the program does
//! to them all the same is noticed ([`Number`]).

use crate::error::Error;
use crate::number::Number;
use crate::peer::{self, Credentials};
use crate::socket::{self, Deadline};
use crate::wire::{self, Garbage, Kind};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Resource;
use std::path::Path;
use std::time::Duration;
use xsched_core::{ClientId, Hints, Limits};
use xsched_queue::gate::Epoch;

pub use crate::heartbeat::{Heartbeat, now};
pub use crate::memory::SharedPage;

/// How a guest introduces itself.
#[derive(Debug)]
pub struct Hello {
    /// What all gates in the page carry already (`GateWord::start`, or what the last parting left); no attachment before had the same.
    pub epoch: Epoch,
    /// Name of the program, for people.
    pub program: String,
    /// Name that joins processes of one user into one unit of suspension.
    pub group: Option<String>,
    /// What all its queues start with.
    pub hints: Hints,
}

/// An attachment to a server. Dropping it parts from the server, which forgets the guest at once.
#[derive(Debug)]
pub struct Session {
    socket: Number,
    doorbell: Number,
    /// The server's sign of life.
    pub heartbeat: Heartbeat,
    /// The guest's number.
    pub client: ClientId,
    /// The server.
    pub server: Credentials,
}

/// What [`Session::poll`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The server is there and has nothing to say.
    Up,
    /// Others wait until this process is idle, and the server does not know that it is: find out.
    Look,
    /// What this process may use at most from now on.
    Limits(Limits),
    /// Something of this process may be stopped on a device by the server (or not any more): see [`crate::heartbeat::CLOSELY`].
    Vigil(bool),
    /// The connection is over, with the server's reason if it gave one.
    Down(Option<String>),
}

/// Attaches to the server at `path`, within `patience`. From the return on, the server may close gates that carry `hello.epoch`. It reads
/// the whole page once; whatever is pushed later needs [`Session::ring`], so ring once when the session is where others find it.
///
/// After an error `hello.epoch` is used up where the server may have heard it: the gates carry the next one.
pub fn connect(path: &Path, page: &SharedPage, hello: &Hello, patience: Duration) -> Result<Session, Error> {
    let deadline = Deadline::new(path, patience);
    attach_by(socket::connect(deadline)?, page, hello, deadline)
}

/// The same, to the server at the other end of this socket; `path` is for messages.
pub fn attach(
    socket: OwnedFd,
    path: &Path,
    page: &SharedPage,
    hello: &Hello,
    patience: Duration,
) -> Result<Session, Error> {
    attach_by(socket, page, hello, Deadline::new(path, patience))
}

fn attach_by(
    socket: OwnedFd,
    page: &SharedPage,
    hello: &Hello,
    deadline: Deadline<'_>,
) -> Result<Session, Error> {
    // Before anything is sent: files of devices are not for everybody.
    let server = trusted(Credentials::of(socket.as_fd())?, deadline.path)?;
    let session = socket::send(socket.as_fd(), &hello.to_packet(), &[page.fd()?], deadline)
        .and_then(|()| welcome(socket.as_fd(), deadline))
        .and_then(|(client, doorbell, heartbeat)| {
            let number = |fd| Number::new(fd).map_err(Error::system("fstat"));
            Ok(Session { doorbell: number(doorbell)?, socket: number(socket)?, heartbeat, client, server })
        });
    if session.is_err() {
        for gate in page.page().gates() {
            gate.rescue(hello.epoch);
        }
    }
    session
}

/// Wakes the server that is at the other end of `doorbell`. Never waits; async-signal-safe.
pub fn ring(doorbell: BorrowedFd<'_>) {
    // The only other outcomes are that the counter is full, which never happens, and that the server is gone.
    while rustix::io::write(doorbell, &1u64.to_ne_bytes()) == Err(Errno::INTR) {}
}

impl Session {
    /// Wakes the server: to be called when `page.ring.push(…)` says so.
    pub fn ring(&self) {
        if let Some(doorbell) = self.doorbell() {
            ring(doorbell);
        }
    }

    /// Says which hints the program has given all its queues, or one of them. Never waits; whether there was room for it.
    pub fn give(&self, hints: &wire::ProgramHints) -> bool {
        let packet = hints.to_packet();
        self.socket().is_some_and(|socket| socket::try_send(socket, &packet, &[]).is_ok_and(|sent| sent))
    }

    /// Says that this process shares something with whoever says the same bytes, [`wire::MAX_BOND`] at most. Never waits; whether there was
    /// room for it.
    pub fn bond(&self, what: &[u8]) -> bool {
        let packet = wire::packet(Kind::Bond, what);
        self.socket().is_some_and(|socket| socket::try_send(socket, &packet, &[]).is_ok_and(|sent| sent))
    }

    /// Lends the server what it can stop this process's device queues by, in place of what was lent before; nothing takes that back. The kind is not 0, and
    /// there are [`wire::MAX_FDS`] fds and [`wire::MAX_BLOB`] bytes at most. The server is a trusted one, or there were no session. Never waits; whether there was room for it.
    pub fn lend(&self, loan: Option<(u32, &[BorrowedFd<'_>], &[u8])>) -> bool {
        let (kind, fds, blob) = loan.unwrap_or_default();
        let packet = wire::Loan { kind, fds: fds.len(), blob: blob.to_vec() }.to_packet();
        self.socket().is_some_and(|socket| socket::try_send(socket, &packet, fds).is_ok_and(|sent| sent))
    }

    /// Becomes readable when the server has something to say, and hangs up when it is gone; see [`Session::poll`]. Only
    /// [`Session::bond`], [`Session::give`] and [`Session::lend`] send on it after the hello. `None` if the program has closed it.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.get()
    }

    /// What [`Session::ring`] writes to. `None` if the program has closed it; then it has closed the socket too, as far as one can know:
    /// an eventfd looks like any other.
    pub fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        self.socket.get().and_then(|_| self.doorbell.get())
    }

    /// Closes its fds, in the child of a fork, which leaves everything else to its parent. Async-signal-safe.
    pub fn close_fds(&self) {
        // The doorbell first: whether it is ours is known by the socket.
        if self.doorbell().is_some() {
            self.doorbell.close();
        }
        self.socket.close();
    }

    /// Whether the server is still there. Never waits.
    pub fn poll(&self) -> Link {
        let Some(socket) = self.socket() else { return Link::Down(Some(Error::Taken.to_string())) };
        match socket::try_receive(socket) {
            Ok(None) => Link::Up,
            Ok(Some(mut packet)) => match packet.bytes().and_then(open) {
                Ok((Kind::Look, _)) => Link::Look,
                Ok((Kind::Limits, body)) => {
                    wire::LimitsBody::parse(body).map_or(Link::Down(None), Link::Limits)
                }
                Ok((Kind::Vigil, body)) => wire::VigilBody::parse(body).map_or(Link::Down(None), Link::Vigil),
                Err(Error::Refused(reason)) => Link::Down(Some(reason)),
                _ => Link::Down(None),
            },
            Err(_) => Link::Down(None),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close_fds();
    }
}

impl Hello {
    fn to_packet(&self) -> Vec<u8> {
        let hello = wire::Hello {
            layout: crate::page::LAYOUT,
            epoch: self.epoch,
            program: if self.program.is_empty() { "?".into() } else { self.program.clone() },
            group: self.group.clone().filter(|group| !group.is_empty()),
            hints: self.hints,
        };
        hello.to_packet()
    }
}

/// The server's answer to a hello.
fn welcome(socket: BorrowedFd<'_>, deadline: Deadline<'_>) -> Result<(ClientId, OwnedFd, Heartbeat), Error> {
    let mut packet = socket::receive(socket, "our hello", deadline)?;
    let fds = std::mem::take(&mut packet.fds);
    let (kind, body) = open(packet.bytes()?)?;
    let (Kind::Welcome, [doorbell, heartbeat]) = (kind, fds.as_slice()) else {
        return Err(Garbage::Kind(kind as u16).into());
    };
    let client = ClientId(wire::Welcome::parse(body)?.client);
    let doorbell = duplicate_high(doorbell.as_fd()).map_err(Error::system("fcntl(F_DUPFD_CLOEXEC)"))?;
    Ok((client, doorbell, Heartbeat::map(heartbeat.as_fd())?))
}

/// The same fd with a high number, or as it is if there is none.
pub(crate) fn move_high(fd: OwnedFd) -> OwnedFd {
    duplicate_high(fd.as_fd()).unwrap_or(fd)
}

/// A server's answer, a refusal as an error.
pub(crate) fn open(packet: &[u8]) -> Result<(Kind, &[u8]), Error> {
    match wire::open(packet) {
        Ok((Kind::Refused, body)) => Err(Error::Refused(wire::reason(body))),
        Err(Garbage::Version(theirs)) => Err(Error::Version { theirs }),
        other => Ok(other?),
    }
}

/// The same fd with a number at the end of the process's table of fds. Not behind it: the kernel would make a larger table, and in a process
/// with several threads wait until no processor looks at the old one any more, which takes 15 ms or longer.
fn duplicate_high(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let limit = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(1024).min(1024);
    let from = room_in_table().unwrap_or(limit).min(limit).saturating_sub(16);
    let from = i32::try_from(from).unwrap_or(0);
    rustix::io::fcntl_dupfd_cloexec(fd, from).or_else(|_| rustix::io::fcntl_dupfd_cloexec(fd, 3))
}

/// How many fds there is room for in the process's present table, as proc_pid_status(5) says.
fn room_in_table() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("FDSize:")?.trim().parse().ok())
}

fn trusted(server: Credentials, path: &Path) -> Result<Credentials, Error> {
    let uid = server.uid;
    if peer::is_trusted_server(uid) { Ok(server) } else { Err(Error::Untrusted { path: path.into(), uid }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_stays_open_gets_a_high_number_and_the_table_of_fds_does_not_grow_for_it() {
        let before = room_in_table().unwrap();
        let fd = move_high(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
        assert!(fd.as_raw_fd() >= 32, "{fd:?}");
        assert_eq!(room_in_table(), Some(before));
    }
}
