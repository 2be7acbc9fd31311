//! The same questions to the real xserver: both sides mean the same by them. Programs that it schedules are in `tests/system`.

use crate::support::{XCLI, build, for_everybody, library_folder, output, stderr, stdout, xcli};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// xserver, until it is dropped.
pub(crate) struct Server {
    dir: TempDir,
    pub(crate) child: Child,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::start_with(Command::new(build("xserver", "xserver")))
    }

    /// `command` runs xserver, and gets its flags here.
    pub(crate) fn start_with(mut command: Command) -> Server {
        let dir = tempfile::tempdir().unwrap();
        // Other users are to reach the socket, and to make it.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        command.env_clear().args(["--foreground", "--socket"]).arg(dir.path().join("x.sock"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Server { dir, child };
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.ask(&["status"]).status.code() == Some(3) {
            assert!(Instant::now() < deadline, "xserver does not answer within 20 s");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("x.sock")
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        output(xcli().arg("--socket").arg(self.socket()).args(arguments))
    }

    fn ask_json(&self, arguments: &[&str]) -> Value {
        let result = self.ask(&[&["--json"], arguments].concat());
        assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_slice(&result.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_real_server_answers_every_command() {
    let mut server = Server::start();
    let status = server.ask_json(&["status"]);
    assert_eq!((&status["pid"], &status["clients"]), (&json!(server.child.id()), &json!(0)));
    assert_eq!(server.ask_json(&["list"]), json!([]));

    let policy = server.ask_json(&["policy"]);
    assert_eq!(policy["current"], "HPF");
    assert!(policy["available"].as_array().unwrap().iter().any(|entry| entry["name"] == "HPF"));
    assert_eq!(stdout(&server.ask(&["policy", "HPF"])), "policy HPF is in force\n");

    for (arguments, words) in [
        (&["policy", "NO_SUCH"][..], &["NO_SUCH", "HPF"][..]),
        (&["hint", "--pid", "1", "--priority", "1"], &["1"]),
        (&["hint", "-x", "q99", "-p", "1"], &["q99"]),
        (&["hint", "--client", "c99", "-p", "1"], &["c99"]),
    ] {
        let refused = server.ask(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(words.iter().all(|word| stderr(&refused).contains(word)), "{}", stderr(&refused));
    }

    let pid = server.child.id().to_string();
    assert!(output(Command::new("kill").arg(pid)).status.success());
    assert!(server.child.wait().unwrap().success(), "SIGTERM is a clean end");
    assert_eq!(server.ask(&["list"]).status.code(), Some(3));
}

/// Needs root, to be two users.
#[test]
fn the_real_server_lets_xcli_say_what_an_ordinary_user_will_not_get() {
    if !rustix::process::geteuid().is_root() {
        return println!("not root: nothing to test");
    }
    let server = Server::start();
    let library = library_folder();
    std::fs::set_permissions(library.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let run = |caller: &[&str]| {
        let mut command = Command::new("setpriv");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("XSCHED_SOCKET", server.socket());
        command.args(caller).arg(for_everybody(XCLI, library.path()));
        let result =
            output(command.args(["run", "--priority", "10", "--lib-dir"]).arg(library.path()).arg("true"));
        assert!(result.status.success());
        stderr(&result)
    };
    assert_eq!(run(&[]), "");
    let said = run(&["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    assert!(
        said.starts_with("xcli: priority 10 is above 0, the highest that user 65534 may ask for"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
