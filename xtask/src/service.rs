//! `cargo xtask test service`: prepares a Debian to boot, packages to install in it and an image for containers, and runs the tests of
//! tests/service with them. The Debian is made once, in the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Need};
use crate::tally::Tally;
use crate::{dist, stage};

/// What has to be on the machine.
pub(crate) const NEEDS: &[Need] = &[
    Need::program("systemd-nspawn", "systemd-container"),
    Need::program("debootstrap", "debootstrap"),
    Need::program("podman", "podman"),
    Need::program("runc", "runc"),
    Need::program("nsenter", "util-linux"),
    Need::program("dpkg-deb", "dpkg"),
    setup::PYTHON,
];

/// The Debian that is booted.
const SUITE: &str = "trixie";
/// What it has besides its base: a systemd that boots, PoCL, and manual pages to be found.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,init-system-helpers,pocl-opencl-icd,ocl-icd-libopencl1";

/// Runs the task.
pub(crate) fn run() -> Result<Tally> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a system that boots, and containers of the whole machine, need root"
    );
    let target = stage::target_dir()?;
    let folder = target.join("service");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    debian(&folder)?;
    let samples = dist::samples()?;
    let actor = actor(&target)?;
    for (from, name) in [
        (&samples.packages[0], "1.deb"),
        (&samples.packages[1], "2.deb"),
        (&samples.tarball, "xsched.tar.gz"),
        (&samples.tree, "tree"),
        (&actor, "system-actor"),
    ] {
        let link = folder.join(name);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(from, &link).with_context(|| format!("linking {}", link.display()))?;
    }
    let mut tally = Tally::default();
    // One at a time: each takes the whole machine.
    let mut tests = stage::cargo();
    tests.args(["test", "--package=test-service", "--", "--test-threads=1"]).env("SERVICE_TESTS", &folder);
    tally.add_run(&mut tests)?;
    Ok(tally)
}

/// The root of a Debian in the folder.
fn debian(folder: &Path) -> Result<()> {
    let root = folder.join("debian");
    if root.is_dir() {
        return Ok(());
    }
    eprintln!("making a Debian {SUITE} in {} …", root.display());
    let fresh = folder.join("debian.new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).with_context(|| format!("removing {}", fresh.display()))?;
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE]).arg(&fresh);
    let log = std::fs::File::create(folder.join("debootstrap.log"))?;
    let status = debootstrap.stdout(log).status().context("starting debootstrap")?;
    ensure!(
        status.success(),
        "debootstrap failed ({status}); see {}",
        folder.join("debootstrap.log").display()
    );
    std::fs::rename(&fresh, &root).with_context(|| format!("naming {}", root.display()))
}

/// The little OpenCL program of the system tests.
fn actor(target: &Path) -> Result<PathBuf> {
    let status = stage::cargo()
        .args(["build", "--quiet", "--package=test-system", "--bin=system-actor"])
        .status()
        .context("starting cargo build")?;
    ensure!(status.success(), "cargo build of system-actor failed ({status})");
    Ok(target.join("debug/system-actor"))
}
