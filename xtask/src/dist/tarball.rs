//! The tarball: the tree under one folder, to be unpacked anywhere (`xcli service install` makes a service of it).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{moment, succeed};

/// Packs the tree into a folder; returns the path.
pub(super) fn pack(tree: &Path, folder: &Path) -> Result<PathBuf> {
    let name = format!("xsched-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let archive = folder.join(format!("{name}.tar.gz"));
    let parent = tree.parent().context("a tree has a folder")?;
    let within = tree.file_name().and_then(|name| name.to_str()).context("a tree has a name")?;
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=go-w,a+rX"]);
    tar.arg(format!("--mtime=@{}", moment()?)).arg(format!("--transform=flags=r;s,^{within},{name},"));
    // gzip writes a time of its own unless told not to.
    tar.args(["--use-compress-program=gzip -n -9", "-cf"]).arg(&archive).arg("-C").arg(parent).arg(within);
    succeed(&mut tar)?;
    Ok(archive)
}
