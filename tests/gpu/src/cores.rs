//! Cores that a program is bound to, so that programs which run together share the GPU and not a core.

use anyhow::{Context, Error, Result, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::str::FromStr;

/// Some cores, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Those that this process may use.
    pub(crate) fn allowed() -> Result<Cores> {
        let set = sched_getaffinity(None).context("asking which cores this process may use")?;
        Ok(Cores((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()))
    }

    /// The next `count` of these, taken away from them; `None` if there are fewer.
    pub(crate) fn take(&mut self, count: usize) -> Option<Cores> {
        (count <= self.0.len()).then(|| Cores(self.0.drain(..count).collect()))
    }

    /// Lets a program that is started by `command`, and all that it starts, run on these only.
    pub(crate) fn pin(&self, command: &mut Command) {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|&core| set.set(core));
        // SAFETY: between fork and exec one system call is made, on a value that was made before.
        unsafe { command.pre_exec(move || Ok(sched_setaffinity(None, &set)?)) };
    }
}

impl FromStr for Cores {
    type Err = Error;

    /// As `taskset -c` has it: `2-5,8`.
    fn from_str(text: &str) -> Result<Cores> {
        let mut cores = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                text.parse::<usize>().with_context(|| format!("{text:?} in {part:?} is no core's number"))
            };
            let (first, last) = (number(first)?, number(last)?);
            ensure!(
                first <= last && last < CpuSet::MAX_CPU,
                "{part:?}: cores go upwards, to {} at most",
                CpuSet::MAX_CPU - 1
            );
            cores.extend(first..=last);
        }
        cores.sort_unstable();
        cores.dedup();
        Ok(Cores(cores))
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while rest.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_taskset_understands_is_understood_and_said_again() {
        let cores: Cores = "8,2-4,4".parse().unwrap();
        assert_eq!(cores, Cores(vec![2, 3, 4, 8]));
        assert_eq!(cores.to_string(), "2-4,8");
        for wrong in ["", "a", "3-1", "1-", "0-99999"] {
            assert!(wrong.parse::<Cores>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn cores_that_are_taken_are_nobody_elses() {
        let mut cores: Cores = "0-3".parse().unwrap();
        assert_eq!(cores.take(3).unwrap().to_string(), "0-2");
        assert_eq!(cores.take(2), None);
        assert_eq!(cores.to_string(), "3");
    }
}
