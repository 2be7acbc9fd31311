//! The kernel, the limits of this process, and whether this is a container.

use crate::doctor::report::Report;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::process::{PidfdFlags, Resource};
use std::path::Path;
use xsched_client::address;
use xsched_core::probe::Finding;

/// The oldest kernel that is good for all.
const KERNEL: (u32, u32) = (5, 4);
/// What a scheduled program needs at a time: page, socket, doorbell, heartbeat, and some to open them.
const FDS: u64 = 16;

/// Examines it.
pub(crate) fn examine(report: &mut Report) {
    let findings = [kernel(), memory(), processes(), files()].into_iter().chain(container());
    report.add("system", "System", findings);
}

fn kernel() -> Finding {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    match version(&release) {
        Some(version) if version < KERNEL => Finding::problem(
            "kernel",
            format!("Linux {release} is too old: {}.{} or newer is needed", KERNEL.0, KERNEL.1),
        ),
        _ => Finding::ok("kernel", format!("Linux {release}")),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// A program shares a page of memory with the server, which must not change its size.
fn memory() -> Finding {
    let make = || {
        let file =
            rustix::fs::memfd_create("xsched-doctor", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK)
    };
    match make() {
        Ok(()) => Finding::ok("memfd", "memory can be shared with the server (memfd_create, seals)"),
        Err(e) => Finding::problem(
            "memfd",
            format!(
                "memory cannot be shared with the server: memfd_create or its seals fail ({e}); \
                     a sandbox that forbids them keeps programs from being scheduled"
            ),
        ),
    }
}

/// How the server learns at once that a program ended.
fn processes() -> Finding {
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
    match own {
        Ok(_) => Finding::ok("pidfd", "the end of a process can be watched (pidfd_open)"),
        Err(e) => Finding::note(
            "pidfd",
            format!("pidfd_open fails ({e}): a server here learns of a program's end by its connection only"),
        ),
    }
}

fn files() -> Finding {
    let limit = rustix::process::getrlimit(Resource::Nofile).current;
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as u64);
    let locked = rustix::process::getrlimit(Resource::Memlock).current;
    let locked = locked.map_or_else(|| "unlimited".into(), |bytes| format!("{} KiB", bytes / 1024));
    match limit {
        Some(limit) if limit < open + FDS => Finding::problem(
            "limits",
            format!("a process from here may have {limit} open files, and {open} are open already: XSched needs {FDS}"),
        )
        .mend("ulimit -n 1024"),
        limit => {
            let limit = limit.map_or_else(|| "any number of".into(), |limit| limit.to_string());
            let text = format!("a process may have {limit} open files, and lock memory: {locked} (XSched locks none)");
            Finding::ok("limits", text)
        }
    }
}

/// In a container, the server of the machine is reached only if its folder is there.
fn container() -> Option<Finding> {
    let kind = container_kind()?;
    let folder = Path::new(address::SYSTEM).parent().unwrap_or(Path::new("/"));
    let shown = folder.display();
    Some(if folder.is_dir() {
        Finding::ok("container", format!("this is a container ({kind}), and {shown} is there"))
    } else {
        let text = format!(
            "this is a container ({kind}) without {shown}: to be scheduled with the rest of the machine, it has to be \
             started with the machine's folder in it"
        );
        Finding::note("container", text).mend(format!("docker run -v {shown}:{shown} IMAGE"))
    })
}

fn container_kind() -> Option<String> {
    for (file, kind) in [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")] {
        if Path::new(file).exists() {
            return Some(kind.into());
        }
    }
    let kind = std::env::var("container").ok()?;
    (!kind.is_empty()).then(|| crate::output::printable(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.10"), Some((5, 10)));
        assert_eq!(version("odd"), None);
        assert!(version("5.3.1").unwrap() < KERNEL && version("5.10.0").unwrap() > KERNEL);
    }

    #[test]
    fn this_system_is_good_enough_for_the_tests() {
        use xsched_core::probe::Verdict;
        for finding in [kernel(), memory(), files()] {
            assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
        }
    }
}
