//! The service manager that started this server, if one did (sd_notify(3), sd_listen_fds(3)): the socket that it hands over, and what it
//! is told: that the server is ready, how it is, that it still turns, that it ends.
//!
//! Invariant: it is never waited for. A message that there is no room for is dropped; the next sign of life says the same. Why not a
//! crate: those there are wait in sendmsg(2) while the manager does not read.

use crate::settings::variable;
use rustix::fd::{AsFd, FromRawFd, OwnedFd};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};
use std::time::Duration;
use xsched_core::Time;
use xsched_sched::PolicyKind;

/// The number of the first fd that is handed over.
const FIRST_FD: i32 = 3;
/// How often the status is told at most.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// What is known of the manager.
#[derive(Debug, Default)]
pub(crate) struct Manager {
    told: Option<(OwnedFd, SocketAddrUnix)>,
    /// How often it is to hear from us, and when it will next.
    alive_every: Option<Duration>,
    alive_due: Time,
    shown: Option<Status>,
    status_due: Time,
}

/// What is shown beside the service's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Status {
    pub(crate) policy: Option<PolicyKind>,
    pub(crate) processes: usize,
    pub(crate) queues: usize,
}

impl Manager {
    /// That of this environment. The error says which variable is of no use.
    pub(crate) fn of(env: &[(String, String)]) -> Result<Manager, String> {
        let Some(name) = variable(env, "NOTIFY_SOCKET") else { return Ok(Manager::default()) };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
            None => SocketAddrUnix::new(name),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let told = address.and_then(|address| {
            Ok((socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?, address))
        });
        let told = told.map_err(|errno| format!("NOTIFY_SOCKET={name}: {errno}"))?;
        Ok(Manager { told: Some(told), alive_every: alive_every(env)?, ..Manager::default() })
    }

    /// The server serves.
    pub(crate) fn ready(&mut self) {
        self.tell("READY=1");
    }

    /// It reads its rules again, and will be ready when it has.
    pub(crate) fn reloading(&mut self, now: Time) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_nanos() / 1_000));
    }

    /// It ends.
    pub(crate) fn stopping(&mut self) {
        self.tell("STOPPING=1\nSTATUS=ending");
    }

    /// Tells what is due. To be called in each turn of the loop: that it is, is what the manager wants to know.
    pub(crate) fn look(&mut self, now: Time, status: Status) {
        if let Some(every) = self.alive_every.filter(|_| self.alive_due <= now) {
            self.alive_due = now + every;
            self.tell("WATCHDOG=1");
        }
        if self.told.is_some() && self.status_due <= now && self.shown != Some(status) {
            self.status_due = now + STATUS_EVERY;
            self.shown = Some(status);
            self.tell(&status.to_string());
        }
    }

    /// When to call [`Manager::look`] at the latest.
    pub(crate) fn due(&self, status: Status) -> Option<Time> {
        let news = (self.told.is_some() && self.shown != Some(status)).then_some(self.status_due);
        let alive = self.alive_every.map(|_| self.alive_due);
        [news, alive].into_iter().flatten().min()
    }

    fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.told {
            // A manager that does not read, or is gone, is no reason to do anything else.
            let _ = sendto(socket, what.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT, address);
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("STATUS=")?;
        if let Some(policy) = self.policy {
            write!(f, "policy {policy}, ")?;
        }
        write!(f, "{} processes with {} queues", self.processes, self.queues)
    }
}

/// How often it is to hear from us: twice in the time after which it takes us for dead.
fn alive_every(env: &[(String, String)]) -> Result<Option<Duration>, String> {
    let Some(text) = variable(env, "WATCHDOG_USEC").filter(|_| is_for_us(env, "WATCHDOG_PID")) else {
        return Ok(None);
    };
    let micros: Option<u64> = text.parse().ok().filter(|micros| *micros > 0);
    let micros = micros.ok_or_else(|| format!("WATCHDOG_USEC={text}: expected microseconds"))?;
    Ok(Some(Duration::from_micros(micros) / 2))
}

/// The socket that is handed over, if one is. The error says what came in its place.
pub(crate) fn handed(env: &[(String, String)]) -> Result<Option<OwnedFd>, String> {
    let Some(text) = variable(env, "LISTEN_FDS").filter(|_| variable(env, "LISTEN_PID").is_some()) else {
        return Ok(None);
    };
    match text {
        // Meant for whoever started us.
        _ if !is_for_us(env, "LISTEN_PID") => Ok(None),
        // SAFETY: the manager left this fd open for us and says so; nothing else here takes it, and this is called once.
        "1" => Ok(Some(unsafe { OwnedFd::from_raw_fd(FIRST_FD) })),
        _ => Err(format!(
            "LISTEN_FDS={text}: expected 1, the socket of xserver; a socket unit for it has one ListenSequentialPacket="
        )),
    }
}

