//! `cargo xtask test service`: prepares a Debian to boot, packages to install in it and an image for containers, and runs the tests of
//! tests/service with them. The Debians are made once, in the target folder.

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

/// The Debian that is booted: folder, suite, and what it has besides its base, which is a systemd that boots, and PoCL.
const BOOTED: [&str; 3] =
    ["debian", "trixie", "systemd,systemd-sysv,dbus,init-system-helpers,pocl-opencl-icd,ocl-icd-libopencl1"];
/// The oldest Debian on which what is given out runs.
const OLDEST: [&str; 3] = ["debian-11", "bullseye", "pocl-opencl-icd,ocl-icd-libopencl1"];

/// Runs the task.
pub(crate) fn run() -> Result<Tally> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a system that boots, and containers of the whole machine, need root"
    );
    let target = stage::target_dir()?;
    let folder = target.join("service");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for root in [BOOTED, OLDEST] {
        debian(&folder, root)?;
    }
    let samples = dist::samples()?;
    let actor = actor(&target)?;
    let old_actor = dist::for_old_systems("test-system", "system-actor")?;
    for (from, name) in [
        (&samples.packages[0], "1.deb"),
        (&samples.packages[1], "2.deb"),
        (&samples.tarball, "xsched.tar.gz"),
        (&samples.tree, "tree"),
        (&actor, "system-actor"),
        (&old_actor, "old-system-actor"),
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
fn debian(folder: &Path, [name, suite, packages]: [&str; 3]) -> Result<()> {
    let root = folder.join(name);
    if root.is_dir() {
        return Ok(());
    }
    eprintln!("making a Debian {suite} in {} …", root.display());
    let fresh = folder.join(format!("{name}.new"));
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).with_context(|| format!("removing {}", fresh.display()))?;
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={packages}"), suite]).arg(&fresh);
    let log_file = folder.join(format!("{name}.log"));
    let log = std::fs::File::create(&log_file)?;
    let status = debootstrap.stdout(log).status().context("starting debootstrap")?;
    ensure!(status.success(), "debootstrap failed ({status}); see {}", log_file.display());
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
