//! Containers of podman, from an image of the prepared root, with a description of XSched that an xcli wrote.

use crate::{Prepared, run, succeed, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The image.
const IMAGE: &str = "localhost/xsched-test";
/// Where podman looks for descriptions that last until the machine is switched off.
const DESCRIPTIONS: &str = "/run/cdi";

/// podman, with a description in place; taken away when dropped, with all containers.
#[derive(Debug)]
pub struct Podman {
    runtime: &'static str,
    description: PathBuf,
    names: Vec<String>,
    actor: PathBuf,
}

impl Podman {
    /// With this runtime and the description that `xcli cdi` writes for the server at `socket`.
    pub fn new(prepared: &Prepared, runtime: &'static str, socket: &Path) -> Podman {
        let description = Path::new(DESCRIPTIONS).join("xsched-test.json");
        let mut xcli = Command::new(prepared.tree.join("bin/xcli"));
        succeed(xcli.arg("--socket").arg(socket).args(["cdi", "--output"]).arg(&description));
        let podman =
            Podman { runtime, description, names: vec![], actor: prepared.actor.canonicalize().unwrap() };
        if !run(podman.command().args(["image", "exists", IMAGE])).status.success() {
            let mut import = Command::new("sh");
            let import = import.arg("-c").arg("tar -C \"$0\" -c . | podman import --quiet - \"$1\"");
            succeed(import.arg(&prepared.debian).arg(IMAGE));
        }
        podman
    }

    /// A container with a device of ours, that runs the actor's script by this way of starting it; in the background if it has a name.
    pub fn container(&mut self, name: Option<&str>, device: &str, way: &[&str], script: &[&str]) -> Output {
        let mut command = self.command();
        command.args(["run", "--network=none"]);
        // A machine's own limits may be too low for podman's.
        command.args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--pids-limit=0"]);
        command.arg(format!("--device=xsched.dev/xpu={device}"));
        command.arg(format!("--volume={}:/system-actor:ro", self.actor.display()));
        match name {
            Some(name) => {
                self.names.push(name.into());
                command.args(["--detach", "--name", name]);
            }
            None => {
                command.arg("--rm");
            }
        }
        command
            .args(["--env=XSCHED_AUTO_XQUEUE_PRIORITY=5", IMAGE])
            .args(way)
            .arg("/system-actor")
            .args(script);
        run(&mut command)
    }

    /// What podman knows of a container, by a template.
    pub fn inspect(&self, name: &str, template: &str) -> String {
        succeed(self.command().args(["inspect", "--format", template, name])).trim().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.args(["--cgroup-manager=cgroupfs", "--runtime", self.runtime]);
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        for name in &self.names {
            if std::thread::panicking() {
                let logs = run(self.command().args(["logs", name]));
                println!("{name}: {}{}", text(&logs.stdout), text(&logs.stderr));
            }
            let _ = run(self.command().args(["rm", "--force", "--time=0", name]));
        }
        let _ = std::fs::remove_file(&self.description);
    }
}
