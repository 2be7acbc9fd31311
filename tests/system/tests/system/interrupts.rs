//! Programs whose work on the device is stopped from outside (Level 3), on a simulated driver with a simulated resource manager; and who lets them go.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use test_system::machine::{library, program};
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, Rival, Server, Storm, eventually};
use xsched_core::{DeviceKey, Level};

/// In place of `/dev/nvidiactl`, for whoever has it preloaded.
fn preload() -> PathBuf {
    library("libfake_rm_preload.so")
}

fn server(machine: &Machine) -> Server {
    let mut command = machine.server_command(&["--lease", "600s", "--max-suspend", "600s"]);
    command.env("LD_PRELOAD", preload());
    Server::start(command, &machine.socket())
}

fn command(machine: &Machine, options: &[&str], arguments: &[&str]) -> Command {
    let folder = machine.folder().join("driver");
    std::fs::create_dir_all(&folder).unwrap();
    let _ = std::os::unix::fs::symlink(library("libfake_cuda.so"), folder.join("libcuda.so.1"));
    let mut command = machine.xcli();
    command.arg("run").args(options).arg("--").arg(program("cuda-suite")).args(arguments);
    command.env("LD_LIBRARY_PATH", folder).env("LD_PRELOAD", preload()).env("FAKE_CUDA_RM", "1");
    command
}

/// A program that is always busy.
fn busy(machine: &Machine, options: &[&str]) -> Program {
    let program = Program::start(command(machine, options, &["--busy", "made"]));
    eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
    program.goes_on_within(PATIENCE);
    program
}

/// Whether its channels are stopped.
fn is_stopped(program: &Program) -> bool {
    group(program).is_some_and(|group| group.is_stopped)
}

fn group(program: &Program) -> Option<fake_rm::Group> {
    fake_rm::Device::of_process(program.pid()).and_then(|device| device.group(0))
}

/// As the driver made them.
fn is_plain(program: &Program) -> bool {
    let group = group(program).unwrap();
    !group.is_stopped && !group.is_interruptible && group.turns == fake_rm::PLAIN
}

/// A greedy program, stopped for the sake of an urgent guest.
fn stopped(machine: &Machine) -> (Program, Rival) {
    let greedy = busy(machine, &[]);
    let level = || machine.list().iter().flat_map(|client| &client.queues).map(|queue| queue.level).max();
    eventually("it can be interrupted", PATIENCE, || level() == Some(Level::Interrupt));
    let rival = Rival::attach_on(&machine.socket(), 100, &DeviceKey::pci(0, 0xFA, 0, 0));
    rival.wants_the_device();
    eventually("its channels are stopped", PATIENCE, || is_stopped(&greedy));
    (greedy, rival)
}

#[test]
fn greedy_program_then_its_channels_are_stopped_while_an_urgent_one_has_work_and_it_goes_on_after() {
    let machine = Machine::new();
    let _server = server(&machine);
    let (greedy, rival) = stopped(&machine);
    greedy.stands_still_for(millis(300));
    assert!(is_stopped(&greedy));
    rival.is_done();
    greedy.goes_on_within(PATIENCE);
    eventually("its channels go on", PATIENCE, || !is_stopped(&greedy));
    drop(rival);
    eventually("all is as the driver made it", PATIENCE, || is_plain(&greedy));
}

#[test]
fn cuda_suite_whose_channels_are_stopped_again_and_again_then_its_transcript_is_the_same() {
    let machine = Machine::new();
    let _server = server(&machine);
    let transcript = |suite: &Program| {
        assert_eq!(suite.wait_for_end_within(seconds(300)), End::Exit(0), "{}", suite.errors());
        assert_eq!(suite.warnings(), [""; 0]);
        suite.whole_output()
    };
    let expected = transcript(&Program::start(command(&machine, &[], &[])));
    let storm = Storm::of(Rival::attach_on(&machine.socket(), 200, &DeviceKey::pci(0, 0xFA, 0, 0)), 7);
    let mut stops = 0;
    for _ in 0..3 {
        let suite = Program::start(command(&machine, &[], &[]));
        let mut device = None;
        while suite.end().is_none() {
            device = device.or_else(|| fake_rm::Device::of_process(suite.pid()));
            stops =
                stops.max(device.as_ref().and_then(|device| device.group(0)).map_or(0, |group| group.stops));
            std::thread::sleep(millis(5));
        }
        assert_eq!(transcript(&suite), expected);
    }
    drop(storm);
    assert!(stops > 0, "nothing was stopped");
}

