//! Runs the loom proofs, and proves that they prove something.
//!
//! A proof is a test `crates/*/tests/*_loom.rs`. All must pass as the code stands. Then each name that is declared with
//! `weakenable!` is weakened by itself, and at least one proof of its crate must fail: an ordering that can be weakened
//! unnoticed is either not needed or not proved. A weakened build that does not compile is an error, not a proof.
//!
//! The name reaches our own crates by a compiler wrapper instead of `RUSTFLAGS`, because cargo would compile all
//! dependencies anew for other `RUSTFLAGS`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::stage;
use crate::tally::Tally;

/// A crate with proofs.
struct Proved {
    package: String,
    /// Its proofs: names of its integration tests.
    proofs: Vec<String>,
    /// What its proofs must find weakened.
    names: Vec<String>,
}

/// Runs the task.
pub(crate) fn run() -> Result<Tally> {
    let crates = find(&stage::metadata()?)?;
    let target = stage::target_dir()?.join("loom");
    let mut tally = Tally::default();

    let mut test = cargo_test(&target);
    for proved in &crates {
        test.args(["--package", &proved.package]);
        test.args(proved.proofs.iter().flat_map(|proof| ["--test", proof]));
    }
    tally.add_run(&mut test)?;
    if !tally.is_clean() {
        return Ok(tally);
    }

    for proved in &crates {
        for name in &proved.names {
            if is_noticed(proved, name, &target)? {
                println!("weakened {name}: a proof fails, as it must");
                tally.pass(1);
            } else {
                tally.fail(format!("weakened {name}: no proof of {} notices", proved.package));
            }
        }
    }
    Ok(tally)
}

/// Whether a proof fails with `name` weakened.
fn is_noticed(proved: &Proved, name: &str, target: &Path) -> Result<bool> {
    let wrapper = wrapper(name, target)?;
    let cargo = |last: &str| {
        let mut test = cargo_test(target);
        test.args(["--quiet", "--package", &proved.package, last]).env("RUSTC_WORKSPACE_WRAPPER", &wrapper);
        test.args(proved.proofs.iter().flat_map(|proof| ["--test", proof]));
        // Only the exit status counts; a proof that fails prints pages.
        test.stdout(Stdio::null());
        test
    };
    let built = cargo("--no-run").status().context("starting cargo test")?;
    ensure!(
        built.success(),
        "building the proofs of {} with {name} weakened failed ({built})",
        proved.package
    );
    let ran = cargo("--no-fail-fast").stderr(Stdio::null()).status().context("starting cargo test")?;
    Ok(!ran.success())
}

fn cargo_test(target: &Path) -> Command {
    let mut command = stage::cargo();
    command.arg("test").arg("--target-dir").arg(target);
    command.env("RUSTFLAGS", "--cfg loom").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // A proof that fails leaves nothing to debug with, and there are many to link.
    command.env("CARGO_PROFILE_TEST_DEBUG", "0").env("CARGO_INCREMENTAL", "0").env("RUST_BACKTRACE", "0");
    command
}

/// A compiler wrapper that weakens `name`. Each has a path of its own, by which cargo tells the results apart.
fn wrapper(name: &str, target: &Path) -> Result<PathBuf> {
    let folder = target.join("weaken");
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let path = folder.join(name);
    let script = format!("#!/bin/sh\nexec \"$@\" --cfg 'xsched_weaken=\"{name}\"'\n");
    std::fs::write(&path, script)
        .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The crates with proofs, in the order of `cargo metadata`.
fn find(metadata: &serde_json::Value) -> Result<Vec<Proved>> {
    let mut crates = Vec::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists packages")? {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let name = text(&package["name"]).context("a package has a name")?;
        let manifest = text(&package["manifest_path"]).context("a package has a manifest")?;
        let targets = package["targets"].as_array().context("a package has targets")?;
        let is_test = |target: &&serde_json::Value| target["kind"][0] == "test";
        let tests = targets.iter().filter(is_test).filter_map(|target| text(&target["name"]));
        let proofs: Vec<String> = tests.filter(|test| test.ends_with("_loom")).collect();
        let folder = Path::new(&manifest).parent().context("a manifest is in a folder")?.join("src");
        let mut names = Vec::new();
        // A package of tests alone has none.
        if folder.is_dir() {
            read_names(&folder, &mut names)?;
        }
        for weak in &names {
            if let Some(other) = owners.insert(weak.clone(), name.clone()) {
                bail!("{weak} is declared twice: in {other} and in {name}");
            }
        }
        match (proofs.is_empty(), names.is_empty()) {
            (true, true) => {}
            (true, false) => bail!("{name} declares {}, but has no tests/*_loom.rs", names.join(", ")),
            _ => crates.push(Proved { package: name, proofs, names }),
        }
    }
    ensure!(!crates.is_empty(), "no crate has a tests/*_loom.rs");
    Ok(crates)
}

fn read_names(folder: &Path, names: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_names(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            names.extend(names_in(&text).with_context(|| path.display().to_string())?);
        }
    }
    Ok(())
}

/// The names that a source file declares: the last string of each `weakenable!`.
fn names_in(source: &str) -> Result<Vec<String>> {
    let declarations = source.split("\nweakenable! {\n").skip(1);
    declarations
        .map(|rest| {
            let declaration = rest.split("\n}").next().unwrap_or(rest);
            let name = declaration.rsplit('"').nth(1).context("a weakenable! without a name")?;
            ensure!(
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name:?} is no name for a weakenable!: a-z and _ only"
            );
            Ok(name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_string_of_its_declaration() {
        // The macro's name is put in here, for this file to declare nothing.
        let source = r#"
use crate::@;

@! {
    /// With a "word" in quotes.
    const A: Ordering = Release, "first"
}
@! {
    const B: bool, "the_second"
}
fn f() -> &'static str { "not this" }
"#;
        assert_eq!(names_in(&source.replace('@', "weakenable")).unwrap(), ["first", "the_second"]);
    }

    #[test]
    fn a_name_that_a_shell_or_cargo_might_misread_is_refused() {
        assert!(names_in("\nweakenable! {\n    const B: bool, \"it's\"\n}\n").is_err());
        assert!(names_in("\nweakenable! {\n    const B: bool\n}\n").is_err());
    }

    #[test]
    fn the_workspace_has_proofs_with_names() {
        let crates = find(&stage::metadata().unwrap()).unwrap();
        let queue = crates.iter().find(|proved| proved.package == "xsched-queue").expect("has proofs");
        assert!(queue.names.iter().any(|name| name == "gate_wake"), "{:?}", queue.names);
    }
}
