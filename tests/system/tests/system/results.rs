//! Programs compute the same, natively, under XSched, and while they are suspended at random.

use std::process::Command;
use test_system::driver::intels_folder;
use test_system::machine::program;
use test_system::wait::{millis, seconds};
use test_system::{End, Machine, Program, Storm, eventually};

/// Suspensions of a storm: what is asked for, or fewer where there is less time.
fn suspensions_wanted() -> u64 {
    if std::env::var_os("SLOW_TESTS").is_some_and(|value| value == "1") { 1000 } else { 100 }
}

#[test]
fn opencl_suite_then_its_transcript_is_the_same_natively_under_xsched_and_in_a_storm() {
    let machine = Machine::new();
    let suite = program("opencl-suite");
    let native = transcript(&Program::start(machine.command(&suite)));
    assert!(native.len() > 100, "{native:?}");

    let _server = machine.server(&[]);
    assert_eq!(transcript(&machine.run(0, &suite, &[])), native);

    let mut preloaded = machine.command(&suite);
    preloaded
        .env("LD_PRELOAD", machine.library_folder().join("libOpenCL.so.1"))
        .env("XSCHED_SOCKET", machine.socket());
    assert_eq!(transcript(&Program::start(preloaded)), native);

    let mut by_path = machine.command(&suite);
    by_path.env("LD_LIBRARY_PATH", machine.library_folder()).env("XSCHED_SOCKET", machine.socket());
    assert_eq!(transcript(&Program::start(by_path)), native);

    let _storm = Storm::begin(&machine, 4);
    let mut suspensions = 0;
    while suspensions < suspensions_wanted() {
        let stormy = machine.run(0, &suite, &[]);
        let seen = suspensions_until_its_end(&machine, &stormy);
        assert!(seen > 0, "nothing was suspended");
        suspensions += seen;
        assert_eq!(transcript(&stormy), native);
    }
}

#[test]
fn opencl_suite_through_the_layer_then_its_transcript_is_the_same_on_both_loaders() {
    let machine = Machine::new();
    let suite = program("opencl-suite");
    let layer = machine.library_folder().join("libxsched_opencl_layer.so");
    let systems: fn(&Machine, &mut Command) = |_, _| ();
    // It lacks functions that the suite is linked with, so it stands behind the stand-in, which passes calls on to it.
    let khronos: fn(&Machine, &mut Command) = |machine, command| {
        let folder = intels_folder().expect("asked for before");
        command.env("XSCHED_OPENCL_LIB", folder.join("libOpenCL.so.1"));
        let folders = [machine.library_folder(), folder];
        command.env("LD_LIBRARY_PATH", std::env::join_paths(folders).unwrap());
    };
    let mut loaders = vec![systems];
    match intels_folder() {
        Ok(_) => loaders.push(khronos),
        Err(why) => eprintln!("Khronos's loader is left out: {why}"),
    }
    for loader in loaders {
        let start = |layers: &[&str], switch: &str| {
            let mut command = machine.command(&suite);
            loader(&machine, &mut command);
            command.env("XSCHED_SOCKET", machine.socket()).env("XSCHED_AUTO_XQUEUE", switch);
            Program::start(with_layers(command, layers))
        };
        let layer = layer.to_str().unwrap();
        let native = transcript(&start(&[], "off"));
        assert!(native.len() > 100, "{native:?}");
        let _server = machine.server(&[]);
        assert_eq!(transcript(&start(&[layer], "on")), native);
        let _storm = Storm::begin(&machine, 7);
        let stormy = start(&[layer, layer], "on");
        assert!(suspensions_until_its_end(&machine, &stormy) > 0, "nothing was suspended");
        assert_eq!(transcript(&stormy), native);
    }
}

fn with_layers(mut command: Command, layers: &[&str]) -> Command {
    command.env("OPENCL_LAYERS", layers.join(":"));
    command
}

