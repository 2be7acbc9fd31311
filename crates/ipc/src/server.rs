//! xserver's side: the socket, who connects, and what they send. Nothing here ever waits.
//!
//! One server per socket: it holds a lock file beside it, and only its holder touches the socket file, which may be a service
//! manager's ([`Listener::handed`]). Whatever a peer sends is either a whole valid [`Message`] or an error; its fds are closed with it.

use crate::control::Request;
use crate::dispose::Strange;
use crate::error::Error;
use crate::peer::{self, Credentials};
use crate::socket;
use crate::wire::{self, Garbage, Kind};
use rustix::event::EventfdFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use xsched_core::{ClientId, Limits};
use xsched_hal::RemoteControl;

pub use crate::dispose::is_stuck;
pub use crate::heartbeat::{CLOSELY as HEARTBEAT_CLOSELY, EVERY as HEARTBEAT_EVERY, Pulse, now};
pub use crate::memory::GuestPage;

/// A server's socket. Dropping it removes the socket file, if the server made it.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    is_handed: bool,
    _lock: Lock,
}

/// Somebody who connected.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    credentials: Credentials,
    pidfd: Option<OwnedFd>,
}

/// What somebody wants.
#[derive(Debug)]
pub enum Message {
    /// To be scheduled.
    Hello(Box<Newcomer>),
    /// To know or to change something.
    Request(Request),
    /// To be suspended as one with all who name the same bytes.
    Bond(Vec<u8>),
    /// To have other hints than before.
    Hints(wire::ProgramHints),
    /// To be stopped by this and nothing else.
    Lend(Option<Control>),
}

/// Who wants to be scheduled.
#[derive(Debug)]
pub struct Newcomer {
    /// What it says about itself.
    pub hello: wire::Hello,
    /// Its page.
    pub page: GuestPage,
}

/// A remote control that a guest lends for the time of its attachment, or until it lends another.
#[derive(Debug)]
pub struct Control {
    /// The control; its fds stay here. They may be of any file.
    pub remote: RemoteControl,
}

impl Drop for Control {
    fn drop(&mut self) {
        drop(Strange(std::mem::take(&mut self.remote.fds)));
    }
}

/// An eventfd that a guest rings. The server never reads it (the guest could make that wait): it is to be watched edge-triggered, and
/// every write makes an edge.
pub fn doorbell() -> Result<OwnedFd, Error> {
    rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(Error::system("eventfd"))
}

