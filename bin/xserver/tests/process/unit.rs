//! The systemd units as they are shipped, as far as systemd-analyze can tell without a systemd that runs.

use std::path::Path;
use std::process::Command;

/// The units in a folder, for the server under test; none where there is no systemd-analyze.
fn units() -> Option<tempfile::TempDir> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("left out: there is no systemd-analyze");
        return None;
    }
    let bin = Path::new(env!("CARGO_BIN_EXE_xserver")).parent().unwrap();
    let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/systemd"));
    let folder = tempfile::tempdir().unwrap();
    for name in ["xserver.service", "xserver.socket"] {
        let text = std::fs::read_to_string(shipped.join(name)).unwrap();
        let text = text.replace("@BINDIR@", bin.to_str().unwrap());
        assert!(!text.contains('@') || text.contains("=@system-service"), "a gap that nobody filled: {text}");
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Some(folder)
}

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    let Some(folder) = units() else { return };
    // Manual pages are there once a package is installed.
    let units = ["xserver.service", "xserver.socket"].map(|name| folder.path().join(name));
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && text.is_empty(), "{text}");
}

#[test]
fn the_sandbox_is_as_tight_as_it_was() {
    let Some(folder) = units() else { return };
    // Tenths of systemd's points, at most: 1.6 as it is. The service file says what each is for.
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager", "--threshold=17"])
        .arg(folder.path().join("xserver.service"))
        .output()
        .unwrap();
    let (table, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && wrong.is_empty(), "{wrong}\n{table}");
}