#[test]
fn server_killed_while_it_holds_channels_then_the_program_lets_itself_go_and_the_next_server_holds_it_again()
{
    let machine = Machine::new();
    let first = server(&machine);
    let (greedy, _rival) = stopped(&machine);
    first.crash();
    greedy.goes_on_within(PATIENCE);
    eventually("all is as the driver made it", PATIENCE, || is_plain(&greedy));
    let _server = server(&machine);
    eventually("it attaches again", PATIENCE, || machine.is_attached(greedy.pid()));
    let rival = Rival::attach_on(&machine.socket(), 100, &DeviceKey::pci(0, 0xFA, 0, 0));
    rival.wants_the_device();
    eventually("its channels are stopped again", PATIENCE, || is_stopped(&greedy));
}

#[test]
fn server_frozen_while_it_holds_channels_then_the_program_lets_itself_go_and_thawed_it_does_not_hold_them() {
    let machine = Machine::new();
    let server = server(&machine);
    let (greedy, rival) = stopped(&machine);
    server.freeze();
    greedy.goes_on_within(PATIENCE);
    eventually("all is as the driver made it", PATIENCE, || is_plain(&greedy));
    server.thaw();
    // It attaches again, and may be held again, for the urgent one still has work; but not by what is left of the old attachment.
    eventually("it attaches again", PATIENCE, || machine.is_attached(greedy.pid()));
    drop(rival);
    greedy.goes_on_within(PATIENCE);
    eventually("all is as the driver made it", PATIENCE, || is_plain(&greedy));
}

#[test]
fn server_frozen_for_a_moment_then_the_program_goes_on_meanwhile_and_stays_attached_and_is_held_again() {
    let machine = Machine::new();
    let server = server(&machine);
    let (greedy, rival) = stopped(&machine);
    let client = || machine.find(greedy.pid()).map(|client| client.client);
    let before = client();
    for _ in 0..3 {
        server.freeze();
        // Twice and a half of what is promised, for a busy machine; to part from it takes half a second.
        greedy.goes_on_within(millis(250));
        assert!(!is_stopped(&greedy));
        // Short ones are of no use beside an urgent program whose turns are long.
        eventually("its turns are plain", millis(200), || group(&greedy).unwrap().turns == fake_rm::PLAIN);
        server.thaw();
        eventually("its channels are stopped again", PATIENCE, || is_stopped(&greedy));
        eventually("its turns are short again", PATIENCE, || group(&greedy).unwrap().turns < fake_rm::PLAIN);
        greedy.stands_still_for(millis(200));
    }
    assert_eq!(client(), before, "it has parted");
    drop(rival);
    greedy.goes_on_within(PATIENCE);
    eventually("all is as the driver made it", PATIENCE, || is_plain(&greedy));
}

#[test]
fn server_asked_to_end_while_it_holds_channels_then_the_program_goes_on() {
    let machine = Machine::new();
    let server = server(&machine);
    let (greedy, _rival) = stopped(&machine);
    assert_eq!(server.end(), End::Exit(0));
    greedy.goes_on_within(PATIENCE);
    eventually("all is as the driver made it", PATIENCE, || is_plain(&greedy));
}

#[test]
fn program_killed_while_its_channels_are_stopped_then_the_server_has_nothing_of_it_any_more() {
    let machine = Machine::new();
    let server = server(&machine);
    let holdings = server.holdings();
    let (greedy, rival) = stopped(&machine);
    greedy.signal(rustix::process::Signal::KILL);
    greedy.wait_for_end();
    drop(rival);
    // One thread more: the one that makes the calls.
    eventually("its file is closed", seconds(20), || server.holdings()[0] <= holdings[0] + 1);
}

/// How often each of these was seen on the device, in looks for so long. Never two at once: one is stopped before the next is let go.
fn on_the_device(programs: &[Program], time: Duration) -> Vec<usize> {
    let (start, mut seen, mut several) = (Instant::now(), vec![0_usize; programs.len()], 0);
    while start.elapsed() < time {
        let on: Vec<usize> = (0..programs.len()).filter(|at| !is_stopped(&programs[*at])).collect();
        match on[..] {
            [one] => seen[one] += 1,
            // Each is looked at by itself, so a handover may lie in between.
            [_, _, ..] => several += 1,
            [] => {}
        }
        std::thread::sleep(millis(1));
    }
    assert!(several * 5 < seen.iter().sum::<usize>(), "{several} looks saw several of {seen:?}");
    seen
}

