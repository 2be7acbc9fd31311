//! Starts xcli, makes library folders and small programs, and plays xserver.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use xsched_ipc::control::{Reply, Request};
use xsched_ipc::server::{Connection, Listener, Message};

/// The program under test.
pub(crate) const XCLI: &str = env!("CARGO_BIN_EXE_xcli");

/// xcli with nothing in its environment but PATH.
pub(crate) fn xcli() -> Command {
    let mut command = Command::new(XCLI);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Runs `command` to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Builds a package beside the xcli under test; answers where the file that it makes is.
pub(crate) fn build(package: &str, file: &str) -> PathBuf {
    let folder = Path::new(XCLI).parent().expect("a folder");
    let target = folder.parent().expect("a folder");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", package, "--target-dir"]).arg(target);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let built = output(cargo.current_dir(env!("CARGO_MANIFEST_DIR")));
    assert!(built.status.success(), "{}", stderr(&built));
    folder.join(file)
}

/// A library folder with a stand-in that can really be loaded, and nothing in it.
pub(crate) fn library_folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["libxsched.so", "libfake.so.1"] {
        compile("int xcli_test_stand_in;", &dir.path().join(name), &["-shared", "-fPIC"]);
    }
    dir
}

/// Compiles a C text into a program or library.
pub(crate) fn compile(text: &str, result: &Path, flags: &[&str]) {
    let source = result.with_extension("source.c");
    std::fs::write(&source, text).expect("a file");
    let mut cc = Command::new("cc");
    let built = output(cc.args(flags).arg("-o").arg(result).arg(&source));
    assert!(built.status.success(), "cc {flags:?}: {}", stderr(&built));
    std::fs::remove_file(source).expect("the source is there");
}

/// Makes an executable script.
pub(crate) fn script(text: &str, result: &Path) {
    install(text.as_bytes(), result);
}

/// Makes an executable file. Another process writes it: a file that this one wrote may still be open for writing in a child that
/// another thread is just starting, and cannot be executed then.
pub(crate) fn install(bytes: &[u8], result: &Path) {
    let source = result.with_extension("source");
    std::fs::write(&source, bytes).expect("a file");
    copy(&source, result);
}

/// A copy of a program in a folder that everybody can enter.
pub(crate) fn for_everybody(program: impl AsRef<Path>, folder: &Path) -> PathBuf {
    let to = folder.join(program.as_ref().file_name().expect("a name"));
    if !to.exists() {
        copy(program.as_ref(), &to);
    }
    to
}

fn copy(from: &Path, to: &Path) {
    let installed = output(Command::new("install").args(["-m", "755"]).arg(from).arg(to));
    assert!(installed.status.success(), "{}", stderr(&installed));
}

/// A server that answers each request as it is told, in a thread of its own, until it is dropped.
pub(crate) struct FakeServer {
    dir: TempDir,
    requests: Receiver<Request>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// `answer` makes the replies to a request; none at all plays a server that is frozen.
    pub(crate) fn start(answer: impl Fn(&Request) -> Vec<Reply> + Send + 'static) -> FakeServer {
        let dir = tempfile::tempdir().expect("a folder");
        let listener = Listener::bind(&dir.path().join("x.sock"), false).expect("it binds");
        let (stop, stopped) = channel::<()>();
        let (report, requests) = channel();
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            while stopped.recv_timeout(Duration::from_millis(2))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                connections.extend(listener.accept().expect("accept"));
                connections.retain(|connection| serve(connection, &answer, &report));
            }
        });
        FakeServer { dir, requests, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("x.sock")
    }

    /// Runs xcli against this server.
    pub(crate) fn ask<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        output(xcli().arg("--socket").arg(self.socket()).args(arguments))
    }

    /// What has been asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether the connection is worth keeping.
fn serve(
    connection: &Connection,
    answer: &impl Fn(&Request) -> Vec<Reply>,
    report: &Sender<Request>,
) -> bool {
    match connection.receive() {
        Ok(None) => true,
        Ok(Some(Message::Request(request))) => {
            // Before the answer: who has the answer may ask what was asked.
            let _ = report.send(request.clone());
            for packet in answer(&request).iter().flat_map(|reply| reply.to_packets().expect("it fits")) {
                // A full socket empties as the other end reads; one that never reads is a failed test.
                let is_sent = (0..5000).any(|_| {
                    let is_sent = connection.try_send(&packet, &[]).expect("the other end is there");
                    if !is_sent {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    is_sent
                });
                assert!(is_sent, "there is room within five seconds");
            }
            true
        }
        Ok(Some(Message::Hello(_) | Message::Bond(_) | Message::Hints(_) | Message::Lend(_))) | Err(_) => {
            false
        }
    }
}
