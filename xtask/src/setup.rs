//! What a task needs from the machine, and how it gets there.
//!
//! A need is probed by what it is (a program in PATH, a library the loader finds), never by how it was installed, so
//! any distribution will do; only installing is Debian's. Deliberately absent: removing anything again.

use std::env::consts::ARCH;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Install what all tasks together need from the system.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install nothing, only say what is missing.
    #[arg(long)]
    no_install: bool,
}

/// Something that must be on the machine.
pub(crate) struct Need {
    /// What it is, for a person.
    what: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    probe: Probe,
}

enum Probe {
    Program(&'static str),
    Library(&'static str),
    /// An OpenCL driver whose registration names this.
    Icd(&'static str),
    /// A library that the linker finds, by its file name.
    Linkable(&'static str),
    File(&'static str),
    PythonModule(&'static str),
}

/// The OpenCL loader that every OpenCL program links.
pub(crate) const OPENCL_LOADER: Need = Need {
    what: "the OpenCL loader",
    package: "ocl-icd-libopencl1",
    probe: Probe::Library("libOpenCL.so.1"),
};
/// PoCL, an OpenCL driver for the CPU.
pub(crate) const POCL: Need =
    Need { what: "PoCL, OpenCL on the CPU", package: "pocl-opencl-icd", probe: Probe::Icd("pocl") };
/// hashcat, the third-party program that shares the device in the demo.
pub(crate) const HASHCAT: Need = Need::program("hashcat", "hashcat");

/// Python, which builds its package and runs it in the tests.
pub(crate) const PYTHON: Need = Need::program("python3", "python3");
/// What makes Python environments.
pub(crate) const PYTHON_VENV: Need =
    Need { what: "Python's venv", package: "python3-venv", probe: Probe::PythonModule("ensurepip") };

/// What the tests need. They include the demo's programs.
const TESTS: &[Need] = &[
    OPENCL_LOADER,
    POCL,
    HASHCAT,
    PYTHON,
    PYTHON_VENV,
    Need::program("valgrind", "valgrind"),
    Need {
        what: "libOpenCL.so to link with",
        package: "ocl-icd-opencl-dev",
        probe: Probe::Linkable("libOpenCL.so"),
    },
    Need {
        what: "OpenCL's headers",
        package: "opencl-c-headers",
        probe: Probe::File("/usr/include/CL/cl.h"),
    },
    Need { what: "the Level Zero loader", package: "libze1", probe: Probe::Library("libze_loader.so.1") },
    Need {
        what: "Level Zero's headers",
        package: "libze-dev",
        probe: Probe::File("/usr/include/level_zero/ze_api.h"),
    },
    Need::program("cc", "gcc"),
    Need::program("gcc", "gcc"),
    Need {
        what: "the C library's headers",
        package: "libc6-dev",
        probe: Probe::File("/usr/include/stdio.h"),
    },
    Need::program("g++", "g++"),
    Need::program("cmake", "cmake"),
    Need::program("make", "make"),
    Need::program("pkg-config", "pkg-config"),
    Need::program("readelf", "binutils"),
    Need::program("musl-gcc", "musl-tools"),
    Need::program("setpriv", "util-linux"),
    Need::program("kill", "procps"),
    Need::program("clinfo", "clinfo"),
    Need::program("ffmpeg", "ffmpeg"),
    Need::program("Xvfb", "xvfb"),
    // Checks the metrics, the alerts and the page.
    Need::program("promtool", "prometheus"),
    Need::program("tmux", "tmux"),
];

/// What the tests of the page need besides. Not every distribution has it.
const BROWSER: &[Need] = &[Need::program("chromedriver", "chromium-driver")];

/// What the tests with programs of others need besides.
pub(crate) const PROGRAMS: &[Need] = &[
    Need::program("clpeak", "clpeak"),
    Need::program("clblast_test_xaxpy", "clblast-tests"),
    Need::program("clFFT-client", "clfft-client"),
    Need {
        what: "Oclgrind, OpenCL in a simulator",
        package: "oclgrind",
        probe: Probe::File("/usr/lib/oclgrind/liboclgrind-rt-icd.so"),
    },
    PYTHON_VENV,
];

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure_for_tests(!args.no_install)?;
    println!("nothing is missing");
    Ok(())
}

/// What the tests need. Where there is no browser to be had, the page is not tested, which is said; in CI (`CI` is set) that is no excuse.
pub(crate) fn ensure_for_tests(may_install: bool) -> Result<()> {
    ensure(TESTS, may_install)?;
    match ensure(BROWSER, may_install) {
        Err(why) if std::env::var_os("CI").is_none() => eprintln!("{why}\nwithout it the page is not tested"),
        result => result?,
    }
    Ok(())
}

impl Need {
    /// A program in PATH and its package.
    pub(crate) const fn program(name: &'static str, package: &'static str) -> Self {
        Self { what: name, package, probe: Probe::Program(name) }
    }

    fn is_met(&self) -> bool {
        match self.probe {
            Probe::Program(name) => in_path(name),
            Probe::Library(name) => ldconfig_lists(name),
            Probe::Icd(name) => icd_registered(name),
            Probe::Linkable(name) => linkable(name),
            Probe::File(path) => Path::new(path).is_file(),
            Probe::PythonModule(name) => has_python_module(name),
        }
    }
}

/// Installs what is missing if this is root on a Debian and `may_install`; else says what to install.
pub(crate) fn ensure(needs: &[Need], may_install: bool) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let names: Vec<&str> = missing.iter().map(|need| need.what).collect();
    let by_hand = format!(
        "missing: {}\nto install on Debian or Ubuntu:\n    sudo apt-get install -y --no-install-recommends {}",
        names.join(", "),
        packages.join(" ")
    );
    if !(may_install && rustix::process::getuid().is_root() && in_path("apt-get")) {
        bail!(by_hand);
    }
    eprintln!("installing {} …", packages.join(", "));
    apt_get(&["update", "-qq"]).and_then(|()| {
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&packages);
        apt_get(&arguments)
    })?;
    match missing.iter().find(|need| !need.is_met()) {
        Some(need) => bail!("{} was installed but {} is still not found", need.package, need.what),
        None => Ok(()),
    }
}

/// Whether Python has a module.
pub(crate) fn has_python_module(name: &str) -> bool {
    Command::new("python3")
        .args(["-c", &format!("import {name}")])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .context("starting apt-get")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("apt-get {} failed ({}):\n{}", arguments.join(" "), output.status, said.trim());
    }
    Ok(())
}

fn in_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn ldconfig_lists(library: &str) -> bool {
    // Not every user has sbin in PATH.
    ["ldconfig", "/sbin/ldconfig"].iter().any(|program| {
        Command::new(program).arg("-p").output().is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .any(|line| line.split_whitespace().next().is_some_and(|name| name == library))
        })
    })
}

