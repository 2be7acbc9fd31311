//! Python environments for the tests of the Python package: each in a folder of its own, and kept for the next time.
//!
//! The wheel is built without an index, and so are all tests but two: types are checked by mypy and examples use pyopencl, which come from PyPI.
//! Where that cannot be reached, those say so and are left out; nothing else is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the package's sources.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python").canonicalize().expect("the package is there")
}

/// Builds the wheel into a folder, as `cargo xtask dist` does; returns its path.
pub fn build_wheel(folder: &Path) -> PathBuf {
    let build = "import sys; import xsched_wheel; print(xsched_wheel.build_wheel(sys.argv[1]))";
    let mut python = Command::new("python3");
    python.args(["-c", build]).arg(folder).env("PYTHONPATH", sources().join("backend"));
    folder.join(succeed(python.env("PYTHONDONTWRITEBYTECODE", "1")).trim())
}

/// A Python environment.
#[derive(Debug)]
pub struct Environment(PathBuf);

impl Environment {
    /// A fresh one in a folder, with nothing but a wheel in it.
    pub fn with_wheel(folder: &Path, wheel: &Path) -> Environment {
        let environment = Environment::bare(folder);
        environment.install(wheel);
        environment
    }

    /// One with packages of PyPI's in the target folder, under this name; none, with a line that says so, if they cannot be had.
    pub fn from_index(name: &str, packages: &[&str]) -> Option<Environment> {
        // A test lies in target/PROFILE/deps.
        let this = std::env::current_exe().expect("a path");
        let folder = this.ancestors().nth(3)?.join("python-tests").join(name);
        let is_complete = folder.join("complete");
        let environment = Environment(folder.clone());
        if is_complete.is_file() {
            return Some(environment);
        }
        let environment = Environment::bare(&folder);
        let pip = environment
            .pip(&["install", "--quiet", "--retries", "1", "--timeout", "20"])
            .args(packages)
            .output();
        let pip = pip.expect("pip starts");
        if !pip.status.success() {
            let said = String::from_utf8_lossy(&pip.stderr);
            let last = said.lines().last().unwrap_or_default();
            println!("left out: {} cannot be had from PyPI: {last}", packages.join(", "));
            return None;
        }
        std::fs::write(is_complete, "").expect("a file");
        Some(environment)
    }

    /// Installs a wheel, in place of an older one.
    pub fn install(&self, wheel: &Path) {
        succeed(self.pip(&["install", "--quiet", "--no-index", "--no-deps", "--force-reinstall"]).arg(wheel));
    }

    /// Its interpreter, with nothing of ours and of Python's in the variables.
    pub fn python(&self) -> Command {
        clean(self.0.join("bin/python"))
    }

    /// The path of its interpreter.
    pub fn interpreter(&self) -> PathBuf {
        self.0.join("bin/python")
    }

    fn bare(folder: &Path) -> Environment {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
        Environment(folder.to_owned())
    }

    fn pip(&self, arguments: &[&str]) -> Command {
        let mut pip = clean(self.0.join("bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check"]).args(arguments);
        pip
    }
}

fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("XSCHED_") || name.starts_with("PYTHON") || name.starts_with("LD_") {
            command.env_remove(&*name);
        }
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs a command that must succeed; returns what it wrote.
pub fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}
