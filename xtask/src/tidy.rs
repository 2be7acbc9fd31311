//! What neither rustfmt, clippy nor tests/layers looks at: length of files, marks of unfinished work, paths of one
//! machine, stray white space, links and paths in documents that lead nowhere, and rules whose tests are not there.
//!
//! Looks at what git tracks or would track. Deliberately absent: drift of generated files (tests of the crate that
//! generates them find that) and rules about what a crate may use (tests/layers).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tally::Tally;

/// Lines of a source file that nobody generated. About 400 are the aim.
const LONGEST: usize = 700;

/// What is not finished, or is of one machine. Split, so that this file does not find itself.
const UNWANTED: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "finish it, or open an issue"),
    (concat!("XX", "X"), "finish it, or open an issue"),
    (concat!("TO", "DO"), "finish it, or open an issue"),
    (concat!("#[ign", "ore"), "make it run in bounded time, or slow (SLOW_TESTS=1)"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/tmp/tar", "get"), "a path of one machine"),
    (concat!("/ro", "ot/."), "a path of one machine"),
];

/// Folders of the root whose paths, named in a document, must exist.
const FOLDERS: &[&str] = &[
    "bin",
    "crates",
    "docs",
    "examples",
    "fuzz",
    "lib",
    "platforms",
    "python",
    "rust",
    "shims",
    "tests",
    "xtask",
];

/// The rules, each with tests that fail without it.
const RULES: &str = "docs/design/rules.md";

/// Runs the task.
pub(crate) fn run() -> Result<Tally> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut tally = Tally::default();
    for path in files(root)? {
        // A file that was deleted but not yet for git, or is not text, is no matter of ours.
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else { continue };
        let mut complaints = complaints(&path, &text);
        if path.ends_with(".md") {
            complaints.extend(dead_ends(root, &path, &text));
        }
        if complaints.is_empty() {
            tally.pass(1);
        }
        for (line, complaint) in complaints {
            tally.fail(format!("{path}:{line}: {complaint}"));
        }
    }
    Ok(tally)
}

/// All files of the project, relative to `root`.
fn files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("starting git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Line, and what is wrong with it.
type Complaints = Vec<(usize, String)>;

fn complaints(path: &str, text: &str) -> Complaints {
    let mut complaints = Complaints::new();
    // Seeds are for the fuzzer: bytes, which may look like text.
    if path == "LICENSE" || path.ends_with("Cargo.lock") || path.starts_with("fuzz/seeds/") {
        return complaints;
    }
    let is_generated = text.lines().next().is_some_and(|line| line.contains("@generated"));
    let length = text.lines().count();
    if path.ends_with(".rs") && !is_generated && length > LONGEST {
        complaints.push((length, format!("{length} lines; split it where it does two things")));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        complaints.push((length, "no line end at the end of the file".to_owned()));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_end() != line && !path.ends_with(".patch") {
            complaints.push((number, "white space at the end of the line".to_owned()));
        }
        for (word, advice) in UNWANTED.iter().filter(|(word, _)| has_word(line, word)) {
            complaints.push((number, format!("{word}: {advice}")));
        }
    }
    complaints
}

/// Whether `word` is in `line`, not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = line.as_bytes();
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + word.len());
        let begins_with_letter = word.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        let ends_with_capital = word.as_bytes().last().is_some_and(u8::is_ascii_uppercase);
        !(begins_with_letter && is_letter(before) || ends_with_capital && is_letter(after))
    })
}

