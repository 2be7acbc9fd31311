//! NVIDIA's Multi-Process Service with a private daemon: only programs that are told of it are its clients. Compute modes stay as they are.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use test_system::Program;

/// How long the daemon may take to come, and to go.
const BOUND: Duration = Duration::from_secs(10);

/// A running daemon, ended when dropped.
pub(crate) struct Mps {
    folder: PathBuf,
    daemon: Program,
}

/// `CUDA_MPS_CLIENT_PRIORITY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Priority {
    Normal = 0,
    BelowNormal = 1,
}

impl Mps {
    /// Starts a daemon whose files are in this folder. An error where this user or this machine cannot.
    pub(crate) fn start(folder: &Path) -> Result<Mps> {
        let folder = folder.join("mps");
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let mut command = Command::new("nvidia-cuda-mps-control");
        let there =
            command.arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        there.context("there is no nvidia-cuda-mps-control")?;
        let mut command = Command::new("nvidia-cuda-mps-control");
        enter(command.arg("-f"), &folder);
        let mps = Mps { daemon: Program::start(command), folder };
        let start = Instant::now();
        while !mps.folder.join("control").exists() {
            if let Some(end) = mps.daemon.end() {
                bail!("its daemon ended with {end:?}: {}", mps.said());
            }
            if start.elapsed() > BOUND {
                bail!("its daemon opened no socket within {BOUND:?}: {}", mps.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(mps)
    }

    /// Makes the program that `command` starts a client.
    pub(crate) fn serve(&self, command: &mut Command, priority: Priority) {
        enter(command, &self.folder);
        command.env("CUDA_MPS_CLIENT_PRIORITY", (priority as u32).to_string());
    }

    /// What the daemon and its server have said, for when a client fails.
    pub(crate) fn said(&self) -> String {
        let log = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let all = format!("{}{}{}", self.daemon.errors(), log("control.log"), log("server.log"));
        let lines: Vec<&str> = all.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

fn enter(command: &mut Command, folder: &Path) {
    command.env("CUDA_MPS_PIPE_DIRECTORY", folder).env("CUDA_MPS_LOG_DIRECTORY", folder);
}

impl Drop for Mps {
    /// Asks it to end, so that its server ends too; what then is left of its process group is killed with `daemon`.
    fn drop(&mut self) {
        let mut command = Command::new("nvidia-cuda-mps-control");
        enter(&mut command, &self.folder);
        let quit = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(mut quit) = quit else { return };
        // Dropped behind it: the end of its input.
        let _ = quit.stdin.take().map(|mut input| input.write_all(b"quit -t 2\n"));
        let start = Instant::now();
        while self.daemon.end().is_none() && start.elapsed() < BOUND {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = quit.kill();
        let _ = quit.wait();
    }
}
