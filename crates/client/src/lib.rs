//! Asks xserver over its control socket, or over HTTP: what it schedules, and to do something else.
//!
//! Invariant: no call waits longer than its caller's patience for each packet that it expects. A [`Client`] is good for any number of
//! requests, one after the other; after an error it is not: connect again. Deliberately absent: the environment, which is the
//! caller's to read, and trying again.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod http;

use http::HttpConnection;
use rustix::io::Errno;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_core::account::Happening;
use xsched_core::status::{ClientStatus, RulesStatus, ServerStatus};
use xsched_core::{Hint, HintKind};
use xsched_ipc::control::{self, ControlConnection, Reply, Request};

pub use xsched_ipc::Error as IpcError;
pub use xsched_ipc::address;
pub use xsched_ipc::control::Target;
pub use xsched_ipc::peer::{self, Credentials};
/// The longest name of a group, in bytes.
pub use xsched_ipc::wire::MAX_NAME;

/// The usual patience: the longest wait for the server to take a connection, and for each packet of an answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// In one answer of [`Client::follow`], about; the rest comes with the next one.
const MOST_HAPPENINGS: usize = 50_000;

/// A connection to xserver.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    path: PathBuf,
}

/// How it is reached.
#[derive(Debug)]
enum Connection {
    Socket(ControlConnection),
    Http(HttpConnection),
}

/// The policy in force, and those there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Name of the policy in force.
    pub current: String,
    /// Name and help line of each.
    pub available: Vec<(String, String)>,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no server at any of the places where one may be, or none that this process can talk to.
    #[error("{}{}", Tried::heading(.0), Tried::list(.0))]
    NoServer(Vec<Tried>),
    /// The server said no; the text is its own and says what is allowed.
    #[error("{0}")]
    Refused(String),
    /// The connection failed, or the server did not answer in time.
    #[error("asking xserver at {} for {what}: {error}", path.display())]
    Failed {
        /// Where the server is.
        path: PathBuf,
        /// What it was asked.
        what: &'static str,
        /// Why.
        error: IpcError,
    },
    /// The same over HTTP.
    #[error("asking xserver at {origin} for {what}: {error}{}", advice(.error))]
    Http {
        /// Where the server is.
        origin: String,
        /// What it was asked.
        what: &'static str,
        /// Why.
        error: Box<ureq::Error>,
    },
    /// The server gave an answer that does not belong to the request.
    #[error("xserver at {} answered a request for {what} with {answer}: is it of another version?", path.display())]
    Unexpected {
        /// Where the server is.
        path: PathBuf,
        /// What it was asked.
        what: &'static str,
        /// What it said.
        answer: String,
    },
}

/// A place where there is no server.
#[derive(Debug)]
pub struct Tried {
    /// Its socket.
    pub path: PathBuf,
    /// Why there is none.
    pub error: IpcError,
}

/// What to do about it.
fn advice(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "; nobody listens there: a server does that only if it is told to, as by `xserver --http ADDRESS:PORT`"
        }
        _ => "",
    }
}

impl Client {
    /// Connects to the first of `places` where a server answers ([`address::candidates`] knows the usual ones). No later call waits
    /// longer than `patience` for each packet of its answer.
    pub fn connect(places: &[PathBuf], patience: Duration) -> Result<Client, Error> {
        let mut tried = Vec::new();
        for path in places {
            match control::connect(path, patience) {
                Ok(connection) => {
                    return Ok(Client { connection: Connection::Socket(connection), path: path.clone() });
                }
                Err(error) => tried.push(Tried { path: path.clone(), error }),
            }
        }
        Err(Error::NoServer(tried))
    }

    /// Reaches a server over HTTP, at an address with a port, and sees that it answers. Without the token that stands in the server's file
    /// nothing can be changed. Rules and happenings are not to be had this way.
    pub fn over_http(address: &str, token: Option<String>, patience: Duration) -> Result<Client, Error> {
        let connection = HttpConnection::new(address, token, patience);
        let mut client = Client { path: connection.place(), connection: Connection::Http(connection) };
        client.status()?;
        Ok(client)
    }

