//! The benchmarks whose programs are this one, on a simulated GPU: every row is there, and says roughly what it should. Staged, as all system tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use test_system::machine::library;

/// A bundle as `cargo xtask gpu-bench` lays it out, as far as it is needed, and the simulated driver beside it.
struct Bundle(tempfile::TempDir);

impl Bundle {
    fn new() -> Bundle {
        let folder = tempfile::tempdir().unwrap();
        let link = |from: &Path, to: &str| std::os::unix::fs::symlink(from, folder.path().join(to)).unwrap();
        // It looks beside itself for the rest, so it is not a link.
        std::fs::copy(env!("CARGO_BIN_EXE_gpu"), folder.path().join("gpu")).unwrap();
        let target = || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("xsched");
        link(&std::env::var_os("STAGED_XSCHED").map_or_else(target, PathBuf::from), "xsched");
        std::fs::create_dir(folder.path().join("driver")).unwrap();
        link(&library("libfake_cuda.so"), "driver/libcuda.so.1");
        Bundle(folder)
    }

    /// The cells of all rows that a benchmark prints.
    fn rows(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        self.rows_of(&mut self.command(arguments), " % |")
    }

    /// The same of a check of Level 3, on a simulated resource manager.
    fn checks(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let mut command = self.command(arguments);
        command.env("LD_PRELOAD", library("libfake_rm_preload.so")).env("FAKE_CUDA_RM", "1");
        self.rows_of(&mut command, " as it should |")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let folder = self.0.path();
        let mut command = Command::new(folder.join("gpu"));
        command.args(arguments).env("LD_LIBRARY_PATH", folder.join("driver"));
        command.env("FAKE_CUDA_ALONE", folder.join("device")).stderr(Stdio::inherit());
        command
    }

    fn rows_of(&self, command: &mut Command, mark: &str) -> Vec<Vec<String>> {
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        println!("{text}");
        assert!(output.status.success(), "{command:?} failed: {text}");
        let is_row = |line: &&str| line.starts_with("| ") && line.contains(mark);
        let cells =
            |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        text.lines().filter(is_row).map(cells).collect()
    }
}

#[test]
fn programs_that_share_a_gpu_then_each_gets_about_what_its_hint_says() {
    let rows = Bundle::new().rows(&["shares", "--policy", "PUP", "--seconds", "3", "--within", "12"]);
    let programs: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    let (short, middle, long) =
        ("kernels of 0.1 ms, 2 in flight", "kernels of 1 ms, 2 in flight", "kernels of 10 ms, 2 in flight");
    assert_eq!(programs, [middle, middle, middle, "*all*", short, middle, long, "*all*"]);
}

#[test]
fn programs_that_share_a_gpu_whose_work_can_be_interrupted_then_each_gets_about_what_its_hint_says() {
    let bundle = Bundle::new();
    let mut command = bundle.command(&["shares", "--policy", "UP", "--seconds", "3", "--within", "12"]);
    command.env("LD_PRELOAD", library("libfake_rm_preload.so")).env("FAKE_CUDA_RM", "1");
    assert_eq!(bundle.rows_of(&mut command, " % |").len(), 6);
}

#[test]
fn two_streams_of_a_process_then_a_scheduler_inside_lets_the_urgent_one_go_first() {
    let rows = Bundle::new().rows(&["inside", "--requests", "10", "--lengths", "10000"]);
    let times_alone: Vec<f64> = rows.iter().map(|row| row[5].parse().unwrap()).collect();
    let [native, _, local, bounded, _] = times_alone[..] else { panic!("{rows:?}") };
    assert!(local < native / 2.0 && bounded < native / 2.0, "{rows:?}");
}

#[test]
fn somebody_freezes_or_dies_while_a_program_is_off_then_it_goes_on() {
    // Without the goal: a machine that is busy with other tests keeps nobody's time.
    let rows = Bundle::new().checks(&["safety", "--times", "1", "--goal", "20000", "--only", "xserver "]);
    assert_eq!(rows.len(), 7, "{rows:?}");
}

#[test]
fn contexts_of_several_kinds_then_each_is_interrupted_and_where_it_is_not_wanted_none_is() {
    let bundle = Bundle::new();
    for (only, level, count) in [
        ("primary context", "Interrupt", 2),
        ("of its own", "Interrupt", 1),
        ("three contexts", "Interrupt", 1),
        ("leaves devices alone", "Block", 1),
        ("lends nothing", "Block", 1),
        ("Level 1", "Block", 1),
    ] {
        let rows = bundle.checks(&["conditions", "--only", only]);
        assert_eq!(rows.len(), count, "{only}: {rows:?}");
        assert!(rows.iter().all(|row| row[1] == level), "{only}: {rows:?}");
    }
}