fn linkable(library: &str) -> bool {
    // Where Debian and Fedora keep them, and what the administrator added.
    let folders = [format!("/usr/lib/{ARCH}-linux-gnu"), "/usr/lib64".into(), "/usr/local/lib".into()];
    folders.iter().any(|folder| Path::new(folder).join(library).is_file())
}

fn icd_registered(name: &str) -> bool {
    let Ok(entries) = std::fs::read_dir("/etc/OpenCL/vendors") else { return false };
    entries.flatten().any(|entry| names_driver(&entry.path(), name))
}

fn names_driver(icd: &Path, name: &str) -> bool {
    icd.extension().is_some_and(|extension| extension == "icd")
        && std::fs::read_to_string(icd).is_ok_and(|library| library.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_exists_nowhere_is_missing_and_the_message_names_its_package() {
        let need = Need::program("no-such-program-anywhere", "no-such-package");
        let error = ensure(&[need], false).unwrap_err().to_string();
        assert!(error.contains("no-such-program-anywhere"), "{error}");
        assert!(error.contains("apt-get install -y --no-install-recommends no-such-package"), "{error}");
    }

    #[test]
    fn a_program_that_every_machine_has_is_no_need() {
        ensure(&[Need::program("sh", "dash")], false).unwrap();
    }
}
