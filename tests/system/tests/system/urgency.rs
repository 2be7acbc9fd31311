//! Policies that go by more than priorities, with ordinary programs: nice values, the active window, deadlines and laxities.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use test_system::machine::actor;
use test_system::wait::{PATIENCE, millis};
use test_system::{Machine, Program, Rival, Screen, eventually, stays};
use xsched_core::{DeviceKey, HintKind};

/// It always has much in flight, and so is always ready.
const GREEDY: [&str; 2] = ["work-deep", "sleep"];

fn xcli(machine: &Machine, arguments: &[&str]) -> String {
    let output = machine.xcli().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A greedy program with these hints, attached and at work.
fn start(machine: &Machine, hints: &[&str]) -> Program {
    let mut command = machine.xcli();
    command.arg("run").args(hints).arg("--").arg(actor()).args(GREEDY);
    let program = Program::start(command);
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    program
}

fn rival(machine: &Machine, hints: &[(HintKind, i64)]) -> Rival {
    Rival::attach_with(&machine.socket(), hints, &DeviceKey::cpu(0))
}

fn is_held(machine: &Machine, program: &Program) {
    eventually("it is suspended", PATIENCE, || machine.is_suspended(program.pid()));
    comes_to_a_stand(program);
}

/// What it had in flight is done, however much that was, and nothing more comes.
fn comes_to_a_stand(program: &Program) {
    eventually("it stands still", PATIENCE, || {
        let before = program.output().len();
        std::thread::sleep(millis(400));
        program.output().len() == before
    });
}

fn goes_on(program: &Program) {
    (0..5).for_each(|_| program.goes_on_within(PATIENCE));
}

fn is_well(programs: &[&Program]) {
    for program in programs {
        assert!(program.warnings().is_empty(), "{:?}", program.warnings());
        assert!(program.output().iter().all(|line| !line.starts_with("failed")), "{:?}", program.output());
    }
}

/// What the policy says of it.
fn remark(machine: &Machine, program: &Program) -> String {
    let queues = machine.find(program.pid()).map(|client| client.queues).unwrap_or_default();
    queues.into_iter().find_map(|queue| queue.remark).unwrap_or_default()
}

#[test]
fn chpf_program_that_is_reniced_then_it_waits_for_others_and_those_that_are_not_go_on() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    xcli(&machine, &["policy", "CHPF"]);
    // A priority hint decides nothing here.
    let programs = [start(&machine, &["--priority", "-5"]), start(&machine, &["--priority", "5"])];
    programs.iter().for_each(goes_on);
    let renice = |program: &Program| {
        let arguments = ["-n", "19", "-p", &program.pid().to_string()];
        let status = Command::new("renice").args(arguments).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
    };
    renice(&programs[1]);
    is_held(&machine, &programs[1]);
    goes_on(&programs[0]);
    // Both are as nice as can be: equals.
    renice(&programs[0]);
    programs.iter().for_each(goes_on);
    is_well(&[&programs[0], &programs[1]]);
}

#[test]
fn kedf_earlier_deadline_then_the_later_one_waits_unless_two_may_run() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    xcli(&machine, &["policy", "KEDF"]);
    let program = start(&machine, &["--deadline", "600000000"]);
    goes_on(&program);
    let far = rival(&machine, &[(HintKind::Deadline, 6_000_000_000)]);
    far.wants_the_device();
    stays("it is not suspended", millis(300), || !machine.is_suspended(program.pid()));
    goes_on(&program);

    let near = rival(&machine, &[(HintKind::Deadline, 60_000_000)]);
    near.wants_the_device();
    is_held(&machine, &program);
    xcli(&machine, &["hint", "--pid", &program.pid().to_string(), "--kdeadline", "2"]);
    goes_on(&program);
    xcli(&machine, &["hint", "--pid", &program.pid().to_string(), "--kdeadline", "1"]);
    is_held(&machine, &program);
    near.is_done();
    goes_on(&program);
    is_well(&[&program]);
}

