//! What is given out, in target/dist: a tarball that runs wherever it is unpacked, a Debian package, and the wheel of the Python package.
//!
//! All of them are made from one tree (`tree`). Which C library its programs and libraries need is measured (`glibc`), said, and asked for by
//! the package: that of the machine that builds is what decides, so what is to run on old systems is built on one. The same sources give
//! the same bytes, but for the compiler's. Why not by a linker that knows old C libraries (zig): it takes one version script, and the
//! stand-ins need two.

mod deb;
mod glibc;
mod tarball;
mod tree;
mod wheel;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{setup, stage};

/// Build what is given out into target/dist: tarball, Debian package, Python wheel.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this.
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Tarball,
    Deb,
    Wheel,
}

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<()> {
    let dist = folder()?;
    let wants = |part| args.only.is_none_or(|only| only == part);
    if wants(Part::Wheel) {
        setup::ensure(&[setup::PYTHON], true)?;
        println!("{}", wheel::build(&dist)?.display());
    }
    if !wants(Part::Tarball) && !wants(Part::Deb) {
        return Ok(());
    }
    let tree = tree(&dist)?;
    let needed = glibc::needed_by(&tree)?;
    println!("needs glibc {needed} or newer");
    if wants(Part::Tarball) {
        println!("{}", tarball::pack(&tree, &dist)?.display());
    }
    if wants(Part::Deb) {
        let version = concat!(env!("CARGO_PKG_VERSION"), "-1");
        println!("{}", deb::pack(&tree, &dist, version, needed)?.display());
    }
    Ok(())
}

/// What the tests of the service install: a tarball, and two Debian packages that differ in their version.
pub(crate) struct Samples {
    pub(crate) tree: PathBuf,
    pub(crate) tarball: PathBuf,
    pub(crate) packages: [PathBuf; 2],
}

/// Packs them.
pub(crate) fn samples() -> Result<Samples> {
    let dist = folder()?;
    let tree = tree(&dist)?;
    let needed = glibc::needed_by(&tree)?;
    let package =
        |revision| deb::pack(&tree, &dist, &format!("{}-{revision}", env!("CARGO_PKG_VERSION")), needed);
    Ok(Samples { tarball: tarball::pack(&tree, &dist)?, packages: [package("1")?, package("1+test")?], tree })
}

/// Builds everything, and lays it out in one tree.
fn tree(dist: &Path) -> Result<PathBuf> {
    let share = dist.join("share");
    if share.exists() {
        std::fs::remove_dir_all(&share).with_context(|| format!("removing {}", share.display()))?;
    }
    // It runs here and is not given out, so it is built as tests are.
    succeed(stage::cargo().args(["run", "--quiet", "--package", "xsched-manual", "--"]).arg(&share))?;
    tree::lay_out(&stage::build(&stage::packages())?, &share, &dist.join("tree"))
}

/// Where everything goes.
fn folder() -> Result<PathBuf> {
    let dist = stage::target_dir()?.join("dist");
    std::fs::create_dir_all(&dist).with_context(|| format!("creating {}", dist.display()))?;
    Ok(dist)
}

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// When the sources are from, in seconds: what files say, so that the same sources give the same archive.
fn moment() -> Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    let mut git = std::process::Command::new("git");
    let output =
        git.args(["log", "-1", "--format=%ct"]).current_dir(root()).output().context("starting git")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // A tree without its history.
    Ok(if output.status.success() && !text.is_empty() { text } else { "0".into() })
}

/// Runs a command that must succeed.
fn succeed(command: &mut std::process::Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
