//! The agent: the thread that keeps the link to xserver.
//!
//! It attaches, sleeps until the server says or does something, and when the server is gone opens the gates and tries again.
//! It never calls the vendor's library and takes no lock that is held across a vendor's call, so nothing that the program does can
//! keep it from opening a gate.

use crate::guest::Guest;
use crate::lending::{self, Lending};
use crate::offered::offered;
use crate::vigil::{self, Found, Vigil};
use crate::{bonds, config, given, report, signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;
use xsched_core::Limits;
use xsched_core::config::OnNoServer;
use xsched_ipc::guest::{Hello, Session};
use xsched_ipc::heartbeat::{Heartbeat, now};
use xsched_ipc::{Error, address};
use xsched_queue::gate::{Epoch, Holder};

/// Between two attempts to attach.
const RETRY: Duration = Duration::from_millis(500);
/// How long a server may take to answer a hello.
const PATIENCE: Duration = Duration::from_millis(500);

/// The link, for the child of a fork: null, or kept alive by the agent.
static LINK: AtomicPtr<Link> = AtomicPtr::new(std::ptr::null_mut());

/// Further rescues after a server is gone, one at each attempt to attach, if anything was lent to it.
const RESCUES: u32 = 20;

/// How often the agent looks whether the program has left it its fds.
const LOOK: Duration = Duration::from_secs(1);

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

    /// Tells what this process shares with others; whether there was room for it.
    pub(crate) fn bond(&self, what: &[u8]) -> bool {
        self.session.bond(what)
    }

    /// What it is made of.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Ends the connection; the agent notices.
    pub(crate) fn hang_up(&self) {
        if let Some(socket) = self.session.socket() {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }
}

/// Starts the agent, unless it is there.
pub(crate) fn start(guest: &'static Guest) -> io::Result<()> {
    if guest.has_agent.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    spawn("xsched-agent", move || {
        loop {
            run(guest);
            guest.has_agent.store(false, Ordering::SeqCst);
            // Whoever started us before this counted on us.
            if !guest.is_global() || guest.has_agent.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    })
    .inspect_err(|_| guest.has_agent.store(false, Ordering::SeqCst))
}

/// Starts a thread of ours: named, and with all signals blocked, so that the program's handlers run on the program's threads.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let _blocked = signals::Blocked::all();
    std::thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(body).map(drop)
}

fn run(guest: &'static Guest) {
    let mut quiet = false;
    let mut rescues = 0;
    while guest.is_global() {
        let (link, epoch) = match attach(guest) {
            Ok((link, epoch)) => (Arc::new(link), epoch),
            Err(Failure::ForGood(why)) => {
                report::once(&format!("{why}: this program runs on unscheduled"));
                return guest.stand_alone();
            }
            Err(Failure::ForNow(why)) => {
                guest.set_link(None);
                // The last server may have been frozen in the middle of a call, thawed after our rescue, and killed behind the call.
                if rescues > 0 {
                    rescues -= 1;
                    guest.lent.rescue();
                }
                if !quiet {
                    report::once(&why);
                    quiet = true;
                }
                std::thread::sleep(RETRY);
                continue;
            }
        };
        quiet = false;
        let since = now();
        LINK.store(Arc::as_ptr(&link).cast_mut(), Ordering::Release);
        if !guest.set_link(Some(Arc::clone(&link))) {
            guest.part(epoch);
            LINK.store(std::ptr::null_mut(), Ordering::Release);
            return;
        }
        // The server has read the page once; what came after that rings from now on.
        link.ring_doorbell();
        bonds::tell(&link.session, true);
        let reason = serve(guest, &link.session).unwrap_or_else(|| "xserver is gone".into());
        guest.set_link(None);
        guest.part(epoch);
        guest.lent.rescue();
        rescues = RESCUES;
        guest.set_limits(Limits::default());
        LINK.store(std::ptr::null_mut(), Ordering::Release);
        if guest.shared_page().fd().is_ok() && guest.is_global() {
            report::once(&format!("{reason}: this program runs on unscheduled until xserver is back"));
        }
        // A server that takes us in and drops us at once is not asked all the time.
        if now().since(since) < RETRY && guest.is_global() {
            std::thread::sleep(RETRY);
        }
    }
}

/// Why there is no server.
enum Failure {
    /// There may be one later.
    ForNow(String),
    /// There is nothing left to share with one.
    ForGood(String),
}

/// Attaches, with an epoch that the server knows the gates by.
fn attach(guest: &Guest) -> Result<(Link, Epoch), Failure> {
    let config = guest.config;
    let candidates = address::candidates(config.socket.as_deref(), config::runtime_dir());
    let mut failures = Vec::new();
    for path in &candidates {
        let epoch = guest.renew_epoch();
        let hello =
            Hello { epoch, program: program_name(), group: config.group.clone(), hints: config.hints };
        match xsched_ipc::guest::connect(path, guest.shared_page(), &hello, PATIENCE) {
            Ok(session) => return Ok((Link { session }, epoch)),
            Err(e @ Error::Taken) => return Err(Failure::ForGood(e.to_string())),
            Err(e) => failures.push(e.to_string()),
        }
    }
    // What is held at the start is let go by the first server.
    let held = guest.page().gate(0).is_some_and(|gate| gate.state().is_held_by(Holder::Local));
    let so = match config.on_no_server {
        OnNoServer::Wait if held => "waits for one",
        OnNoServer::Fail if held => "cannot launch",
        _ => "runs unscheduled",
    };
    Err(Failure::ForNow(format!("no xserver, this program {so} ({})", failures.join("; "))))
}

/// Sleeps until the server ends the connection; does what it asks for until then. Answers its reason, if it gave one.
fn serve(guest: &'static Guest, session: &Session) -> Option<String> {
    let mut lending = Lending::default();
    lending.tell(guest, session);
    let mut vigil: Option<Vigil> = None;
    loop {
        // As long as this waits, a socket that the program closes stays open to the server, so it must not wait for ever.
        let look = match (&vigil, offered()) {
            (Some(_), _) => vigil::LOOK,
            (None, Some(_)) => lending::LOOK,
            (None, None) => LOOK,
        };
        let look = Timespec { tv_sec: look.as_secs() as i64, tv_nsec: look.subsec_nanos().into() };
        match session.socket().map(|socket| poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&look))) {
            None | Some(Ok(_) | Err(rustix::io::Errno::INTR)) => {}
            Some(Err(_)) => return None,
        }
        // First: what comes next may take a moment.
        match vigil.as_mut().and_then(|vigil| vigil.look(session.heartbeat.last().as_nanos(), now())) {
            Some(Found::Silence) => guest.excuse(),
            Some(Found::Sign) => guest.obey(),
            None => {}
        }
        bonds::tell(session, false);
        given::tell_rest(guest, session, false);
        lending.tell(guest, session);
        if guest.lent.is_any() {
            // No thread may be at a gate and see it: all of them may wait for a device that the server has stopped.
            guest.rescue_if_stale();
        }
        match session.poll() {
            xsched_ipc::guest::Link::Up => {}
            xsched_ipc::guest::Link::Look => guest.watcher.wake(guest),
            xsched_ipc::guest::Link::Limits(limits) => guest.set_limits(limits),
            xsched_ipc::guest::Link::Vigil(is_kept) => {
                if vigil.as_ref().is_some_and(Vigil::is_silent) {
                    guest.obey();
                }
                vigil = is_kept.then(|| Vigil::begin(session.heartbeat.last().as_nanos(), now()));
            }
            xsched_ipc::guest::Link::Down(reason) => return reason,
        }
    }
}

fn program_name() -> String {
    std::fs::read_to_string("/proc/self/comm").map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

/// In the child of a fork: async-signal-safe.
pub(crate) fn close_in_child() {
    // SAFETY: null, or a link that was alive in the parent at the moment of the fork, and of which the child has a copy.
    if let Some(link) = unsafe { LINK.swap(std::ptr::null_mut(), Ordering::AcqRel).as_ref() } {
        link.session.close_fds();
    }
}
