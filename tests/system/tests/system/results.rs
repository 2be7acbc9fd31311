//! The suite computes the same, natively, under XSched, and while it is suspended at random. `tests/programs` has programs of others.

use std::process::Command;
use test_system::driver::intels_folder;
use test_system::machine::program;
use test_system::wait::seconds;
use test_system::{End, Machine, Program, Storm};

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
        let seen = machine.suspensions_until_the_end_of(&stormy);
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
        assert!(machine.suspensions_until_the_end_of(&stormy) > 0, "nothing was suspended");
        assert_eq!(transcript(&stormy), native);
    }
}

fn with_layers(mut command: Command, layers: &[&str]) -> Command {
    command.env("OPENCL_LAYERS", layers.join(":"));
    command
}

/// What the suite writes, when it has ended as it should.
fn transcript(suite: &Program) -> Vec<String> {
    assert_eq!(suite.wait_for_end_within(seconds(300)), End::Exit(0), "{}", suite.errors());
    suite.whole_output()
}