/// Whether what is written to this file goes to a journal, which has times of its own.
pub(crate) fn is_journal(env: &[(String, String)], file: impl AsFd) -> bool {
    let named = variable(env, "JOURNAL_STREAM");
    let is_it = |stat: rustix::fs::Stat| named == Some(&format!("{}:{}", stat.st_dev, stat.st_ino));
    named.is_some() && rustix::fs::fstat(file).is_ok_and(is_it)
}

/// Whether a variable that names a process names this one, or is not set.
fn is_for_us(env: &[(String, String)], name: &str) -> bool {
    variable(env, name).is_none_or(|pid| pid.parse() == Ok(std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    const STATUS: Status = Status { policy: None, processes: 3, queues: 7 };

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn manager(folder: &tempfile::TempDir, micros: &str) -> (UnixDatagram, Manager) {
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let env = env(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", micros)]);
        (socket, Manager::of(&env).unwrap())
    }

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut bytes = [0; 256];
        let next = || {
            let length = socket.recv(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn signs_of_life_come_twice_in_the_time_and_the_status_once_a_second_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, mut manager) = manager(&folder, "800000");
        assert_eq!(manager.due(STATUS), Some(Time::ZERO));
        manager.look(at(1), STATUS);
        assert_eq!(heard(&socket), ["WATCHDOG=1", "STATUS=3 processes with 7 queues"]);
        assert_eq!(manager.due(STATUS), Some(at(401)));
        let more = Status { queues: 8, ..STATUS };
        manager.look(at(400), more);
        assert_eq!((heard(&socket), manager.due(more)), (vec![], Some(at(401))));
        manager.look(at(401), more);
        assert_eq!(heard(&socket), ["WATCHDOG=1"]);
        manager.look(at(1001), more);
        assert_eq!(heard(&socket), ["WATCHDOG=1", "STATUS=3 processes with 8 queues"]);
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, mut manager) = manager(&folder, "2");
        (1..10_000).for_each(|n| manager.look(at(n), STATUS));
        assert!(heard(&socket).len() < 9_000, "some were dropped");
        manager.ready();
        assert_eq!(heard(&socket), ["READY=1"]);
    }

    #[test]
    fn without_a_manager_nothing_is_due_and_what_is_meant_for_others_is_left_alone() {
        let manager = Manager::of(&env(&[("WATCHDOG_USEC", "1")])).unwrap();
        assert_eq!(manager.due(STATUS), None);
        assert!(handed(&env(&[("LISTEN_FDS", "1"), ("LISTEN_PID", "1")])).unwrap().is_none());
        assert!(handed(&env(&[("LISTEN_FDS", "1")])).unwrap().is_none());
        let others = env(&[("NOTIFY_SOCKET", "/x"), ("WATCHDOG_USEC", "5"), ("WATCHDOG_PID", "1")]);
        assert_eq!(Manager::of(&others).unwrap().alive_every, None);
    }

    #[test]
    fn a_journal_is_known_by_the_file_and_not_by_the_variable_alone() {
        let file = tempfile::tempfile().unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        let named = |ino| env(&[("JOURNAL_STREAM", &format!("{}:{ino}", stat.st_dev))]);
        assert!(is_journal(&named(stat.st_ino), &file));
        assert!(!is_journal(&named(stat.st_ino + 1), &file) && !is_journal(&[], &file));
    }

    #[test]
    fn what_is_of_no_use_is_named() {
        let own = std::process::id().to_string();
        let error = handed(&env(&[("LISTEN_FDS", "2"), ("LISTEN_PID", &own)])).unwrap_err();
        assert!(error.starts_with("LISTEN_FDS=2: expected 1"), "{error}");
        let long = "/x".repeat(100);
        for (pairs, name) in [
            (&[("NOTIFY_SOCKET", "/x"), ("WATCHDOG_USEC", "soon")][..], "WATCHDOG_USEC=soon"),
            (&[("NOTIFY_SOCKET", &long)], "NOTIFY_SOCKET=/x"),
        ] {
            let error = Manager::of(&env(pairs)).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
