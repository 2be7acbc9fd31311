//! A private corner of this machine, and where the programs under test are.

use crate::driver::{Driver, VENDORS};
use crate::process::Program;
use crate::rival::Rival;
use crate::server::Server;
use crate::wait::{eventually, millis, seconds};
use rustix::fs::FlockOperation;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;
use xsched_core::status::ClientStatus;

/// Names the folder with `bin/xserver`, `bin/xcli` and `lib/xsched/`.
const STAGED: &str = "STAGED_XSCHED";

/// A private socket and folder. There is one at a time, also among processes.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    stage: PathBuf,
    /// Locked.
    _alone: File,
}

impl Machine {
    /// Waits until nobody else has one.
    #[expect(clippy::new_without_default, reason = "it takes a lock and makes a folder")]
    pub fn new() -> Machine {
        std::fs::create_dir_all(cache()).unwrap();
        let alone = File::create(cache().with_extension("lock")).unwrap();
        if rustix::fs::flock(&alone, FlockOperation::NonBlockingLockExclusive).is_err() {
            eprintln!("waiting until others are done that test or measure on this machine: one at a time");
            rustix::fs::flock(&alone, FlockOperation::LockExclusive).unwrap();
        }
        let folder = tempfile::Builder::new().prefix("xsched-system-").tempdir().unwrap();
        Machine { folder, stage: stage(), _alone: alone }
    }

    /// A folder that is gone afterwards.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server is reached, if there is one.
    pub fn socket(&self) -> PathBuf {
        self.folder().join("xserver.sock")
    }

    /// A server that never gives a held program a turn by itself, so that tests decide alone.
    pub fn strict_server(&self) -> Server {
        self.server(&["--lease", "60s", "--max-suspend", "60s"])
    }

    /// A server with these flags.
    pub fn server(&self, flags: &[&str]) -> Server {
        Server::start(self.server_command(flags), &self.socket())
    }

    /// How a server is started.
    pub fn server_command(&self, flags: &[&str]) -> Command {
        let mut command = self.command(self.stage.join("bin/xserver"));
        command.args(["HPF", "--priority-ceiling", "255", "--socket"]).arg(self.socket()).args(flags);
        command
    }

    /// Starts this crate's own little program with a script, under XSched.
    pub fn actor(&self, priority: i32, script: &[&str]) -> Program {
        self.run(priority, actor(), script)
    }

    /// Starts a program under XSched.
    pub fn run(&self, priority: i32, program: impl AsRef<OsStr>, arguments: &[&str]) -> Program {
        Program::start(self.run_command(priority, program, arguments))
    }

    /// How a program is started under XSched.
    pub fn run_command(&self, priority: i32, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = self.xcli();
        command.args(["run", "--priority", &priority.to_string(), "--"]).arg(program).args(arguments);
        command
    }

    /// `xcli`, told of this machine's socket.
    pub fn xcli(&self) -> Command {
        let mut command = self.command(self.stage.join("bin/xcli"));
        command.arg("--socket").arg(self.socket());
        command
    }

    /// A command in this machine's folder that knows nothing of XSched.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("XSCHED_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder()).env("XDG_RUNTIME_DIR", self.folder());
        command.env("POCL_CACHE_DIR", cache()).env("POCL_AFFINITY", "1");
        // Whatever else the machine has, unless somebody chose: tests are written for one driver, which is there.
        if std::env::var_os(VENDORS).is_none()
            && let Ok(pocl) = Driver::pocl()
        {
            pocl.alone_in(&mut command, self.folder());
        }
        command
    }

    /// The folder of the stand-ins.
    pub fn library_folder(&self) -> PathBuf {
        self.stage.join("lib/xsched")
    }

    /// Attaches a rival, see there.
    pub fn rival(&self, priority: i64) -> Rival {
        Rival::attach(&self.socket(), priority)
    }

    /// What `xcli list` says.
    pub fn list(&self) -> Vec<ClientStatus> {
        let output = self.xcli().args(["--json", "list"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What `xcli list` says of a process; the test fails if it is listed twice.
    pub fn find(&self, pid: u32) -> Option<ClientStatus> {
        let mut found = self.list().into_iter().filter(|client| client.pid == pid);
        let first = found.next();
        assert!(found.next().is_none(), "process {pid} is registered twice");
        first
    }

    /// Whether a process is attached, with a queue.
    pub fn is_attached(&self, pid: u32) -> bool {
        self.find(pid).is_some_and(|client| !client.queues.is_empty())
    }

    /// Whether a process has work and is held back.
    pub fn is_suspended(&self, pid: u32) -> bool {
        self.find(pid).is_some_and(|client| client.queues.iter().any(|queue| queue.ready && queue.suspended))
    }

    /// How often a process was suspended, as far as its queues are there.
    pub fn suspensions(&self, pid: u32) -> u64 {
        let queues = self.find(pid).map(|client| client.queues).unwrap_or_default();
        queues.iter().map(|queue| queue.suspensions).max().unwrap_or(0)
    }

    /// How often a program is suspended until it has ended. Counts on while it runs, because what xserver counts begins anew when a
    /// program has released its last queue.
    pub fn suspensions_until_the_end_of(&self, program: &Program) -> u64 {
        let (mut count, mut last) = (0, 0);
        eventually("it ends", seconds(600), || {
            let now = self.suspensions(program.pid());
            count += if now < last { now } else { now - last };
            last = now;
            std::thread::sleep(millis(20));
            program.end().is_some()
        });
        count
    }
}

/// The path of this crate's own little program.
pub fn actor() -> PathBuf {
    built("system-actor")
}

/// The path of an example or test program of this workspace, by its file name; built when it is first asked for.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet"]);
        for package in [
            "opencl-requests",
            "opencl-suite",
            "cuda-suite",
            "fake-cuda",
            "fake-rm-preload",
            "test-load",
            "xsched-examples",
            "active-window",
        ] {
            command.args(["--package", package]);
        }
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", target());
        if profile_folder().ends_with("release") {
            command.arg("--release");
        }
        assert!(command.status().unwrap().success(), "cargo build failed");
    });
    built(name)
}

/// The path of a library of this workspace, built like the programs.
pub fn library(file: &str) -> PathBuf {
    program(file)
}

fn built(name: &str) -> PathBuf {
    let path = profile_folder().join(name);
    assert!(path.is_file(), "{} is not built", path.display());
    path
}

/// `target/debug`, seen from `target/debug/deps/this-test`.
fn profile_folder() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).expect("a test lies in target/PROFILE/deps").to_path_buf()
}

fn target() -> PathBuf {
    profile_folder().parent().expect("a profile lies in the target folder").to_path_buf()
}

/// Compiled kernels are kept from one run to the next, away from the user's own: beside the stage, which may be on a machine without cargo.
fn cache() -> PathBuf {
    let beside = std::env::var_os(STAGED).and_then(|stage| Some(Path::new(&stage).parent()?.to_path_buf()));
    beside.unwrap_or_else(target).join("system-pocl-cache")
}

fn stage() -> PathBuf {
    let stage = std::env::var_os(STAGED).map_or_else(|| target().join("xsched"), PathBuf::from);
    for part in [
        "bin/xserver",
        "bin/xcli",
        "lib/xsched/libxsched.so",
        "lib/xsched/libOpenCL.so.1",
        "lib/xsched/libxsched_opencl_layer.so",
    ] {
        assert!(
            stage.join(part).is_file(),
            "no {part} in {}: system tests need a staged build; run them by `cargo xtask test`, or name the folder of one by {STAGED}",
            stage.display()
        );
    }
    stage
}
