//! What can go wrong between processes.

use crate::wire::{Garbage, VERSION};
use rustix::io::Errno;
use std::path::PathBuf;
use std::time::Duration;

/// Why something with a peer failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{call} failed: {errno}")]
    System {
        /// Which.
        call: &'static str,
        /// How.
        errno: Errno,
    },
    /// The process may not make a file as large as the memory that it would share.
    #[error(
        "the limit on the size of files (ulimit -f, RLIMIT_FSIZE) is {limit} bytes, and memory to share needs {needed}"
    )]
    FileSizeLimit {
        /// The limit, in bytes.
        limit: u64,
        /// What is needed, in bytes.
        needed: u64,
    },
    /// A system call on a path failed.
    #[error("{call} {} failed: {errno}", path.display())]
    Path {
        /// Which.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// How.
        errno: Errno,
    },
    /// No server listens there, or the socket may not be reached.
    #[error("no xserver at {}: {errno}", path.display())]
    NoServer {
        /// Where.
        path: PathBuf,
        /// What connect(2) said.
        errno: Errno,
    },
    /// The server did not do it in time: it is frozen, or has more to do than it can.
    #[error("xserver at {} did not answer {what} within {patience:?}", path.display())]
    TimedOut {
        /// Where.
        path: PathBuf,
        /// To what.
        what: &'static str,
        /// The bound.
        patience: Duration,
    },
    /// The server runs as a user that this process must not trust.
    #[error(
        "the server at {} runs as uid {uid}; only uid 0, the user xsched and the own user are trusted",
        path.display()
    )]
    Untrusted {
        /// Where.
        path: PathBuf,
        /// Its user.
        uid: u32,
    },
    /// The server said no, and why.
    #[error("xserver refused: {0}")]
    Refused(String),
    /// The peer speaks another version.
    #[error("the peer speaks version {theirs}, this process version {VERSION}")]
    Version {
        /// The peer's.
        theirs: u16,
    },
    /// The guest's page is laid out as in another version.
    #[error("the guest's page has layout {theirs}, the server's layout {}", crate::page::LAYOUT)]
    Layout {
        /// The guest's.
        theirs: u32,
    },
    /// The peer sent something that makes no sense.
    #[error("the peer sent garbage: {0}")]
    Garbage(#[from] Garbage),
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// A message does not fit into a packet.
    #[error("a message of {length} bytes does not fit into a packet")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A file that was sent as a guest's page is not one.
    #[error("the page is not usable: {0}")]
    BadPage(String),
    /// The program has closed an fd of ours, and may use its number for itself.
    #[error("the program has closed what it shares with xserver")]
    Taken,
    /// What a service manager handed over is no socket for a server.
    #[error("the socket that the service manager handed over cannot be used: {0}")]
    HandedSocket(&'static str),
    /// Another server runs on this socket.
    #[error("another xserver{} already runs on {}", pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), path.display())]
    AlreadyRuns {
        /// Where.
        path: PathBuf,
        /// Which process, if its lock file told.
        pid: Option<u32>,
    },
}

impl Error {
    pub(crate) fn system(call: &'static str) -> impl FnOnce(Errno) -> Error {
        move |errno| Error::System { call, errno }
    }
}
