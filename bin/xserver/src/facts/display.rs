//! The active window of an X display: a thread that follows it, and tells.
//!
//! The thread does all talking with the X server, which may be slow, hang, end and come back; it decides nothing and touches nothing of the
//! scheduler's. What it has seen last stands in [`Shared`], and a bell rings when that changes. It lives while a policy wants to know, and tries
//! again every second where there is no display. One that hangs in a dead X server is left to itself until that moves.
//!
//! Absent: Wayland, which tells no stranger whose window is active.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use x11rb::connection::Connection;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::Event;
use x11rb::protocol::res::{ClientIdMask, ClientIdSpec, ConnectionExt as _};
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window,
};
use x11rb::rust_connection::RustConnection;

/// How long until it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of the display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The process whose window is active.
    pub(crate) active: Option<u32>,
    /// How it stands with the display, in words for the log.
    pub(crate) state: State,
}

/// How it stands with the display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing has been seen of it yet.
    #[default]
    Connecting,
    /// Its windows are followed.
    Followed,
    /// Nobody says there which window is active.
    WithoutManager,
    /// It cannot be followed: why.
    Lost(String),
}

/// Follows a display as long as it is there.
#[derive(Debug)]
pub(crate) struct Display {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What the two threads have in common.
#[derive(Debug)]
struct Shared {
    /// Short: nothing is done while it is locked.
    seen: Mutex<Seen>,
    /// Rings in the server.
    bell: Arc<OwnedFd>,
    /// Rings in the thread, which then ends.
    end: OwnedFd,
}

impl Display {
    /// Follows the display of this name; `bell` rings whenever something else is to be seen.
    pub(crate) fn follow(name: &str, bell: Arc<OwnedFd>) -> std::io::Result<Display> {
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared { seen: Mutex::default(), bell, end });
        let (name, theirs) = (name.to_owned(), shared.clone());
        let thread = std::thread::Builder::new().name("xserver-display".into());
        Ok(Display { shared, thread: thread.spawn(move || theirs.follow(&name))? })
    }

    /// What is to be seen now.
    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the display, soon. Answers its thread.
    pub(crate) fn leave(self) -> JoinHandle<()> {
        let _ = rustix::io::write(&self.shared.end, &1u64.to_ne_bytes());
        self.thread
    }
}

impl Shared {
    fn follow(&self, name: &str) {
        loop {
            let why = match Session::open(name) {
                Ok(session) => match session.follow(self) {
                    Ok(()) => return,
                    Err(why) => why.to_string(),
                },
                Err(why) => why,
            };
            self.say(Seen { active: None, state: State::Lost(why) });
            if self.wait(None, Some(AGAIN)) {
                return;
            }
        }
    }

    fn say(&self, now: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen != now {
            *seen = now;
            drop(seen);
            let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
        }
    }

    /// Waits until there is something to read, or for so long. Whether it is time to end.
    fn wait(&self, on: Option<&RustConnection>, most: Option<Duration>) -> bool {
        let mut fds = vec![PollFd::new(&self.end, PollFlags::IN)];
        let stream = on.map(|connection| connection.stream().as_fd());
        fds.extend(stream.iter().map(|stream| PollFd::new(stream, PollFlags::IN)));
        let most = most.and_then(|most| Timespec::try_from(most).ok());
        // Interrupted, it is as if there were something to read.
        let _ = poll(&mut fds, most.as_ref());
        fds.first().is_some_and(|end| end.revents().contains(PollFlags::IN))
    }
}

/// A connection to the display.
struct Session {
    connection: RustConnection,
    root: Window,
    /// Names of properties.
    active_window: Atom,
    pid: Atom,
}

impl Session {
    fn open(name: &str) -> Result<Session, String> {
        let (connection, screen) = RustConnection::connect(Some(name)).map_err(|error| error.to_string())?;
        let root = connection.setup().roots.get(screen).map(|screen| screen.root);
        let root = root.ok_or_else(|| format!("it has no screen {screen}"))?;
        let prepare = || -> Result<(Atom, Atom), ReplyOrIdError> {
            let names = [b"_NET_ACTIVE_WINDOW".as_slice(), b"_NET_WM_PID"];
            let [active_window, pid] = names.map(|name| connection.intern_atom(false, name));
            let aux = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
            let atoms = (active_window?.reply()?.atom, pid?.reply()?.atom);
            connection.change_window_attributes(root, &aux)?.check()?;
            Ok(atoms)
        };
        let (active_window, pid) = prepare().map_err(|error| error.to_string())?;
        Ok(Session { connection, root, active_window, pid })
    }

    /// Tells the active window's process whenever it changes, until it is time to end, or the connection does.
    fn follow(&self, shared: &Shared) -> Result<(), ReplyOrIdError> {
        let mut has_changed = true;
        loop {
            while let Some(event) = self.connection.poll_for_event()? {
                has_changed |=
                    matches!(event, Event::PropertyNotify(change) if change.atom == self.active_window);
            }
            if std::mem::take(&mut has_changed) {
                shared.say(self.look()?);
                // Something may have come in while it waited for answers.
                continue;
            }
            if shared.wait(Some(&self.connection), None) {
                return Ok(());
            }
        }
    }

    fn look(&self) -> Result<Seen, ReplyOrIdError> {
        let property = |window, name, kind: AtomEnum| -> Result<Option<u32>, ReplyOrIdError> {
            let cookie = self.connection.get_property(false, window, name, kind, 0, 1)?;
            match cookie.reply() {
                Ok(reply) => Ok(reply.value32().and_then(|mut values| values.next())),
                // The window may be gone.
                Err(x11rb::errors::ReplyError::X11Error(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let Some(window) = property(self.root, self.active_window, AtomEnum::WINDOW)? else {
            return Ok(Seen { active: None, state: State::WithoutManager });
        };
        let mut active = None;
        if window != 0 {
            active = property(window, self.pid, AtomEnum::CARDINAL)?;
            if active.is_none() {
                active = self.owner(window)?;
            }
        }
        Ok(Seen { active: active.filter(|&pid| pid != 0), state: State::Followed })
    }

    /// The process that made the window, as the X server knows it, if it knows it: for programs that do not say.
    fn owner(&self, window: Window) -> Result<Option<u32>, ReplyOrIdError> {
        let spec = ClientIdSpec { client: window, mask: ClientIdMask::LOCAL_CLIENT_PID };
        let Ok(cookie) = self.connection.res_query_client_ids(&[spec]) else { return Ok(None) };
        match cookie.reply() {
            Ok(reply) => Ok(reply.ids.first().and_then(|id| id.value.first()).copied()),
            Err(x11rb::errors::ReplyError::X11Error(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
