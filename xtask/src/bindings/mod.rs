//! Writes what the Python package and the Rust crate have in common with C and with our tables: numbers, names and help texts.
//!
//! Enums come from include/xsched/types.h, policies from `sched`, hints from `core`; nobody types one a second time. The results are
//! committed, and a test below fails when they have drifted. Deliberately absent: functions, which both write by hand, each in its own way.

mod header;
mod python;
mod rust;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use header::Header;

/// Write the enums and tables of the Python package and the Rust crate anew.
#[derive(clap::Args)]
pub(crate) struct Args {}

const HEADER: &str = "include/xsched/types.h";

/// Runs the task.
pub(crate) fn run(_: &Args) -> Result<()> {
    for (path, text) in generate()? {
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Each file with what should be in it.
fn generate() -> Result<Vec<(PathBuf, String)>> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let text = std::fs::read_to_string(root.join(HEADER)).with_context(|| format!("reading {HEADER}"))?;
    let header = Header::parse(&text)?;
    Ok(vec![
        (root.join("python/src/xsched/_generated.py"), python::text(&header)),
        (root.join("rust/src/generated.rs"), rustfmt(&rust::text(&header))?),
    ])
}

/// `SyncHwQueue` as `SYNC_HW_QUEUE`.
fn upper(name: &str) -> String {
    let mut upper = String::new();
    let mut before = None;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_some_and(|b: char| b.is_ascii_lowercase()) {
            upper.push('_');
        }
        upper.push(c.to_ascii_uppercase());
        before = Some(c);
    }
    upper
}

/// `lax_priority` as `LaxPriority`.
fn camel(name: &str) -> String {
    let part = |part: &str| part[..1].to_uppercase() + &part[1..].to_lowercase();
    name.split('_').filter(|word| !word.is_empty()).map(part).collect()
}

/// As `cargo fmt` would have it.
fn rustfmt(text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", concat!(env!("CARGO_MANIFEST_DIR"), "/..")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting rustfmt")?;
    let mut input = child.stdin.take().context("rustfmt has an input")?;
    // It reads all before it writes.
    input.write_all(text.as_bytes()).context("writing to rustfmt")?;
    drop(input);
    let output = child.wait_with_output().context("waiting for rustfmt")?;
    ensure!(output.status.success(), "rustfmt failed ({})", output.status);
    String::from_utf8(output.stdout).context("reading from rustfmt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_generated_is_what_would_be_generated_now() {
        for (path, text) in generate().unwrap() {
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} has drifted: run cargo xtask bindings", path.display());
        }
    }

    #[test]
    fn names_are_spelt_as_each_language_spells_them() {
        assert_eq!([upper("SyncHwQueue"), upper("CPU"), upper("None")], ["SYNC_HW_QUEUE", "CPU", "NONE"]);
        assert_eq!([camel("lax_priority"), camel("HPF")], ["LaxPriority", "Hpf"]);
    }
}
