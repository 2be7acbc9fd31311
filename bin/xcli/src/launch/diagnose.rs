//! Says why a program cannot be scheduled although it can be run: nothing of ours would be loaded into it.
//!
//! Invariant: silence where it is not certain. Such a program runs all the same, unscheduled.

use crate::launch::elf::{self, Elf, Executable};
use crate::launch::program;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Scripts that name scripts: as many as the kernel follows.
const MOST_SCRIPTS: usize = 5;

/// One line for each reason why `file`, or the interpreter that it names, will run unscheduled.
pub(crate) fn diagnose(file: &Path, search_path: Option<&OsStr>) -> Vec<String> {
    let Some(file) = follow_scripts(file, search_path) else { return Vec::new() };
    let mut reasons = Vec::new();
    if let Some(Executable::Elf(theirs)) = elf::read(&file) {
        let ours = match elf::read(Path::new("/proc/self/exe")) {
            Some(Executable::Elf(ours)) => Some(ours),
            _ => None,
        };
        reasons.extend(loader_reason(&theirs, ours.as_ref(), &file));
    }
    if let Ok(about) = file.metadata() {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let has_capabilities = rustix::fs::getxattr(&file, "security.capability", &mut [0_u8; 0][..]).is_ok();
        reasons.extend(privilege_reason(&about, has_capabilities, uid, gid).map(String::from));
    }
    reasons.into_iter().map(|reason| format!("{} will run unscheduled: {reason}", file.display())).collect()
}

/// What the kernel starts in place of `file`: the interpreter of a script, the loader of a program.
pub(crate) fn interpreter(file: &Path) -> Option<PathBuf> {
    match elf::read(file)? {
        Executable::Elf(elf) => elf.loader,
        Executable::Script { interpreter, .. } => Some(interpreter),
    }
}

/// The program that is loaded in the end.
fn follow_scripts(file: &Path, search_path: Option<&OsStr>) -> Option<PathBuf> {
    let mut file = file.to_path_buf();
    for _ in 0..MOST_SCRIPTS {
        let Some(Executable::Script { interpreter, argument }) = elf::read(&file) else { return Some(file) };
        let through_env = interpreter.file_name() == Some(OsStr::new("env"));
        file = match argument.filter(|_| through_env) {
            Some(argument) => {
                // env [-S] [NAME=VALUE]… PROGRAM
                let is_program = |word: &&str| !word.starts_with('-') && !word.contains('=');
                let word = argument.split_whitespace().find(is_program)?;
                program::find(OsStr::new(word), search_path).ok()?
            }
            None => interpreter,
        };
    }
    None
}

fn loader_reason(theirs: &Elf, ours: Option<&Elf>, file: &Path) -> Option<String> {
    if let Some(ours) = ours {
        if theirs.bits != ours.bits {
            return Some(format!("it is a {}-bit program, the stand-ins are {}-bit", theirs.bits, ours.bits));
        }
        if theirs.machine != ours.machine {
            return Some(format!(
                "it is for another machine (ELF machine {}, the stand-ins have {})",
                theirs.machine, ours.machine
            ));
        }
    }
    match &theirs.loader {
        None if is_glibc_loader(file) => None,
        None => Some("it is statically linked and loads no libraries".into()),
        Some(loader) if is_glibc_loader(loader) => None,
        Some(loader) => {
            Some(format!("its loader is {}; the stand-ins need that of the GNU C library", loader.display()))
        }
    }
}

fn is_glibc_loader(loader: &Path) -> bool {
    let name = loader.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ["ld-linux", "ld64.so", "ld.so", "ld-2."].iter().any(|start| name.starts_with(start))
}

/// A program that runs with rights that its caller has not: the loader then drops LD_PRELOAD and LD_LIBRARY_PATH.
fn privilege_reason(about: &Metadata, has_capabilities: bool, uid: u32, gid: u32) -> Option<&'static str> {
    let set_user = about.mode() & 0o4000 != 0 && about.uid() != uid;
    // Without the group's execute bit, setgid means something else.
    let set_group = about.mode() & 0o2010 == 0o2010 && about.gid() != gid;
    if set_user || set_group {
        Some(
            "it is setuid or setgid, and the loader ignores LD_PRELOAD and LD_LIBRARY_PATH for such programs",
        )
    } else if has_capabilities && uid != 0 {
        Some(
            "it has file capabilities, and the loader ignores LD_PRELOAD and LD_LIBRARY_PATH for such programs",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn elf(bits: u8, machine: u16, loader: Option<&str>) -> Elf {
        Elf { bits, machine, loader: loader.map(PathBuf::from) }
    }

    #[test]
    fn only_a_program_for_this_machine_with_the_gnu_loader_is_silent() {
        let ours = elf(64, 62, Some("/lib64/ld-linux-x86-64.so.2"));
        let reason = |theirs: Elf| loader_reason(&theirs, Some(&ours), Path::new("/bin/x"));
        assert_eq!(reason(elf(64, 62, Some("/lib64/ld-linux-x86-64.so.2"))), None);
        for (theirs, words) in [
            (elf(64, 62, None), "statically linked"),
            (elf(32, 3, Some("/lib/ld-linux.so.2")), "32-bit"),
            (elf(64, 183, Some("/lib/ld-linux-aarch64.so.1")), "another machine"),
            (elf(64, 62, Some("/lib/ld-musl-x86_64.so.1")), "GNU C library"),
        ] {
            let reason = reason(theirs).unwrap();
            assert!(reason.contains(words), "{reason}");
        }
        assert_eq!(
            loader_reason(&elf(64, 62, None), Some(&ours), Path::new("/lib/ld-linux-x86-64.so.2")),
            None
        );
    }

    #[test]
    fn a_setuid_program_of_somebody_else_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let about = |mode| {
            file.as_file().set_permissions(PermissionsExt::from_mode(mode)).unwrap();
            file.as_file().metadata().unwrap()
        };
        let (uid, gid) = (about(0o755).uid(), about(0o755).gid());
        assert!(privilege_reason(&about(0o4755), false, uid + 1, gid).is_some());
        assert!(
            privilege_reason(&about(0o4755), false, uid, gid).is_none(),
            "setuid to oneself gives no rights"
        );
        assert!(privilege_reason(&about(0o2755), false, uid, gid + 1).is_some());
        assert!(privilege_reason(&about(0o0755), false, uid + 1, gid + 1).is_none());
        assert!(privilege_reason(&about(0o0755), true, 1000, gid).is_some());
    }

    #[test]
    fn the_interpreter_behind_env_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#!/usr/bin/env -S A=1 sh -e\n").unwrap();
        let end = follow_scripts(&script, Some(OsStr::new("/bin"))).unwrap();
        assert_eq!(end, Path::new("/bin/sh"));
        std::fs::write(&script, format!("#!{}\n", script.display())).unwrap();
        assert_eq!(follow_scripts(&script, None), None, "a circle ends");
    }
}
