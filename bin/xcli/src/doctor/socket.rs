//! The file system around a server's socket: whether a server can make it there, and whether anybody else could.

use crate::doctor::server::Users;
use crate::doctor::shell::word;
use rustix::fs::{Access, AtFlags, CWD};
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use xsched_core::probe::Finding;

/// What is wrong with the place, as far as it is there.
pub(crate) fn examine(socket: &Path, users: &Users) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(folder) = socket.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        findings.extend(folder_findings(folder, users));
    }
    if let Ok(about) = socket.symlink_metadata() {
        findings.extend(file_finding(socket, &about));
    }
    findings
}

fn folder_findings(folder: &Path, users: &Users) -> Vec<Finding> {
    const CHECK: &str = "socket_folder";
    let Ok(link) = folder.symlink_metadata() else { return Vec::new() };
    let mut findings = Vec::new();
    let shown = folder.display();
    if link.is_symlink() && !users.is_trusted(link.uid()) {
        let text = format!(
            "{shown} is a symbolic link of {}, who can lead programs anywhere",
            users.name(link.uid())
        );
        findings.push(Finding::problem(CHECK, text).mend(format!("sudo rm {}", word(folder))));
    }
    let Ok(about) = folder.metadata() else {
        let text = format!("{shown} is a symbolic link to nothing");
        findings.push(Finding::problem(CHECK, text).mend(format!("rm {}", word(folder))));
        return findings;
    };
    if !about.is_dir() {
        let text = format!("{shown} is not a folder: no server can make its socket there");
        findings.push(Finding::problem(CHECK, text).mend(format!("rm {}", word(folder))));
        return findings;
    }
    let is_sticky = about.mode() & 0o1000 != 0;
    if !users.is_trusted(about.uid()) {
        let text =
            format!("{shown} belongs to {}, who can put a socket of his own there", users.name(about.uid()));
        findings.push(Finding::problem(CHECK, text).mend(format!("sudo chown root: {}", word(folder))));
    } else if about.mode() & 0o002 != 0 && !is_sticky {
        let text = format!("everybody may write to {shown}, and put another socket there");
        findings.push(Finding::problem(CHECK, text).mend(format!("chmod o-w {}", word(folder))));
    }
    if rustix::fs::access(folder, Access::EXEC_OK).is_err() {
        let text = format!(
            "{shown} cannot be entered by {}: programs reach no server there",
            users.name(users.own())
        );
        findings.push(Finding::problem(CHECK, text).mend(format!("sudo chmod a+x {}", word(folder))));
    }
    findings
}

fn file_finding(socket: &Path, about: &Metadata) -> Option<Finding> {
    let is_socket = about.file_type().is_socket() || about.is_symlink();
    (!is_socket).then(|| {
        let text = format!("{} is not a socket, and no server replaces it", socket.display());
        Finding::problem("socket", text).mend(format!("rm {}", word(socket)))
    })
}

/// The user's own folder for sockets, `$XDG_RUNTIME_DIR`: what is wrong with it.
pub(crate) fn runtime_dir(dir: Option<&Path>, users: &Users) -> Option<Finding> {
    const CHECK: &str = "runtime_dir";
    let own = users.own();
    let Some(dir) = dir else {
        let text =
            "XDG_RUNTIME_DIR is not set: there is no place for a server of one's own, but with --socket";
        return Some(Finding::note(CHECK, text).mend(format!("export XDG_RUNTIME_DIR=/run/user/{own}")));
    };
    let shown = dir.display();
    let set_other = format!("export XDG_RUNTIME_DIR=/run/user/{own}");
    if !dir.is_absolute() {
        let text = format!("XDG_RUNTIME_DIR is {shown}, which is not an absolute path: it is not used");
        return Some(Finding::note(CHECK, text).mend(set_other));
    }
    let Ok(about) = dir.metadata() else {
        let text = format!("XDG_RUNTIME_DIR is {shown}, which is not there");
        return Some(Finding::note(CHECK, text).mend(format!("mkdir -m 700 {}", word(dir))));
    };
    if about.uid() != own {
        let text = format!(
            "XDG_RUNTIME_DIR is {shown}, which belongs to {}: it was left over by a change of user",
            users.name(about.uid())
        );
        return Some(Finding::note(CHECK, text).mend(set_other));
    }
    let is_writable = rustix::fs::accessat(CWD, dir, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    (!is_writable).then(|| {
        let text = format!("XDG_RUNTIME_DIR is {shown}, which cannot be written to");
        Finding::note(CHECK, text).mend(format!("chmod u+w {}", word(dir)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    fn checks(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.check.as_str()).collect()
    }

    #[test]
    fn what_is_in_the_way_of_a_socket_is_a_problem_and_a_socket_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (users, path) = (Users::of_this_process(), dir.path().join("x.sock"));
        assert_eq!(examine(&path, &users), []);
        std::fs::write(&path, "").unwrap();
        assert_eq!(checks(&examine(&path, &users)), ["socket"]);
        std::fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(examine(&path, &users), []);
        assert_eq!(checks(&examine(&path.join("in/x.sock"), &users)), [""; 0]);
        assert_eq!(
            checks(&examine(&path.join("x.sock"), &users)),
            ["socket_folder"],
            "a socket is no folder"
        );
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let (users, path) = (Users::of_this_process(), dir.path().join("x.sock"));
        let set = |mode| std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
        set(0o777);
        assert_eq!(checks(&examine(&path, &users)), ["socket_folder"]);
        set(0o1777);
        assert_eq!(examine(&path, &users), []);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(checks(&examine(&link.join("x.sock"), &users)), ["socket_folder"]);
    }

    #[test]
    fn each_state_of_the_runtime_folder_has_its_words() {
        let users = Users::of_this_process();
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(runtime_dir(Some(dir.path()), &users), None);
        for (dir, words) in
            [(None, "is not set"), (Some("x"), "not an absolute"), (Some("/no/such"), "not there")]
        {
            let finding = runtime_dir(dir.map(Path::new), &users).unwrap();
            assert!(finding.text.contains(words) && finding.mend.is_some(), "{finding:?}");
        }
    }
}
