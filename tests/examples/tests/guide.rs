//! docs/write-a-policy.md, followed to the letter in a copy of the tree: its file, its row, its trace, its workload, and what its commands write.
//!
//! The copy, and what is built of it, are in the target folder and stay there, so that a second run builds little. What takes minutes (xserver, and all tests of the scheduler) is done with `SLOW_TESTS=1`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A block of the guide between two fences, and what it is marked as.
struct Block {
    kind: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// `target`, seen from `target/PROFILE/deps/this-test`.
fn target() -> PathBuf {
    std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(3)
        .expect("a test lies in target/PROFILE/deps")
        .to_path_buf()
}

fn blocks(guide: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for line in guide.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            is_inside = !is_inside;
            if is_inside {
                blocks.push(Block { kind: kind.to_owned(), text: String::new() });
            }
        } else if is_inside && let Some(block) = blocks.last_mut() {
            block.text += &format!("{line}\n");
        }
    }
    blocks
}

/// Makes `to` what `from` is, and leaves files alone that are so already: their times decide what is built anew.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let names = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let wanted = names(from);
    for name in names(to).into_iter().filter(|name| !wanted.contains(name)) {
        let extra = to.join(name);
        if extra.is_dir() { fs::remove_dir_all(extra).unwrap() } else { fs::remove_file(extra).unwrap() }
    }
    for name in wanted {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() && !from.is_symlink() {
            // Neither what is built nor what belongs to tools.
            if name != "target" && name != ".git" {
                copy(&from, &to);
            }
        } else if from.is_file() && fs::read(&from).unwrap() != fs::read(&to).unwrap_or_default() {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Runs a command line in the tree; answers what it writes.
fn shell(tree: &Path, line: &str) -> String {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(tree)
        // Its own: in one that is shared, who builds meanwhile puts his `xcli` in the place of this tree's.
        .env("CARGO_TARGET_DIR", target().join("guide-built"))
        .env("CARGO_TERM_COLOR", "never");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn a_policy_is_written_as_the_guide_says_then_all_that_it_shows_comes_true() {
    let guide = fs::read_to_string(root().join("docs/write-a-policy.md")).unwrap();
    let blocks = blocks(&guide);
    let kinds: Vec<&str> = blocks.iter().map(|block| block.kind.as_str()).collect();
    assert_eq!(kinds, ["rust", "rust", "sh", "", "sh", "", "toml", "sh", "", "sh"]);
    let text = |at: usize| blocks[at].text.as_str();
    let line = |at: usize, of: usize| blocks[at].text.lines().nth(of).unwrap();
    let is_slow = std::env::var("SLOW_TESTS").is_ok_and(|slow| slow == "1");

    let tree = target().join("guide");
    copy(&root(), &tree);
    // 1 and 2: the file and the row.
    fs::write(tree.join("crates/sched/src/policy/newest.rs"), text(0)).unwrap();
    let table = tree.join("crates/sched/src/policy/mod.rs");
    let mut policies = fs::read_to_string(&table).unwrap();
    for (wanted, beside) in
        [("mod newest;", "mod mlfq;\n"), ("pub use newest::Newest;", "pub use lax::Lax;\n")]
    {
        assert!(guide.contains(&format!("`{wanted}`")) && policies.contains(beside), "{wanted}");
        policies = policies.replacen(beside, &format!("{beside}{wanted}\n"), 1);
    }
    let rows = policies.find("\npolicies! {").expect("the table");
    let end = rows + policies[rows..].find("\n}").expect("its end") + 1;
    policies.insert_str(end, text(1));
    fs::write(&table, policies).unwrap();
    if is_slow {
        assert!(shell(&tree, text(2)).contains("Newest first: "), "its first line is its help");
    }

    // 3: the trace.
    fs::write(tree.join("crates/sched/tests/traces/newest_goes_first.trace"), text(3)).unwrap();
    shell(&tree, line(4, 0));
    assert_eq!(shell(&tree, line(4, 1)), text(5));

    // 4: the simulator.
    fs::write(tree.join("newest.toml"), text(6)).unwrap();
    assert_eq!(shell(&tree, line(7, 0)), text(8));
    assert!(fs::read_to_string(tree.join("newest.svg")).unwrap().contains("</svg>"));
    let other = shell(&tree, line(7, 1));
    assert!(other.contains("policy HPF") && other.contains("new           10 14.0 ms"), "{other}");

    // 5: the rules.
    if is_slow {
        shell(&tree, text(9));
    }
}
