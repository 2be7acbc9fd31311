//! SEQPACKET sockets: whole packets with fds, never waiting, or only until a point in time.

use crate::error::Error;
use crate::heartbeat::now;
use crate::wire::{Garbage, MAX_FDS, MAX_PACKET};
use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::time::Timespec;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::Duration;
use xsched_core::Time;

/// Fds that the kernel lets one packet carry (`SCM_MAX_FD`). There is room for all, because those without it are closed by the kernel
/// on the spot, which can take as long as their owner likes.
const MOST_FDS: usize = 253;

/// Until when to try, and how long that was, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Deadline<'a> {
    pub(crate) path: &'a Path,
    pub(crate) patience: Duration,
    end: Time,
}

/// A packet, and what came with it. Its bytes are to be had only if it is whole, its fds in any case: how they are closed is for the
/// receiver to say.
pub(crate) struct Packet {
    bytes: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
    flaw: Option<Error>,
}

impl Packet {
    /// What it says, if it came whole.
    pub(crate) fn bytes(&mut self) -> Result<&[u8], Error> {
        self.flaw.take().map_or(Ok(&self.bytes), Err)
    }
}

impl<'a> Deadline<'a> {
    pub(crate) fn new(path: &'a Path, patience: Duration) -> Self {
        Deadline { path, patience, end: now() + patience }
    }

    fn late(&self, what: &'static str) -> Error {
        Error::TimedOut { path: self.path.into(), what, patience: self.patience }
    }

    /// Waits until the socket can do `flags`, has an error or is closed.
    fn wait(&self, socket: BorrowedFd<'_>, flags: PollFlags, what: &'static str) -> Result<(), Error> {
        loop {
            let left = self.end.since(now());
            if left.is_zero() {
                return Err(self.late(what));
            }
            match rustix::event::poll(&mut [PollFd::new(&socket, flags)], Some(&timespec(left))) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(Error::System { call: "poll", errno }),
            }
        }
    }
}

/// A new socket that never waits.
pub(crate) fn new() -> Result<OwnedFd, Error> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(Error::system("socket"))
}

pub(crate) fn address(path: &Path) -> Result<SocketAddrUnix, Error> {
    SocketAddrUnix::new(path).map_err(|errno| Error::Path {
        call: "use the socket address",
        path: path.into(),
        errno,
    })
}

/// Whether somebody listens at this path.
pub(crate) fn is_answered(path: &Path) -> Result<bool, Error> {
    let (socket, address) = (new()?, address(path)?);
    // Where the queue of those who wait is full, somebody has it.
    Ok(matches!(rustix::net::connect(&socket, &address), Ok(()) | Err(Errno::AGAIN)))
}

/// Connects, also to a server that is slow to accept.
pub(crate) fn connect(deadline: Deadline<'_>) -> Result<OwnedFd, Error> {
    let socket = crate::guest::move_high(new()?);
    let address = address(deadline.path)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::INTR) => {}
            // The server's backlog is full. The kernel tells nobody when it no longer is.
            Err(Errno::AGAIN) => {
                let left = deadline.end.since(now());
                if left.is_zero() {
                    return Err(deadline.late("a connection"));
                }
                let _ = rustix::thread::nanosleep(&timespec(left.min(Duration::from_millis(2))));
            }
            Err(errno) => return Err(Error::NoServer { path: deadline.path.into(), errno }),
        }
    }
}

/// Sends a packet if there is room for it now; false if not.
pub(crate) fn try_send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<bool, Error> {
    if bytes.len() > MAX_PACKET || fds.len() > MAX_FDS {
        return Err(Error::TooLong { length: bytes.len() });
    }
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    loop {
        match rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags) {
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(false),
            Err(Errno::PIPE | Errno::CONNRESET) => return Err(Error::Closed),
            Err(errno) => return Err(Error::System { call: "sendmsg", errno }),
        }
    }
}

/// The next packet if one is there. [`Error::Closed`] at the end.
pub(crate) fn try_receive(socket: BorrowedFd<'_>) -> Result<Option<Packet>, Error> {
    let mut bytes = vec![0; MAX_PACKET];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let mut was_reset = false;
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            // The peer left something of ours unread when it closed. What it said before that can still be read.
            Err(Errno::CONNRESET) if !was_reset => was_reset = true,
            Err(Errno::CONNRESET) => return Err(Error::Closed),
            Err(errno) => return Err(Error::System { call: "recvmsg", errno }),
        }
    };
    let fds: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    // An empty packet looks like the end, and is treated as such.
    if received.bytes == 0 && fds.is_empty() {
        return Err(Error::Closed);
    }
    let is_cut = received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    let flaw = match received.bytes {
        0 => Some(Error::Closed),
        _ if is_cut || fds.len() > MAX_FDS => {
            Some(Garbage::Field("the packet's length or number of fds").into())
        }
        _ => None,
    };
    bytes.truncate(received.bytes);
    Ok(Some(Packet { bytes, fds, flaw }))
}

/// Sends a packet, waiting for room until the deadline.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    deadline: Deadline<'_>,
) -> Result<(), Error> {
    while !try_send(socket, bytes, fds)? {
        deadline.wait(socket, PollFlags::OUT, "a message")?;
    }
    Ok(())
}

/// The next packet, waiting for it until the deadline.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    what: &'static str,
    deadline: Deadline<'_>,
) -> Result<Packet, Error> {
    loop {
        if let Some(packet) = try_receive(socket.as_fd())? {
            return Ok(packet);
        }
        deadline.wait(socket, PollFlags::IN, what)?;
    }
}

fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(d.subsec_nanos()) }
}