    /// Who the server is, as the kernel knows it; over HTTP it does not.
    pub fn server(&self) -> Result<Credentials, Error> {
        let failed = |error| Error::Failed { path: self.path.clone(), what: "its user", error };
        match &self.connection {
            Connection::Socket(connection) => connection.server().map_err(failed),
            Connection::Http(_) => Err(Error::Refused("who a server is cannot be known over HTTP".into())),
        }
    }

    /// The socket of the server that was found, or its address.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The server as a whole.
    pub fn status(&mut self) -> Result<ServerStatus, Error> {
        const WHAT: &str = "its status";
        match self.ask(WHAT, &Request::Status)? {
            (_, Reply::Server(status)) => Ok(status),
            (_, other) => Err(self.unexpected(WHAT, &other)),
        }
    }

    /// All attached clients and their queues.
    pub fn list(&mut self) -> Result<Vec<ClientStatus>, Error> {
        const WHAT: &str = "the list of clients";
        match self.ask(WHAT, &Request::List)? {
            (clients, Reply::Done { .. }) => Ok(clients),
            (_, other) => Err(self.unexpected(WHAT, &other)),
        }
    }

    /// Sets a hint; answers how many queues it reached, and what the asker should know about it.
    pub fn hint(&mut self, target: Target, hint: Hint) -> Result<(u32, Option<String>), Error> {
        const WHAT: &str = "a hint";
        match self.ask(WHAT, &Request::Hint { target, kind: hint.kind(), value: hint.value() })? {
            (_, Reply::Done { count, note }) => Ok((count, note)),
            (_, other) => Err(self.unexpected(WHAT, &other)),
        }
    }

    /// Takes back a hint that was set from outside; answers how many queues it reached, and what the asker should know about it.
    pub fn unset(&mut self, target: Target, kind: HintKind) -> Result<(u32, Option<String>), Error> {
        const WHAT: &str = "taking back a hint";
        match self.ask(WHAT, &Request::Unset { target, kind })? {
            (_, Reply::Done { count, note }) => Ok((count, note)),
            (_, other) => Err(self.unexpected(WHAT, &other)),
        }
    }

    /// What happened from number `from` on, or from now on; all of it that is known by now. Then the number to go on with, and how much is
    /// forgotten that came before.
    pub fn follow(&mut self, from: Option<u64>) -> Result<(Vec<Happening>, u64, u64), Error> {
        const WHAT: &str = "what happened";
        let (mut all, mut from, mut missed) = (Vec::new(), from, 0);
        loop {
            match self.ask(WHAT, &Request::Follow { from })? {
                (_, Reply::Happenings { next, lost, list }) => {
                    missed += lost;
                    let is_all = list.is_empty();
                    all.extend(list);
                    from = Some(next);
                    if is_all || all.len() >= MOST_HAPPENINGS {
                        return Ok((all, next, missed));
                    }
                }
                (_, other) => return Err(self.unexpected(WHAT, &other)),
            }
        }
    }

    /// The rules in force.
    pub fn rules(&mut self) -> Result<RulesStatus, Error> {
        self.ask_rules("its rules", &Request::Rules)
    }

    /// Has the server read its rules again; answers those that are in force then.
    pub fn reload_rules(&mut self) -> Result<RulesStatus, Error> {
        self.ask_rules("reading its rules again", &Request::ReloadRules)
    }

    fn ask_rules(&mut self, what: &'static str, request: &Request) -> Result<RulesStatus, Error> {
        match self.ask(what, request)? {
            (_, Reply::Rules(rules)) => Ok(rules),
            (_, other) => Err(self.unexpected(what, &other)),
        }
    }

    /// The policy in force, and those there are.
    pub fn policy(&mut self) -> Result<Policies, Error> {
        self.ask_policies("its policy", &Request::Policy)
    }