/// Links of a document, and paths in its code spans, that lead to no file.
fn dead_ends(root: &Path, path: &str, text: &str) -> Complaints {
    let folder = root.join(path).parent().map_or_else(|| root.to_owned(), Path::to_owned);
    let mut complaints = Complaints::new();
    let (mut is_code, mut is_row) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for target in links(line).filter(|target| !folder.join(target).exists()) {
            complaints.push((number, format!("links to {target}, which is not there")));
        }
        for span in spans(line).filter_map(path_in) {
            if !root.join(span).exists() && !folder.join(span).exists() {
                complaints.push((number, format!("names {span}, which is not there")));
            }
        }
        for (file, item) in spans(line).filter_map(item_in) {
            let code = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            if !code.is_empty() && !code.lines().any(|line| has_item(line, item)) {
                complaints.push((number, format!("names {item}, which is not in {file}")));
            }
        }
        if path == RULES && is_row && line.starts_with('|') && !spans(line).any(is_test) {
            complaints.push((number, "a rule without a test".to_owned()));
        }
        // The rows of a table come after the line below its head.
        is_row = line.starts_with("|--") || is_row && line.starts_with('|');
    }
    complaints
}

/// What stands between backquotes.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a span names a test: a function of a source file, or a trace.
fn is_test(span: &str) -> bool {
    path_in(span).is_some() && (span.ends_with(".trace") || item_in(span).is_some())
}

/// The source file and the item in it that a span names, as in `xtask/src/tidy.rs::item_in`.
fn item_in(span: &str) -> Option<(&str, &str)> {
    let (file, item) = span.split_once("::")?;
    let is_name = !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && file.ends_with(".rs") && path_in(file).is_some()).then_some((file, item))
}

/// Whether a line of code has this name as a word of its own.
fn has_item(line: &str, item: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(|c| !is_part(c)).any(|word| word == item)
}

/// Targets of `[text](target)` that are files: no addresses, no places in the same document.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ', '#']).next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

/// The path that a code span is, if it is one from the root and without a gap to fill in.
fn path_in(span: &str) -> Option<&str> {
    let path = span.split("::").next()?.split(':').next()?;
    let (folder, rest) = path.split_once('/')?;
    let is_plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    (FOLDERS.contains(&folder) && is_plain && !rest.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_and_stray_space_are_found_by_line() {
        let text = format!("fn f() {{}}\n// {}: later \n", concat!("FIX", "ME"));
        let found = complaints("a.rs", &text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 2], "{found:?}");
        assert!(complaints("a.rs", "fn f() {}\n").is_empty());
        assert_eq!(complaints("a.rs", "fn f() {}").len(), 1);
    }

    #[test]
    fn a_word_inside_another_is_not_meant() {
        assert!(!has_word(concat!("mktemp dir.XX", "XXXX"), concat!("XX", "X")));
        assert!(has_word(concat!("// XX", "X: why"), concat!("XX", "X")));
        assert!(has_word(concat!("cd /wo", "rk/x"), concat!("/wo", "rk/")));
    }

    #[test]
    fn long_files_are_found_unless_generated() {
        let long = "//\n".repeat(LONGEST + 1);
        assert_eq!(complaints("a.rs", &long).len(), 1);
        assert!(complaints("a.rs", &format!("// @generated by x\n{long}")).is_empty());
        assert!(complaints("a.md", &long).is_empty());
    }

    #[test]
    fn links_and_paths_that_lead_nowhere_are_found() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let text = "See [here](src/main.rs), [there](https://example.org/x), [below](#below).
[gone](src/gone.rs#top) `xtask/src/main.rs:3` `xtask/gone.rs` `platforms/<name>/x` `tests/*/a`
```
[not](a-link.rs)
```
";
        let found = dead_ends(root, "xtask/README.md", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|(line, _)| *line == 2));
    }

    #[test]
    fn a_named_test_that_is_not_there_and_a_rule_without_a_test_are_found() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        // Split, so that this file does not have what it is said not to have.
        let text = concat!(
            "| rule | tests |\n|---|---|\n",
            "| one | `xtask/src/tidy.rs::a_word_inside_another_is_not_meant` |\n",
            "| two | `xtask/src/tidy.rs::a_word",
            "_too_many` |\n| three | `xtask/src/tidy.rs` |\n",
        );
        let lines = |path| dead_ends(root, path, text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines(RULES), [4, 5]);
        assert_eq!(lines("docs/other.md"), [4]);
    }
}
