//! Says why a program cannot be scheduled although it can be run: nothing of ours would be loaded into it.
//!
//! Invariant: silence where it is not certain. Such a program runs all the same, unscheduled.

use crate::launch::elf::{self, Elf, Executable};
use crate::launch::{privilege, program};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Scripts that name scripts: as many as the kernel follows.
const MOST_SCRIPTS: usize = 5;

/// Programs that start others where nothing of ours reaches: file name, and why.
const SANDBOXES: &[(&str, &str)] = &[
    ("snap", "snaps run in a sandbox, with libraries of their own"),
    ("flatpak", "Flatpak runs programs in a sandbox, with an environment and libraries of their own"),
    ("docker", CONTAINERS),
    ("podman", CONTAINERS),
    ("nerdctl", CONTAINERS),
];
const CONTAINERS: &str = "programs in a container get nothing of this environment: use `xcli run` within it, with /run/xsched mounted";
/// Where Flatpak puts scripts that start its programs.
const FLATPAKS: &str = "flatpak/exports/bin";

/// What is known about a program before it starts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// One line for each reason why it, or the interpreter that it names, will run unscheduled.
    pub(crate) reasons: Vec<String>,
    /// Its loader would take the stand-ins and fail: it must not be told of them.
    pub(crate) keep_away: bool,
}

/// Judges `file`, or the interpreter that it names.
pub(crate) fn diagnose(file: &Path, search_path: Option<&OsStr>) -> Diagnosis {
    if let Some(reason) = sandbox(file) {
        let reasons = vec![format!("what {} starts will run unscheduled: {reason}", file.display())];
        return Diagnosis { reasons, keep_away: false };
    }
    let Some(file) = follow_scripts(file, search_path) else { return Diagnosis::default() };
    let mut reasons = Vec::new();
    let mut keep_away = false;
    if let Some(Executable::Elf(theirs)) = elf::read(&file) {
        let ours = match elf::read(Path::new("/proc/self/exe")) {
            Some(Executable::Elf(ours)) => Some(ours),
            _ => None,
        };
        keep_away = theirs.loader.as_deref().is_some_and(|loader| !is_glibc_loader(loader));
        reasons.extend(loader_reason(&theirs, ours.as_ref(), &file));
    }
    reasons.extend(privilege::reason(&file).map(String::from));
    let line = |reason| format!("{} will run unscheduled: {reason}", file.display());
    Diagnosis { reasons: reasons.into_iter().map(line).collect(), keep_away }
}

/// Why what this program starts is out of reach.
fn sandbox(file: &Path) -> Option<&'static str> {
    // Each snap's command is a link to the one program that starts them all.
    let end = file.canonicalize().ok()?;
    let name = if end.parent().is_some_and(|folder| folder.ends_with(FLATPAKS)) {
        "flatpak"
    } else {
        end.file_name()?.to_str()?
    };
    SANDBOXES.iter().find(|(known, _)| *known == name).map(|(_, reason)| *reason)
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
        None if is_glibc_loader(file) || theirs.is_app_image => None,
        None => {
            Some("it is statically linked and loads no libraries (what it starts can be scheduled)".into())
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(bits: u8, machine: u16, loader: Option<&str>) -> Elf {
        Elf { bits, machine, loader: loader.map(PathBuf::from), is_app_image: false }
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
        let app_image = Elf { is_app_image: true, ..elf(64, 62, None) };
        assert_eq!(loader_reason(&app_image, Some(&ours), Path::new("/bin/x")), None, "it starts another");
    }

    #[test]
    fn what_starts_programs_in_a_sandbox_is_known_by_its_name_or_place() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join(FLATPAKS);
        std::fs::create_dir_all(&bin).unwrap();
        for name in ["snap", "other", "flatpak/exports/bin/org.app"] {
            std::fs::write(dir.path().join(name), "#!/bin/sh\n").unwrap();
        }
        std::os::unix::fs::symlink("snap", dir.path().join("firefox")).unwrap();
        let sandbox = |name: &str| sandbox(&dir.path().join(name));
        assert!(sandbox("firefox").unwrap().contains("snaps"));
        assert!(sandbox("flatpak/exports/bin/org.app").unwrap().contains("Flatpak"));
        assert_eq!(sandbox("other"), None);
        assert_eq!(diagnose(&dir.path().join("firefox"), None).reasons.len(), 1);
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
