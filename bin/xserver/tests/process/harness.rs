//! Starts servers, reads their logs, and waits for things.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use xsched_core::status::ClientStatus;
use xsched_ipc::control::{self, ControlConnection, Reply, Request};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a socket of its own.
pub(crate) struct Server {
    child: Child,
    _directory: tempfile::TempDir,
    socket: PathBuf,
    log: Arc<Mutex<String>>,
    /// Reads the log until its end.
    reader: Option<JoinHandle<()>>,
    is_preloaded: bool,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Server {
        let mut server = Server::prepare();
        server.launch(flags);
        server
    }

    /// One to which files of the simulated control device are the real thing.
    pub(crate) fn preloaded(flags: &[&str]) -> Server {
        let mut server = Server::prepare();
        server.is_preloaded = true;
        server.launch(flags);
        server
    }

    /// A place for a server that is not started yet.
    pub(crate) fn prepare() -> Server {
        let directory = tempfile::tempdir().unwrap();
        // Other users' guests are to reach the socket.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), everybody).unwrap();
        let socket = directory.path().join("xserver.sock");
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        Server {
            child,
            _directory: directory,
            socket,
            log: Arc::default(),
            reader: None,
            is_preloaded: false,
        }
    }

    /// Starts one again on the same socket, after the last one ended.
    pub(crate) fn launch(&mut self, flags: &[&str]) {
        self.launch_command(self.command(flags));
    }

    /// The same by a command that ends up as a server on this socket.
    pub(crate) fn launch_command(&mut self, mut command: Command) {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (log, lines) = (self.log.clone(), BufReader::new(child.stderr.take().unwrap()));
        self.reader = Some(std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *log.lock().unwrap() += &(line + "\n");
            }
        }));
        self.child = child;
        wait("the server answers", || control::connect(&self.socket(), PATIENCE).is_ok());
    }

    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = self.bare_command(&[]);
        command.arg("--socket").arg(self.socket()).args(flags);
        command
    }

    /// One that is not told where its socket is.
    pub(crate) fn bare_command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xserver"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("XSCHED_") {
                command.env_remove(name);
            }
        }
        if self.is_preloaded {
            let library = std::env::current_exe().unwrap().with_file_name("libfake_rm_preload.so");
            assert!(library.exists(), "cargo test builds the simulated device: {}", library.display());
            command.env("LD_PRELOAD", library);
        }
        command.args(flags);
        command
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let mut status = None;
        wait("the server ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn wait_for_log(&self, text: &str) {
        wait(&format!("the log says {text:?}"), || self.log().contains(text));
    }

    /// Ends the server, and answers with all that it has logged: [`Server::log`] has what came so far, of which the last may be missing.
    pub(crate) fn whole_log(&mut self) -> String {
        self.signal(Signal::TERM);
        self.wait_for_end();
        self.reader.take().expect("a server was started").join().unwrap();
        self.log()
    }

    pub(crate) fn control(&self) -> ControlConnection {
        control::connect(&self.socket(), PATIENCE).unwrap()
    }

    pub(crate) fn ask(&self, request: Request) -> Reply {
        self.control().ask(&request).unwrap().1
    }

    pub(crate) fn list(&self) -> Vec<ClientStatus> {
        self.control().ask(&Request::List).unwrap().0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

/// Waits until it is so.
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// It is so, and stays so for a while.
pub(crate) fn stays(what: &str, time: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < time {
        assert!(is_so(), "no longer so after {:?}: {what}", start.elapsed());
        std::thread::sleep(Duration::from_micros(200));
    }
}
