//! What stands in an example's README is what the example says: each line of a `console` block that begins with `$` is run in a shell, and
//! what it writes must be what stands below it, but for measured numbers, which have a decimal point, and for spaces.
//!
//! Those in C twice: with the programs for OpenCL, on PoCL, and with those for CUDA, on the simulated driver. Deliberately absent: how long anything takes.

mod foreground;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use test_system::machine::{library, program};
use test_system::wait::seconds;
use test_system::{End, Machine, Program};

/// A command of a README, and what it writes.
struct Session {
    command: String,
    output: Vec<String>,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn sessions(example: &str) -> Vec<Session> {
    let text = std::fs::read_to_string(examples().join(example).join("README.md")).unwrap();
    let mut sessions: Vec<Session> = Vec::new();
    let mut is_console = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if is_console && let Some(command) = line.strip_prefix("$ ") {
            sessions.push(Session { command: command.to_owned(), output: Vec::new() });
        } else if is_console {
            let last = sessions.last_mut().unwrap_or_else(|| panic!("{example}: output without a command"));
            last.output.push(line.to_owned());
        }
    }
    assert!(!sessions.is_empty(), "{example}: its README shows nothing");
    sessions
}

/// A line with its measured numbers and its spaces made alike.
fn shape(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_measured = word.contains('.') && word.parse::<f64>().is_ok();
        if is_measured { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn shapes(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| shape(line)).collect()
}

/// What a program wrote must be lines that its README promises, in whatever order and number.
fn says_only(example: &str, said: &[String], promised: &[String]) {
    let promised = shapes(promised);
    for line in shapes(said) {
        assert!(promised.contains(&line), "{example}: {line:?} is not promised");
    }
}

/// Runs a command line as its user would, where `PATH` has xcli and a server is there; it must write what its README promises.
fn says(machine: &Machine, example: &str, line: &str, promised: &[String], env: &[(&str, &Path)]) {
    let mut path = OsString::from(stage(machine).join("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = machine.command("sh");
    command.args(["-c", line]).env("PATH", &path).env("XSCHED_SOCKET", machine.socket());
    command.envs(env.iter().copied());
    let program = Program::start(command);
    assert_eq!(program.wait_for_end_within(seconds(120)), End::Exit(0), "{line}: {}", program.errors());
    assert_eq!(shapes(&program.whole_output()), shapes(promised), "{example}: {line}");
    assert!(program.warnings().is_empty(), "{line}: {:?}", program.warnings());
}

fn stage(machine: &Machine) -> PathBuf {
    machine.library_folder().ancestors().nth(2).unwrap().to_path_buf()
}

/// Builds all that is in C; returns the folder with the programs.
fn build(machine: &Machine) -> PathBuf {
    let folder = machine.folder().join("build");
    let mut make = Command::new("make");
    make.args(["-s", "-C"]).arg(examples());
    make.arg(format!("PREFIX={}", stage(machine).display()));
    make.arg(format!("BUILD={}", folder.display())).arg("CFLAGS=-O2 -Wall -Wextra -Werror");
    let output = make.output().expect("install make (Debian)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// Runs what the README of an example in C shows.
fn says_what_its_readme_says(example: &str) {
    let machine = Machine::new();
    build(&machine);
    let driver = machine.folder().join("driver");
    std::fs::create_dir_all(&driver).unwrap();
    std::os::unix::fs::symlink(library("libfake_cuda.so"), driver.join("libcuda.so.1")).unwrap();
    let _server = machine.server(&[]);
    for session in sessions(example) {
        says(&machine, example, &session.command, &session.output, &[]);
        let line = session.command.replace("build/", "build/cuda/");
        says(&machine, example, &line, &session.output, &[("LD_LIBRARY_PATH", &driver)]);
    }
}

#[test]
fn programs_that_know_nothing_of_xsched_then_each_says_what_its_readme_says() {
    says_what_its_readme_says("transparent");
}

#[test]
fn hints_then_they_are_taken_and_refused_as_its_readme_says() {
    says_what_its_readme_says("hints");
}

#[test]
fn two_queues_of_one_process_then_three_times_are_told_as_in_the_readme() {
    says_what_its_readme_says("two-queues");
}

#[test]
fn a_queue_that_is_suspended_then_it_stands_still_as_its_readme_says() {
    says_what_its_readme_says("suspend-resume");
}

#[test]
fn commands_that_are_submitted_then_they_wait_and_are_complete_as_the_readme_says() {
    says_what_its_readme_says("submit");
}

#[test]
fn rust_programs_then_each_says_what_the_readme_says() {
    let machine = Machine::new();
    let built = program("hints").with_file_name("");
    let _server = machine.server(&[]);
    for session in sessions("rust") {
        let line = session.command.replace("target/debug/", &built.to_string_lossy());
        says(&machine, "rust", &line, &session.output, &[]);
    }
}
