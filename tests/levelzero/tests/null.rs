//! Every function of the loader on its null driver, natively and through the stand-in: the same results, also with the loader's layers for
//! validation and for tracing.

use std::path::Path;
use std::process::Command;
use test_levelzero::{World, null_driver};
use test_system::wait::seconds;
use test_system::{End, Program};

/// The functions that the system's loader exports.
fn functions() -> Vec<String> {
    let loader = Path::new("/usr/lib/x86_64-linux-gnu/libze_loader.so.1");
    let output = Command::new("readelf").args(["--wide", "--dyn-syms"]).arg(loader).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names =
        text.lines().filter(|line| line.contains(" FUNC ")).filter_map(|line| line.split_whitespace().nth(7));
    // One answers with an address, which is another one each time.
    let names = names.filter(|name| name.starts_with("ze") && *name != "zeLoaderGetTracingHandle");
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

fn results(mut command: Command, driver: &Path, layer: &[&str], functions: &[String]) -> Vec<String> {
    command.env("ZE_ENABLE_ALT_DRIVERS", driver);
    for variable in layer {
        command.env(variable, "1");
    }
    let mut program = Program::start(command);
    for name in functions {
        program.tell(name);
    }
    program.closes_its_input();
    assert_eq!(program.wait_for_end_within(seconds(300)), End::Exit(0), "{}", program.errors());
    program.whole_output()
}

#[test]
fn every_function_on_the_null_driver_then_results_are_those_without_the_stand_in() {
    let Some(driver) = null_driver() else {
        println!(
            "left out: no null driver (cargo xtask test builds it from Debian's source package level-zero)"
        );
        return;
    };
    let world = World::new();
    let functions = functions();
    assert!(functions.len() > 400, "{functions:?}");
    let _server = world.machine.server(&[]);
    // What most functions say to nothing but zeroes: none of them looks, the validation layer does.
    for (layer, to_zeroes) in [
        (&[][..], "0 0"),
        (&["ZE_ENABLE_VALIDATION_LAYER", "ZE_ENABLE_PARAMETER_VALIDATION"], "0 78000005"),
        (&["ZE_ENABLE_TRACING_LAYER", "ZET_ENABLE_API_TRACING_EXP"], "0 0"),
    ] {
        let program = world.program("every_call");
        let native = results(world.machine.command(&program), &driver, layer, &functions);
        assert_eq!(native.len(), 2 * functions.len());
        let answers = native.iter().filter(|line| line.ends_with(&format!(" {to_zeroes}"))).count();
        assert!(answers > 200, "{layer:?} is not there: {native:?}");
        let ours = results(world.machine.run_command(0, &program, &[]), &driver, layer, &functions);
        let differences: Vec<_> = native.iter().zip(&ours).filter(|(native, ours)| native != ours).collect();
        assert!(differences.is_empty(), "{layer:?}: {differences:?}");
        assert_eq!(ours.len(), native.len());
    }
}
