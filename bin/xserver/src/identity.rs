//! What a guest's process is, as /proc says: for rules.
//!
//! The server must not wait for anybody. Links and files that the kernel makes without the process's memory are safe; its command line is not
//! (the process can have it read from a file system that never answers), so no rule can ask for it. A process whose number cannot
//! be seen from here (0: another pid namespace) has no executable and no control groups.

use rustix::fs::{Mode, OFlags};
use xsched_ipc::peer::Credentials;
use xsched_rules::{Identity, Rules, container};

/// Bytes of a file about control groups; there is a line for each hierarchy.
const MOST: usize = 64 << 10;

/// As much of it as the rules ask for.
pub(crate) fn identify(rules: &Rules, who: &Credentials, program: &str) -> Identity {
    let mut identity = Identity { program: program.into(), uid: who.uid, ..Identity::default() };
    if who.pid != 0 && rules.asks_for_exe() {
        identity.exe = executable(who.pid);
    }
    if who.pid != 0 && rules.asks_for_cgroups() {
        identity.cgroups = cgroups(who.pid);
    }
    identity
}

/// The container that a process is in, by its id or name; none if it is in none, or cannot be seen.
pub(crate) fn container(who: &Credentials) -> Option<String> {
    let paths = if who.pid == 0 { Vec::new() } else { cgroups(who.pid) };
    paths.iter().find_map(|path| container::in_path(path)).map(str::to_owned)
}

fn executable(pid: u32) -> Option<String> {
    let path = rustix::fs::readlink(format!("/proc/{pid}/exe"), Vec::new()).ok()?;
    let path = path.to_string_lossy().into_owned();
    // A program that was replaced since it was started is still that program.
    Some(path.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(path))
}

fn cgroups(pid: u32) -> Vec<String> {
    let Ok(file) =
        rustix::fs::open(format!("/proc/{pid}/cgroup"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    else {
        return Vec::new();
    };
    let (mut text, mut chunk) = (Vec::new(), vec![0; 4096]);
    while text.len() < MOST {
        match rustix::io::read(&file, &mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(n) => text.extend_from_slice(chunk.get(..n).unwrap_or_default()),
        }
    }
    paths(&String::from_utf8_lossy(&text))
}

/// `0::/system.slice/x.service`, or one line for each hierarchy. Each path once.
fn paths(text: &str) -> Vec<String> {
    let mut paths: Vec<String> =
        text.lines().filter_map(|line| Some(line.splitn(3, ':').nth(2)?.to_owned())).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_with_its_executable_and_its_control_groups() {
        let text = "[[rule]]\nexe = '**'\ncgroup = '**'\npriority = 1";
        let rules = Rules::parse("r", text, |_| None).unwrap();
        let who = Credentials { pid: std::process::id(), uid: 7, gid: 7, groups: vec![] };
        let identity = identify(&rules, &who, "me");
        assert_eq!(identity.exe, std::env::current_exe().ok().map(|path| path.display().to_string()));
        assert!(identity.cgroups.iter().all(|path| path.starts_with('/')), "{identity:?}");
        assert_eq!((identity.uid, identity.program.as_str()), (7, "me"));
        let unseen = identify(&rules, &Credentials { pid: 0, ..who }, "me");
        assert_eq!((unseen.exe, unseen.cgroups.len()), (None, 0));
    }

    #[test]
    fn paths_of_both_versions_of_control_groups_are_read() {
        assert_eq!(paths("0::/a:b/c\n"), ["/a:b/c"]);
        assert_eq!(
            paths("12:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n0::/\ngarbage\n"),
            ["/", "/docker/x"]
        );
    }
}
