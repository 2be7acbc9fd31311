//! Who is at the other end of a socket, as the kernel knows it, and which users are special.
//!
//! Names are looked up in `/etc/passwd` and `/etc/group` only: what the system's own service user and group are must not depend
//! on a directory server, and a name service must not be loaded into a guest.

use crate::error::Error;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

/// The user that a system's server may run as, and the group whose members may steer all processes.
pub const SERVICE: &str = "xsched";

/// Groups that are looked at. A process may have 65,536, and a server remembers them for each.
pub const MOST_GROUPS: usize = 4096;

/// What the kernel says about a peer, as of the moment when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process, as seen from here; 0 if it cannot be seen from here (another pid namespace).
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Its other groups; none if there are more than [`MOST_GROUPS`].
    pub groups: Vec<u32>,
}

impl Credentials {
    /// Of the peer of a connected socket.
    pub fn of(socket: BorrowedFd<'_>) -> Result<Credentials, Error> {
        let mut c = [0u32; 3];
        socket_option(socket, libc::SO_PEERCRED, &mut c)
            .map_err(|(errno, _)| Error::System { call: "getsockopt(SO_PEERCRED)", errno })?;
        let [pid, uid, gid] = c;
        let mut groups = vec![0; 64];
        let length = match socket_option(socket, SO_PEERGROUPS, &mut groups) {
            Err((Errno::RANGE, needed)) if needed <= MOST_GROUPS => {
                groups.resize(needed, 0);
                socket_option(socket, SO_PEERGROUPS, &mut groups).unwrap_or(0)
            }
            other => other.unwrap_or(0),
        };
        groups.truncate(length);
        Ok(Credentials { pid, uid, gid, groups })
    }

    /// Whether it belongs to this group.
    pub fn is_in(&self, group: u32) -> bool {
        self.gid == group || self.groups.contains(&group)
    }
}

/// Whether a server of this user may hold this process's programs back, and be lent their device files: root's, that of the service's
/// user, and one of the own user.
pub fn is_trusted_server(uid: u32) -> bool {
    let is_own = uid == rustix::process::getuid().as_raw() && is_somebody(uid, || read("/proc/self/uid_map"));
    uid == 0 || is_own || user(SERVICE) == Some(uid)
}

/// Whether this number is one user. In a container that does not know all users of the machine, those that it does not know
/// all look like the same one, 65534.
fn is_somebody(uid: u32, uid_map: impl FnOnce() -> Option<String>) -> bool {
    const UNKNOWN: u32 = 65534;
    const ALL: &str = "4294967295";
    uid != UNKNOWN || uid_map().is_none_or(|map| map.split_whitespace().nth(2) == Some(ALL))
}

/// Something to notice the end of the peer's process by (it becomes readable), if there is such a thing: not for a process of a
/// pid namespace that cannot be seen from here on an old kernel, and not for one that is gone already.
pub fn pidfd(socket: BorrowedFd<'_>, credentials: &Credentials) -> Option<OwnedFd> {
    let mut fd = [-1i32];
    if socket_option(socket, SO_PEERPIDFD, &mut fd).is_ok() {
        let [fd] = fd;
        // SAFETY: the kernel (6.5 or newer) has just made this fd for us; it is close-on-exec.
        return (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) });
    }
    let pid = Pid::from_raw(i32::try_from(credentials.pid).ok()?)?;
    let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // The number may have been given to a new process meanwhile, but only after the peer ended and so closed its end.
    is_connected(socket).then_some(fd)
}

/// The number of the user with this name.
pub fn user(name: &str) -> Option<u32> {
    number_in(&read("/etc/passwd")?, name)
}

/// The number of the group with this name.
pub fn group(name: &str) -> Option<u32> {
    number_in(&read("/etc/group")?, name)
}

const SO_PEERGROUPS: i32 = 59;
const SO_PEERPIDFD: i32 = 77;

/// Reads a socket option; answers how many of `values` were written, or errno and how many would have been.
fn socket_option<T: Copy>(
    socket: BorrowedFd<'_>,
    option: i32,
    values: &mut [T],
) -> Result<usize, (Errno, usize)> {
    const { assert!(size_of::<T>() == 4, "all options read here are made of 32-bit numbers") };
    let mut length = size_of_val(values) as libc::socklen_t;
    // SAFETY: __errno_location gives this thread's errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; a plain int.
    let before = unsafe { *errno };
    // SAFETY: `values` has room for `length` bytes, and any 32 bits are a valid T: every caller passes integers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let count = length as usize / size_of::<T>();
    if result == 0 {
        return Ok(count);
    }
    // SAFETY: as above. Our caller's errno stays what it was.
    let error = unsafe { std::mem::replace(&mut *errno, before) };
    Err((Errno::from_raw_os_error(error), count))
}

fn is_connected(socket: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(&socket, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(0))
}

/// The third field of the line of `name`.
fn number_in(table: &str, name: &str) -> Option<u32> {
    let mut lines = table.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten())
}

/// A small text file, without touching errno.
fn read(path: &str) -> Option<String> {
    const MOST: usize = 4 << 20;
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    let mut chunk = vec![0; 16 << 10];
    while text.len() < MOST {
        match rustix::io::read(fd.as_fd(), &mut chunk) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(chunk.get(..n)?),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType};

    #[test]
    fn a_socket_pair_is_between_us_and_us() {
        let (a, b) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        let us = Credentials::of(a.as_fd()).unwrap();
        assert_eq!((us.pid, us.uid), (std::process::id(), rustix::process::getuid().as_raw()));
        assert!(us.is_in(rustix::process::getgid().as_raw()));
        let _ = pidfd(a.as_fd(), &us).unwrap();
        assert!(is_connected(a.as_fd()));
        drop(b);
        assert!(!is_connected(a.as_fd()));
    }

    #[test]
    fn a_user_who_may_be_any_that_a_container_does_not_know_is_nobody() {
        let map = |text: &'static str| move || Some(text.to_owned());
        assert!(is_somebody(65534, map("         0          0 4294967295\n")));
        assert!(!is_somebody(65534, map("         0     100000      65536\n")));
        assert!(is_somebody(1000, map("         0     100000      65536\n")));
        // A kernel without user namespaces.
        assert!(is_somebody(65534, || None));
    }

    /// Needs root, to be in groups.
    #[test]
    fn who_is_in_more_groups_than_are_looked_at_is_in_none() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // Of this thread only.
        let groups = |count: u32| {
            let all: Vec<_> = (1..=count).map(rustix::process::Gid::from_raw).collect();
            rustix::thread::set_thread_groups(&all).unwrap();
            let flags = SocketFlags::CLOEXEC;
            let (a, _b) =
                rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
            Credentials::of(a.as_fd()).unwrap().groups.len()
        };
        let sizes = std::thread::spawn(move || [groups(100), groups(4096), groups(5000)]);
        assert_eq!(sizes.join().unwrap(), [100, 4096, 0]);
    }

    #[test]
    fn names_are_found_in_the_tables_of_the_system() {
        assert_eq!(user("root"), Some(0));
        assert_eq!(group("no such group"), None);
        assert_eq!(number_in("a:x:b\nxsched:x:77:me\n", "xsched"), Some(77));
        assert_eq!(number_in("xsched", "xsched"), None);
    }
}
