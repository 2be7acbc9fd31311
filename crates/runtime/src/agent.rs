//! The agent: the thread that keeps the link to xserver.
//!
//! It attaches, sleeps until the server says or does something, and when the server is gone opens the gates and tries again.
//! It never calls the vendor's library and takes no lock that is held across a vendor's call, so nothing that the program does can
//! keep it from opening a gate.

use crate::guest::Guest;
use crate::{config, report};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsRawFd;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use xsched_ipc::address;
use xsched_ipc::guest::{Hello, Session};
use xsched_ipc::heartbeat::Heartbeat;

/// Between two attempts to attach.
const RETRY: Duration = Duration::from_millis(500);
/// How long a server may take to answer a hello.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the child of a fork has to close: it is not its own.
static INHERITED: [AtomicI32; 2] = [const { AtomicI32::new(-1) }; 2];

/// A server that this process is attached to.
#[derive(Debug)]
pub(crate) struct Link {
    session: Session,
}

impl Link {
    /// The server's sign of life.
    pub(crate) fn heartbeat(&self) -> &Heartbeat {
        &self.session.heartbeat
    }

    /// Makes the server look into the ring.
    pub(crate) fn ring_doorbell(&self) {
        self.session.ring();
    }

    /// Ends the connection; the agent notices.
    pub(crate) fn hang_up(&self) {
        let _ = rustix::net::shutdown(&self.session.socket, rustix::net::Shutdown::Both);
    }
}

/// Starts the agent.
pub(crate) fn start(guest: &'static Guest) -> io::Result<()> {
    spawn("xsched-agent", move || run(guest))
}

/// Starts a thread of ours: named, and with all signals blocked, so that the program's handlers run on the program's threads.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let _blocked = Signals::block_all();
    std::thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(body).map(drop)
}

fn run(guest: &'static Guest) {
    let mut quiet = false;
    while !guest.is_exiting() {
        let link = match attach(guest) {
            Ok(link) => Arc::new(link),
            Err(why) => {
                guest.set_link(None);
                if !quiet {
                    report::once(&why);
                    quiet = true;
                }
                std::thread::sleep(RETRY);
                continue;
            }
        };
        quiet = false;
        remember_for_fork(&link);
        let epoch = guest.epoch();
        guest.set_link(Some(Arc::clone(&link)));
        // The server has read the page once; what came after that rings from now on.
        link.ring_doorbell();
        let reason = serve(guest, &link.session).unwrap_or_else(|| "xserver is gone".into());
        guest.set_link(None);
        guest.part(epoch);
        INHERITED.iter().for_each(|fd| fd.store(-1, Ordering::Release));
        report::once(&format!("{reason}: this program runs on unscheduled until xserver is back"));
    }
}

fn attach(guest: &Guest) -> Result<Link, String> {
    let config = guest.config;
    let candidates = address::candidates(config.socket.as_deref(), config::runtime_dir().as_deref());
    let mut failures = Vec::new();
    for path in &candidates {
        // A hello that failed uses its epoch up.
        let hello = Hello {
            epoch: guest.epoch(),
            program: program_name(),
            group: config.group.clone(),
            hints: config.hints,
            control: None,
        };
        match xsched_ipc::guest::connect(path, guest.shared_page(), &hello, PATIENCE) {
            Ok(session) => return Ok(Link { session }),
            Err(e) => failures.push(e.to_string()),
        }
    }
    Err(format!("no xserver, this program runs unscheduled ({})", failures.join("; ")))
}

/// Sleeps until the server ends the connection; does what it asks for until then. Answers its reason, if it gave one.
fn serve(guest: &'static Guest, session: &Session) -> Option<String> {
    loop {
        let mut fds = [PollFd::new(&session.socket, PollFlags::IN)];
        match poll(&mut fds, None::<&Timespec>) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        match session.poll() {
            xsched_ipc::guest::Link::Up => {}
            xsched_ipc::guest::Link::Look => guest.watcher.wake(guest),
            xsched_ipc::guest::Link::Down(reason) => return reason,
        }
    }
}

fn program_name() -> String {
    std::fs::read_to_string("/proc/self/comm").map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

fn remember_for_fork(link: &Link) {
    for (place, fd) in
        INHERITED.iter().zip([link.session.socket.as_raw_fd(), link.session.doorbell.as_raw_fd()])
    {
        place.store(fd, Ordering::Release);
    }
}

/// In the child of a fork: async-signal-safe.
pub(crate) fn close_in_child() {
    for place in &INHERITED {
        let fd = place.swap(-1, Ordering::AcqRel);
        if fd >= 0 {
            // SAFETY: the descriptor is the parent's link, which no object of the child will use or close.
            unsafe { rustix::io::close(fd) };
        }
    }
}

/// All signals blocked in this thread, as long as it lives.
struct Signals(libc::sigset_t);

impl Signals {
    fn block_all() -> Signals {
        // SAFETY: both sets are plain data that the calls fill in; the calls cannot fail with these arguments.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Signals(before)
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the set is the one that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
