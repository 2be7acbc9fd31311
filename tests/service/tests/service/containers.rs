//! Programs in containers of podman, scheduled with those of the machine.

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use test_service::{Podman, Prepared, prepared, succeed, text};
use test_system::wait::{eventually, seconds};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn xcli(prepared: &Prepared, socket: &Path) -> Command {
    let mut command = Command::new(prepared.tree.join("bin/xcli"));
    command.arg("--socket").arg(socket).stdin(Stdio::null());
    command
}

/// The process of the actor that is in a container, or the one that is in none, as the server lists it.
fn listed(prepared: &Prepared, socket: &Path, is_within: bool) -> Option<Value> {
    let all = succeed(xcli(prepared, socket).args(["--json", "list"]));
    let all: Value = serde_json::from_str(&all).unwrap();
    let is_it = |one: &&Value| one["program"] == "system-actor" && one["container"].is_null() != is_within;
    all.as_array()?.iter().find(is_it).cloned()
}

/// The container's program is seen as what it is and goes before the machine's, which waits for it.
fn goes_before_a_program_of_the_machine(runtime: &'static str) {
    let Some(prepared) = prepared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("xserver.sock");
    let mut server = Command::new(prepared.tree.join("bin/xserver"));
    server.arg("--socket").arg(&socket).stdin(Stdio::null()).stderr(Stdio::null());
    let _server = Running(server.spawn().unwrap());
    eventually("the server is there", seconds(20), || socket.exists());

    let mut greedy = xcli(&prepared, &socket);
    greedy
        .args(["run", "--"])
        .arg(&prepared.actor)
        .args(["work-deep", "sleep"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _greedy = Running(greedy.spawn().unwrap());
    eventually("the machine's program is scheduled", seconds(60), || {
        listed(&prepared, &socket, false).is_some()
    });

    let mut podman = Podman::new(&prepared, runtime, &socket);
    let name = format!("xsched-test-{runtime}");
    let started = podman.container(Some(&name), "all", &[], &["bursts", "sleep"]);
    assert!(started.status.success(), "{}", text(&started.stderr));
    let launched = |one: &Value| one["queues"][0]["launched"].as_u64().unwrap_or(0);
    eventually("the container's program is scheduled", seconds(120), || {
        listed(&prepared, &socket, true).is_some_and(|one| launched(&one) > 10)
    });
    let within = listed(&prepared, &socket, true).unwrap();
    assert_eq!(within["container"].as_str().unwrap(), podman.inspect(&name, "{{.Id}}"));
    assert_eq!(
        within["pid"].to_string(),
        podman.inspect(&name, "{{.State.Pid}}"),
        "as the machine numbers it"
    );
    assert_eq!(within["queues"][0]["hints"]["priority"], 5);
    let shown = succeed(xcli(&prepared, &socket).arg("list"));
    assert!(shown.contains(&format!("system-actor is in container {name}\n")), "{shown}");
    eventually("the machine's program waits for it", seconds(60), || {
        let greedy = listed(&prepared, &socket, false).unwrap();
        greedy["queues"][0]["suspensions"].as_u64().unwrap() > 3
    });

    // With the other device, `xcli run` does it.
    let ran = podman.container(None, "run", &["xcli", "run", "--"], &["job"]);
    assert_eq!(
        (ran.status.success(), text(&ran.stdout).as_str()),
        (true, "job right\n"),
        "{}",
        text(&ran.stderr)
    );
    let alone = podman.container(None, "run", &[], &["job"]);
    assert_eq!(text(&alone.stdout), "job right\n", "{}", text(&alone.stderr));
}

#[test]
fn a_program_in_a_container_of_runc_goes_before_one_of_the_machine() {
    goes_before_a_program_of_the_machine("runc");
}
