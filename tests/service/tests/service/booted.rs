//! The life of an installation: package and tarball, each installed, used, hurt, upgraded and removed, while a program runs.

use serde_json::Value;
use test_service::system::PREPARED;
use test_service::{System, prepared, text};
use test_system::wait::{eventually, seconds};

/// A program under XSched in the system.
struct Scheduled<'a> {
    system: &'a System,
    unit: &'static str,
    xcli: &'a str,
}

impl<'a> Scheduled<'a> {
    fn start(system: &'a System, unit: &'static str, xcli: &'a str) -> Scheduled<'a> {
        system.starts(unit, &format!("{xcli} run --priority -3 -- {PREPARED}/system-actor work sleep"));
        let program = Scheduled { system, unit, xcli };
        program.launches();
        program
    }

    /// As the server lists it.
    fn listed(&self) -> Option<Value> {
        let all = self.system.asks(self.xcli, "list");
        all.as_array()?.iter().find(|one| one["program"] == "system-actor").cloned()
    }

    fn launched(&self) -> Option<u64> {
        self.listed()?["queues"][0]["launched"].as_u64()
    }

    /// The server sees that it launches.
    fn launches(&self) {
        let mut first = None;
        eventually("the server sees it launch", seconds(60), || {
            let now = self.launched();
            first = first.or(now);
            now.zip(first).is_some_and(|(now, first)| now > first)
        });
    }

    fn pid(&self) -> String {
        self.system
            .says(&format!("systemctl show --value --property=MainPID {}", self.unit))
            .trim()
            .to_owned()
    }

    /// It runs, in the same process as ever.
    fn is_the_same(&self, pid: &str) {
        assert_eq!(self.pid(), pid, "the program has run on");
    }
}

/// The service is up, systemd has nothing to say about it, and it shows its policy.
fn check_service(system: &System) {
    for unit in ["xserver.socket", "xserver.service"] {
        assert_eq!(system.says(&format!("systemctl is-active {unit}")).trim(), "active");
        assert_eq!(system.says(&format!("systemctl is-enabled {unit}")).trim(), "enabled");
        let verified = system.tries(&format!("systemd-analyze verify --man=no {unit}"));
        assert!(verified.status.success() && verified.stderr.is_empty(), "{}", text(&verified.stderr));
    }
    eventually("it shows how it is", seconds(10), || {
        system.property("StatusText").starts_with("policy HPF, ")
    });
    let pid = system.property("MainPID");
    let status = system.says(&format!("cat /proc/{pid}/status"));
    let uid = system.says("id -u xsched").trim().to_owned();
    assert!(status.contains(&format!("Uid:\t{uid}\t")) && uid != "0", "it is nobody of power: {status}");
    assert!(status.contains("CapPrm:\t0000000000080000"), "CAP_SYS_PTRACE alone: {status}");
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
}

/// There is nothing of ours that was not there before.
fn check_nothing_left(system: &System, before: &str) {
    let after = system.files();
    let left: Vec<_> = after.lines().filter(|file| !before.lines().any(|known| known == *file)).collect();
    let ours: Vec<_> = left.iter().filter(|file| file.contains("xs")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
    assert!(left.iter().all(|file| file.starts_with("/etc/") || file.starts_with("/run/")), "{left:#?}");
    for table in ["passwd", "group", "shadow", "gshadow"] {
        assert!(!system.says(&format!("cat /etc/{table}")).contains("xsched"), "{table}");
    }
    assert!(!system.says("systemctl list-units --all --no-legend --plain").contains("xserver"));
    assert!(!system.says("systemctl list-unit-files --no-legend --plain").contains("xserver"));
}

#[test]
fn a_package_is_installed_survives_what_happens_to_it_is_upgraded_and_leaves_nothing() {
    let Some(prepared) = prepared() else { return };
    let system = System::boot(&prepared);
    let before = system.files();
    system.says(&format!("dpkg -i {PREPARED}/1.deb"));
    check_service(&system);
    assert!(
        system
            .says("man -w xcli-run 2>/dev/null || ls /usr/share/man/man1/xcli-run.1.gz")
            .contains("xcli-run")
    );

    let program = Scheduled::start(&system, "work", "xcli");
    let pid = program.pid();
    let listed = program.listed().unwrap();
    assert_eq!(
        (listed["uid"].as_u64(), &listed["queues"][0]["hints"]["priority"]),
        (Some(65534), &(-3).into())
    );

    // A rule by the executable of another user: what the one capability is for.
    system.says(&format!(
        "printf '[[rule]]\\nexe = \"{PREPARED}/system-actor\"\\npriority = -7\\n' > /etc/xsched/rules.toml && systemctl restart xserver"
    ));
    eventually("the rule holds", seconds(30), || {
        program.listed().is_some_and(|listed| listed["queues"][0]["hints"]["priority"] == -7)
    });
    system.says("printf '' > /etc/xsched/rules.toml && systemctl reload xserver");
    eventually("the rule is gone", seconds(30), || {
        program.listed().is_some_and(|listed| listed["queues"][0]["hints"]["priority"] == -3)
    });
    system.says("rm /etc/xsched/rules.toml && systemctl reload xserver");

    // Killed, it is started again, and the program attaches again.
    let killed = system.property("MainPID");
    system.says("systemctl kill --signal=KILL xserver.service");
    eventually("another server runs", seconds(30), || {
        system.property("ActiveState") == "active" && system.property("MainPID") != killed
    });
    program.launches();
    program.is_the_same(&pid);

    // A wrong setting keeps it down, however often programs ask for it; once that is mended, the next start is not refused.
    system.says("echo 'policy = \"NONE\"' > /etc/xsched/xserver.toml");
    assert!(!system.tries("systemctl restart xserver").status.success());
    system.says("for n in $(seq 50); do xcli status > /dev/null 2>&1 || true; sleep 0.02; done");
    assert!(system.says("journalctl --no-pager -u xserver.service").contains("\"NONE\" is not valid"));
    program.is_the_same(&pid);
    system.says("sed -i d /etc/xsched/xserver.toml && systemctl restart xserver");
    check_service(&system);
    program.launches();

    // Frozen, it is found dead by the watchdog.
    let frozen = system.property("MainPID");
    system.says("systemctl kill --signal=STOP xserver.service");
    eventually("the watchdog ends it", seconds(60), || {
        system.property("ActiveState") == "active" && system.property("MainPID") != frozen
    });
    program.launches();
    program.is_the_same(&pid);

    // Upgraded while it serves.
    let old = system.property("MainPID");
    system.says(&format!("dpkg -i {PREPARED}/2.deb"));
    check_service(&system);
    assert_ne!(system.property("MainPID"), old);
    program.launches();
    program.is_the_same(&pid);

    // Removed while the program runs, which goes on.
    system.says("dpkg --remove xsched");
    assert!(!system.has("/run/xsched") && system.has("/etc/xsched/xserver.toml"));
    program.is_the_same(&pid);
    system.says("systemctl stop work");
    system.says("dpkg --purge xsched");
    check_nothing_left(&system, &before);
}

#[test]
fn an_unpacked_tarball_is_made_a_service_by_xcli_which_takes_all_of_it_away_again() {
    let Some(prepared) = prepared() else { return };
    let system = System::boot(&prepared);
    let before = system.files();
    system.says(&format!(
        "mkdir /opt/xsched && tar -xzf {PREPARED}/xsched.tar.gz -C /opt/xsched --strip-components=1"
    ));
    let xcli = "/opt/xsched/bin/xcli";
    system.says(&format!("{xcli} service install"));
    check_service(&system);
    let program = Scheduled::start(&system, "work", xcli);
    let (pid, old) = (program.pid(), system.property("MainPID"));

    // Once more, as after unpacking another version.
    system.says(&format!("{xcli} service install"));
    assert_ne!(system.property("MainPID"), old);
    program.launches();
    program.is_the_same(&pid);
    let shown = system.asks(xcli, "service status");
    assert_eq!(shown["units"]["xserver.service"]["ActiveState"], "active", "{shown}");

    system.says(&format!("{xcli} service remove"));
    program.is_the_same(&pid);
    system.says("systemctl stop work && rm -r /opt/xsched");
    check_nothing_left(&system, &before);
}
