//! What the tests of the service play with: a Debian system that boots in a container of systemd-nspawn ([`System`]), and containers of
//! podman ([`Podman`]). Both are made from one root file system with PoCL, which `cargo xtask test service` makes once.
//!
//! Deliberately absent: the network. All that a test starts ends with it, and the root file system stays as it is.

pub mod podman;
pub mod system;

pub use podman::Podman;
pub use system::System;

use std::path::PathBuf;
use std::process::{Command, Output};

/// Names the folder with all that the tests need; without it they are left out, for it takes minutes to make.
const FOLDER: &str = "SERVICE_TESTS";

/// What `cargo xtask test service` prepared.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The root file system of a Debian with systemd and PoCL.
    pub debian: PathBuf,
    /// The root file system of the oldest Debian on which XSched runs, with PoCL.
    pub debian_11: PathBuf,
    /// Two Debian packages of XSched, the later version last.
    pub packages: [PathBuf; 2],
    /// The tarball.
    pub tarball: PathBuf,
    /// The little OpenCL program of test-system.
    pub actor: PathBuf,
    /// The same for the oldest Debian.
    pub old_actor: PathBuf,
    /// The tree that was packed: `bin`, `lib/xsched`.
    pub tree: PathBuf,
}

/// What there is, if it was prepared.
pub fn prepared() -> Option<Prepared> {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        println!("left out: `cargo xtask test service` prepares and runs it");
        return None;
    };
    Some(Prepared {
        debian: folder.join("debian"),
        debian_11: folder.join("debian-11"),
        packages: ["1.deb", "2.deb"].map(|name| folder.join(name)),
        tarball: folder.join("xsched.tar.gz"),
        actor: folder.join("system-actor"),
        old_actor: folder.join("old-system-actor"),
        tree: folder.join("tree"),
    })
}

/// Runs it to its end; it must succeed.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let (said, wrong) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{wrong}", output.status);
    said
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
