//! What is given out, in target/dist: a tarball that runs wherever it is unpacked, a Debian package, and the wheel of the Python package.
//!
//! All of them are made from one tree (`tree`). Its programs and libraries are linked with an old C library (`sysroot`), so that they run on
//! systems since; which one they need is measured (`glibc`), said, asked for by the package, and an error if it is newer. The same sources
//! give the same bytes, but for the compiler's. Why not by a linker that knows old C libraries (zig): it takes one version script, and the
//! stand-ins need two.

mod deb;
mod glibc;
mod sysroot;
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
    /// Link with this machine's C library instead of Debian 11's, and need what that has.
    #[arg(long)]
    here: bool,
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
    let (tree, needed) = tree(&dist, args.here)?;
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
    let (tree, needed) = tree(&dist, false)?;
    let package =
        |revision| deb::pack(&tree, &dist, &format!("{}-{revision}", env!("CARGO_PKG_VERSION")), needed);
    Ok(Samples { tarball: tarball::pack(&tree, &dist)?, packages: [package("1")?, package("1+test")?], tree })
}

/// Builds everything, and lays it out in one tree; says which C library it needs, which is an old one unless it is to be that of this machine
/// (`here`).
fn tree(dist: &Path, here: bool) -> Result<(PathBuf, glibc::Version)> {
    let share = dist.join("share");
    if share.exists() {
        std::fs::remove_dir_all(&share).with_context(|| format!("removing {}", share.display()))?;
    }
    // It runs here and is not given out, so it is built as tests are.
    succeed(stage::cargo().args(["run", "--quiet", "--package", "xsched-manual", "--"]).arg(&share))?;
    let built = if here { stage::build(&stage::packages())? } else { sysroot::build(&stage::parts())? };
    let tree = tree::lay_out(&built, &share, &dist.join("tree"))?;
    let needed = glibc::needed_by(&tree)?;
    ensure!(
        here || needed.version <= sysroot::FLOOR,
        "it is to run with glibc {} and needs {}: {}",
        sysroot::FLOOR,
        needed.version,
        needed.by
    );
    Ok((tree, needed.version))
}

/// Builds a program of a package for systems as old as those that what is given out runs on; returns it.
pub(crate) fn for_old_systems(package: &str, program: &str) -> Result<PathBuf> {
    Ok(sysroot::build(&[(package, program)])?.join(program))
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
