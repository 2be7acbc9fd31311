//! `xcli run`: the environment it makes, and that it becomes the program.

use crate::support::{self, FakeServer, XCLI, compile, library_folder, output, stderr, stdout, xcli};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xsched_core::HintKind;
use xsched_core::status::ServerStatus;
use xsched_ipc::control::{Reply, Request};

/// xcli run --lib-dir LIB.
fn run(library: &Path) -> Command {
    let mut command = xcli();
    command.args(["run", "--lib-dir"]).arg(library);
    command
}

/// The environment that a program gets.
fn environment(command: &mut Command) -> BTreeMap<String, String> {
    let result = output(command.args(["--", "env", "-0"]));
    assert!(result.status.success(), "{}", stderr(&result));
    let text = stdout(&result);
    let pairs = text.split_terminator('\0').filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn every_flag_arrives_as_its_variable_and_nothing_else_changes() {
    let library = library_folder();
    let dir = library.path().canonicalize().unwrap().display().to_string();
    let plain = environment(&mut run(library.path()));
    let expected = [
        ("LD_LIBRARY_PATH", dir.clone()),
        ("LD_PRELOAD", format!("{dir}/libfake.so.1")),
        ("PATH", "/usr/bin:/bin".into()),
    ];
    assert_eq!(plain, expected.map(|(name, value)| (name.to_string(), value)).into());

    let mut all = run(library.path());
    all.args(["--priority", "-5", "-u", "30", "-t", "2000", "--laxity", "-1", "--deadline=7000"]);
    all.args(["--group", "the batch", "--level", "block", "--wait", "--no-preload"]);
    all.env("OTHER", "kept");
    let mut all = environment(&mut all);
    assert_eq!(all.remove("LD_LIBRARY_PATH"), Some(dir));
    assert_eq!(all.remove("PATH").as_deref(), Some("/usr/bin:/bin"));
    let expected = [
        ("OTHER", "kept"),
        ("XSCHED_AUTO_XQUEUE_DEADLINE", "7000"),
        ("XSCHED_AUTO_XQUEUE_LAXITY", "-1"),
        ("XSCHED_AUTO_XQUEUE_LEVEL", "1"),
        ("XSCHED_AUTO_XQUEUE_PRIORITY", "-5"),
        ("XSCHED_AUTO_XQUEUE_TIMESLICE", "2000"),
        ("XSCHED_AUTO_XQUEUE_UTILIZATION", "30"),
        ("XSCHED_GROUP", "the batch"),
        ("XSCHED_ON_NO_SERVER", "wait"),
    ];
    assert_eq!(all, expected.map(|(name, value)| (name.to_string(), value.to_string())).into());
}

#[test]
fn values_that_are_there_are_kept_behind_ours() {
    let library = library_folder();
    let dir = library.path().canonicalize().unwrap().display().to_string();
    let mut command = run(library.path());
    command.env("LD_LIBRARY_PATH", "/usr/a:/usr/b").env("XSCHED_GROUP", "mine");
    let environment = environment(&mut command);
    assert_eq!(environment["LD_LIBRARY_PATH"], format!("{dir}:/usr/a:/usr/b"));
    assert_eq!(environment["XSCHED_GROUP"], "mine");
}

#[test]
fn a_nested_run_names_nothing_twice_and_its_own_flags_win() {
    let library = library_folder();
    let mut outer = run(library.path());
    outer.args(["--priority", "1", "--", XCLI, "run", "--priority", "2", "--lib-dir"]).arg(library.path());
    let nested = environment(&mut outer);
    let once = environment(run(library.path()).args(["--priority", "2"]));
    assert_eq!(nested, once);
}

#[test]
fn the_socket_is_handed_on_as_an_absolute_path() {
    let library = library_folder();
    let mut command = run(library.path());
    command.args(["--socket", "some/x.sock"]).current_dir("/");
    assert_eq!(environment(&mut command)["XSCHED_SOCKET"], "/some/x.sock");
}

fn status(reads: &[HintKind], ceiling: Option<i64>) -> Reply {
    Reply::Server(ServerStatus {
        version: "0.1.0".into(),
        pid: 42,
        policy: "HPF".into(),
        clients: 0,
        queues: 0,
        devices: vec![],
        policy_reads: reads.to_vec(),
        priority_ceiling: ceiling,
        may_steer_all: ceiling.is_none(),
        totals: None,
    })
}

#[test]
fn hints_that_will_not_hold_are_said_before_the_program_starts() {
    let library = library_folder();
    let server = FakeServer::start(|_| vec![status(&[HintKind::Priority], Some(0))]);
    let ask = |flags: &[&str]| {
        let mut command = run(library.path());
        command.arg("--socket").arg(server.socket()).args(flags).args(["--", "true"]);
        let result = output(&mut command);
        assert_eq!(result.status.code(), Some(0));
        stderr(&result)
    };
    assert_eq!(ask(&["--priority", "0"]), "");
    assert_eq!(server.requests(), [Request::Status]);
    let said = ask(&["--priority", "10", "--utilization", "50"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("xcli: priority 10 is above 0, the highest that user"), "{said}");
    assert!(lines[1].contains("HPF, does not read utilization"), "{said}");
    server.requests();
    // Without hints there is nothing to ask.
    assert_eq!((ask(&[]).as_str(), server.requests()), ("", vec![]));
    // Those of the environment count too.
    let mut command = run(library.path());
    command.env("XSCHED_SOCKET", server.socket()).env("XSCHED_AUTO_XQUEUE_PRIORITY", "7");
    assert!(stderr(&output(command.arg("true"))).contains("priority 7 is above 0"));
}

#[test]
fn a_server_that_does_not_answer_keeps_no_program_waiting() {
    let library = library_folder();
    let frozen = FakeServer::start(|_| vec![]);
    let mut command = run(library.path());
    command.arg("--socket").arg(frozen.socket()).args(["--priority", "1", "true"]);
    let start = Instant::now();
    let result = output(&mut command);
    assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""));
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn the_stand_in_is_really_loaded_even_from_a_folder_with_a_space() {
    let library = library_folder();
    let spaced = library.path().join("a folder");
    std::fs::create_dir(&spaced).unwrap();
    for name in ["libxsched.so", "libfake.so.1"] {
        std::fs::copy(library.path().join(name), spaced.join(name)).unwrap();
    }
    for dir in [library.path(), &spaced] {
        let result = output(run(dir).args(["cat", "/proc/self/maps"]));
        assert!(stdout(&result).contains("/libfake.so.1"), "{}", stdout(&result));
        assert_eq!(stderr(&result), "");
    }
}

#[test]
fn libraries_are_found_from_where_xcli_is_installed() {
    let library = library_folder();
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (bin, lib) = (root.path().join("bin"), root.path().join("lib/xsched"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&lib).unwrap();
    let installed = bin.join("xcli");
    std::fs::hard_link(XCLI, &installed).unwrap();
    let start = || {
        let mut command = Command::new(&installed);
        command.env_clear().args(["run", "/usr/bin/env"]);
        output(&mut command)
    };

    let missing = start();
    assert_eq!(missing.status.code(), Some(1));
    for place in [&lib, &bin] {
        assert!(stderr(&missing).contains(&format!("{}: has no libxsched.so", place.display())));
    }

    std::fs::copy(library.path().join("libxsched.so"), lib.join("libxsched.so")).unwrap();
    std::fs::copy(library.path().join("libfake.so.1"), lib.join("libfake.so.1")).unwrap();
    let found = start();
    let expected = format!("LD_PRELOAD={}/libfake.so.1\n", lib.canonicalize().unwrap().display());
    assert!(stdout(&found).contains(&expected), "{}{}", stdout(&found), stderr(&found));
}

#[test]
fn a_layer_in_the_folder_is_named_first_to_the_vendors_loader_unless_it_is_not_wanted() {
    let library = library_folder();
    std::fs::write(library.path().join("libxsched_fake_layer.so"), "").unwrap();
    let ours = library.path().canonicalize().unwrap().join("libxsched_fake_layer.so").display().to_string();
    let layers = |command: &mut Command| environment(command).remove("FAKE_LAYERS");
    assert_eq!(layers(&mut run(library.path())), Some(ours.clone()));
    let both = format!("{ours}:/l/other.so");
    assert_eq!(layers(run(library.path()).env("FAKE_LAYERS", "/l/other.so")), Some(both.clone()));
    assert_eq!(layers(run(library.path()).env("FAKE_LAYERS", &both)), Some(both), "a run within a run");
    assert_eq!(layers(run(library.path()).arg("--no-layers")), None);
}

#[test]
fn exit_code_and_signal_are_the_programs_own() {
    let library = library_folder();
    let exit = output(run(library.path()).args(["sh", "-c", "exit 42"]));
    assert_eq!(exit.status.code(), Some(42));
    let killed = output(run(library.path()).args(["sh", "-c", "kill -TERM $$"]));
    assert_eq!(killed.status.signal(), Some(15));
}

#[test]
fn arguments_arrive_as_they_are() {
    let library = library_folder();
    let arguments = ["a b", "", "--json", "-p", "*", "\n", "ü"];
    for separator in [&["--"][..], &[]] {
        let result = output(run(library.path()).args(separator).args(["printf", "%s|"]).args(arguments));
        assert_eq!(stdout(&result), "a b||--json|-p|*|\n|ü|");
    }
}

#[test]
fn the_program_has_the_pid_and_the_name_and_the_input_that_xcli_had() {
    let library = library_folder();
    let mut command = run(library.path());
    command.args(["sh", "-c", "echo $$ $0; cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    let result = child.wait_with_output().unwrap();
    assert_eq!(stdout(&result), format!("{pid} sh\ninput"));
}

#[test]
fn no_descriptor_of_xclis_is_left_to_the_program() {
    let library = library_folder();
    let through_xcli = output(run(library.path()).args(["ls", "/proc/self/fd"]));
    let alone = output(Command::new("ls").arg("/proc/self/fd"));
    assert_eq!(stdout(&through_xcli), stdout(&alone));
}

#[test]
fn a_program_that_is_not_there_or_cannot_be_run_ends_as_in_a_shell() {
    let library = library_folder();
    let text = library.path().join("text");
    std::fs::write(&text, "no program").unwrap();
    let lonely = library.path().join("lonely");
    compile("int main(void) { return 0; }", &lonely, &["-Wl,--dynamic-linker=/no/ld-linux.so.9"]);
    let script = library.path().join("script");
    support::script("#!/no/interpreter\n", &script);
    let path = |path: &Path| path.display().to_string();
    for (program, code, words) in [
        ("no-such-program".to_string(), 127, "no-such-program: not found in PATH=/usr/bin:/bin"),
        ("/no/such/program".into(), 127, "/no/such/program: No such file"),
        ("/etc/passwd/program".into(), 126, "/etc/passwd/program: Not a directory"),
        (path(&text), 126, "is not executable"),
        ("/usr".into(), 126, "/usr: is a folder"),
        (path(&lonely), 126, "/no/ld-linux.so.9"),
        (path(&script), 126, "/no/interpreter"),
    ] {
        let result = output(run(library.path()).arg(&program));
        assert_eq!(result.status.code(), Some(code), "{program}: {}", stderr(&result));
        assert!(stderr(&result).contains(words), "{program}: {}", stderr(&result));
        let json = output(run(library.path()).args(["--json", &program]));
        let error: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
        assert!(error["error"]["message"].as_str().unwrap().contains(words), "{error}");
    }
}
