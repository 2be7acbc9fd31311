//! The small programs that the process cases start as processes of their own, by `--child NAME`.
//!
//! Each prints what it saw on standard output and ends in its own way. Nothing here uses OpenCL before the
//! scenario says so, because some of them fork first.

use crate::cl::{Bytes, Code, Event, Nd, after, now};
use crate::line::{Stop, fnv1a};
use crate::watchdog::print_line;
use crate::work::{COUNT, Env, Work, pattern, range, stepped};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Runs one scenario; the status is the process's own affair, and 99 when it could not do its part.
pub(crate) fn run(name: &str, choice: Option<String>) -> ExitCode {
    let result = match name {
        "old-wait" => old_wait(choice),
        "set-property" => set_property(choice),
        "fail-many" => fail_many(choice),
        "printf" => printf(choice),
        "exit-unreleased" => exit_unreleased(choice),
        "exit-in-flight" => exit_in_flight(choice, Ending::Exit),
        "quick-exit-in-flight" => exit_in_flight(choice, Ending::Immediately),
        "kill-in-flight" => exit_in_flight(choice, Ending::Killed),
        "exit-behind-gate" => exit_behind_gate(choice),
        "exit-from-thread" => exit_from_thread(choice),
        "fork-before" => fork_before(choice),
        "fork-after" => fork_after(choice),
        "exec-in-flight" => exec_in_flight(choice),
        _ => Err(Stop::System(format!("no program is called {name:?}"))),
    };
    match result {
        Ok(code) => code,
        Err(stop) => {
            print_line(&stop.to_string());
            ExitCode::from(99)
        }
    }
}

/// How a process ends while the device works.
enum Ending {
    Exit,
    Immediately,
    Killed,
}

fn open(choice: Option<String>) -> Result<Env, Stop> {
    let device = crate::find_device(choice.as_deref()).ok_or(Stop::Unsupported)?;
    Ok(Env { device, choice })
}

/// A launch and a read; says whether the result is right.
fn job(env: &Env, seed: u32) -> Result<bool, Stop> {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, seed);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, seed)?;
    let launched = work.queue.launch(&kernel, range(), now())?;
    let to = Bytes::new(COUNT * 4);
    work.queue.read(&buffer, true, 0, COUNT * 4, Some(to), after(&[&launched]).quiet())?;
    Ok(to.get() == stepped(&data, 3, seed))
}

/// `clEnqueueWaitForEvents`, on which one driver ends the process because it has not implemented it.
fn old_wait(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let other = work.another_queue()?;
    let data = pattern(COUNT * 4, 238);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let launched = work.queue.launch(&kernel, range(), now())?;
    work.queue.flush().ok()?;
    print_line(&format!("wait {}", other.old_wait(&[&launched])));
    other.launch(&kernel, range(), now().quiet())?;
    let to = Bytes::new(COUNT * 4);
    other.read(&buffer, true, 0, COUNT * 4, Some(to), now().quiet())?;
    let right = to.get() == stepped(&stepped(&data, 3, 1), 3, 1);
    print_line(if right { "right" } else { "WRONG" });
    print_line(&format!("nothing {}", other.old_wait(&[])));
    print_line(&format!("null {}", other.old_wait(&[&Event::null()])));
    Ok(ExitCode::from(14))
}

/// `clSetCommandQueueProperty`, which one driver leaves out of its table so that the loader jumps to nowhere.
fn set_property(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    match work.queue.set_property(opencl_sys::CL_QUEUE_PROFILING_ENABLE, true) {
        Ok(old) => print_line(&format!("was {old}")),
        Err(code) => print_line(&code.to_string()),
    }
    Ok(ExitCode::from(15))
}

/// Fails an event that many commands of an out-of-order queue wait for, on which one driver crashes.
fn fail_many(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let queue = work.free_queue()?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 105))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let mut events = Vec::new();
    for _launch in 0..20 {
        events.push(queue.launch(&kernel, range(), after(&[&gate]))?);
    }
    print_line(&format!("fail {}", gate.set_status(-1)));
    let failed = events.iter().filter(|event| event.wait() != Code::SUCCESS).count();
    print_line(&format!("failed waits {failed}"));
    let negative = events.iter().filter(|event| event.status().is_ok_and(|status| status < 0)).count();
    print_line(&format!("negative statuses {negative}"));
    Ok(ExitCode::from(16))
}

/// Kernels that print; in a process of its own, because drivers print on standard output.
fn printf(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let mut kernel = work.kernel("say")?;
    for number in 0..3 {
        kernel.set_u32(0, number).ok()?;
        work.queue.launch(&kernel, Nd::one(1), now().quiet())?;
    }
    work.queue.finish().ok()?;
    Ok(ExitCode::from(17))
}

