//! `xcli service` on a root of its own: what is made, what systemd says of it, and that nothing of it stays.

use crate::support::{build, output, stderr, stdout, xcli};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// All files and links below a folder but the tables of users, which other tools write.
fn files(root: &Path) -> BTreeSet<String> {
    let found = output(Command::new("find").arg(root).args(["!", "-type", "d", "-printf", "%P\n"]));
    let tables = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/.pwd.lock", "etc/sub"];
    let is_table = |file: &str| tables.iter().any(|table| file.starts_with(table));
    stdout(&found).lines().filter(|file| !is_table(file)).map(str::to_owned).collect()
}

fn service(root: &Path, arguments: &[&str]) -> std::process::Output {
    output(xcli().args(["service", "--root"]).arg(root).args(arguments))
}

/// Whether this machine has what installs a service, and is ours to use it.
fn is_possible() -> bool {
    let has = |tool| Command::new(tool).arg("--version").output().is_ok();
    let is_possible = has("systemd-sysusers") && has("systemctl") && rustix::process::geteuid().is_root();
    if !is_possible {
        println!("left out: needs root, systemctl and systemd-sysusers");
    }
    is_possible
}

#[test]
fn a_service_is_installed_shown_brought_up_to_date_and_removed_without_a_trace() {
    if !is_possible() {
        return;
    }
    let server = build("xserver", "xserver");
    let root = tempfile::tempdir().unwrap();
    let (root, etc) = (root.path(), root.path().join("etc"));
    std::fs::create_dir(&etc).unwrap();
    std::fs::write(etc.join("passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    std::fs::write(etc.join("group"), "root:x:0:\n").unwrap();
    std::fs::write(etc.join("hostname"), "test\n").unwrap();
    let before = files(root);

    let installed = service(root, &["install"]);
    assert!(installed.status.success(), "{}", stderr(&installed));
    let units = ["xserver.socket", "xserver.service"].map(|unit| etc.join("systemd/system").join(unit));
    let text = std::fs::read_to_string(&units[1]).unwrap();
    assert!(text.contains(&format!("ExecStart={}\n", server.canonicalize().unwrap().display())), "{text}");
    let verified = output(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units));
    assert_eq!((verified.status.success(), stderr(&verified).as_str()), (true, ""));
    for link in ["sockets.target.wants/xserver.socket", "multi-user.target.wants/xserver.service"] {
        assert!(etc.join("systemd/system").join(link).is_symlink(), "{link}");
    }
    assert!(std::fs::read_to_string(etc.join("passwd")).unwrap().contains("\nxsched:"));
    assert!(root.join("run/xsched").is_dir());

    let again = service(root, &["install"]);
    assert!(again.status.success() && !stdout(&again).contains("wrote"), "{}", stdout(&again));
    let shown = output(xcli().args(["--json", "service", "status", "--root"]).arg(root));
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let states: Vec<_> = shown["files"].as_object().unwrap().values().collect();
    assert!(states.len() == 5 && states.iter().all(|state| *state == "current"), "{shown}");

    let removed = service(root, &["remove"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert_eq!(files(root), before);
    assert!(!root.join("run/xsched").exists() && !etc.join("xsched").exists());
    for table in ["passwd", "group"] {
        assert!(!std::fs::read_to_string(etc.join(table)).unwrap().contains("xsched"), "{table}");
    }
    let nothing = service(root, &["remove"]);
    assert!(stdout(&nothing).contains("nothing to remove"), "{}", stdout(&nothing));
}

#[test]
fn changed_settings_outlive_the_service_and_somebody_elses_unit_is_left_alone() {
    if !is_possible() {
        return;
    }
    build("xserver", "xserver");
    let root = tempfile::tempdir().unwrap();
    let settings = root.path().join("etc/xsched/xserver.toml");
    assert!(service(root.path(), &["install"]).status.success());
    std::fs::write(&settings, "policy = \"UP\"\n").unwrap();
    let removed = service(root.path(), &["remove"]);
    assert!(stdout(&removed).contains(&format!("kept    {}", settings.display())), "{}", stdout(&removed));
    assert!(service(root.path(), &["install"]).status.success());
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), "policy = \"UP\"\n");
    assert!(service(root.path(), &["remove", "--purge"]).status.success());
    assert!(!settings.exists());

    let unit = root.path().join("etc/systemd/system/xserver.service");
    std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    let refused = service(root.path(), &["install"]);
    assert!(
        !refused.status.success() && stderr(&refused).contains("was not made by xcli"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(files(root.path()).len(), 1, "nothing else was written");
}

#[test]
fn nothing_is_installed_then_the_folder_of_a_server_that_somebody_started_by_hand_stays() {
    build("xserver", "xserver");
    let root = tempfile::tempdir().unwrap();
    let token = root.path().join("run/xsched/http-token");
    std::fs::create_dir_all(token.parent().unwrap()).unwrap();
    std::fs::write(&token, "secret\n").unwrap();
    let removed = service(root.path(), &["remove"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert!(stdout(&removed).contains("nothing to remove") && token.exists(), "{}", stdout(&removed));
}

#[test]
fn a_description_for_containers_is_written_where_it_is_asked_for() {
    let library = crate::support::library_folder();
    let file = library.path().join("cdi/xsched.json");
    let mut cdi = xcli();
    cdi.args(["cdi", "--lib-dir"]).arg(library.path()).arg("--output").arg(&file);
    let written = output(&mut cdi);
    assert!(written.status.success(), "{}", stderr(&written));
    assert!(stdout(&written).contains("xsched.dev/xpu=all"), "{}", stdout(&written));
    let spec: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let env = spec["devices"][0]["containerEdits"]["env"][0].as_str().unwrap();
    assert_eq!(env, "LD_PRELOAD=/usr/local/lib/xsched/libfake.so.1");
}
