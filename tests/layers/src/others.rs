//! The crates of others: where they come from, their licences, and those that are not wanted.
//!
//! Deliberately absent: known vulnerabilities, which stand in a database elsewhere (`cargo audit` reads it), and versions: the
//! lock file has those.

use crate::table::{BANNED, LICENCES};
use serde::Deserialize;
use std::process::Command;

/// The only place they may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A crate of others, as cargo knows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Other {
    /// Its name.
    pub name: String,
    /// Where it comes from; nothing for what is in this workspace.
    pub source: Option<String>,
    /// Its licence, as an SPDX expression, mostly.
    pub license: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Other>,
}

/// All that the lock file holds for this machine's kind.
pub fn read() -> Vec<Other> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version=1", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata.packages.into_iter().filter(|package| package.source.is_some()).collect()
}

/// What is wrong with it.
pub fn breaches(other: &Other) -> Vec<String> {
    let Other { name, source, license } = other;
    let mut breaches = Vec::new();
    if source.as_deref() != Some(REGISTRY) {
        breaches.push(format!("{name} comes from {source:?}; crates of others come from crates.io only."));
    }
    if let Some((_, why)) = BANNED.iter().find(|(banned, _)| banned == name) {
        breaches.push(format!(
            "{name} is used: {why}. `cargo tree --invert {name}` says by whom; see BANNED in tests/layers/src/table.rs."
        ));
    }
    if !license.as_deref().is_some_and(fits) {
        breaches.push(format!(
            "{name} has the licence {license:?}. Those that fit are LICENCES in tests/layers/src/table.rs; read it before \
             you add one."
        ));
    }
    breaches
}

/// Whether it can be had under licences of the list. Older crates write a stroke where a choice is meant.
fn fits(license: &str) -> bool {
    let expression = spdx::Expression::parse_mode(license, spdx::ParseMode::LAX);
    expression.is_ok_and(|expression| {
        expression.evaluate(|wanted| {
            LICENCES.contains(&wanted.license.to_string().as_str()) && wanted.addition.is_none()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_fits_if_one_of_it_does_and_a_sum_if_all_do() {
        for fitting in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-2.0-only) AND Unicode-3.0",
        ] {
            assert!(fits(fitting), "{fitting}");
        }
        for other in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "", "my own"] {
            assert!(!fits(other), "{other}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_crate_is_said() {
        let source = Some(REGISTRY.to_owned());
        let good = Other { name: "serde".into(), source, license: Some("MIT".into()) };
        assert!(breaches(&good).is_empty());
        let bad =
            Other { name: "paste".into(), source: Some("git+https://example.org".into()), license: None };
        assert_eq!(breaches(&bad).len(), 3);
    }
}