fn exit_unreleased(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let data = pattern(COUNT * 4, 230);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let event = work.queue.launch(&kernel, range(), now())?;
    let to = Bytes::new(COUNT * 4);
    work.queue.read(&buffer, true, 0, COUNT * 4, Some(to), now().quiet())?;
    print_line(&format!("{:016x}", fnv1a(&to.get())));
    std::mem::forget((work, buffer, kernel, event));
    Ok(ExitCode::from(7))
}

fn exit_in_flight(choice: Option<String>, ending: Ending) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 231))?;
    let mut kernel = work.kernel("spin")?;
    kernel.set_mem(0, &buffer).ok()?;
    kernel.set_u32(1, 1000).ok()?;
    for _launch in 0..200 {
        work.queue.launch(&kernel, range(), now().quiet())?;
    }
    work.queue.flush().ok()?;
    print_line("launched");
    std::mem::forget((work, buffer, kernel));
    match ending {
        Ending::Exit => std::process::exit(8),
        // SAFETY: ends the process without exit handlers, which is the point.
        Ending::Immediately => unsafe { libc::_exit(9) },
        // SAFETY: a signal to this very process.
        Ending::Killed => unsafe { libc::raise(libc::SIGKILL) },
    };
    Ok(ExitCode::FAILURE)
}

fn exit_behind_gate(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 232))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let event = work.queue.launch(&kernel, range(), after(&[&gate]))?;
    work.queue.flush().ok()?;
    print_line(if event.status()? > 0 { "waiting" } else { "not waiting" });
    std::mem::forget((work, buffer, kernel, gate, event));
    Ok(ExitCode::from(10))
}

fn exit_from_thread(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let right = job(&env, 233)?;
    print_line(if right { "right" } else { "WRONG" });
    let _ = std::thread::spawn(|| std::process::exit(11)).join();
    Ok(ExitCode::FAILURE)
}

/// Forks, and returns the status with which `child` ended, or none where it did not exit by itself.
fn forked(child: impl FnOnce() -> i32) -> Result<Option<i32>, Stop> {
    // SAFETY: the child runs `child` and ends; the callers see to it that it may do what it does.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let status = child();
        // SAFETY: exit handlers belong to the parent.
        unsafe { libc::_exit(status) };
    }
    if pid < 0 {
        return Err(Stop::System("cannot fork".to_owned()));
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    Ok(libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)))
}

/// Parent and child each use OpenCL for the first time after the fork.
fn fork_before(choice: Option<String>) -> Result<ExitCode, Stop> {
    let copy = choice.clone();
    let child = forked(|| match open(copy).and_then(|env| job(&env, 234)) {
        Ok(true) => 20,
        Ok(false) => 21,
        Err(_) => 22,
    })?;
    print_line(&format!("child {child:?}"));
    let right = job(&open(choice)?, 235)?;
    print_line(if right { "parent right" } else { "parent WRONG" });
    Ok(ExitCode::from(12))
}

/// The child of a process that uses OpenCL ends without touching it; the parent goes on.
fn fork_after(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let data = pattern(COUNT * 4, 236);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    work.queue.launch(&kernel, range(), after(&[&gate]).quiet())?;
    work.queue.flush().ok()?;
    let child = forked(|| 23)?;
    print_line(&format!("child {child:?}"));
    gate.set_status(0).ok()?;
    work.queue.launch(&kernel, range(), now().quiet())?;
    let to = Bytes::new(COUNT * 4);
    work.queue.read(&buffer, true, 0, COUNT * 4, Some(to), now().quiet())?;
    let right = to.get() == stepped(&stepped(&data, 3, 1), 3, 1);
    print_line(if right { "parent right" } else { "parent WRONG" });
    Ok(ExitCode::from(13))
}

/// Becomes another copy of the suite while the device works.
fn exec_in_flight(choice: Option<String>) -> Result<ExitCode, Stop> {
    let env = open(choice)?;
    let work = Work::new(&env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 237))?;
    let mut kernel = work.kernel("spin")?;
    kernel.set_mem(0, &buffer).ok()?;
    kernel.set_u32(1, 1000).ok()?;
    for _launch in 0..100 {
        work.queue.launch(&kernel, range(), now().quiet())?;
    }
    work.queue.flush().ok()?;
    print_line("becoming");
    let this = std::env::current_exe().map_err(|error| Stop::System(error.to_string()))?;
    let mut next = Command::new(this);
    next.args(["--case", "buffer-blocking"]);
    if let Some(device) = &env.choice {
        next.args(["--device", device]);
    }
    Err(Stop::System(next.exec().to_string()))
}
