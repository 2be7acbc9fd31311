//! Child processes that never outlive the demo, and the wish to stop early.
//!
//! Every child leads a process group of its own, so that Ctrl-C reaches the demo alone and the demo ends whole
//! groups; should the demo itself be killed, the kernel ends the children. Waiting always looks for Ctrl-C.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, set_parent_process_death_signal, waitid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often a wait looks again: far below anything measured here, far above what would cost a core anything.
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// How long a child may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// A running child; dropping it ends its whole process group.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
    /// Whether the child was waited for, after which its number means nothing any more.
    reaped: bool,
    log: PathBuf,
}

/// From now on Ctrl-C, SIGTERM and SIGHUP end the demo through [`check_interrupt`], with everything cleaned up.
pub(crate) fn catch_interrupts() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED)).context("catching Ctrl-C")?;
    }
    Ok(())
}

/// Fails once the demo was asked to stop.
pub(crate) fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Waits for `duration` unless interrupted.
pub(crate) fn pause(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        check_interrupt()?;
        sleep(POLL);
    }
    Ok(())
}

impl Process {
    /// Starts `command`; what it says on stderr goes to a file in `folder` and is shown if it fails.
    pub(crate) fn spawn(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        command.stdin(Stdio::null()).stderr(file).process_group(0);
        // SAFETY: between fork and exec only one async-signal-safe system call is made.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        let child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a child has a number")?;
        Ok(Self { name: name.to_owned(), child, group, reaped: false, log })
    }

    /// The number of the child's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard output, if it was piped and not taken before.
    pub(crate) fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Fails, with what the child said, if it has ended; or if the demo was interrupted.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        match self.ended()? {
            Some(status) => bail!(self.failure(status)),
            None => check_interrupt(),
        }
    }

    /// Waits until the child has ended well.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!(self.failure(status)),
                None if Instant::now() > end => {
                    bail!("{} did not end within {limit:?}{}", self.name, self.said())
                }
                None => check_interrupt()?,
            }
            sleep(POLL);
        }
    }

    /// How the child ended, if it has; whatever it left in its group is killed then.
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if !self.reaped {
            // NOWAIT: until the leader is reaped, the number of the group cannot become another's.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if waitid(WaitId::Pid(self.group), options)?.is_none() {
                return Ok(None);
            }
            let _ = kill_process_group(self.group, Signal::KILL);
            self.reaped = true;
        }
        Ok(Some(self.child.wait()?))
    }

    fn failure(&self, status: ExitStatus) -> String {
        format!("{} ended early ({status}){}", self.name, self.said())
    }

    /// The last lines of what the child said.
    fn said(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines.iter().skip(lines.len().saturating_sub(12)).map(|line| format!("\n    {line}")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let _ = kill_process_group(self.group, Signal::TERM);
        let end = Instant::now() + GRACE;
        while matches!(self.ended(), Ok(None)) {
            if Instant::now() > end {
                let _ = kill_process_group(self.group, Signal::KILL);
            }
            sleep(POLL);
        }
    }
}
