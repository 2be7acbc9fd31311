//! The tree that everything is packed from: what `target/xsched` has, stripped, with units, settings, man pages and completions.
//!
//! ```text
//! bin/ lib/xsched/ include/xsched/ lib/cmake/ lib/pkgconfig/     as in the stage: programs find libraries relative to themselves
//! share/man share/bash-completion share/zsh share/fish
//! share/xsched/{systemd,xserver.toml,prometheus,grafana}         units with a gap for the folder of the programs
//! share/doc/xsched/                                              licence, changes, first steps
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{root, succeed};
use crate::stage;

/// Files of the sources, and their places.
const FILES: &[(&str, &str)] = &[
    ("packaging/systemd/xserver.service", "share/xsched/systemd/xserver.service"),
    ("packaging/systemd/xserver.socket", "share/xsched/systemd/xserver.socket"),
    ("packaging/systemd/sysusers.conf", "share/xsched/systemd/sysusers.conf"),
    ("packaging/systemd/tmpfiles.conf", "share/xsched/systemd/tmpfiles.conf"),
    ("packaging/xserver.toml", "share/xsched/xserver.toml"),
    ("packaging/prometheus/xsched-alerts.yml", "share/xsched/prometheus/xsched-alerts.yml"),
    ("packaging/grafana/xsched.json", "share/xsched/grafana/xsched.json"),
    ("LICENSE", "share/doc/xsched/LICENSE"),
    ("CHANGELOG.md", "share/doc/xsched/CHANGELOG.md"),
    ("docs/install.md", "share/doc/xsched/install.md"),
    ("docs/containers.md", "share/doc/xsched/containers.md"),
];

/// Makes the tree at `to` anew, from the folder `release` with what was built and the folder `share` with man pages and completions; answers
/// `to`.
pub(super) fn lay_out(release: &Path, share: &Path, to: &Path) -> Result<PathBuf> {
    if to.exists() {
        std::fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    stage::lay_out(release, to)?;
    finish(share, to)?;
    Ok(to.into())
}

/// Adds to what is staged what only an installation has.
pub(super) fn finish(share: &Path, to: &Path) -> Result<()> {
    copy_folder(share, &to.join("share"))?;
    for (from, place) in FILES {
        copy(&root().join(from), &to.join(place))?;
    }
    for binary in binaries(to)? {
        // What a debugger needs stays in the release folder.
        succeed(Command::new("strip").args(["--strip-unneeded", "--remove-section=.comment"]).arg(binary))?;
    }
    Ok(())
}

/// Programs and libraries of a tree; no links.
pub(super) fn binaries(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["bin", "lib/xsched"].map(|folder| tree.join(folder)) {
        found.extend(files(&folder)?.into_iter().filter(|file| !file.is_symlink()));
    }
    ensure!(!found.is_empty(), "there is nothing in {}", tree.display());
    Ok(found)
}

/// All files below a folder, sorted; links are files.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder with all that is in it.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        copy(&file, &to.join(file.strip_prefix(from)?))?;
    }
    Ok(())
}

/// Copies a file, or a link as a link, making folders on the way.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("copying {} to {}", from.display(), to.display());
    std::fs::create_dir_all(to.parent().with_context(what)?).with_context(what)?;
    match from.is_symlink() {
        true => std::os::unix::fs::symlink(std::fs::read_link(from)?, to).with_context(what),
        false => std::fs::copy(from, to).map(drop).with_context(what),
    }
}
