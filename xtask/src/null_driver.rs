//! The Level Zero loader's null driver: it answers every call and does nothing. Debian does not package it, but the source package of the
//! loader has it, so it is built from that into the target folder, once.
//!
//! Optional: where it cannot be had, one line says why, and the tests that need it say that they are left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Need};

/// What building it takes.
const NEEDS: &[Need] = &[
    Need::program("apt-get", "apt"),
    Need::program("dpkg-source", "dpkg-dev"),
    Need::program("cmake", "cmake"),
    Need::program("make", "make"),
    Need::program("g++", "g++"),
];

const LIBRARY: &str = "libze_null.so.1";

/// The null driver's file, built if it is not there yet; `None` if that is impossible.
pub(crate) fn get(target: &Path, may_install: bool) -> Option<PathBuf> {
    let library = target.join("level-zero").join(LIBRARY);
    if !library.is_file()
        && let Err(why) = setup::ensure(NEEDS, may_install).and_then(|()| build(&library))
    {
        println!("left out: the Level Zero null driver: {why:#}");
        return None;
    }
    Some(library)
}

fn build(library: &Path) -> Result<()> {
    eprintln!("building the Level Zero null driver …");
    let work = tempfile::tempdir().context("creating a temporary folder")?;
    let work = work.path();
    let source = source(work)?;
    let build = work.join("build");
    quietly(
        Command::new("cmake").arg("-S").arg(&source).arg("-B").arg(&build).arg("-DCMAKE_BUILD_TYPE=Release"),
    )?;
    quietly(Command::new("make").arg("-C").arg(&build).arg("ze_null"))?;
    let folder = library.parent().context("the library has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let fresh = library.with_extension("new");
    std::fs::copy(build.join("lib").join(LIBRARY), &fresh).context("copying what was built")?;
    std::fs::rename(&fresh, library).with_context(|| format!("writing {}", library.display()))
}

/// Downloads and unpacks the source package. The system's own lists stay as they are: most have no source packages.
fn source(work: &Path) -> Result<PathBuf> {
    let (parts, lists) = (work.join("sources.list.d"), work.join("lists"));
    for folder in [&parts, &lists] {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let mut found = 0;
    let theirs = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    for path in theirs.map(|entry| entry.path()).chain([PathBuf::from("/etc/apt/sources.list")]) {
        // As apt does: what has another ending is switched off.
        let is_list = path.extension().is_some_and(|extension| extension == "list" || extension == "sources");
        let (Ok(text), Some(name), true) = (std::fs::read_to_string(&path), path.file_name(), is_list) else {
            continue;
        };
        std::fs::write(parts.join(name), source_packages(&text)).context("writing a list of sources")?;
        found += 1;
    }
    ensure!(found > 0, "apt knows no archive");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        for (option, path) in [
            ("Dir::Etc::sourcelist", Path::new("/dev/null")),
            ("Dir::Etc::sourceparts", &parts),
            ("Dir::State::lists", &lists),
            ("Dir::Cache", work),
        ] {
            command.arg("-o").arg(format!("{option}={}", path.display()));
        }
        // Else it wants a user of its own to be able to write here.
        command.args(["-o", "APT::Sandbox::User=root"]).args(arguments).current_dir(work);
        quietly(&mut command)
    };
    apt(&["update", "-qq"])?;
    apt(&["source", "-qq", "level-zero"])?;
    let mut unpacked = std::fs::read_dir(work).context("reading what was unpacked")?.flatten();
    let is_source = |path: &PathBuf| path.join("source/drivers/null").is_dir();
    unpacked.find_map(|entry| Some(entry.path()).filter(is_source)).context("the package has no null driver")
}

/// A list of archives, with their source packages instead of the binary ones.
fn source_packages(list: &str) -> String {
    let line = |line: &str| match line.strip_prefix("Types:") {
        Some(_) => "Types: deb-src\n".to_owned(),
        None => match line.strip_prefix("deb ") {
            Some(rest) => format!("deb-src {rest}\n"),
            None => format!("{line}\n"),
        },
    };
    list.lines().map(line).collect()
}

fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.trim().lines().rev().take(5).collect();
    ensure!(
        output.status.success(),
        "{:?} failed ({}): {}",
        command.get_program(),
        output.status,
        last.into_iter().rev().collect::<Vec<_>>().join("; ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_archives_then_it_names_their_source_packages() {
        let deb822 = "Types: deb\nURIs: http://archive\nSuites: stable\n";
        assert_eq!(source_packages(deb822), "Types: deb-src\nURIs: http://archive\nSuites: stable\n");
        assert_eq!(
            source_packages("# ours\ndeb http://archive stable main"),
            "# ours\ndeb-src http://archive stable main\n"
        );
    }
}
