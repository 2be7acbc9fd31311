//! What the tools of the system do for the service: its user, its folder, its units. With another root than `/` only what is on disk is
//! touched, and nothing is started or stopped.

use crate::failure::Failure;
use crate::service::UNITS;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// The service's user and group.
const USER: &str = "xsched";
/// There where the system runs systemd.
const BOOTED: &str = "/run/systemd/system";

/// Whether systemd runs what has this root: not known of another one, so that is taken for yes.
pub(crate) fn is_booted(root: &Path) -> bool {
    !is_live(root) || Path::new(BOOTED).is_dir()
}

/// Fails if this machine is not run by systemd.
pub(crate) fn check_booted(root: &Path) -> Result<(), Failure> {
    if !is_booted(root) {
        return Err(Failure::failed(format!(
            "this machine is not run by systemd (there is no {BOOTED}); start xserver by whatever starts services here"
        )));
    }
    Ok(())
}

/// Makes user and folder, has systemd read the units, and enables and starts them.
pub(crate) fn install(root: &Path) -> Result<(), Failure> {
    run(rooted("systemd-sysusers", root).arg("xsched.conf"))?;
    run(rooted("systemd-tmpfiles", root).args(["--create", "xsched.conf"]))?;
    if is_live(root) {
        run(systemctl(root).arg("daemon-reload"))?;
        run(systemctl(root).arg("enable").args(UNITS))?;
        run(systemctl(root).args(["start", UNITS[0]]))?;
        // A server of an earlier installation makes room for this one.
        return run(systemctl(root).args(["restart", UNITS[1]]));
    }
    run(systemctl(root).arg("enable").args(UNITS))
}

/// Stops and disables the units. What is not there is no failure.
pub(crate) fn stop(root: &Path) -> Result<(), Failure> {
    let mut disable = systemctl(root);
    disable.arg("disable");
    if is_live(root) {
        disable.arg("--now");
    }
    run(disable.args(UNITS))
}

/// Has systemd forget the units.
pub(crate) fn forget(root: &Path) -> Result<(), Failure> {
    if !is_live(root) {
        return Ok(());
    }
    // One that had failed is remembered as such.
    let _ = run(systemctl(root).arg("reset-failed").args(UNITS));
    run(systemctl(root).arg("daemon-reload"))
}

/// Removes the user and his group; false if there is none.
pub(crate) fn remove_user(root: &Path) -> Result<bool, Failure> {
    let is_in = |table: &str| {
        let table = std::fs::read_to_string(root.join("etc").join(table)).unwrap_or_default();
        table.lines().any(|line| line.split(':').next() == Some(USER))
    };
    let remove = |tool: &str| {
        let mut command = Command::new(tool);
        if !is_live(root) {
            command.arg("--prefix").arg(root);
        }
        run(command.arg(USER))
    };
    let is_there = is_in("passwd") || is_in("group");
    if is_in("passwd") {
        remove("userdel")?;
    }
    // Whether the group goes with the user is said by login.defs, which a root of its own may not have.
    if is_in("group") {
        remove("groupdel")?;
    }
    Ok(is_there)
}

/// What systemd says about a unit, as `name=value`.
pub(crate) fn show(root: &Path, unit: &str) -> Option<Vec<(String, String)>> {
    const WHAT: &str = "--property=ActiveState,SubState,UnitFileState,MainPID,NRestarts,StatusText";
    if !is_live(root) || !is_booted(root) {
        return None;
    }
    let output = systemctl(root).args(["show", WHAT, unit]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Some(pairs.map(|(name, value)| (name.into(), value.into())).collect())
}

/// Whether this is the machine itself.
fn is_live(root: &Path) -> bool {
    root == Path::new("/")
}

fn systemctl(root: &Path) -> Command {
    let mut command = rooted("systemctl", root);
    command.args(["--no-pager", "--quiet"]);
    command
}

fn rooted(tool: &str, root: &Path) -> Command {
    let mut command = Command::new(tool);
    if !is_live(root) {
        let mut option = std::ffi::OsString::from("--root=");
        option.push(root);
        command.arg(option);
    }
    command
}

/// Runs it to its end; what it says is said if it fails.
fn run(command: &mut Command) -> Result<(), Failure> {
    // Not in the PATH of everybody who becomes root.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin"));
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let name = format!("{} {}", command.get_program().to_string_lossy(), words.join(" "));
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Failure::failed(format!("`{name}` failed ({}): {said}", output.status)))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Err(Failure::failed(format!("`{name}` is needed, and there is no such program")))
        }
        Err(e) => Err(Failure::failed(format!("cannot start `{name}`: {e}"))),
    }
}
