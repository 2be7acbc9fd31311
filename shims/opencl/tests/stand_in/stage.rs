//! Builds the C parts of the tests and runs programs with the stand-in in front of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The stand-in that cargo built together with this test.
pub(crate) fn stand_in() -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    let library = test.with_file_name("libxsched_shim_opencl.so");
    assert!(library.exists(), "cargo test builds the stand-in: {}", library.display());
    library
}

/// The system's OpenCL loader.
pub(crate) fn system_loader() -> &'static Path {
    ["/usr/lib/x86_64-linux-gnu/libOpenCL.so.1", "/usr/lib64/libOpenCL.so.1"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists())
        .expect("these tests need an OpenCL loader (Debian: install ocl-icd-libopencl1)")
}

/// Runs a command to its end; standard output and standard error.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("start the program");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    (stdout, stderr)
}

/// A folder with the stand-in under its names, and a program that is linked with a libOpenCL.so.1.
pub(crate) struct Stage {
    root: TempDir,
}

impl Stage {
    /// With a program linked with the system's loader, and no libxsched.so.
    pub(crate) fn new() -> Stage {
        let stage = Stage { root: TempDir::new().expect("a temporary folder") };
        std::fs::create_dir(stage.shims()).expect("a folder");
        std::fs::copy(stand_in(), stage.shims().join("libOpenCL.so.1")).expect("copy the stand-in");
        std::os::unix::fs::symlink("libOpenCL.so.1", stage.shims().join("libOpenCL.so")).expect("a link");
        stage.compile("program", &["program.c", &system_loader().to_string_lossy()]);
        stage
    }

    /// As `new`, with the test's libxsched.so beside the stand-in.
    pub(crate) fn with_libxsched() -> Stage {
        let stage = Stage::new();
        stage.compile("shims/libxsched.so", &["libxsched.c", "-shared", "-fPIC"]);
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Where the stand-in is.
    pub(crate) fn shims(&self) -> PathBuf {
        self.path("shims")
    }

    /// Compiles with gcc; `.c` files are those in `c/`.
    pub(crate) fn compile(&self, output: &str, arguments: &[&str]) {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand_in/c");
        let mut gcc = Command::new("gcc");
        gcc.arg("-O1").arg("-pthread").arg("-o").arg(self.path(output)).current_dir(sources).args(arguments);
        run(&mut gcc);
    }

    /// The program natively.
    pub(crate) fn native(&self, todo: &str) -> Command {
        let mut program = Command::new(self.path("program"));
        // The loader complains at once, about every version, before main.
        program.arg(todo).env("LD_BIND_NOW", "1").env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
        program
    }

    /// The program with the stand-in found before the system's library.
    pub(crate) fn found_first(&self, todo: &str) -> Command {
        let mut program = self.native(todo);
        program.env("LD_LIBRARY_PATH", self.shims());
        program
    }

    /// The program with the stand-in preloaded.
    pub(crate) fn preloaded(&self, todo: &str) -> Command {
        let mut program = self.native(todo);
        program.env("LD_PRELOAD", self.shims().join("libOpenCL.so.1"));
        program
    }

    /// What the test's libxsched.so prints when it binds.
    pub(crate) fn bind_line(&self) -> String {
        let slots = crate::exports::TABLE.len();
        format!("bind 1 opencl {} {slots} clBuildProgram..clWaitForEvents\n", self.shims().display())
    }
}
