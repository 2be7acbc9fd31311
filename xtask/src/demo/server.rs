//! The demo's own xserver, on a socket that nobody else knows, and the programs that run under it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::process::{POLL, Process};

/// How long xserver may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A running xserver; it ends when dropped.
pub(crate) struct Server {
    process: Process,
    xcli: PathBuf,
    socket: PathBuf,
}

impl Server {
    /// Starts the xserver of `stage` by `command`'s settings and waits until it can be reached.
    pub(crate) fn start(stage: &Path, settings: impl Fn(Command) -> Command, folder: &Path) -> Result<Self> {
        let socket = folder.join("xserver.sock");
        let mut command = settings(Command::new(stage.join("bin/xserver")));
        command.args(["HPF", "--foreground", "--socket"]).arg(&socket).stdout(Stdio::null());
        let mut process = Process::spawn("xserver", command, folder)?;
        let limit = Instant::now() + START_LIMIT;
        while !socket.exists() {
            process.check_running()?;
            ensure!(Instant::now() < limit, "xserver made no socket within {START_LIMIT:?}");
            sleep(POLL);
        }
        Ok(Self { process, xcli: stage.join("bin/xcli"), socket })
    }

    /// The command that runs `program` under this server with a hint, as xcli names it.
    pub(crate) fn program(&self, program: &Path, hint: &str, value: i32) -> Command {
        let mut command = self.xcli();
        command.args(["run", &format!("--{hint}"), &value.to_string(), "--"]).arg(program);
        command
    }

    /// Goes on with another policy than the one of the demo.
    pub(crate) fn set_policy(&self, name: &str) -> Result<()> {
        let output = self.xcli().args(["policy", name]).output().context("starting xcli")?;
        ensure!(output.status.success(), "xcli policy: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// How often the server has suspended the queues of a process; fails if it does not know the process.
    pub(crate) fn suspensions_of(&self, pid: u32) -> Result<u64> {
        let output =
            self.xcli().args(["--json", "list"]).stdin(Stdio::null()).output().context("starting xcli")?;
        if !output.status.success() {
            bail!("xcli list failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let clients: Value =
            serde_json::from_slice(&output.stdout).context("reading what xcli list wrote")?;
        suspensions_in(&clients, pid)
            .with_context(|| format!("process {pid} runs, but not under XSched: {clients}"))
    }

    fn xcli(&self) -> Command {
        let mut command = Command::new(&self.xcli);
        command.arg("--socket").arg(&self.socket);
        command
    }
}

/// Reads the answer of `xcli --json list`: clients with `pid` and `queues`, these with `suspensions`.
fn suspensions_in(clients: &Value, pid: u32) -> Option<u64> {
    let client = clients.as_array()?.iter().find(|client| client["pid"].as_u64() == Some(pid.into()))?;
    let queues = client["queues"].as_array().filter(|queues| !queues.is_empty())?;
    Some(queues.iter().filter_map(|queue| queue["suspensions"].as_u64()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn suspensions_are_those_of_all_queues_of_the_process() {
        let clients = json!([
            { "pid": 7, "queues": [{ "suspensions": 2 }] },
            { "pid": 8, "queues": [{ "suspensions": 3 }, { "suspensions": 4 }] },
            { "pid": 9, "queues": [] },
        ]);
        assert_eq!(suspensions_in(&clients, 8), Some(7));
        assert_eq!(suspensions_in(&clients, 9), None);
        assert_eq!(suspensions_in(&clients, 10), None);
    }
}