#[test]
fn equals_that_somebody_goes_before_then_one_has_the_device_at_a_time_and_whoever_dies_the_others_go_on() {
    let machine = Machine::new();
    let mut command = machine.server_command(&[]);
    command.env("LD_PRELOAD", preload());
    let server = Server::start(command, &machine.socket());
    let mut greedy: Vec<Program> = (0..3).map(|_| busy(&machine, &[])).collect();
    let level = || machine.list().iter().flat_map(|client| &client.queues).map(|queue| queue.level).min();
    eventually("all can be interrupted", PATIENCE, || level() == Some(Level::Interrupt));
    let rival = Rival::attach_on(&machine.socket(), 100, &DeviceKey::pci(0, 0xFA, 0, 0));
    rival.wants_the_device();
    eventually("they are held", PATIENCE, || {
        greedy.iter().all(|program| machine.is_suspended(program.pid()))
    });
    rival.is_done();
    let stopped = |programs: &[Program]| programs.iter().filter(|program| is_stopped(program)).count();
    eventually("one has the device", PATIENCE, || stopped(&greedy) == 2);
    let seen = on_the_device(&greedy, seconds(2));
    assert!(seen.iter().all(|one| one * 8 > seen.iter().sum::<usize>()), "{seen:?}");
    greedy.iter().for_each(|program| program.goes_on_within(PATIENCE));
    // The one that is on, or another one: all the same to those who stay.
    let last = greedy.remove(0);
    last.signal(rustix::process::Signal::KILL);
    last.wait_for_end();
    greedy.iter().for_each(|program| program.goes_on_within(PATIENCE));
    server.crash();
    greedy.iter().for_each(|program| program.goes_on_within(PATIENCE));
    eventually("all is as the driver made it", PATIENCE, || greedy.iter().all(is_plain));
}

#[test]
fn shares_then_turns_end_on_the_device_and_each_has_its_part() {
    let machine = Machine::new();
    let mut command = machine.server_command(&[]);
    command.env("LD_PRELOAD", preload());
    let server = Server::start(command, &machine.socket());
    assert!(machine.xcli().args(["policy", "UP"]).status().unwrap().success());
    let both = ["75", "25"].map(|part| busy(&machine, &["--utilization", part]));
    let stops = |program| group(program).map_or(0, |group| group.stops);
    eventually("turns are handed over", PATIENCE, || both.iter().all(|program| stops(program) > 2));
    let seen = on_the_device(&both, seconds(3));
    let part = seen[0] as f64 / seen.iter().sum::<usize>() as f64;
    assert!((0.6..0.9).contains(&part), "{seen:?}");
    server.freeze();
    both.iter().for_each(|program| program.goes_on_within(PATIENCE));
    eventually("both let themselves go", PATIENCE, || both.iter().all(|program| !is_stopped(program)));
    server.thaw();
    eventually("turns are handed over again", PATIENCE, || both.iter().any(is_stopped));
    let [heavy, light] = both;
    light.signal(rustix::process::Signal::KILL);
    light.wait_for_end();
    eventually("alone, it is stopped no more", PATIENCE, || !is_stopped(&heavy));
    heavy.goes_on_within(PATIENCE);
}

#[test]
fn level_below_interrupting_or_controls_switched_off_then_channels_are_let_be() {
    let machine = Machine::new();
    let _server = server(&machine);
    let limited = busy(&machine, &["--level", "1"]);
    let mut off = command(&machine, &[], &["--busy", "made"]);
    off.env("XSCHED_DEVICE_CONTROL", "off");
    let off = Program::start(off);
    eventually("it attaches", PATIENCE, || machine.is_attached(off.pid()));
    let rival = Rival::attach_on(&machine.socket(), 100, &DeviceKey::pci(0, 0xFA, 0, 0));
    rival.wants_the_device();
    for program in [&limited, &off] {
        eventually("it is held by its gate", PATIENCE, || machine.is_suspended(program.pid()));
        program.stands_still_for(millis(300));
        assert!(is_plain(program), "{:?}", group(program));
    }
}

#[test]
fn doctor_says_which_level_a_device_has_and_why_not_more() {
    let machine = Machine::new();
    let _server = server(&machine);
    for (variable, value, level, why) in [
        ("XSCHED_DEVICE_CONTROL", "on", "interrupt", None),
        ("XSCHED_DEVICE_CONTROL", "off", "block", Some("XSCHED_DEVICE_CONTROL is off")),
        ("XSCHED_AUTO_XQUEUE_LEVEL", "1", "block", Some("XSCHED_AUTO_XQUEUE_LEVEL does not allow it")),
        ("FAKE_CUDA_RM", "", "block", Some("no channel group of a context was seen")),
    ] {
        let folder = machine.folder().join("driver");
        std::fs::create_dir_all(&folder).unwrap();
        let _ = std::os::unix::fs::symlink(library("libfake_cuda.so"), folder.join("libcuda.so.1"));
        let mut command = machine.xcli();
        command.args(["--json", "doctor"]).env("LD_LIBRARY_PATH", &folder).env("LD_PRELOAD", preload());
        command.env("FAKE_CUDA_RM", "1").env(variable, value);
        if value.is_empty() {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let devices = report["devices"].as_array().unwrap();
        let device =
            devices.iter().find(|device| device["key"] == "pci:0000:fa:00.0").expect("the simulated one");
        assert_eq!((&device["level"], device["limit"].as_str()), (&level.into(), why), "{variable}={value}");
    }
}