    /// Changes the policy; answers what holds then.
    pub fn set_policy(&mut self, name: &str) -> Result<Policies, Error> {
        self.ask_policies("another policy", &Request::SetPolicy { name: name.into() })
    }

    fn ask_policies(&mut self, what: &'static str, request: &Request) -> Result<Policies, Error> {
        match self.ask(what, request)? {
            (_, Reply::Policy { current, available }) => Ok(Policies { current, available }),
            (_, other) => Err(self.unexpected(what, &other)),
        }
    }

    fn ask(&mut self, what: &'static str, request: &Request) -> Result<(Vec<ClientStatus>, Reply), Error> {
        let connection = match &mut self.connection {
            Connection::Socket(connection) => connection,
            Connection::Http(connection) => return connection.ask(what, request),
        };
        match connection.ask(request) {
            Ok((_, Reply::Refused(why))) => Err(Error::Refused(why)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(Error::Failed { path: self.path.clone(), what, error }),
        }
    }

    fn unexpected(&self, what: &'static str, reply: &Reply) -> Error {
        let answer = match reply {
            Reply::Client(_) => "a client",
            Reply::Rule(_) | Reply::Rules(_) => "its rules",
            Reply::Server(_) => "its status",
            Reply::Policy { .. } => "its policy",
            Reply::Happenings { .. } => "what happened",
            Reply::Done { .. } => "\"done\"",
            Reply::Refused(_) => "\"refused\"",
        };
        Error::Unexpected { path: self.path.clone(), what, answer: answer.into() }
    }
}

impl Error {
    /// Whether the reason is that no server was found.
    pub fn is_no_server(&self) -> bool {
        use std::io::ErrorKind::{ConnectionRefused, TimedOut};
        match self {
            Error::NoServer(_) => true,
            Error::Http { error, .. } => match &**error {
                ureq::Error::Io(error) => matches!(error.kind(), ConnectionRefused | TimedOut),
                other => matches!(other, ureq::Error::HostNotFound | ureq::Error::ConnectionFailed),
            },
            _ => false,
        }
    }
}

impl Tried {
    /// What it comes to, and what to do.
    fn heading(tried: &[Tried]) -> &'static str {
        if tried.iter().all(Tried::is_absence) {
            "no server is running; start one with `xserver`, or name its socket. Looked at:"
        } else {
            "no server can be reached (`xcli doctor` says more). Looked at:"
        }
    }

    /// One indented line for each place.
    fn list(tried: &[Tried]) -> String {
        tried.iter().map(|place| format!("\n  {place}")).collect()
    }

    /// Whether nobody listens there, as against somebody who cannot be talked to.
    pub fn is_absence(&self) -> bool {
        matches!(self.error, IpcError::NoServer { errno: Errno::NOENT | Errno::CONNREFUSED, .. })
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.error {
            IpcError::NoServer { errno: Errno::NOENT, .. } => write!(f, "{path}: there is no such socket"),
            IpcError::NoServer { errno: Errno::CONNREFUSED, .. } => {
                write!(f, "{path}: nobody listens (left behind by a server that is gone)")
            }
            IpcError::NoServer { errno, .. } => write!(f, "{path}: {errno}"),
            other => write!(f, "{path}: {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_every_place_is_named_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing.sock");
        let error = Client::connect(std::slice::from_ref(&missing), PATIENCE).unwrap_err();
        assert!(error.is_no_server());
        let text = error.to_string();
        assert!(text.contains("start one with `xserver`"), "{text}");
        assert!(text.contains(&format!("{}: there is no such socket", missing.display())), "{text}");
    }

    #[test]
    fn something_else_at_the_socket_is_not_called_absence() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stream = file.path().with_extension("sock");
        let _listener = std::os::unix::net::UnixListener::bind(&stream).unwrap();
        let text = Client::connect(std::slice::from_ref(&stream), PATIENCE).unwrap_err().to_string();
        assert!(text.starts_with("no server can be reached"), "{text}");
        assert!(text.contains(&format!("{}: ", stream.display())), "{text}");
        std::fs::remove_file(stream).unwrap();
    }
}
