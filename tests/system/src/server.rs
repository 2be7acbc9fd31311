//! xserver as a process that can be stopped, frozen, killed and started again.

use crate::process::{End, Program};
use crate::wait::{PATIENCE, eventually, millis};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running xserver; killed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Program,
    socket: PathBuf,
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(command: Command, socket: &Path) -> Server {
        let process = Program::start(command);
        let server = Server { process, socket: socket.into() };
        let answers = || xsched_ipc::control::connect(socket, PATIENCE).is_ok();
        eventually("xserver answers", PATIENCE, || socket.exists() && answers());
        server
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.errors()
    }

    /// Stops its process where it is.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Kills it, as a crash would.
    pub fn crash(self) {
        self.process.signal(Signal::KILL);
        self.process.wait_for_end();
    }

    /// Asks it to end, and waits until it has.
    pub fn end(self) -> End {
        self.process.signal(Signal::TERM);
        self.process.wait_for_end()
    }

    /// Its socket's path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Open fds, threads, and mappings of guests' pages. The least of several looks, as whoever asked something may not be gone yet.
    pub fn holdings(&self) -> [usize; 3] {
        let look = |_| (std::thread::sleep(millis(2)), self.holdings_now()).1;
        (0..20).map(look).min().expect("it looked")
    }

    fn holdings_now(&self) -> [usize; 3] {
        let of = |what: &str| format!("/proc/{}/{what}", self.pid());
        let count = |what: &str| std::fs::read_dir(of(what)).unwrap().count();
        let maps = std::fs::read_to_string(of("maps")).unwrap();
        [count("fd"), count("task"), maps.matches("xsched-page").count()]
    }
}
