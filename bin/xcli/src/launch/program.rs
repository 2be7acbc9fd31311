//! Finds the program to run, as execvp(3) does, and says why it cannot be run, as a shell does.

use crate::failure::{Failure, Kind};
use rustix::fs::StatVfsMountFlags;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for when there is no `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// The file that running `name` executes.
pub(crate) fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let shown = name.display();
    if name.is_empty() {
        return Err(Failure::new(Kind::NotFound, "the name of the program to run is empty"));
    }
    if name.as_bytes().contains(&b'/') {
        let file = PathBuf::from(name);
        return match file.metadata() {
            Ok(_) if is_executable(&file) => Ok(file),
            Ok(_) => Err(not_executable(&file)),
            // Only what is not there is not found.
            Err(e) => {
                let kind = if e.kind() == ErrorKind::NotFound { Kind::NotFound } else { Kind::NotExecutable };
                Err(Failure::new(kind, format!("{shown}: {e}")))
            }
        };
    }
    let path = path.unwrap_or(OsStr::new(USUAL_PATH));
    let mut refused = None;
    for dir in std::env::split_paths(path) {
        // An empty entry is the current folder; "./" keeps the name from being looked for again.
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        let file = dir.join(name);
        if is_executable(&file) {
            return Ok(file);
        }
        if file.is_file() {
            refused.get_or_insert(file);
        }
    }
    Err(match refused {
        Some(file) => not_executable(&file),
        None => Failure::new(Kind::NotFound, format!("{shown}: not found in PATH={}", path.display())),
    })
}

/// Whether it is a file that this process may execute.
pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

fn not_executable(file: &Path) -> Failure {
    let mount = rustix::fs::statvfs(file).map(|about| about.f_flag);
    let why = match file.metadata() {
        Ok(about) if about.is_dir() => "is a folder, not a program",
        Ok(about) if about.mode() & 0o111 == 0 => "is not executable (try chmod +x)",
        Ok(_) if mount.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOEXEC)) => {
            "lies on a file system that is mounted noexec"
        }
        _ => "may not be executed by this user",
    };
    Failure::new(Kind::NotExecutable, format!("{}: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_along_the_path_or_where_they_are_said_to_be() {
        assert!(find(OsStr::new("sh"), None).unwrap().ends_with("sh"));
        assert_eq!(find(OsStr::new("/bin/sh"), Some(OsStr::new(""))).unwrap(), Path::new("/bin/sh"));
        assert_eq!(find(OsStr::new("no-such-program"), None).unwrap_err().kind, Kind::NotFound);
        assert_eq!(find(OsStr::new("/etc/passwd"), None).unwrap_err().kind, Kind::NotExecutable);
        assert_eq!(
            find(OsStr::new("passwd"), Some(OsStr::new("/etc"))).unwrap_err().kind,
            Kind::NotExecutable
        );
        assert_eq!(find(OsStr::new("/etc/passwd/x"), None).unwrap_err().kind, Kind::NotExecutable);
        assert_eq!(find(OsStr::new("/etc"), None).unwrap_err().kind, Kind::NotExecutable);
        assert_eq!(find(OsStr::new(""), None).unwrap_err().kind, Kind::NotFound);
    }
}
