//! What is given out, on the oldest system that it is for: Debian 11, whose C library is 2.31.

use std::process::Command;
use test_service::{prepared, run, text};

/// Unpacks the tarball, looks at it with the doctor, and runs a greedy and an urgent program until the server has listed them twice.
const SCRIPT: &str = "
set -e
tar -C /opt -xzf /prepared/xsched.tar.gz
PATH=/opt/$(ls /opt)/bin:$PATH
getconf GNU_LIBC_VERSION
xserver HPF 2> /tmp/log &
for i in 1 2 3 4 5 6 7 8 9 10; do test -S /run/xsched/xserver.sock && break; sleep 0.2; done
echo ==== doctor
xcli doctor || true
echo ==== job
xcli run -- /prepared/system-actor job
echo ==== list
xcli run -- /prepared/system-actor work-deep sleep > /dev/null &
for i in $(seq 100); do xcli --json list | grep -q '\"launched\":[1-9]' && break; sleep 0.2; done
xcli run --priority 10 -- /prepared/system-actor bursts sleep > /dev/null &
for i in $(seq 100); do xcli --json list | grep -q '\"suspensions\":[4-9]' && break; sleep 0.2; done
xcli --json list
echo ==== end
";

#[test]
fn on_debian_11_the_tarball_works_and_schedules_programs() {
    let Some(prepared) = prepared() else { return };
    let mut nspawn = Command::new("systemd-nspawn");
    nspawn.args(["--quiet", "--volatile=overlay", "--register=no", "--keep-unit", "--private-network"]);
    nspawn.args(["--console=pipe", "--as-pid2", "--setenv=POCL_CACHE_DIR=/tmp/pocl"]);
    nspawn.arg("--directory").arg(&prepared.debian_11);
    for (file, name) in [(&prepared.tarball, "xsched.tar.gz"), (&prepared.old_actor, "system-actor")] {
        nspawn.arg(format!("--bind-ro={}:/prepared/{name}", file.canonicalize().unwrap().display()));
    }
    let output = run(nspawn.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1").args(["sh", "-c", SCRIPT]));
    let all = text(&output.stdout);
    let wrong = text(&output.stderr);
    assert!(output.status.success(), "{}\n{all}{wrong}", output.status);
    let mut parts = all.split("==== ");
    assert_eq!(parts.next(), Some("glibc 2.31\n"), "{all}{wrong}");

    let doctor = parts.next().unwrap();
    assert!(doctor.contains(": no problem"), "{doctor}");
    assert!(doctor.contains("a program with a queue is taken in by xserver"), "{doctor}");
    assert_eq!(parts.next(), Some("job\njob right\n"), "{all}{wrong}");

    let list = parts.next().unwrap().trim_start_matches("list\n");
    let list: serde_json::Value = serde_json::from_str(list.trim()).unwrap();
    let of = |priority: i64| {
        let mut all = list.as_array().unwrap().iter().map(|one| &one["queues"][0]);
        all.find(|queue| queue["hints"]["priority"] == priority).unwrap_or_else(|| panic!("{list}"))
    };
    assert!(of(0)["suspensions"].as_u64().unwrap() > 3, "{list}");
    assert!(of(10)["launched"].as_u64().unwrap() > 0, "{list}");
}