impl Listener {
    /// Takes the socket `path`, if no other server holds it. Missing directories are made; the socket file is open for everybody if
    /// `public`, because rights are checked by credentials, else for its owner only.
    pub fn bind(path: &Path, public: bool) -> Result<Listener, Error> {
        let on_path = |call| move |errno| Error::Path { call, path: path.into(), errno };
        if let Some(directory) = path.parent() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(directory);
            made.map_err(|e| {
                on_path("create the directory of")(Errno::from_io_error(&e).unwrap_or(Errno::IO))
            })?;
        }
        let lock = Lock::take(path)?;
        match rustix::fs::lstat(path) {
            Err(Errno::NOENT) => {}
            Ok(there) if FileType::from_raw_mode(there.st_mode) != FileType::Socket => {
                return Err(on_path("put a socket in place of the file")(Errno::EXIST));
            }
            // A service manager holds no lock, and its server may not have been needed yet.
            _ if socket::is_answered(path)? => {
                return Err(Error::AlreadyRuns { path: path.into(), pid: None });
            }
            _ => rustix::fs::unlink(path).map_err(on_path("remove the stale socket"))?,
        }
        let socket = bind(path, if public { 0o666 } else { 0o600 })?;
        let listener = Listener { socket, path: path.into(), is_handed: false, _lock: lock };
        rustix::net::listen(&listener.socket, 128).map_err(on_path("listen"))?;
        Ok(listener)
    }

    /// Takes a socket over that a service manager made: it listens already, its mode and its file are the manager's, and whoever has
    /// connected before waits in it. Not the manager's is the lock beside it, for which the folder must be writable.
    ///
    /// To clients the server's user is then the manager's, because the kernel tells who called listen(2).
    pub fn handed(socket: OwnedFd) -> Result<Listener, Error> {
        let system = |call| move |errno| Error::System { call, errno };
        let is_fit = sockopt::socket_domain(&socket) == Ok(AddressFamily::UNIX)
            && sockopt::socket_type(&socket) == Ok(SocketType::SEQPACKET)
            && sockopt::socket_acceptconn(&socket) == Ok(true);
        if !is_fit {
            return Err(Error::HandedSocket("it is not a unix socket that listens for sequential packets"));
        }
        let address = rustix::net::getsockname(&socket).map_err(system("getsockname"))?;
        let address = SocketAddrUnix::try_from(address).map_err(system("getsockname"))?;
        let path = address.path_bytes().map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let Some(path) = path.filter(|path| path.is_absolute()) else {
            return Err(Error::HandedSocket("it has no absolute path"));
        };
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(system("fcntl"))?;
        rustix::fs::fcntl_setfl(&socket, OFlags::NONBLOCK).map_err(system("fcntl"))?;
        let lock = Lock::take(&path)?;
        Ok(Listener { socket, path, is_handed: true, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next one who waits to be taken in, if any. Fails with `EMFILE` or `ENFILE` if no fd is left for it.
    pub fn accept(&self) -> Result<Option<Connection>, Error> {
        let socket = loop {
            match rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => break socket,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => return Err(Error::System { call: "accept", errno }),
            }
        };
        Connection::new(socket).map(Some)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Ours: the lock is still held.
        if !self.is_handed {
            let _ = rustix::fs::unlink(&self.path);
        }
    }
}

impl Connection {
    /// With whoever made the other end of this socket.
    pub fn new(socket: OwnedFd) -> Result<Connection, Error> {
        let credentials = Credentials::of(socket.as_fd())?;
        let pidfd = peer::pidfd(socket.as_fd(), &credentials);
        Ok(Connection { socket, credentials, pidfd })
    }

    /// Who it is.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Becomes readable when its process ends.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// What it wants next, if it said so already. After an error there is nothing left to do but to part.
    pub fn receive(&self) -> Result<Option<Message>, Error> {
        let Some(mut packet) = socket::try_receive(self.socket.as_fd())? else { return Ok(None) };
        let fds = Strange(std::mem::take(&mut packet.fds));
        let (kind, body) = match wire::open(packet.bytes()?) {
            Err(Garbage::Version(theirs)) => return Err(Error::Version { theirs }),
            other => other?,
        };
        let message = match kind {
            Kind::Hello => hello(body, fds)?,
            Kind::Request if fds.0.is_empty() => Message::Request(Request::parse(body)?),
            Kind::Bond if fds.0.is_empty() => Message::Bond(wire::bond(body)?.to_vec()),
            Kind::Hints if fds.0.is_empty() => Message::Hints(wire::ProgramHints::parse(body)?),
            Kind::Lend => Message::Lend(loan(body, fds)?),
            Kind::Request | Kind::Bond | Kind::Hints => {
                return Err(Garbage::Field("the number of fds").into());
            }
            other => return Err(Garbage::Kind(other as u16).into()),
        };
        Ok(Some(message))
    }

    /// Takes a guest in.
    pub fn welcome(&self, client: ClientId, doorbell: BorrowedFd<'_>, pulse: &Pulse) -> Result<(), Error> {
        let packet = wire::Welcome { client: client.0 }.to_packet();
        match self.try_send(&packet, &[doorbell, pulse.fd()])? {
            true => Ok(()),
            false => Err(Error::System { call: "sendmsg", errno: Errno::AGAIN }),
        }
    }

    /// Asks a guest to find out whether it is idle, if there is room for it: it will not be asked twice.
    pub fn ask_to_look(&self) {
        let _ = self.try_send(&wire::packet(Kind::Look, &[]), &[]);
    }

    /// Tells a guest what it may use at most, if there is room for it; false if not.
    pub fn limit(&self, limits: Limits) -> bool {
        self.try_send(&wire::LimitsBody::to_packet(limits), &[]).unwrap_or(false)
    }

    /// Tells a guest whether to watch the sign of life closely, if there is room for it; false if not.
    pub fn have_vigil(&self, is_kept: bool) -> bool {
        self.try_send(&wire::VigilBody::to_packet(is_kept), &[]).unwrap_or(false)
    }

    /// Says why the connection ends, if there is room for it.
    pub fn refuse(&self, reason: &str) {
        let _ = self.try_send(&wire::packet(Kind::Refused, reason.as_bytes()), &[]);
    }

    /// Sends a packet if there is room for it now; false if not.
    pub fn try_send(&self, packet: &[u8], fds: &[BorrowedFd<'_>]) -> Result<bool, Error> {
        socket::try_send(self.socket.as_fd(), packet, fds)
    }
}

impl Drop for Connection {
    /// What was sent and not read may hold fds that are last closed with the connection.
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        // More packets than a socket's buffer holds.
        for _ in 0..4096 {
            match socket::try_receive(self.socket.as_fd()) {
                Ok(Some(mut packet)) => drop(Strange(std::mem::take(&mut packet.fds))),
                Ok(None) | Err(Error::Closed | Error::System { .. }) => return,
                Err(_) => {}
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn hello(body: &[u8], fds: Strange) -> Result<Message, Error> {
    // Before anything else, for the rest of the hello may differ with the layout.
    let layout = body.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes));
    if let Some(theirs) = layout.filter(|layout| *layout != crate::page::LAYOUT) {
        return Err(Error::Layout { theirs });
    }
    let hello = wire::Hello::parse(body)?;
    let [page] = fds.0.as_slice() else { return Err(Garbage::Field("the number of fds").into()) };
    let page = GuestPage::map(page.as_fd())?;
    match page.gates().iter().map(|gate| gate.state().epoch()).find(|epoch| *epoch != hello.epoch) {
        Some(epoch) => {
            let (gate, hello) = (epoch.number(), hello.epoch.number());
            Err(Error::BadPage(format!("a gate carries epoch {gate} and the hello says {hello}")))
        }
        None => Ok(Message::Hello(Box::new(Newcomer { hello, page }))),
    }
}

fn loan(body: &[u8], mut fds: Strange) -> Result<Option<Control>, Error> {
    let loan = wire::Loan::parse(body)?;
    if fds.0.len() != loan.fds {
        return Err(Garbage::Field("the number of fds").into());
    }
    let remote = RemoteControl { kind: loan.kind, fds: std::mem::take(&mut fds.0), blob: loan.blob };
    Ok((loan.kind != 0).then_some(Control { remote }))
}

/// A socket with this mode at `path`. It has the mode before it has the path: whoever may write to the folder could put a link to
/// another file in its place, and a chmod(2) would follow that.
fn bind(path: &Path, mode: u32) -> Result<OwnedFd, Error> {
    let on_path = |call| move |errno| Error::Path { call, path: path.into(), errno };
    let (socket, address) = (socket::new()?, socket::address(path)?);
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode)).map_err(on_path("fchmod"))?;
    let mask = rustix::process::umask(Mode::empty());
    let bound = rustix::net::bind(&socket, &address);
    rustix::process::umask(mask);
    bound.map_err(on_path("bind"))?;
    Ok(socket)
}

/// The lock file beside a socket; it holds the pid of its holder.
#[derive(Debug)]
struct Lock {
    _file: OwnedFd,
    path: PathBuf,
}

impl Lock {
    fn take(socket: &Path) -> Result<Lock, Error> {
        let mut path = OsString::from(socket);
        path.push(".lock");
        let path = PathBuf::from(path);
        let on_path = |call| {
            let path = path.clone();
            move |errno| Error::Path { call, path, errno }
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        loop {
            let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644)).map_err(on_path("open"))?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let pid = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
                    return Err(Error::AlreadyRuns { path: socket.into(), pid });
                }
                Err(errno) => return Err(on_path("lock")(errno)),
            }
            // Its last holder may have removed it between our open and our lock: then it is nobody's, and we take a new one.
            let ours = rustix::fs::fstat(&file).map_err(on_path("stat"))?;
            match rustix::fs::lstat(&path) {
                Ok(there) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) => {}
                _ => continue,
            }
            // Where others may write too, somebody could have put a link to a file of ours here.
            if FileType::from_raw_mode(ours.st_mode) != FileType::RegularFile || ours.st_nlink != 1 {
                return Err(on_path("take as a lock file what is not a file of its own at")(Errno::PERM));
            }
            rustix::fs::ftruncate(&file, 0).map_err(on_path("truncate"))?;
            rustix::io::write(&file, format!("{}\n", std::process::id()).as_bytes())
                .map_err(on_path("write"))?;
            return Ok(Lock { _file: file, path });
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = rustix::fs::unlink(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_mode_is_what_it_should_be_whatever_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        for mask in [0o077, 0o000] {
            rustix::process::umask(Mode::from_raw_mode(mask));
            for (public, mode) in [(true, 0o666), (false, 0o600)] {
                let listener = Listener::bind(&path, public).unwrap();
                assert_eq!(rustix::fs::lstat(&path).unwrap().st_mode & 0o777, mode);
                drop(listener);
            }
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
    }

    #[test]
    fn a_lock_file_that_is_a_link_to_another_file_is_refused_and_that_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (precious, path) = (folder.path().join("precious"), folder.path().join("s"));
        std::fs::write(&precious, "kept").unwrap();
        let lock = folder.path().join("s.lock");
        std::fs::hard_link(&precious, &lock).unwrap();
        let error = Listener::bind(&path, false).unwrap_err().to_string();
        assert!(error.contains("not a file of its own") && error.contains("s.lock"), "{error}");
        std::fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink(&precious, &lock).unwrap();
        assert!(Listener::bind(&path, false).is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "kept");
        std::fs::remove_file(&lock).unwrap();
        Listener::bind(&path, false).unwrap();
    }

    #[test]
    fn a_socket_that_somebody_listens_on_without_a_lock_is_not_taken_for_stale() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let managers = bind(&path, 0o600).unwrap();
        // Bound only, nobody can connect to it: as a dead server's.
        drop(Listener::bind(&path, false).unwrap());
        drop(managers);
        let managers = bind(&path, 0o600).unwrap();
        rustix::net::listen(&managers, 1).unwrap();
        for _ in 0..4 {
            // Its queue of those who wait is full soon, which changes nothing.
            let error = Listener::bind(&path, false).unwrap_err();
            assert!(matches!(error, Error::AlreadyRuns { pid: None, .. }), "{error}");
        }
        drop(Listener::handed(managers).unwrap());
        assert!(path.exists(), "it is the manager's");
    }

    #[test]
    fn a_path_that_would_be_an_abstract_name_is_refused() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"\0name"));
        assert!(Listener::bind(path, false).is_err());
        assert!(socket::address(path).is_err());
    }
}
