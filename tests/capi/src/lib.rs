//! C programs over the C interface, compiled against the staged headers and libraries as a user compiles them.
//!
//! Each program in `c` is made for OpenCL (run on PoCL) and for the CUDA driver API (run on `tests/fakes/cuda`), checks what it sees itself,
//! and ends with "all is well".

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use test_system::machine::library;
use test_system::{End, Machine, Program};

/// Environment variables.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

const APP: Settings<'_> = &[("XSCHED_SCHEDULER", "APP")];
const LOCAL: Settings<'_> = &[("XSCHED_SCHEDULER", "LCL"), ("XSCHED_POLICY", "HPF")];
const GLOBAL: Settings<'_> = &[];

/// What a program is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interface {
    /// `-lpreempt -lhalopencl`, and OpenCL's loader.
    OpenCl,
    /// `-lpreempt -lhalcuda -lshimcuda`.
    Cuda,
}

/// A machine, and a folder for programs.
#[derive(Debug)]
pub struct World {
    /// The machine.
    pub machine: Machine,
    programs: TempDir,
}

impl World {
    /// Waits for the machine.
    #[expect(clippy::new_without_default, reason = "it waits for the machine")]
    pub fn new() -> World {
        World { machine: Machine::new(), programs: TempDir::new().unwrap() }
    }

    /// The root of the stage: `include`, `lib`.
    pub fn stage(&self) -> PathBuf {
        let libraries = self.machine.library_folder();
        libraries.ancestors().nth(2).expect("lib/xsched is two folders down").to_path_buf()
    }

    /// Compiles a program of `c`.
    pub fn compile(&self, name: &str, interface: Interface) -> PathBuf {
        let program = self.programs.path().join(format!("{name}-{interface:?}"));
        let mut gcc = Command::new("gcc");
        gcc.args([
            "-std=gnu11",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Wno-unused-function",
            "-Werror",
            "-pthread",
            "-o",
        ])
        .arg(&program)
        .arg(sources().join(name).with_extension("c"))
        .arg("-I")
        .arg(self.stage().join("include"))
        .arg("-I")
        .arg(common());
        if interface == Interface::OpenCl {
            gcc.arg("/usr/lib/x86_64-linux-gnu/libOpenCL.so.1");
        }
        gcc.arg("-L").arg(self.machine.library_folder()).arg("-lpreempt");
        match interface {
            Interface::OpenCl => gcc.arg("-lhalopencl"),
            Interface::Cuda => gcc.args(["-DON_CUDA", "-lhalcuda", "-lshimcuda"]),
        };
        let output = gcc.output().expect("install gcc (Debian)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        program
    }

    /// How a compiled program is run, with the stand-ins in its way or with libxsched.so alone.
    pub fn command(&self, program: &Path, interface: Interface, with_stand_ins: bool) -> Command {
        let alone = self.machine.folder().join("alone");
        std::fs::create_dir_all(&alone).unwrap();
        let xsched = self.machine.library_folder().join("libxsched.so");
        let _ = std::os::unix::fs::symlink(xsched, alone.join("libxsched.so"));
        let mut path = if with_stand_ins { self.machine.library_folder() } else { alone }.into_os_string();
        if interface == Interface::Cuda {
            let driver = self.machine.folder().join("driver");
            std::fs::create_dir_all(&driver).unwrap();
            let _ = std::os::unix::fs::symlink(library("libfake_cuda.so"), driver.join("libcuda.so.1"));
            path.push(":");
            path.push(driver);
        }
        let mut command = self.machine.command(program);
        command.env("LD_LIBRARY_PATH", path).env("XSCHED_SOCKET", self.machine.socket());
        command
    }

    /// Runs a program to its end, which must be a good one.
    pub fn is_well(&self, mut command: Command, settings: Settings<'_>) {
        command.envs(settings.iter().copied());
        let program = Program::start(command);
        let end = program.wait_for_end_within(test_system::wait::seconds(300));
        assert_eq!(end, End::Exit(0), "{settings:?}: {}", program.errors());
        assert_eq!(program.whole_output(), ["all is well"]);
    }
}

/// Runs a program with the stand-ins, by each scheduler; the last one with a server.
pub fn by_everybody(name: &str, interface: Interface) {
    let world = World::new();
    let program = world.compile(name, interface);
    for settings in [APP, LOCAL, GLOBAL] {
        world.is_well(world.command(&program, interface, true), settings);
    }
    let _server = world.machine.server(&[]);
    world.is_well(world.command(&program, interface, true), GLOBAL);
}

/// Runs a program with libxsched.so and no stand-in.
pub fn without_stand_ins(name: &str, interface: Interface) {
    let world = World::new();
    let program = world.compile(name, interface);
    for settings in [APP, LOCAL, GLOBAL] {
        world.is_well(world.command(&program, interface, false), settings);
    }
}

/// Headers that the programs share with the examples.
pub fn common() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/common")
}

/// Where the programs' sources are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("c")
}
