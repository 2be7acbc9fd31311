//! The fuzzer's targets as plain tests: every seed, every input that once was a bug, and some random ones.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use test_edges::{TARGETS, Target, run};

/// Inputs that are made up for each target: bytes without a thought, and seeds with changes.
const RANDOM: u32 = 128;

fn fuzz() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz")).to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One target counts the process's open files, so it runs alone.
static COUNTS_FILES: RwLock<()> = RwLock::new(());

/// All that is kept of a target, with the file's name for the one who looks at a failure.
fn replay(name: &str) {
    let _alone = (name == "server").then(|| COUNTS_FILES.write());
    let _beside = (name != "server").then(|| COUNTS_FILES.read());
    for file in files(&fuzz().join("seeds").join(name)) {
        println!("{}", file.display());
        run(name, &std::fs::read(&file).unwrap());
    }
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let mut runner =
        TestRunner::new(Config { cases: RANDOM, failure_persistence: None, ..Config::default() });
    (target.seeds)().iter().for_each(|(_, bytes)| (target.run)(bytes));
    let test = |bytes: Vec<u8>| {
        (target.run)(&bytes);
        Ok(())
    };
    let bytes = proptest::collection::vec(any::<u8>(), 0..600);
    runner.run(&bytes, test).unwrap();
    runner.run(&changed((target.seeds)()), test).unwrap();
}

/// Seeds, one behind the other, with some bytes changed.
fn changed(seeds: Vec<test_edges::Seed>) -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let chosen = proptest::collection::vec(prop::sample::select(seeds), 1..3);
    (chosen, changes).prop_map(|(chosen, changes)| {
        let mut bytes = chosen.concat();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

#[test]
fn messages_replay() {
    replay("message");
}

#[test]
fn what_strangers_send_to_the_server_replays() {
    replay("socket");
}

#[test]
fn pages_replay() {
    replay("page");
}

#[test]
fn what_hostile_servers_send_replays() {
    replay("server");
}

#[test]
fn settings_replay() {
    replay("settings");
}

#[test]
fn programs_replay() {
    replay("program");
}

#[test]
fn rules_replay() {
    replay("rules");
}

#[test]
fn texts_replay() {
    replay("text");
}

#[test]
fn recordings_replay() {
    replay("trace");
}

#[test]
fn workloads_replay() {
    replay("workload");
}

#[test]
fn every_target_is_known_to_the_fuzzer_and_has_its_seeds() {
    let _beside = COUNTS_FILES.read();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let mut known: Vec<String> = files(&fuzz().join("fuzz_targets"))
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    known.sort_by_key(|name| names.iter().position(|other| other == name));
    assert_eq!(known, names);
    // What is in them may be of an older layout: they are where a fuzzer begins, no more.
    for Target { name, seeds, .. } in TARGETS {
        for (seed, _) in seeds() {
            let path = fuzz().join("seeds").join(name).join(seed);
            assert!(path.is_file(), "{}: run cargo xtask fuzz --write-seeds", path.display());
        }
    }
}
