//! Whether the kernel will start a program in secure mode (`AT_SECURE`), in which the loader drops `LD_PRELOAD` and
//! `LD_LIBRARY_PATH`.
//!
//! It does so when the program gets a user, a group or capabilities that its caller has not. The rules are those of Linux
//! (credentials(7), capabilities(7), ld.so(8), fs/exec.c and security/commoncap.c). Deliberately absent: security modules, which can do
//! the same on their own.

use rustix::fs::StatVfsMountFlags;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The process that will become the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) euid: u32,
    pub(crate) gid: u32,
    pub(crate) egid: u32,
    /// It has renounced all new rights: setuid and setgid do nothing.
    pub(crate) no_new_privs: bool,
}

/// What a file gives to whoever executes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gives {
    /// Its user, if it is setuid.
    user: Option<u32>,
    /// Its group, if it is setgid.
    group: Option<u32>,
    capabilities: Capabilities,
}

/// Capabilities of a file, by `struct vfs_cap_data` (linux/capability.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Capabilities {
    /// The program has them in force at once. Whoever has renounced new rights gets none, but the kernel is careful all the same.
    effective: bool,
    /// There are some that the caller need not have.
    permitted: bool,
}

/// Why the loader will ignore what is said to it, if it will.
pub(crate) fn reason(file: &Path) -> Option<&'static str> {
    let gives = Gives::of(file, &file.metadata().ok()?);
    Caller::this_process().reason(gives)
}

impl Caller {
    fn this_process() -> Caller {
        Caller {
            uid: rustix::process::getuid().as_raw(),
            euid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            egid: rustix::process::getegid().as_raw(),
            no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
        }
    }

    fn reason(self, gives: Gives) -> Option<&'static str> {
        let new = |given: Option<u32>, own: u32| given.filter(|_| !self.no_new_privs).unwrap_or(own);
        // What counts is the real user: root who executes root's setuid program gains nothing.
        if new(gives.user, self.euid) != self.uid || new(gives.group, self.egid) != self.gid {
            return Some(
                "it is setuid or setgid, and the loader ignores LD_PRELOAD and LD_LIBRARY_PATH for such programs",
            );
        }
        let Capabilities { effective, permitted } = gives.capabilities;
        let is_secure = self.uid != 0 && (effective || permitted && !self.no_new_privs);
        is_secure.then_some(
            "it has file capabilities, and the loader ignores LD_PRELOAD and LD_LIBRARY_PATH for such programs",
        )
    }
}

impl Gives {
    fn of(file: &Path, about: &Metadata) -> Gives {
        let mount = rustix::fs::statvfs(file).map(|about| about.f_flag);
        if mount.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOSUID)) {
            return Gives::default();
        }
        let mut attribute = [0u8; 24];
        let length = rustix::fs::getxattr(file, "security.capability", &mut attribute[..]).unwrap_or(0);
        Gives {
            user: (about.mode() & 0o4000 != 0).then(|| about.uid()),
            // Without the group's execute bit, setgid means something else.
            group: (about.mode() & 0o2010 == 0o2010).then(|| about.gid()),
            capabilities: Capabilities::read(&attribute[..length.min(attribute.len())]),
        }
    }
}

impl Capabilities {
    /// Flags and revision, then pairs of permitted and inheritable. What can only be inherited is not gained.
    fn read(attribute: &[u8]) -> Capabilities {
        const EFFECTIVE: u32 = 1;
        let mut words =
            attribute.chunks_exact(4).filter_map(|word| Some(u32::from_le_bytes(*word.first_chunk()?)));
        let effective = words.next().is_some_and(|flags| flags & EFFECTIVE != 0);
        Capabilities { effective, permitted: words.take(4).step_by(2).any(|permitted| permitted != 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Caller = Caller { uid: 1000, euid: 1000, gid: 1000, egid: 1000, no_new_privs: false };
    const ROOT: Caller = Caller { uid: 0, euid: 0, gid: 0, egid: 0, no_new_privs: false };

    #[test]
    fn only_rights_that_the_caller_has_not_count() {
        let user = |uid| Gives { user: Some(uid), ..Gives::default() };
        let group = |gid| Gives { group: Some(gid), ..Gives::default() };
        let capabilities = |effective| Gives {
            capabilities: Capabilities { effective, permitted: true },
            ..Gives::default()
        };
        for (caller, gives, is_secure) in [
            (ALICE, Gives::default(), false),
            (ALICE, user(0), true),
            (ALICE, user(1000), false),
            (ALICE, group(7), true),
            (ALICE, group(1000), false),
            (ALICE, capabilities(false), true),
            (ROOT, user(0), false),
            (ROOT, user(1000), true),
            (ROOT, group(7), true),
            (ROOT, capabilities(true), false),
            (Caller { no_new_privs: true, ..ALICE }, user(0), false),
            (Caller { no_new_privs: true, ..ALICE }, capabilities(false), false),
            (Caller { no_new_privs: true, ..ALICE }, capabilities(true), true),
            (Caller { euid: 0, ..ALICE }, Gives::default(), true),
        ] {
            assert_eq!(caller.reason(gives).is_some(), is_secure, "{caller:?} {gives:?}");
        }
    }

    #[test]
    fn capabilities_that_are_only_inherited_are_not_gained() {
        let attribute = |flags: u32, permitted: u32, inheritable: u32| {
            [flags, permitted, inheritable, 0, 0].map(u32::to_le_bytes).concat()
        };
        let read = |bytes: &[u8]| Capabilities::read(bytes);
        let (effective, permitted) = (true, true);
        assert_eq!(read(&attribute(0x0200_0001, 1 << 13, 0)), Capabilities { effective, permitted });
        assert_eq!(read(&attribute(0x0200_0000, 1 << 13, 0)), Capabilities { effective: false, permitted });
        assert_eq!(read(&attribute(0x0200_0000, 0, 1 << 13)), Capabilities::default());
        assert_eq!(read(&[]), Capabilities::default());
    }
}
