//! Processes: fork, exec, and the many ways to end, each in a process of its own.

use crate::cl::{Bytes, Event, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, pattern, range, stepped};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};

/// Another copy of the suite with these arguments, on the same device; it ends with this process.
fn start(env: &Env, arguments: &[&str]) -> Result<Output, Stop> {
    let failed = |error: std::io::Error| Stop::System(error.to_string());
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(arguments).stderr(std::process::Stdio::inherit());
    if let Some(device) = &env.choice {
        command.args(["--device", device]);
    }
    // SAFETY: one system call, allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.output().map_err(failed)
}

/// Puts what the process printed and how it ended.
fn put(line: &mut Line, output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    line.put("printed", text.lines().collect::<Vec<_>>().join("|"));
    match (output.status.code(), output.status.signal()) {
        (Some(code), _) => line.put("status", code),
        (None, signal) => line.put("signal", signal.unwrap_or(0)),
    }
}

/// Defines the cases that are nothing but one program of `child.rs`.
macro_rules! children {
    ($($case:ident: $name:literal;)*) => {
        $(
            pub(super) fn $case(env: &Env, line: &mut Line) -> Verdict {
                put(line, &start(env, &["--child", $name])?);
                Ok(())
            }
        )*
    };
}

children! {
    printf: "printf";
    fail_many: "fail-many";
    set_property: "set-property";
    old_wait: "old-wait";
    fork_before: "fork-before";
    fork_after: "fork-after";
    exec_in_flight: "exec-in-flight";
    exit_unreleased: "exit-unreleased";
    quick_exit_in_flight: "quick-exit-in-flight";
    kill_in_flight: "kill-in-flight";
    exit_behind_gate: "exit-behind-gate";
    exit_from_thread: "exit-from-thread";
}

/// Some drivers abort now and then when the process exits while they work, so only that it ends is told.
pub(super) fn exit_in_flight(env: &Env, line: &mut Line) -> Verdict {
    let output = start(env, &["--child", "exit-in-flight"])?;
    line.check("ended", output.stdout == b"launched\n");
    Ok(())
}

/// Another copy runs one case while commands of this process wait in a queue.
pub(super) fn copy_beside(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 240);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    work.queue.launch(&kernel, range(), after(&[&gate]).quiet())?;
    work.queue.flush().ok()?;
    put(line, &start(env, &["--case", "buffer-blocking"])?);
    line.put("open", gate.set_status(0));
    let to = Bytes::new(COUNT * 4);
    line.code("read", work.queue.read(&buffer, true, 0, COUNT * 4, Some(to), now()))?;
    line.data("data", to, &stepped(&data, 3, 1));
    Ok(())
}
