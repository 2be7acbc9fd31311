//! What `/proc` says about a process.

use std::io;

/// The part of `/proc/PID/stat` that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Its parent.
    pub(crate) parent: u32,
    /// See [`xsched_core::Fact::CpuPriority`].
    pub(crate) cpu_priority: i16,
}

impl Stat {
    /// Reads that of a process.
    pub(crate) fn of(pid: u32) -> io::Result<Stat> {
        let text = std::fs::read(format!("/proc/{pid}/stat"))?;
        Stat::parse(&text)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not as proc(5) has it"))
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The program's name comes second, in brackets, and may hold anything; the fields behind it are numbers.
        let end_of_name = text.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(text.get(end_of_name + 1..)?).ok()?;
        // The third field of proc(5) is the first one here.
        let mut fields = rest.split_ascii_whitespace();
        let parent = fields.nth(4 - 3)?.parse().ok()?;
        // 20 and the nice value; -1 minus the real-time priority; the lower the sooner.
        let priority: i16 = fields.nth(18 - 5)?.parse().ok()?;
        Some(Stat { parent, cpu_priority: 20i16.saturating_sub(priority) })
    }
}

/// The process and those that it descends from, itself first; as far as they can be read.
pub(crate) fn lineage(pid: u32) -> Vec<u32> {
    // Deeper than any tree of people's, and an end for one that changes while it is read.
    const DEEPEST: usize = 64;
    let parent = |&pid: &u32| Stat::of(pid).ok().map(|stat| stat.parent).filter(|&parent| parent > 1);
    std::iter::successors(Some(pid), parent).take(DEEPEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn name_with_brackets_and_spaces_then_the_fields_behind_it_are_read() {
        let text = b"4711 (a) b (c) S 123 4711 4711 0 -1 4194560 95 0 0 0 0 0 0 0 30 10 1 0 5 0 0";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 123, cpu_priority: -10 }));
        let real_time = b"1 (x) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 -51 0 1 0 5";
        assert_eq!(Stat::parse(real_time), Some(Stat { parent: 0, cpu_priority: 71 }));
        for garbage in [&b""[..], b")", b"1 (x", b"1 (x) S", b"1 (x) S y 1", b"1 (\xff) S 1 2 3"] {
            assert_eq!(Stat::parse(garbage), None);
        }
    }

    #[test]
    fn a_nice_child_is_less_urgent_and_descends_from_us() {
        let mut child =
            Command::new("nice").args(["-n", "7", "sleep", "60"]).stdin(Stdio::null()).spawn().unwrap();
        let own = Stat::of(std::process::id()).unwrap();
        let nicer = own.cpu_priority - 7;
        // Until it has made itself nice.
        let found = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            Stat::of(child.id()).unwrap().cpu_priority == nicer
        });
        let lineage = lineage(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
        assert_eq!(lineage.get(..2), Some(&[child.id(), std::process::id()][..]));
        assert!(Stat::of(child.id()).is_err());
    }
}
