//! Level Zero programs for the tests: C, compiled against the vendor's headers and loader, run on a driver that the loader is told of.
//!
//! The simulated driver (`tests/fakes/levelzero`) has one device for all programs of a test. The null driver is the loader's own, built by
//! `cargo xtask test` from Debian's sources; it answers every call and does nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use test_system::{Machine, Program, Rival};
use xsched_core::DeviceKey;
use xsched_core::text::Value as _;

/// A machine with the simulated device.
#[derive(Debug)]
pub struct World {
    /// The machine.
    pub machine: Machine,
    programs: TempDir,
}

impl World {
    /// With the programs compiled.
    #[expect(clippy::new_without_default, reason = "it waits for the machine")]
    pub fn new() -> World {
        let programs = TempDir::new().unwrap();
        for name in ["suite", "worker", "every_call"] {
            compile(name, &programs.path().join(name));
        }
        World { machine: Machine::new(), programs }
    }

    /// A program's path.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.path().join(name)
    }

    /// A program without XSched.
    pub fn native(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.machine.command(self.program(name));
        self.on_the_simulated_device(command.args(arguments));
        command
    }

    /// Starts a program under XSched.
    pub fn run(&self, priority: i32, name: &str, arguments: &[&str]) -> Program {
        let mut command = self.machine.run_command(priority, self.program(name), arguments);
        self.on_the_simulated_device(&mut command);
        Program::start(command)
    }

    /// Lets the loader find the simulated driver, and programs share its device.
    pub fn on_the_simulated_device(&self, command: &mut Command) {
        command
            .env("ZE_ENABLE_ALT_DRIVERS", fake_driver())
            .env("FAKE_LEVELZERO_DEVICE", self.machine.folder());
    }

    /// Which processes have executed on the simulated device so far, kernel by kernel.
    pub fn executed(&self) -> Vec<u32> {
        let bytes = std::fs::read(self.machine.folder().join("executed")).unwrap_or_default();
        bytes.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().expect("four bytes"))).collect()
    }

    /// A rival for the simulated device.
    pub fn rival(&self, priority: i64) -> Rival {
        let key = DeviceKey::parse("pci:ffff:5a:00.0").expect("a device key");
        Rival::attach_on(&self.machine.socket(), priority, &key)
    }
}

/// The simulated driver, which cargo builds together with this crate's tests.
pub fn fake_driver() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let library = test.with_file_name("libfake_levelzero.so");
    assert!(library.exists(), "cargo test builds the simulated driver: {}", library.display());
    library
}

/// The null driver, if it could be built: the file that `NULL_LEVELZERO_DRIVER` names.
pub fn null_driver() -> Option<PathBuf> {
    std::env::var_os("NULL_LEVELZERO_DRIVER").map(PathBuf::from).filter(|path| path.is_file())
}

fn compile(name: &str, to: &Path) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Werror", "-pthread", "-o"]).arg(to).arg(format!("{name}.c"));
    gcc.arg("/usr/lib/x86_64-linux-gnu/libze_loader.so.1").arg("-ldl").current_dir(sources);
    let output = gcc.output().expect("install gcc (Debian)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
