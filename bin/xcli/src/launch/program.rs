//! Finds the program to run, as execvp(3) does, and says why it cannot be run, as a shell does.

use crate::failure::{Failure, Kind};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
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
            Ok(about) => Err(not_executable(&file, about.is_dir())),
            Err(e) => Err(Failure::new(Kind::NotFound, format!("{shown}: {e}"))),
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
        Some(file) => not_executable(&file, false),
        None => Failure::new(Kind::NotFound, format!("{shown}: not found in PATH={}", path.display())),
    })
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

fn not_executable(file: &Path, is_folder: bool) -> Failure {
    let why = if is_folder { "is a folder, not a program" } else { "is not executable (try chmod +x)" };
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
        assert_eq!(find(OsStr::new("/etc"), None).unwrap_err().kind, Kind::NotExecutable);
        assert_eq!(find(OsStr::new(""), None).unwrap_err().kind, Kind::NotFound);
    }
}
