//! All tests of the workspace in two lanes, side by side: programs under a real server mostly wait, and so leave time for everything else.
//!
//! Tests with a `Machine` of test-system have it one after the other, whatever program they are in; those programs are one lane, all others
//! the other, with the machine's second choice of what to run, so that the first goes about as fast as alone. Everything is built before, so
//! neither lane waits for the other's cargo. Both choose among the tests of the same packages, so that cargo takes what was built for both.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::stage;
use crate::tally::Tally;

/// Packages whose tests have machines.
const WITH_MACHINES: [&str; 6] =
    ["test-system", "test-capi", "test-examples", "test-levelzero", "test-python", "test-gpu"];
/// Tests of theirs that have none, and take long.
const WITHOUT: [&str; 2] = ["guide", "wheel"];
/// What the other lane's lines begin with, and how nice it is.
const MARK: &str = "| ";
const NICE: i32 = 10;

/// Names of test programs.
#[derive(Debug, Default)]
struct Lanes {
    machines: BTreeSet<String>,
    others: BTreeSet<String>,
}

/// Stages what is tested and builds all tests beside it, for at the end of a build there is mostly one crate that all wait for. Returns the
/// root of the stage.
pub(crate) fn build() -> Result<PathBuf> {
    let mut tests = stage::cargo();
    tests.args(["test", "--workspace", "--no-run"]);
    let mut tests = tests.spawn().context("starting cargo test")?;
    let staged = stage::stage();
    let status = tests.wait().context("waiting for cargo test")?;
    ensure!(status.success(), "the tests were not built ({status})");
    staged
}

/// Runs all tests; `cargo_test` begins a `cargo test` with all that the tests are told.
pub(crate) fn run(cargo_test: impl Fn() -> Command) -> Result<Tally> {
    let lanes = Lanes::of(&stage::metadata()?)?;
    let mut tally = Tally::default();
    let mut machines = cargo_test();
    machines.arg("--workspace").args(chosen(&lanes.machines));
    let mut others = cargo_test();
    others.args(["--workspace", "--lib", "--bins"]).args(chosen(&lanes.others));
    let mut documents = cargo_test();
    documents.args(["--workspace", "--doc"]);
    let beside = std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            // Of this thread, and so of what it starts.
            let _ = rustix::process::setpriority_process(None, NICE);
            let mut tally = Tally::default();
            tally.add_run_with(MARK, &mut others)?;
            tally.add_run_with(MARK, &mut documents)?;
            anyhow::Ok(tally)
        });
        tally.add_run(&mut machines)?;
        beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    tally.add(beside);
    Ok(tally)
}

fn chosen(names: &BTreeSet<String>) -> impl Iterator<Item = String> {
    names.iter().flat_map(|name| ["--test".to_owned(), name.clone()])
}

impl Lanes {
    /// From what `cargo metadata` knows.
    fn of(metadata: &serde_json::Value) -> Result<Lanes> {
        let mut lanes = Lanes::default();
        for package in metadata["packages"].as_array().context("cargo metadata lists packages")? {
            let has_machines = WITH_MACHINES.iter().any(|name| package["name"] == *name);
            for target in package["targets"].as_array().context("a package has targets")? {
                if target["kind"][0] != "test" {
                    continue;
                }
                let name = target["name"].as_str().context("a target has a name")?;
                let is_there = has_machines && !WITHOUT.contains(&name);
                let lane = if is_there { &mut lanes.machines } else { &mut lanes.others };
                lane.insert(name.to_owned());
            }
        }
        // Cargo knows them by their names alone, so those of one name go together.
        lanes.others.retain(|name| !lanes.machines.contains(name));
        Ok(lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_program_of_the_workspace_is_in_one_lane() {
        let metadata = stage::metadata().unwrap();
        let lanes = Lanes::of(&metadata).unwrap();
        let targets = metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|package| package["targets"].as_array().unwrap());
        let tests = targets.filter(|target| target["kind"][0] == "test");
        let names: BTreeSet<&str> = tests.map(|target| target["name"].as_str().unwrap()).collect();
        assert_eq!(lanes.machines.len() + lanes.others.len(), names.len());
        assert!(lanes.machines.contains("system") && lanes.others.contains("guide"), "{lanes:?}");
    }

    #[test]
    fn packages_whose_tests_have_machines_are_in_that_lane() {
        // They depend on what has one.
        let metadata = stage::metadata().unwrap();
        for package in metadata["packages"].as_array().unwrap() {
            let name = package["name"].as_str().unwrap();
            let mut needs = package["dependencies"].as_array().unwrap().iter();
            let has_tests =
                package["targets"].as_array().unwrap().iter().any(|target| target["kind"][0] == "test");
            if has_tests && needs.any(|other| other["name"] == "test-system") {
                let is_left_out = name == "test-service";
                assert!(is_left_out || WITH_MACHINES.contains(&name), "{name} belongs into WITH_MACHINES");
            }
        }
    }
}
