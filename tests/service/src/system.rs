//! A Debian system that boots: systemd-nspawn over the prepared root, with all changes in memory.

use crate::{Prepared, run, succeed, text};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use test_system::wait::{eventually, seconds};

/// The folder in which the system sees what was prepared.
pub const PREPARED: &str = "/prepared";

/// A system that runs; switched off when dropped.
#[derive(Debug)]
pub struct System {
    nspawn: Child,
    name: String,
    /// Its systemd, as this machine numbers it.
    init: u32,
}

impl System {
    /// Boots one.
    pub fn boot(prepared: &Prepared) -> System {
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.args([
            "--quiet",
            "--boot",
            "--volatile=overlay",
            "--register=no",
            "--keep-unit",
            "--private-network",
        ]);
        let name = format!("xsched-test-{}", std::process::id());
        nspawn.args(["--console=pipe", "--machine", &name]);
        nspawn.arg("--directory").arg(&prepared.debian);
        for (file, name) in [
            (&prepared.packages[0], "1.deb"),
            (&prepared.packages[1], "2.deb"),
            (&prepared.tarball, "xsched.tar.gz"),
            (&prepared.actor, "system-actor"),
        ] {
            nspawn.arg(format!("--bind-ro={}:{PREPARED}/{name}", file.canonicalize().unwrap().display()));
        }
        // On a machine that has control groups of both kinds, its systemd wants the new one.
        nspawn.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        nspawn.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let nspawn = nspawn.spawn().expect("systemd-nspawn starts");
        let mut system = System { nspawn, name, init: 0 };
        eventually("its systemd is there", seconds(60), || {
            let children = format!("/proc/{0}/task/{0}/children", system.nspawn.id());
            let children = std::fs::read_to_string(children).unwrap_or_default();
            let mut children = children.split_whitespace();
            // Others come and go before it.
            let is_systemd = |pid: &&str| {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "systemd\n")
            };
            system.init = children.find(is_systemd).and_then(|pid| pid.parse().ok()).unwrap_or(0);
            system.init != 0
        });
        eventually("it is up", seconds(120), || {
            let state = text(&system.tries("systemctl is-system-running").stdout);
            matches!(state.trim(), "running" | "degraded")
        });
        system
    }

    /// A command of a shell in it, as root.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target"]).arg(self.init.to_string());
        command.args([
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        command.args(["sh", "-c", line]);
        command
    }

    /// Runs a line; it must succeed. Answers what it wrote to its output.
    pub fn says(&self, line: &str) -> String {
        succeed(&mut self.shell(line))
    }

    /// Runs a line.
    pub fn tries(&self, line: &str) -> Output {
        run(&mut self.shell(line))
    }

    /// What `systemctl show` says of a property of xserver.service.
    pub fn property(&self, name: &str) -> String {
        self.says(&format!("systemctl show --value --property={name} xserver.service")).trim().to_owned()
    }

    /// The answer of an xcli to a command, as JSON; null while there is none.
    pub fn asks(&self, xcli: &str, command: &str) -> serde_json::Value {
        let output = self.tries(&format!("{xcli} --json {command}"));
        serde_json::from_str(&text(&output.stdout)).unwrap_or_default()
    }

    /// Starts a transient service with this line as user nobody; it outlives all others.
    pub fn starts(&self, unit: &str, line: &str) {
        self.says(&format!(
            "systemd-run --quiet --unit={unit} --property=User=nobody --setenv=POCL_CACHE_DIR=/tmp/{unit} {line}"
        ));
    }

    /// All files but those that change by themselves or are of the package manager.
    pub fn files(&self) -> String {
        const MOVING: &str = "-path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg \
                              -o -path /var/lib/systemd -o -path /prepared -o -path /run/systemd -o -path /run/udev -o -name '.#*' \
                              -o -path /proc -o -path /sys -o -path /dev -o -path /run/log -o -path /run/credentials -o -path /run/user";
        self.says(&format!("find / \\( {MOVING} \\) -prune -o -print | sort"))
    }

    /// Whether a path is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.tries(&format!("test -e {}", path.as_ref().display())).status.success()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", text(&self.tries("journalctl --no-pager -n 60").stdout));
        }
        let _ = self.tries("systemctl poweroff");
        let ended = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            matches!(self.nspawn.try_wait(), Ok(Some(_)))
        });
        if !ended {
            let _ = self.nspawn.kill();
            let _ = self.nspawn.wait();
        }
        // nspawn itself removes it only where /run is in memory.
        let _ = std::fs::remove_dir(Path::new("/run/systemd/nspawn/propagate").join(&self.name));
    }
}
