//! The nightly toolchain, for what stable cannot do: sanitizers, Miri and the fuzzer.
//!
//! Nothing of the project is built with it for use. Where it is not to be had, a task that needs it is left out with a line that
//! says so, if it was asked for `--if-possible`; else it fails.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::stage;

/// What a task does without the toolchain.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Wish {
    /// Where the nightly toolchain, or what this needs of it, cannot be had: say so, and pass.
    #[arg(long)]
    if_possible: bool,
    /// Install nothing, neither a toolchain nor a tool.
    #[arg(long)]
    no_install: bool,
}

impl Wish {
    /// Pass without what cannot be had, and install what can be, unless `install` is not.
    pub(crate) fn if_possible(install: bool) -> Wish {
        Wish { if_possible: true, no_install: !install }
    }

    /// Sees to it that nightly is there with these components, and these programs of crates.io (subcommands of cargo). False if it cannot be
    /// had and that is no failure; that has been said then.
    pub(crate) fn fulfil(self, components: &[&str], subcommands: &[&str]) -> Result<bool> {
        match self.try_fulfil(components, subcommands) {
            Ok(()) => Ok(true),
            Err(why) if self.if_possible => {
                println!("left out, because {why:#}");
                Ok(false)
            }
            Err(why) => Err(why),
        }
    }

    fn try_fulfil(self, components: &[&str], subcommands: &[&str]) -> Result<()> {
        let listed =
            said(Command::new("rustup").args(["component", "list", "--toolchain", "nightly", "--installed"]));
        let has = |component: &&&str| {
            !listed.iter().flat_map(|list| list.lines()).any(|line| line.starts_with(**component))
        };
        let missing: Vec<&str> = components.iter().filter(has).copied().collect();
        if listed.is_none() || !missing.is_empty() {
            let mut install = Command::new("rustup");
            install.args(["toolchain", "install", "nightly", "--profile", "minimal", "--no-self-update"]);
            components.iter().for_each(|component| _ = install.args(["--component", component]));
            self.install("the nightly toolchain", &mut install)?;
        }
        for name in subcommands {
            if said(cargo().args([name, "--version"])).is_none() {
                let mut install = stage::cargo();
                install.args(["install", "--quiet", "--locked", &format!("cargo-{name}")]);
                self.install(name, &mut install)?;
            }
        }
        Ok(())
    }

    fn install(self, what: &str, command: &mut Command) -> Result<()> {
        if self.no_install {
            bail!("{what} is not there; to install it: {command:?}");
        }
        eprintln!("installing: {command:?}");
        let status = command.status().with_context(|| format!("starting {command:?}"))?;
        if !status.success() {
            bail!("{what} cannot be installed: {command:?} failed ({status})");
        }
        Ok(())
    }
}

/// Cargo of the nightly toolchain, in the workspace, with a folder of its own for what it builds.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // What the stable cargo that runs this has set is not for another one.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}

/// The triple of this machine, which is named where flags are not meant for build scripts.
pub(crate) fn host() -> Result<String> {
    let version = said(Command::new("rustc").arg("-vV")).context("rustc -vV")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// The folder of the nightly toolchain.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "rustc", "--print", "sysroot"]);
    said(&mut command).map(|said| PathBuf::from(said.trim())).context("rustc --print sysroot")
}

/// What it prints, if it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
