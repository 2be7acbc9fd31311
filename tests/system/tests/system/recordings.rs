//! What a server records of real programs, and what `xcli sim --trace` makes of it.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use test_system::wait::{PATIENCE, seconds};
use test_system::{End, Machine, Program, Server, eventually};

/// A server that records into this file.
fn recording_server(machine: &Machine, flags: &[&str]) -> (Server, PathBuf) {
    let file = machine.folder().join("live.trace");
    let server = machine.server(&[&["--record", file.to_str().unwrap()], flags].concat());
    (server, file)
}

/// A greedy program and an urgent one that comes and goes, until the greedy one was suspended a few times.
fn contend(machine: &Machine) -> (Program, Program) {
    let greedy = machine.actor(0, &["work-deep", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    let urgent = machine.actor(10, &["work", "sleep"]);
    urgent.goes_on_within(PATIENCE);
    eventually("the greedy one is suspended", PATIENCE, || machine.suspensions(greedy.pid()) > 0);
    for _ in 0..5 {
        urgent.goes_on_within(PATIENCE);
    }
    (greedy, urgent)
}

fn replay(machine: &Machine, file: &Path, flags: &[&str]) -> Result<Value, String> {
    let output = machine.xcli().args(["sim", "--json", "--trace"]).arg(file).args(flags).output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn live_run_recorded_then_its_replay_reproduces_every_decision() {
    let machine = Machine::new();
    let (server, file) = recording_server(&machine, &["--max-suspend", "200ms"]);
    let (greedy, urgent) = contend(&machine);
    for policy in ["UP", "CFS", "HPF"] {
        assert!(machine.xcli().args(["policy", policy]).status().unwrap().success());
        greedy.goes_on_within(PATIENCE);
        urgent.goes_on_within(PATIENCE);
    }
    let hint =
        machine.xcli().args(["hint", "--pid", &greedy.pid().to_string(), "-p", "20"]).status().unwrap();
    assert!(hint.success());
    greedy.goes_on_within(PATIENCE);
    let pid = greedy.pid();
    drop((greedy, urgent));
    assert_eq!(server.end(), End::Exit(0));

    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let replayed = replay(&machine, &file, &[]).unwrap();
    assert_eq!(
        (&replayed["policy"], &replayed["cut_off"]),
        (&Value::from("HPF"), &Value::Null),
        "{replayed}"
    );
    assert_eq!(replayed["policy_changes"], 3, "{replayed}");
    assert!(
        replayed["decisions"].as_u64() > Some(20) && replayed["events"].as_u64() > Some(20),
        "{replayed}"
    );
    let programs = replayed["programs"].as_array().unwrap();
    let name = format!("[{pid}]");
    let greedy = programs.iter().find(|program| program["name"].as_str().unwrap().contains(&name)).unwrap();
    assert!(greedy["preemptions"].as_u64() > Some(0) && greedy["held_ns"].as_u64() > Some(0), "{greedy}");

    // The same under another policy, with a picture.
    let picture = machine.folder().join("what-if.svg");
    let flags = ["--policy", "UP", "--svg", picture.to_str().unwrap()];
    let what_if = replay(&machine, &file, &flags).unwrap();
    assert_eq!(what_if["what_if"]["policy"], "UP", "{what_if}");
    assert!(std::fs::read_to_string(picture).unwrap().contains(&name));
}

#[test]
fn server_killed_while_it_records_then_what_was_written_is_reproduced_as_far_as_it_goes() {
    let machine = Machine::new();
    let (server, file) = recording_server(&machine, &[]);
    let programs = contend(&machine);
    eventually("a second's worth is in the file", PATIENCE, || std::fs::metadata(&file).unwrap().len() > 400);
    server.crash();
    programs.0.goes_on_within(seconds(2));
    let replayed = replay(&machine, &file, &[]).unwrap();
    assert!(replayed["cut_off"].is_string() && replayed["decisions"].as_u64() > Some(0), "{replayed}");
}

#[test]
fn recording_as_large_as_it_may_be_then_it_ends_with_a_line_and_the_server_goes_on() {
    let machine = Machine::new();
    let (server, file) = recording_server(&machine, &["--record-limit", "1KiB"]);
    let (greedy, urgent) = contend(&machine);
    eventually("it is full", seconds(60), || {
        urgent.goes_on_within(PATIENCE);
        server.log().contains("the recording is as large as it may be")
    });
    let rival = machine.rival(20);
    rival.wants_the_device();
    eventually("programs are suspended as before", PATIENCE, || {
        machine.is_suspended(greedy.pid()) && machine.is_suspended(urgent.pid())
    });
    assert!(std::fs::metadata(&file).unwrap().len() <= 1024);
    let replayed = replay(&machine, &file, &[]).unwrap();
    assert_eq!(
        (&replayed["is_full"], &replayed["cut_off"]),
        (&Value::Bool(true), &Value::Null),
        "{replayed}"
    );
}

#[test]
fn file_is_there_already_then_no_server_starts_and_the_file_is_as_it_was() {
    let machine = Machine::new();
    let file = machine.folder().join("mine");
    std::fs::write(&file, "mine").unwrap();
    let command = machine.server_command(&["--record", file.to_str().unwrap()]);
    let server = Program::start(command);
    assert_eq!(server.wait_for_end(), End::Exit(1));
    let errors = server.errors();
    assert!(errors.contains("cannot make the recording") && errors.contains("mine"), "{errors}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn recording_cannot_be_written_on_then_it_ends_with_a_line_and_the_server_goes_on() {
    let machine = Machine::new();
    let file = machine.folder().join("live.trace");
    // As the shell limits the size of files: 16 blocks of 512 bytes, so that the server's own pages fit and a recording soon does not.
    let inner = machine.server_command(&["--record", file.to_str().unwrap()]);
    let mut command = machine.command("sh");
    command.args(["-c", "ulimit -f 16; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    let server = Server::start(command, &machine.socket());
    let (greedy, urgent) = contend(&machine);
    eventually("the recording ends", seconds(60), || {
        urgent.goes_on_within(PATIENCE);
        server.log().contains("cannot write the recording")
    });
    let rival = machine.rival(20);
    rival.wants_the_device();
    eventually("programs are suspended as before", PATIENCE, || {
        machine.is_suspended(greedy.pid()) && machine.is_suspended(urgent.pid())
    });
    assert_eq!(std::fs::metadata(file).unwrap().len(), 8192);
}
