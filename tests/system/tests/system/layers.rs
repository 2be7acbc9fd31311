//! XSched as a layer of the OpenCL loader: alone, and beside the stand-in, where only one of the two may stand in a launch's way.

use std::path::{Path, PathBuf};
use std::process::Command;
use test_system::driver::{Driver, intels_folder};
use test_system::machine::actor;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{Machine, Program, eventually};

/// An OpenCL loader.
struct Loader {
    file: PathBuf,
    /// What it needs to load at all.
    needs: Option<PathBuf>,
}

/// The system's, which is ocl-icd on Debian, and Khronos's, which Intel's runtime brings along.
fn loaders() -> Vec<Loader> {
    let places = ["/usr/lib/x86_64-linux-gnu/libOpenCL.so.1", "/usr/lib64/libOpenCL.so.1"];
    let place = places.into_iter().map(PathBuf::from).find(|path| path.exists());
    let system = Loader { file: place.expect("an OpenCL loader (Debian: ocl-icd-libopencl1)"), needs: None };
    let khronos = intels_folder()
        .map(|folder| Loader { file: folder.join("libOpenCL.so.1"), needs: Some(folder) })
        .inspect_err(|why| eprintln!("Khronos's loader is left out: {why}"));
    [system].into_iter().chain(khronos).collect()
}

/// Both loaders find PoCL alone.
fn with_pocl(command: &mut Command, machine: &Machine) {
    let pocl = Driver::pocl().unwrap();
    pocl.alone_in(command, machine.folder());
}

#[test]
fn program_that_opens_the_loader_by_its_path_then_the_layer_holds_it_back_and_the_stand_in_alone_does_not() {
    for loader in loaders() {
        let machine = Machine::new();
        let _server = machine.strict_server();
        let script = [&format!("library:{}", loader.file.display()), "work", "sleep"];
        let start = |options: &[&str]| {
            let mut command = machine.xcli();
            command.arg("run").args(options).arg("--").arg(actor()).args(script);
            with_pocl(&mut command, &machine);
            if let Some(folder) = &loader.needs {
                command.env("LD_LIBRARY_PATH", folder);
            }
            Program::start(command)
        };

        let escaped = start(&["--no-layers"]);
        escaped.goes_on_within(PATIENCE);
        assert!(!machine.is_attached(escaped.pid()));
        drop(escaped);

        let program = start(&[]);
        eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
        let rival = machine.rival(10);
        rival.wants_the_device();
        eventually("it is suspended", seconds(3), || machine.is_suspended(program.pid()));
        program.stands_still_for(millis(300));
        rival.is_done();
        program.goes_on_within(seconds(3));
        assert_eq!(program.warnings(), [""; 0]);
    }
}

#[test]
fn stand_in_and_layer_in_every_combination_then_each_launch_counts_once() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let stand_in = machine.library_folder().join("libOpenCL.so.1");
    let layer = machine.library_folder().join("libxsched_opencl_layer.so");
    // The layer of a second installation.
    let elsewhere = machine.folder().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for file in ["libxsched_opencl_layer.so", "libxsched.so"] {
        std::fs::copy(machine.library_folder().join(file), elsewhere.join(file)).unwrap();
    }
    let other = elsewhere.join("libxsched_opencl_layer.so");

    let script = ["launches:20", "hear", "launches:30", "sleep"];
    let count = |stand_in: Option<&Path>, layers: &[&Path], first: Option<&Path>| {
        let mut command = machine.command(actor());
        if let Some(loader) = first {
            command.arg(format!("library:{}", loader.display()));
        }
        command.args(script).env("XSCHED_SOCKET", machine.socket());
        if let Some(stand_in) = stand_in {
            command.env("LD_PRELOAD", stand_in);
        }
        command
            .env("OPENCL_LAYERS", layers.iter().map(|l| l.to_str().unwrap()).collect::<Vec<_>>().join(":"));
        let mut program = Program::start(command);
        program.hears("launches");
        eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
        program.tell("");
        program.hears("launches");
        let queues = machine.find(program.pid()).unwrap().queues;
        let mut launched: Vec<u64> = queues.iter().map(|queue| queue.launched).collect();
        launched.sort_unstable();
        let threads = program.threads().iter().filter(|name| name.starts_with("xsched-agent")).count();
        (launched, threads, program.warnings())
    };
    let once = (vec![20, 30], 1, vec![]);
    let (preloaded, layer, other): (_, &Path, &Path) = (Some(&*stand_in), &layer, &other);
    assert_eq!(count(preloaded, &[], None), once, "the stand-in alone");
    assert_eq!(count(None, &[layer], None), once, "the layer alone");
    assert_eq!(count(preloaded, &[layer], None), once, "both");
    assert_eq!(count(None, &[layer, layer], None), once, "the layer twice");
    assert_eq!(count(None, &[layer, other], None), once, "two installations' layers");
    assert_eq!(count(preloaded, &[other], None), once, "a layer of another installation than the stand-in");
    assert_eq!(count(preloaded, &[other, layer, layer], None), once, "all of them");
    let loader = loaders().remove(0).file;
    assert_eq!(
        count(preloaded, &[layer], Some(&loader)),
        once,
        "by its path, with a stand-in that nobody calls"
    );
}

#[test]
fn program_that_closes_the_loader_and_opens_it_again_then_it_is_still_held_back() {
    for loader in loaders() {
        let machine = Machine::new();
        let _server = machine.strict_server();
        let library = format!("library:{}", loader.file.display());
        let script = [&library, "job", "dlclose", &library, "work", "sleep"];
        let mut command = machine.run_command(0, actor(), &script);
        with_pocl(&mut command, &machine);
        if let Some(folder) = &loader.needs {
            command.env("LD_LIBRARY_PATH", folder);
        }
        let mut program = Program::start(command);
        assert_eq!(program.hears("job"), "right");
        program.goes_on_within(PATIENCE);
        let rival = machine.rival(10);
        rival.wants_the_device();
        eventually("it is suspended", seconds(3), || machine.is_suspended(program.pid()));
        program.stands_still_for(millis(300));
        assert_eq!(program.warnings(), [""; 0]);
    }
}
