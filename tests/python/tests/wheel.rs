//! The wheel: built, installed where nothing else is, tried with a libxsched that only takes note, and type-checked.

use std::path::Path;
use std::process::Command;
use test_python::{Environment, build_wheel, sources, succeed};

#[test]
fn the_same_sources_make_the_same_wheel_to_the_byte() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let wheels = [build_wheel(one.path()), build_wheel(other.path())];
    let name = wheels[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(name, concat!("xsched-", env!("CARGO_PKG_VERSION"), "-py3-none-any.whl"));
    let [one, other] = wheels.map(|wheel| std::fs::read(wheel).unwrap());
    assert!(one == other && !one.is_empty());
}

#[test]
fn installed_in_a_fresh_environment_the_package_passes_its_tests() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::with_wheel(&folder.path().join("venv"), &build_wheel(folder.path()));
    let library = fake_library(folder.path());
    let tests = sources().join("tests");
    let mut python = environment.python();
    python.args(["-m", "unittest", "discover", "-s"]).arg(tests);
    python.env("XSCHED_LIB", library).env("FAKE_LOG", folder.path().join("log")).current_dir(folder.path());
    succeed(&mut python);
    // It is the installed one that was tried, and it says that it is typed.
    let where_is_it = "import os, xsched; print(xsched.__version__, os.path.dirname(xsched.__file__))";
    let said = succeed(environment.python().args(["-c", where_is_it]).current_dir(folder.path()));
    let (version, path) = said.trim().split_once(' ').unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(path.starts_with(folder.path().join("venv").to_str().unwrap()), "{path}");
    assert!(Path::new(path).join("py.typed").is_file());
}

#[test]
fn without_a_libxsched_every_place_that_was_looked_at_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::with_wheel(&folder.path().join("venv"), &build_wheel(folder.path()));
    let program =
        "import xsched\ntry:\n    xsched.library_path()\nexcept ImportError as error:\n    print(error)\n";
    let ask = |name: &str, value: &str| {
        let mut python = environment.python();
        succeed(python.args(["-c", program]).env("PATH", "/usr/bin:/bin").env(name, value))
    };
    let said = ask("XSCHED_LIB", "/nonexistent/libxsched.so");
    assert!(
        said.contains("xcli run") && said.contains("/nonexistent/libxsched.so (named by XSCHED_LIB): "),
        "{said}"
    );
    let said = ask("NOTHING", "");
    assert!(said.contains("libxsched.so (as the loader finds it): "), "{said}");
}

#[test]
fn the_package_its_tests_and_its_examples_type_check_strictly() {
    let Some(environment) = Environment::from_index("mypy", &["mypy", "pyopencl", "numpy"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    environment.install(&build_wheel(folder.path()));
    let check = |paths: &[&str]| {
        let mut mypy = environment.python();
        mypy.args(["-m", "mypy", "--strict", "--python-version", "3.10", "--cache-dir"])
            .arg(folder.path().join("cache"));
        let said = succeed(mypy.args(paths).current_dir(sources()));
        assert!(said.starts_with("Success"), "{said}");
    };
    check(&["-p", "xsched"]);
    check(&["tests", "backend"]);
    // What they use has types that need a newer Python to be read.
    let mut mypy = environment.python();
    mypy.args(["-m", "mypy", "--strict", "--cache-dir"]).arg(folder.path().join("cache"));
    for example in ["hints", "local_scheduler", "submit", "suspend_resume"] {
        mypy.arg(format!("examples/{example}.py"));
    }
    let said = succeed(mypy.current_dir(sources()));
    assert!(said.starts_with("Success"), "{said}");
}

fn fake_library(folder: &Path) -> std::path::PathBuf {
    let library = folder.join("libxsched_fake.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library);
    succeed(cc.arg(sources().join("tests/fake.c")).arg("-lpthread"));
    library
}
