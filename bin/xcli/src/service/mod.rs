//! xserver as a service of systemd on a machine that has no package of it: what `xcli service` makes, and takes away again.
//!
//! Invariant: only files that say that they are ours are written over or removed (`files`), so neither a package's nor an
//! administrator's are; what tools of the system did (`tools`) is undone by the same. Deliberately absent: other managers.

pub(crate) mod files;
pub(crate) mod tools;

use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// The program.
pub(crate) const SERVER: &str = "xserver";
/// The units, the one to start first before the other.
pub(crate) const UNITS: [&str; 2] = ["xserver.socket", "xserver.service"];
/// Where a package has its unit.
const PACKAGED: [&str; 2] = ["usr/lib/systemd/system/xserver.service", "lib/systemd/system/xserver.service"];
/// What the sandbox hides from the service, or others may write to.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run", "/tmp", "/var/tmp"];

/// The folder with xserver, which is that of xcli. It must be one that a service can start programs from.
pub(crate) fn bin() -> Result<PathBuf, Failure> {
    let xcli = std::env::current_exe().and_then(|path| path.canonicalize());
    let xcli = xcli.map_err(|e| Failure::failed(format!("cannot find where xcli itself is: {e}")))?;
    let bin = xcli.parent().unwrap_or(Path::new("/"));
    let server = bin.join(SERVER);
    if !server.is_file() {
        return Err(Failure::failed(format!("there is no {} to be made a service of", server.display())));
    }
    Ok(bin.into())
}

/// Whether a service may run programs of this folder; else why not.
pub(crate) fn check_place(bin: &Path) -> Result<(), Failure> {
    if let Some(hidden) = HIDDEN.iter().find(|hidden| bin.starts_with(hidden)) {
        return Err(Failure::failed(format!(
            "{} cannot be a service's folder: services do not see {hidden}; move the whole tree, for example to /opt/xsched",
            bin.display()
        )));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !bin.to_str().is_some_and(|path| path.chars().all(is_plain)) {
        return Err(Failure::failed(format!(
            "{} cannot stand in a unit: expected letters, digits and . _ - + in its name",
            bin.display()
        )));
    }
    Ok(())
}

/// Fails where a package has the service already.
pub(crate) fn check_no_package(root: &Path) -> Result<(), Failure> {
    match PACKAGED.map(|path| root.join(path)).into_iter().find(|path| path.exists()) {
        Some(unit) => Err(Failure::failed(format!(
            "a package has installed the service ({}); use the package manager and systemctl",
            unit.display()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_services_do_not_see_or_units_cannot_name_is_refused() {
        assert!(check_place(Path::new("/opt/xsched-0.1/bin")).is_ok());
        for (place, word) in [("/home/me/x/bin", "/home"), ("/tmp/x", "/tmp"), ("/opt/my x/bin", "letters")] {
            let message = check_place(Path::new(place)).unwrap_err().message;
            assert!(message.contains(place) && message.contains(word), "{message}");
        }
        assert!(check_place(Path::new("/homes/x")).is_ok());
    }

    #[test]
    fn a_packages_service_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        assert!(check_no_package(root.path()).is_ok());
        std::fs::create_dir_all(root.path().join("lib/systemd/system")).unwrap();
        std::fs::write(root.path().join(PACKAGED[1]), "").unwrap();
        assert!(
            check_no_package(root.path()).unwrap_err().message.contains("lib/systemd/system/xserver.service")
        );
    }
}
