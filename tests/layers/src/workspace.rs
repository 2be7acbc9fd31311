//! The members of the workspace and what each uses, as cargo understands it.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its folder, relative to the root.
    pub folder: String,
    /// Its crates from this workspace, by folder.
    pub uses: Vec<Use>,
}

/// One member uses another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Folder of the other.
    pub folder: String,
    /// In tests and benchmarks only.
    pub in_tests: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    path: Option<PathBuf>,
    kind: Option<String>,
}

/// The root of the workspace and its members.
pub fn read() -> (PathBuf, Vec<Member>) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let root = metadata.workspace_root;
    let members = metadata.packages.iter().map(|package| member(package, &root)).collect();
    (root, members)
}

/// Whether a folder is meant by a pattern in which `*` stands for one folder name.
pub fn fits(folder: &str, pattern: &str) -> bool {
    let (folder, pattern): (Vec<&str>, Vec<&str>) =
        (folder.split('/').collect(), pattern.split('/').collect());
    folder.len() == pattern.len() && folder.iter().zip(&pattern).all(|(f, p)| *p == "*" || f == p)
}

fn member(package: &Package, root: &Path) -> Member {
    let folder = package.manifest_path.parent().unwrap_or(root);
    let ours = package.dependencies.iter().filter_map(|dependency| {
        let folder = relative(dependency.path.as_deref()?, root);
        Some(Use { folder, in_tests: dependency.kind.as_deref() == Some("dev") })
    });
    Member { folder: relative(folder, root), uses: ours.collect() }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_folder_name() {
        assert!(fits("platforms/a", "platforms/*"));
        assert!(fits("platforms/a/control", "platforms/*/control"));
        assert!(!fits("platforms/a/control", "platforms/*"));
        assert!(!fits("crates/core2", "crates/core"));
    }
}
