//! `xcli sim`: what it prints for small workloads, the pictures of the documents, and what it says about files that are none.
//!
//! `UPDATE_GOLDEN=1 cargo test -p xcli --test cli sim` writes what comes out into the files; read the difference before you keep it.

use crate::support::{output, stderr, stdout, xcli};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim").join(name)
}

/// Compares with the file, or writes it.
fn assert_golden(file: &Path, found: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(file, found).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(kept == found, "{} is not what comes out (UPDATE_GOLDEN=1 writes it):\n{found}", file.display());
}

#[test]
fn small_workloads_come_out_as_kept() {
    for name in ["hpf", "up"] {
        let ran = output(xcli().arg("sim").arg(own(&format!("{name}.toml"))));
        assert!(ran.status.success(), "{}", stderr(&ran));
        assert_golden(&own(&format!("{name}.txt")), &stdout(&ran));
    }
}

#[test]
fn another_seed_is_another_run_and_the_same_seed_is_the_same() {
    let run =
        |seed: &str| stdout(&output(xcli().args(["sim", "--json", "--seed", seed]).arg(own("up.toml"))));
    assert_eq!(run("2"), run("2"));
    assert_ne!(run("2"), run("3"));
}

#[test]
fn pictures_of_the_documents_are_what_comes_out_for_the_examples() {
    let folder = tempfile::tempdir().unwrap();
    let examples = root().join("examples/sim");
    let pictures = std::fs::read_dir(root().join("docs/policies")).into_iter().flatten();
    let pictures = pictures
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "svg"));
    let mut pairs: Vec<(PathBuf, PathBuf)> = pictures
        .map(|picture| (examples.join(picture.file_stem().unwrap()).with_extension("toml"), picture))
        .collect();
    pairs.push((examples.join("hpf.toml"), root().join("docs/sim.svg")));
    for (workload, picture) in pairs {
        let drawn = folder.path().join("drawn.svg");
        let ran = output(xcli().arg("sim").arg(&workload).arg("--svg").arg(&drawn));
        assert!(ran.status.success(), "{}: {}", picture.display(), stderr(&ran));
        assert_golden(&picture, &std::fs::read_to_string(&drawn).unwrap());
    }
}

#[test]
fn the_guides_table_is_what_comes_out_for_its_example() {
    let ran = stdout(&output(xcli().arg("sim").arg(root().join("examples/sim/hpf.toml"))));
    let guide = root().join("docs/sim.md");
    let text = std::fs::read_to_string(&guide).unwrap();
    let (before, rest) = text.split_once("```\nPROGRAM").unwrap();
    let (_, after) = rest.split_once("```\n").unwrap();
    assert_golden(&guide, &format!("{before}```\n{ran}```\n{after}"));
}

#[test]
fn json_has_what_the_text_has_and_the_run_can_be_made_longer() {
    let ran =
        output(xcli().args(["sim", "--json", "--duration", "1s", "--policy", "up"]).arg(own("hpf.toml")));
    let outcome: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&outcome["policy"], &outcome["duration_ns"]), (&"UP".into(), &1_000_000_000u64.into()));
    let programs = outcome["programs"].as_array().unwrap();
    assert_eq!((programs[0]["requests"].as_u64(), programs[1]["processes"].as_u64()), (Some(100), Some(2)));
    assert!(
        programs[0]["latency_ns"]["p99"].as_u64() > Some(2_000_000)
            && programs[1]["missed_deadlines"].is_null()
    );
}

#[test]
fn what_is_wrong_with_a_file_is_said_line_by_line_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.toml");
    std::fs::write(&file, "policy = \"FIFO\"\n[[program]]\nname = \"p\"\nlength = \"5\"\n").unwrap();
    let ran = output(xcli().arg("sim").arg(&file));
    let said = stderr(&ran);
    assert_eq!((ran.status.code(), said.lines().count()), (Some(2), 3), "{said}");
    assert!(
        said.contains("w.toml:1: policy: \"FIFO\" is not valid; expected the name of a policy"),
        "{said}"
    );
    let ran = output(xcli().args(["sim", "--json"]).arg(&file));
    let error: Value = serde_json::from_slice(&ran.stderr).unwrap();
    assert_eq!(error["error"]["problems"].as_array().unwrap().len(), 3, "{error}");
}

#[test]
fn flags_that_cannot_be_meant_are_refused() {
    let code = |arguments: &[&str]| output(xcli().arg("sim").args(arguments)).status.code();
    let hpf = own("hpf.toml");
    let hpf = hpf.to_str().unwrap();
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&[hpf, "--trace", "x"]), Some(2));
    assert_eq!(code(&[hpf, "--duration", "0ms"]), Some(2));
    assert_eq!(code(&[hpf, "--draw", "0ms..1ms"]), Some(2), "without a picture");
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("x.svg");
    assert_eq!(code(&[hpf, "--draw", "0ms..2s", "--svg", svg.to_str().unwrap()]), Some(2), "behind the end");
    assert_eq!(code(&["/nonexistent.toml"]), Some(1));
}

#[test]
fn a_file_that_is_no_recording_is_refused_with_its_place() {
    let ran = output(xcli().arg("sim").arg("--trace").arg(own("hpf.toml")));
    assert_eq!(ran.status.code(), Some(1));
    assert!(stderr(&ran).contains("it is not a recording of xserver"), "{}", stderr(&ran));
    let seed = root().join("fuzz/seeds/trace/whole");
    // Its one decision is made up.
    let ran = output(xcli().arg("sim").arg("--trace").arg(seed));
    let said = stderr(&ran);
    assert_eq!(ran.status.code(), Some(1));
    assert!(said.contains("comes out otherwise") && said.contains("Suspend { client: ClientId(1)"), "{said}");
    // Under another policy that is a warning, and so is what the recording cannot tell it.
    let ran = output(
        xcli().args(["sim", "--policy", "CHPF", "--trace"]).arg(root().join("fuzz/seeds/trace/whole")),
    );
    let said = stderr(&ran);
    assert!(
        ran.status.success() && said.contains("comes out otherwise") && said.contains("all are alike"),
        "{said}"
    );
    assert!(stdout(&ran).contains("greedy[4711]"), "{}", stdout(&ran));
}
