//! Benchmarks of the host on a machine that has neither cargo nor this tree.
//!
//! A bundle is a folder with xserver and xcli as an installation has them, the programs that measure, and this very program under the name
//! [`RUN`], which by that name knows that it is in one. It is copied whole. What it records lies in `results`, each file the measured part of the one in
//! docs/results that has its name. Deliberately absent: libraries, and all that needs a driver.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::stage;

/// The name of this program in a bundle.
const RUN: &str = "run";
const RESULTS: &str = "results";
/// Packages whose programs measure, and those programs.
const PROGRAMS: [(&str, &str); 1] = [("test-load", "load")];

/// The bundle that this program runs out of.
pub(crate) struct Bundle(PathBuf);

impl Bundle {
    /// That bundle, if it does.
    pub(crate) fn here() -> Result<Option<Bundle>> {
        let own = std::env::current_exe().context("finding this program")?;
        let is_one = own.file_name().is_some_and(|name| name == RUN);
        Ok(own.parent().filter(|_| is_one).map(|folder| Bundle(folder.into())))
    }

    /// Fails if a package is asked for whose programs are not in it.
    pub(super) fn has(&self, packages: &[&str]) -> Result<()> {
        for package in packages {
            let is_there = PROGRAMS.iter().any(|(known, _)| known == package);
            ensure!(is_there, "a bundle has no {package}: this benchmark runs in the source tree only");
        }
        Ok(())
    }

    pub(super) fn stage(&self) -> PathBuf {
        self.0.join("xsched")
    }

    pub(super) fn programs(&self) -> PathBuf {
        self.0.clone()
    }

    /// Records the measured part of a results file.
    pub(super) fn keep(&self, name: &str, tables: &str) -> Result<()> {
        let path = self.0.join(RESULTS).join(name);
        std::fs::create_dir_all(self.0.join(RESULTS)).context("creating the folder of results")?;
        std::fs::write(&path, tables).with_context(|| format!("writing {}", path.display()))?;
        println!("recorded in {}", path.display());
        Ok(())
    }
}

/// Builds and copies everything that is needed.
pub(super) fn lay_out(folder: &Path) -> Result<()> {
    eprintln!("building …");
    let release = stage::build(&["xserver", "xcli", "test-load"])?;
    let mut parts = vec![
        (release.join("xserver"), "xsched/bin/xserver"),
        (release.join("xcli"), "xsched/bin/xcli"),
        (std::env::current_exe().context("finding this program")?, RUN),
    ];
    parts.extend(PROGRAMS.map(|(_, program)| (release.join(program), program)));
    for (from, to) in parts {
        stage::copy(&from, &folder.join(to))?;
        // Debug information is most of it, and nobody debugs there.
        let _ = Command::new("strip").arg("--strip-debug").arg(folder.join(to)).status();
    }
    println!("on another machine: {}/{RUN} host --record", folder.display());
    println!("and with what it left there: cargo xtask bench --take {}", folder.display());
    Ok(())
}

/// Puts what was recorded in a bundle into docs/results.
pub(super) fn take(folder: &Path) -> Result<()> {
    let results = folder.join(RESULTS);
    let files = results.read_dir().with_context(|| format!("reading {}", results.display()))?;
    for file in files {
        let path = file?.path();
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.file_name().and_then(|name| name.to_str()).context("a file has a name")?;
        super::put(name, &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bundle_lacks_is_refused_by_name() {
        let bundle = Bundle("/bundle".into());
        bundle.has(&["test-load"]).unwrap();
        let refused = bundle.has(&["test-load", "test-system"]).unwrap_err().to_string();
        assert!(refused.contains("test-system"), "{refused}");
        assert!(Bundle::here().unwrap().is_none(), "this is a test, not a bundle");
    }

    #[test]
    fn what_was_kept_in_a_bundle_lies_where_it_is_taken_from() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle(folder.path().into());
        bundle.keep("scale.md", "| a table |").unwrap();
        let kept = std::fs::read_to_string(folder.path().join("results/scale.md")).unwrap();
        assert_eq!(kept, "| a table |");
        // A name that docs/results does not have is an error, not a new file.
        std::fs::rename(folder.path().join("results/scale.md"), folder.path().join("results/none.md"))
            .unwrap();
        assert!(take(folder.path()).is_err());
    }
}
