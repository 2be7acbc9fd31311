//! A server under a service manager: it serves on the socket that it is handed, and says how it is. The test is the manager.

use crate::guest::Guest;
use crate::harness::{PATIENCE, Server, send, stays, wait};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Signal;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use xsched_ipc::control::{self, Reply, Request};
use xsched_ipc::guest::Link;

/// A manager with its sockets, in the folder of a server that it starts.
struct Manager {
    server: Server,
    socket: OwnedFd,
    notify: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn new() -> Manager {
        let server = Server::prepare();
        let notify = UnixDatagram::bind(server.socket().with_file_name("notify")).unwrap();
        notify.set_nonblocking(true).unwrap();
        Manager { socket: listening(&server.socket()), server, notify, told: vec![] }
    }

    /// Starts the server, with a life sign asked for within this time.
    fn start(&mut self, watchdog: Duration, flags: &[&str]) {
        let mut command = started_with(&self.socket, "1", self.server.bare_command(flags));
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        command.env("NOTIFY_SOCKET", self.server.socket().with_file_name("notify"));
        self.server.launch_command(command);
    }

    /// What the manager is told, a line each, as far as it was not heard before.
    fn hear(&mut self) -> Vec<String> {
        let mut bytes = [0; 1024];
        let mut lines = Vec::new();
        while let Ok(length) = self.notify.recv(&mut bytes) {
            lines.extend(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned));
        }
        self.told.extend(lines.clone());
        lines
    }

    fn wait_to_hear(&mut self, line: &str) {
        wait(&format!("the manager hears {line:?}"), || {
            self.hear();
            self.told.iter().any(|told| told == line)
        });
        self.told.clear();
    }
}

/// A socket that listens, as a manager makes it.
fn listening(path: &Path) -> OwnedFd {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 128).unwrap();
    socket
}

/// The same command, started as a manager starts it: with the socket as fd 3, and variables that say so to this very process.
fn started_with(socket: &OwnedFd, count: &str, server: Command) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg("LISTEN_PID=$$ exec \"$@\" 3<&0 </dev/null").arg("sh");
    command.arg(server.get_program()).args(server.get_args());
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("LISTEN_FDS", count).stdin(Stdio::from(socket.try_clone().unwrap()));
    command
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn guests_of_a_server_that_is_restarted_run_on_and_attach_again_on_the_managers_socket() {
    let mut manager = Manager::new();
    manager.start(MINUTE, &[]);
    manager.wait_to_hear("READY=1");
    let mut low = Guest::attach(&manager.server, "low", 0);
    let mut high = Guest::attach(&manager.server, "high", 10);
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    manager.wait_to_hear("STATUS=policy HPF, 2 processes with 2 queues");

    manager.server.signal(Signal::TERM);
    assert!(manager.server.wait_for_end().success());
    manager.wait_to_hear("STOPPING=1");
    assert!(low.gate().is_free() && high.gate().is_free());
    assert_eq!(low.link(), Link::Down(Some("xserver is ending".into())));
    assert!(manager.server.socket().exists(), "the socket is the manager's");

    // Who connects meanwhile waits in the socket for the next server.
    let early = control::connect(&manager.server.socket(), PATIENCE);
    manager.start(MINUTE, &["--policy", "UP"]);
    manager.wait_to_hear("READY=1");
    assert!(matches!(early.unwrap().ask(&Request::Status).unwrap().1, Reply::Server(_)));
    low.attach_again(&manager.server, 0);
    high.attach_again(&manager.server, 10);
    manager.wait_to_hear("STATUS=policy UP, 2 processes with 2 queues");
}

#[test]
fn signs_of_life_come_from_the_loop_also_when_there_is_nothing_to_do() {
    let mut manager = Manager::new();
    manager.start(Duration::from_millis(40), &[]);
    for _ in 0..5 {
        manager.wait_to_hear("WATCHDOG=1");
    }
    send(manager.server.pid(), Signal::STOP);
    stays("nothing", Duration::from_millis(50), || true);
    manager.hear();
    stays("a frozen server is silent", Duration::from_millis(200), || manager.hear().is_empty());
    send(manager.server.pid(), Signal::CONT);
    manager.wait_to_hear("WATCHDOG=1");
}

#[test]
fn a_reload_is_told_with_its_end() {
    let mut manager = Manager::new();
    manager.start(MINUTE, &[]);
    manager.wait_to_hear("READY=1");
    manager.server.signal(Signal::HUP);
    let is_reloading = |line: &String| line == "RELOADING=1";
    // Other news, such as of its state, may come in between and behind.
    let mut since = vec![];
    wait("it is told", || {
        manager.hear();
        since = manager.told.iter().skip_while(|line| !is_reloading(line)).cloned().collect();
        since.iter().any(|line| line == "READY=1")
    });
    assert!(since[1].starts_with("MONOTONIC_USEC="), "{:?}", manager.told);
}

#[test]
fn a_manager_that_never_reads_keeps_nobody_waiting() {
    let mut manager = Manager::new();
    // A message each microsecond fills what there is room for at once.
    manager.start(Duration::from_micros(2), &[]);
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..20 {
        assert!(matches!(manager.server.ask(Request::Status), Reply::Server(_)));
    }
}

#[test]
fn a_server_started_by_hand_does_not_take_the_managers_socket_away() {
    let manager = Manager::new();
    // No server has been needed yet.
    let output = manager.server.command(&[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("another xserver already runs on"), "{text}");
    assert!(text.contains("--socket"), "what to do about it: {text}");
    assert!(control::connect(&manager.server.socket(), PATIENCE).is_ok());
}

#[test]
fn what_is_no_socket_for_a_server_is_refused_with_a_line() {
    let manager = Manager::new();
    let folder = manager.server.socket().with_file_name("");
    let stream = OwnedFd::from(UnixListener::bind(folder.join("stream")).unwrap());
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let elsewhere = folder.join("elsewhere").into_os_string();
    for (socket, count, arguments, words) in [
        (&stream, "1", vec![], "not a unix socket that listens for sequential packets"),
        (&file, "1", vec![], "not a unix socket that listens for sequential packets"),
        (&manager.socket, "2", vec![], "LISTEN_FDS=2: expected 1"),
        (
            &manager.socket,
            "1",
            vec!["--socket".into(), elsewhere],
            "elsewhere, and the service manager hands",
        ),
    ] {
        let mut server = manager.server.bare_command(&[]);
        server.args(&arguments);
        let output = started_with(socket, count, server).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(words), "{words}: {text}");
    }
    // The same path is no contradiction.
    let server = manager.server.command(&[]);
    let mut child = started_with(&manager.socket, "1", server).stderr(Stdio::null()).spawn().unwrap();
    wait("it answers", || matches!(manager.server.ask(Request::Status), Reply::Server(_)));
    child.kill().unwrap();
    child.wait().unwrap();
}