#[test]
fn ffmpeg_filters_then_all_frames_are_the_same_natively_under_xsched_and_in_a_storm() {
    let machine = Machine::new();
    let filters =
        "format=yuv420p,hwupload,unsharp_opencl=lx=5:ly=5:la=1,avgblur_opencl=3,hwdownload,format=yuv420p";
    let arguments = format!(
        "-v error -nostdin -init_hw_device opencl=ocl:0.0 -filter_hw_device ocl -f lavfi \
         -i testsrc=size=320x240:rate=10:duration=3 -vf {filters} -f framemd5 -"
    );
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let native = output(Program::start(with_arguments(machine.command("ffmpeg"), &arguments)), End::Exit(0));
    let frames = native.iter().filter(|line| !line.starts_with('#')).count();
    assert_eq!(frames, 30, "{native:?}");
    let _server = machine.server(&[]);
    assert_eq!(output(machine.run(0, "ffmpeg", &arguments), End::Exit(0)), native);
    let _storm = Storm::begin(&machine, 5);
    assert_eq!(output(watched(&machine, machine.run(0, "ffmpeg", &arguments)), End::Exit(0)), native);
}

#[test]
fn hashcat_then_it_cracks_the_same_list_natively_under_xsched_and_in_a_storm() {
    let machine = Machine::new();
    // MD5 of 00017, 31337 and 98765, and one that no five digits have.
    let hashes = [
        "633e46b10e15d2667eb184c416ef3750",
        "6f3249aa304055d63828af3bfab778f6",
        "c37bf859faf392800d739a41fe5af151",
        "ffffffffffffffffffffffffffffffff",
    ];
    let list = machine.folder().join("list");
    std::fs::write(&list, hashes.join("\n")).unwrap();
    // Fixed sizes instead of tuning (-n, -u, -T); nothing is kept.
    let arguments = format!(
        "-m 0 -a 3 -w 1 --force --quiet --self-test-disable --hwmon-disable --potfile-disable --restore-disable \
         --logfile-disable --backend-ignore-cuda --backend-ignore-hip -n 256 -u 512 -T 1 {} ?d?d?d?d?d",
        list.display()
    );
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let sorted = |program: Program| {
        // 1: the mask is exhausted and a hash is left.
        let mut lines = output(program, End::Exit(1));
        lines.sort();
        lines
    };
    let native = sorted(Program::start(with_arguments(machine.command("hashcat"), &arguments)));
    assert!(native.len() == 3 && native.iter().all(|line| line.contains(':')), "{native:?}");
    let _server = machine.server(&[]);
    assert_eq!(sorted(machine.run(0, "hashcat", &arguments)), native);
    let _storm = Storm::begin(&machine, 6);
    assert_eq!(sorted(watched(&machine, machine.run(0, "hashcat", &arguments))), native);
}

/// What the suite writes, when it has ended as it should.
fn transcript(suite: &Program) -> Vec<String> {
    assert_eq!(suite.wait_for_end_within(seconds(300)), End::Exit(0), "{}", suite.errors());
    suite.whole_output()
}

fn output(program: Program, end: End) -> Vec<String> {
    assert_eq!(program.wait_for_end_within(seconds(300)), end, "{}", program.errors());
    program.whole_output()
}

/// Waits for the program's end, and sees to it that it was suspended.
fn watched(machine: &Machine, program: Program) -> Program {
    assert!(suspensions_until_its_end(machine, &program) > 0, "it was never suspended");
    program
}

/// Counts on while the program runs, because what xserver counts begins anew when a program has released its last queue.
pub(crate) fn suspensions_until_its_end(machine: &Machine, program: &Program) -> u64 {
    let (mut count, mut last) = (0, 0);
    eventually("it ends", seconds(300), || {
        let now = machine.suspensions(program.pid());
        count += if now < last { now } else { now - last };
        last = now;
        std::thread::sleep(millis(20));
        program.end().is_some()
    });
    count
}

fn with_arguments(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}
