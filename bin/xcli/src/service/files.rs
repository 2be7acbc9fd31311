//! The files of the service: their texts, which are those of packages, and which of them are there.
//!
//! The first line of each says that `xcli service` made it. The settings have no such line, for they are the administrator's: they are ours
//! only as long as nobody has changed them.

use crate::failure::Failure;
use serde::Serialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The first line of what is ours.
const MARK: &str =
    "# Made by `xcli service install`; `xcli service remove` takes it away. Changes are lost.\n";
/// The gap for the folder of the programs.
const BIN: &str = "@BINDIR@";

/// A file of the service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    /// Where it is, seen from the root.
    pub(crate) place: &'static str,
    text: &'static str,
    is_settings: bool,
}

/// What is at a file's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing.
    Absent,
    /// What this xcli would write.
    Current,
    /// Ours, of another version or another folder; settings that somebody has changed.
    Different,
    /// Somebody else's.
    Foreign,
}

const fn ours(place: &'static str, text: &'static str) -> File {
    File { place, text, is_settings: false }
}

/// All of them. Users and folders first, so that what needs them comes behind.
pub(crate) const FILES: [File; 5] = [
    ours("etc/sysusers.d/xsched.conf", include_str!("../../../../packaging/systemd/sysusers.conf")),
    ours("etc/tmpfiles.d/xsched.conf", include_str!("../../../../packaging/systemd/tmpfiles.conf")),
    ours("etc/systemd/system/xserver.socket", include_str!("../../../../packaging/systemd/xserver.socket")),
    ours("etc/systemd/system/xserver.service", include_str!("../../../../packaging/systemd/xserver.service")),
    File {
        place: "etc/xsched/xserver.toml",
        text: include_str!("../../../../packaging/xserver.toml"),
        is_settings: true,
    },
];

impl File {
    /// Its path under a root.
    pub(crate) fn path(&self, root: &Path) -> PathBuf {
        root.join(self.place)
    }

    /// What it is to say for programs in the folder `bin`.
    fn content(&self, bin: &Path) -> String {
        let mark = if self.is_settings { "" } else { MARK };
        format!("{mark}{}", self.text.replace(BIN, &bin.to_string_lossy()))
    }

    /// What is there.
    pub(crate) fn state(&self, root: &Path, bin: &Path) -> Result<State, Failure> {
        let path = self.path(root);
        Ok(match std::fs::read(&path) {
            Ok(bytes) if bytes == self.content(bin).as_bytes() => State::Current,
            Ok(_) if self.is_settings => State::Different,
            Ok(bytes) if bytes.starts_with(MARK.as_bytes()) => State::Different,
            Ok(_) => State::Foreign,
            Err(e) if e.kind() == ErrorKind::NotFound => State::Absent,
            Err(e) => return Err(failed("read", &path, &e)),
        })
    }

    /// Whether it is there and xcli made it. Of settings that cannot be told.
    pub(crate) fn is_ours(&self, root: &Path, bin: &Path) -> Result<bool, Failure> {
        Ok(!self.is_settings && matches!(self.state(root, bin)?, State::Current | State::Different))
    }

    /// Writes it, unless it is there and not ours to write; true if so.
    pub(crate) fn write(&self, root: &Path, bin: &Path) -> Result<bool, Failure> {
        let path = self.path(root);
        let may_write = match self.state(root, bin)? {
            State::Absent => true,
            State::Different => !self.is_settings,
            State::Current => false,
            State::Foreign => return Err(foreign(&path)),
        };
        if may_write {
            let folder = path.parent().unwrap_or(root);
            std::fs::create_dir_all(folder).map_err(|e| failed("make", folder, &e))?;
            // In one step, so that systemd reads the old one or the new one.
            let fresh = path.with_extension("new");
            std::fs::write(&fresh, self.content(bin)).map_err(|e| failed("write", &fresh, &e))?;
            std::fs::rename(&fresh, &path).map_err(|e| failed("write", &path, &e))?;
        }
        Ok(may_write)
    }

    /// Removes it if it is ours (changed settings only if `purge`); true if so.
    pub(crate) fn remove(&self, root: &Path, bin: &Path, purge: bool) -> Result<bool, Failure> {
        let path = self.path(root);
        let is_ours = match self.state(root, bin)? {
            State::Current => true,
            State::Different => !self.is_settings || purge,
            State::Absent | State::Foreign => false,
        };
        if is_ours {
            std::fs::remove_file(&path).map_err(|e| failed("remove", &path, &e))?;
        }
        Ok(is_ours)
    }
}

/// Fails if somebody else's file is where one of ours is to be.
pub(crate) fn check_foreign(root: &Path, bin: &Path) -> Result<(), Failure> {
    for file in &FILES {
        if file.state(root, bin)? == State::Foreign {
            return Err(foreign(&file.path(root)));
        }
    }
    Ok(())
}

fn foreign(path: &Path) -> Failure {
    Failure::failed(format!("{} is there and was not made by xcli; remove it first", path.display()))
}

/// What could not be done to what.
pub(crate) fn failed(call: &str, path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "; only root may",
        _ => "",
    };
    Failure::failed(format!("cannot {call} {}: {error}{hint}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_known_again_and_removed_and_what_is_not_ours_stays() {
        let root = tempfile::tempdir().unwrap();
        let (root, bin, later) = (root.path(), Path::new("/opt/x/bin"), Path::new("/opt/y/bin"));
        for file in &FILES {
            assert_eq!(file.state(root, bin).unwrap(), State::Absent);
            assert!(file.write(root, bin).unwrap() && !file.write(root, bin).unwrap());
            assert_eq!(file.state(root, bin).unwrap(), State::Current, "{}", file.place);
        }
        let [.., service, settings] = FILES;
        assert!(
            std::fs::read_to_string(service.path(root)).unwrap().contains("ExecStart=/opt/x/bin/xserver\n")
        );
        assert_eq!(service.state(root, later).unwrap(), State::Different);
        assert!(service.write(root, later).unwrap());

        std::fs::write(settings.path(root), "policy = \"UP\"\n").unwrap();
        assert!(!settings.write(root, bin).unwrap() && !settings.remove(root, bin, false).unwrap());
        std::fs::write(service.path(root), "[Service]\n").unwrap();
        assert!(check_foreign(root, bin).unwrap_err().message.contains("xserver.service is there"));
        assert!(!service.remove(root, bin, true).unwrap());
        assert!(settings.remove(root, bin, true).unwrap());
        for file in FILES.iter().take(3) {
            assert!(file.remove(root, bin, false).unwrap() && !file.path(root).exists());
        }
    }
}
