//! Somebody else: a process that becomes another user and does one job. Only root can make one.

use crate::guest::page;
use crate::harness::{PATIENCE, wait};
use crate::storm;
use std::io::{BufRead, BufReader, Lines};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use xsched_core::Hints;
use xsched_ipc::control::{self, Request};
use xsched_ipc::guest::{Hello, connect};
use xsched_ipc::server::{Listener, Message, Pulse, doorbell};
use xsched_queue::gate::Epoch;

/// A user that owns nothing.
pub(crate) const NOBODY: u32 = 65534;
/// Another one.
pub(crate) const STRANGER: u32 = 65533;

/// What to do at a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    /// Ask for what only others may have; a line for each answer.
    Steer,
    /// Attach, and lend the server a file. A line says whether it worked, or why not.
    Lend,
    /// Be the server for one guest; a line says what it sent.
    Listen,
    /// Read and change something over HTTP, on a unix socket; and read the file with the token, which is beside it. A line for each.
    Http,
    /// Send garbage, so many times, and say how many of them the server ended.
    Storm(u32),
}

/// Somebody at work. He stays until this is dropped.
pub(crate) struct Somebody {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _stays_while_open: ChildStdin,
}

const JOB: &str = "TEST_SOMEBODY_JOB";
const SOCKET: &str = "TEST_SOMEBODY_SOCKET";
const USER: &str = "TEST_SOMEBODY_USER";
const FILE: &str = "TEST_SOMEBODY_FILE";
/// Before each line that is meant for the one who asked.
const MARK: &str = "somebody: ";

/// Whether tests may make other users; says so if not.
pub(crate) fn is_possible() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("not root: nothing to test");
    }
    is_root
}

impl Somebody {
    /// Starts him, as the user if one is given. `file` is what he lends.
    pub(crate) fn start(job: Job, socket: &Path, user: Option<u32>, file: Option<&Path>) -> Somebody {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "somebody::does_his_job_if_he_has_one", "--nocapture"]);
        command.env(JOB, job.name()).env(SOCKET, socket);
        user.into_iter().for_each(|user| _ = command.env(USER, user.to_string()));
        file.into_iter().for_each(|file| _ = command.env(FILE, file));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Somebody { _stays_while_open: child.stdin.take().unwrap(), lines, child }
    }

    /// What he says next; waits for it.
    pub(crate) fn says(&mut self) -> String {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        let said = lines.find_map(|line| line.split_once(MARK).map(|(_, said)| said.to_owned()));
        said.unwrap_or_else(|| panic!("he has ended: {:?}", self.child.wait()))
    }

    /// Whether he has ended.
    pub(crate) fn is_gone(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Somebody {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Job {
    fn name(self) -> String {
        match self {
            Job::Steer => "steer".into(),
            Job::Lend => "lend".into(),
            Job::Listen => "listen".into(),
            Job::Http => "http".into(),
            Job::Storm(rounds) => rounds.to_string(),
        }
    }
}

#[test]
fn does_his_job_if_he_has_one() {
    let Ok(job) = std::env::var(JOB) else { return };
    let socket = PathBuf::from(std::env::var_os(SOCKET).unwrap());
    // What root opened stays open to him.
    let file = std::env::var_os(FILE).map(|file| std::fs::File::open(file).unwrap());
    if let Ok(user) = std::env::var(USER) {
        let user = user.parse().unwrap();
        rustix::thread::set_thread_groups(&[]).unwrap();
        rustix::thread::set_thread_gid(rustix::process::Gid::from_raw(user)).unwrap();
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(user)).unwrap();
    }
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    match job.as_str() {
        "steer" => steer(&socket),
        "lend" => kept.push(lend(&socket, file.unwrap())),
        "listen" => listen(&socket),
        "http" => http(&socket),
        rounds => say(&format!("{} ended", storm::rage(&socket, rounds.parse().unwrap()))),
    }
    if job == "lend" {
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}

fn say(line: &str) {
    println!("{MARK}{line}");
}

/// The requests are on the command's other side: in the test that reads the answers.
fn steer(socket: &Path) {
    let connection = control::connect(socket, PATIENCE).unwrap();
    for request in steering() {
        say(&format!("{:?}", connection.ask(&request).unwrap().1));
    }
}

/// What somebody asks who may steer nothing of the guest with the first numbers, which is of the process with this pid.
pub(crate) fn steering() -> Vec<Request> {
    use xsched_core::{ClientId, HintKind, QueueId};
    use xsched_ipc::control::Target;
    let targets = [
        Target::Queue(QueueId(1)),
        Target::Client(ClientId(1)),
        Target::Pid(rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get() as u32)),
    ];
    let hints = targets.into_iter().flat_map(|target| {
        [
            (HintKind::Priority, -256),
            (HintKind::Priority, 0),
            (HintKind::Utilization, 1),
            (HintKind::Deadline, 5),
        ]
        .map(|(kind, value)| Request::Hint { target: target.clone(), kind, value })
        .into_iter()
        .chain([Request::Unset { target, kind: HintKind::Priority }])
    });
    hints.chain([Request::SetPolicy { name: "HPF".into() }, Request::ReloadRules]).collect()
}

fn lend(socket: &Path, file: std::fs::File) -> Box<dyn std::any::Any> {
    let page = page();
    let hello = Hello { epoch: Epoch::FIRST, program: "lender".into(), group: None, hints: Hints::default() };
    match connect(socket, &page, &hello, PATIENCE) {
        Ok(session) => {
            assert!(session.lend(Some((1, &[file.as_fd()], b"how to"))));
            say("attached");
            Box::new((page, session))
        }
        Err(error) => {
            say(&error.to_string());
            Box::new(())
        }
    }
}

/// The first line of each answer, or why there is none.
fn http(socket: &Path) {
    use std::io::{Read, Write};
    let ask = |head: &str, body: &str| -> std::io::Result<String> {
        let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    };
    let token = std::fs::read_to_string(socket.with_file_name("http-token"));
    for said in [ask("GET /v1/policy", ""), ask("PUT /v1/policy", "{\"name\":\"UP\"}"), token] {
        say(&said.unwrap_or_else(|error| format!("{:?}", error.kind())));
    }
}

fn listen(socket: &Path) {
    let listener = Listener::bind(socket, true).unwrap();
    say("listening");
    let mut connection = None;
    wait("somebody connects", || {
        connection = listener.accept().unwrap();
        connection.is_some()
    });
    let connection = connection.unwrap();
    loop {
        match connection.receive() {
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(Message::Hello(newcomer))) => {
                let (pulse, doorbell) = (Pulse::create().unwrap(), doorbell().unwrap());
                connection.welcome(xsched_core::ClientId(1), doorbell.as_fd(), &pulse).unwrap();
                say(&newcomer.hello.program);
            }
            Ok(Some(Message::Lend(lent))) => {
                let files = lent.as_ref().map_or(0, |lent| lent.remote.fds.len());
                return say(&format!("{files} files"));
            }
            Ok(Some(Message::Bond(what))) => return say(&format!("a bond of {} bytes", what.len())),
            Ok(Some(Message::Hints(given))) => return say(&format!("{given:?}")),
            Ok(Some(Message::Request(request))) => return say(&format!("{request:?}")),
            Err(error) => return say(&format!("nothing: {error}")),
        }
    }
}
