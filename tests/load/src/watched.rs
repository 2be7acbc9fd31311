//! What a process costs, seen from outside: CPU time to the nanosecond, memory, fds, threads, and how often it slept.

use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// A process that is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Watched {
    pid: u32,
    clock: libc::clockid_t,
}

/// What it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Holdings {
    /// Resident memory, MiB.
    pub(crate) rss: f64,
    /// The part of it that it shares with nobody else and no file backs, MiB.
    pub(crate) anonymous: f64,
    /// The part of it that is shared memory: guests' pages, MiB.
    pub(crate) shared: f64,
    pub(crate) fds: usize,
    pub(crate) threads: usize,
}

impl Watched {
    pub(crate) fn new(pid: u32) -> Result<Watched> {
        let mut clock = 0;
        // SAFETY: an ordinary call; `clock` is written only.
        let error = unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) };
        ensure!(error == 0, "there is no process {pid} whose CPU time can be read (error {error})");
        Ok(Watched { pid, clock })
    }

    /// CPU time that its threads have used.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: an ordinary call; `time` is written only.
        let result = unsafe { libc::clock_gettime(self.clock, &raw mut time) };
        ensure!(result == 0, "process {} is gone", self.pid);
        Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
    }

    /// How often its first thread went to sleep.
    pub(crate) fn sleeps(&self) -> Result<u64> {
        let status = self.read("status")?;
        number(&status, "voluntary_ctxt_switches:").context("no count of switches")
    }

    pub(crate) fn holdings(&self) -> Result<Holdings> {
        let status = self.read("status")?;
        let mib =
            |key| number(&status, key).map(|kib| kib as f64 / 1024.0).with_context(|| format!("no {key}"));
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).context("reading its fds")?.count();
        Ok(Holdings {
            rss: mib("VmRSS:")?,
            anonymous: mib("RssAnon:")?,
            shared: mib("RssShmem:")?,
            fds,
            threads: number(&status, "Threads:").context("no count of threads")? as usize,
        })
    }

    fn read(&self, what: &str) -> Result<String> {
        let path = format!("/proc/{}/{what}", self.pid);
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

fn number(status: &str, key: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}