#[test]
fn lax_program_then_it_waits_for_its_laxity_goes_before_the_others_after_it_and_behind_those_that_are_more_urgent()
 {
    const LAXITY: Duration = Duration::from_secs(5);
    let machine = Machine::new();
    let _server = machine.strict_server();
    xcli(&machine, &["policy", "LAX"]);
    let other = rival(&machine, &[]);
    other.wants_the_device();
    let begun = Instant::now();
    let laxity = LAXITY.as_micros().to_string();
    let hints = ["--laxity", &laxity, "--lax-priority", "-10", "--critical-priority", "10"];
    let program = start(&machine, &hints);
    is_held(&machine, &program);
    assert_eq!(machine.suspensions(std::process::id()), 0, "the other one waits for nobody");
    program.goes_on_within(PATIENCE);
    // It had no work before it began. Nothing else lets it go on: the other one never rests, and the server gives nobody his due.
    let waited = begun.elapsed();
    assert!(waited >= LAXITY, "it waited {waited:?} only");
    eventually("the other one waits for it", PATIENCE, || machine.suspensions(std::process::id()) > 0);
    // It is critical until it has no work for a moment, which may be soon, and then its laxity begins anew.
    goes_on(&program);

    let urgent = rival(&machine, &[(HintKind::Priority, 20)]);
    urgent.wants_the_device();
    is_held(&machine, &program);
    stays("it is held", LAXITY + millis(500), || machine.is_suspended(program.pid()));
    urgent.is_done();
    goes_on(&program);
    is_well(&[&program]);
}

#[test]
fn edf_deadlines_that_cannot_all_be_met_then_the_last_one_is_refused_and_all_say_so() {
    let machine = Machine::new();
    let server = machine.strict_server();
    xcli(&machine, &["policy", "EDF"]);
    let first = start(&machine, &["--deadline", "100000", "--utilization", "60"]);
    eventually("it is admitted", PATIENCE, || remark(&machine, &first).contains("admitted with 60 %"));
    let second = start(&machine, &["--deadline", "50000", "--utilization", "50"]);
    eventually("it is refused", PATIENCE, || {
        remark(&machine, &second).contains("refused: needs 50 % of the device, 35 % is left")
    });
    let list = xcli(&machine, &["list"]);
    assert!(list.contains("deadline of 50ms refused: needs 50 %"), "{list}");
    assert!(server.log().contains("deadline of 50ms refused"), "{}", server.log());
    // The first one has its 60 ms of each 100 ms, and then both have the rest.
    goes_on(&first);
    goes_on(&second);

    let hint = |value| {
        let pid = second.pid().to_string();
        xcli(&machine, &["hint", "--pid", &pid, "--utilization", value])
    };
    let answer = hint("36");
    assert!(answer.contains("refused: needs 36 %"), "{answer}");
    let answer = hint("30");
    assert!(answer.contains("admitted with 30 %"), "{answer}");
    goes_on(&second);
    drop(first);
    eventually("the first one is gone", PATIENCE, || machine.list().len() == 1);
    assert!(hint("95").contains("admitted with 95 %"));
    is_well(&[&second]);
}

#[test]
fn awf_window_becomes_active_then_its_programs_run_and_others_wait_also_after_the_display_came_back() {
    let machine = Machine::new();
    let (screen, display) = Screen::start(&machine, None);
    let server = machine.server(&["--lease", "60s", "--max-suspend", "60s", "--display", &display]);
    xcli(&machine, &["policy", "AWF"]);
    let first = start(&machine, &[]);
    // Started by a shell, as in a terminal.
    let mut shell = machine.command("sh");
    shell.arg("-c").arg("\"$@\" & wait").arg("sh").arg(machine.xcli().get_program());
    shell.args(machine.xcli().get_args()).args(["run", "--"]).arg(actor()).args(GREEDY);
    let shell = Program::start(shell);
    let mut second = 0;
    eventually("the shell's program attaches", PATIENCE, || {
        let other = machine.list().into_iter().find(|client| client.pid != first.pid());
        second = other.filter(|client| !client.queues.is_empty()).map_or(0, |client| client.pid);
        second != 0
    });
    assert_ne!(second, shell.pid());
    // There is nobody yet who says which window is active.
    [&first, &shell].into_iter().for_each(goes_on);
    eventually("that is said", PATIENCE, || server.log().contains("no window manager"));

    screen.activate(first.pid());
    eventually("the other one is suspended", PATIENCE, || machine.is_suspended(second));
    goes_on(&first);
    comes_to_a_stand(&shell);
    screen.activate(shell.pid());
    is_held(&machine, &first);
    goes_on(&shell);
    // The window of a program that has nothing to do with it.
    screen.activate(1);
    [&first, &shell].into_iter().for_each(goes_on);

    screen.activate(shell.pid());
    is_held(&machine, &first);
    drop(screen);
    [&first, &shell].into_iter().for_each(goes_on);
    eventually("it is said", PATIENCE, || {
        server.log().contains(&format!("display {display} cannot be followed"))
    });
    let (screen, again) = Screen::start(&machine, Some(&display));
    assert_eq!(again, display);
    screen.activate(first.pid());
    eventually("the other one is suspended", PATIENCE, || machine.is_suspended(second));
    goes_on(&first);
    xcli(&machine, &["policy", "HPF"]);
    [&first, &shell].into_iter().for_each(goes_on);
    is_well(&[&first, &shell]);
}
