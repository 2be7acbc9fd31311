//! An X server with nobody in front of it.

use crate::machine::Machine;
use crate::process::Program;
use crate::wait::{PATIENCE, eventually};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// An X server without a window manager, which this is.
#[derive(Debug)]
pub struct Screen {
    connection: RustConnection,
    root: u32,
    _server: Program,
}

impl Screen {
    /// On the display of this name, or on one that is free; with its name.
    pub fn start(machine: &Machine, name: Option<&str>) -> (Screen, String) {
        let mut command = machine.command("Xvfb");
        command.args(name).args(["-screen", "0", "640x480x24", "-nolisten", "tcp", "-displayfd", "1"]);
        let server = Program::start(command);
        let mut found = None;
        eventually("the X server is there", PATIENCE, || {
            found = server.output().first().map(|number| format!(":{}", number.trim()));
            found.is_some()
        });
        let name = found.unwrap();
        let (connection, screen) = RustConnection::connect(Some(&name)).unwrap();
        let root = connection.setup().roots[screen].root;
        (Screen { connection, root, _server: server }, name)
    }

    /// Makes a window that says it is this process's, and makes it the active one.
    pub fn activate(&self, pid: u32) {
        let window = self.connection.generate_id().unwrap();
        let (depth, class, visual) =
            (x11rb::COPY_DEPTH_FROM_PARENT, WindowClass::INPUT_OUTPUT, x11rb::COPY_FROM_PARENT);
        let aux = CreateWindowAux::new();
        let created =
            self.connection.create_window(depth, window, self.root, 0, 0, 100, 100, 0, class, visual, &aux);
        created.unwrap().check().unwrap();
        self.set(window, "_NET_WM_PID", AtomEnum::CARDINAL, pid);
        self.set(self.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW, window);
    }

    /// Makes the window that a process has made itself the active one; waits for it.
    pub fn activate_own(&self, pid: u32) {
        let mut window = None;
        eventually("it has a window", PATIENCE, || {
            window = self.window_of(pid);
            window.is_some()
        });
        self.set(self.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW, window.unwrap());
    }

    /// Asks a process to close its window, as a click on its button does.
    pub fn close_own(&self, pid: u32) {
        let window = self.window_of(pid).expect("it has a window");
        let (protocols, delete) = (self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"));
        let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
        self.connection.send_event(false, window, EventMask::NO_EVENT, message).unwrap().check().unwrap();
    }

    fn window_of(&self, pid: u32) -> Option<u32> {
        let windows = self.connection.query_tree(self.root).unwrap().reply().unwrap().children;
        let name = self.atom("_NET_WM_PID");
        windows.into_iter().find(|window| {
            let asked = self.connection.get_property(false, *window, name, AtomEnum::CARDINAL, 0, 1).unwrap();
            // It may be gone by now.
            let answer = asked.reply().ok();
            answer.and_then(|answer| answer.value32()?.next()) == Some(pid)
        })
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn set(&self, window: u32, name: &str, kind: AtomEnum, value: u32) {
        let name = self.atom(name);
        let changed = self.connection.change_property32(PropMode::REPLACE, window, name, kind, &[value]);
        changed.unwrap().check().unwrap();
    }
}
