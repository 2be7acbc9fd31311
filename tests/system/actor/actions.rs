//! The actions of a script.

use crate::behind::{self, Gate};
use crate::cl::{Cl, Work};
use crate::text::{hear, say};
use crate::{api, errno, files, signals};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Steps of the worker.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// The worker is to end after its step.
static IS_TO_END: AtomicBool = AtomicBool::new(false);
/// It has.
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// A step of the worker.
type Step = fn(&Work) -> Result<(), String>;

/// Performs the actions in turn.
pub(crate) fn perform(script: &[String]) -> Result<(), String> {
    for action in script {
        let (name, rest) = action.split_once(':').unwrap_or((action, ""));
        match name {
            "begin" => begin(|work| work.steps(1)),
            "work" => repeat(|work| work.steps(1)),
            "work-deep" => repeat(|work| work.steps(64)),
            "bursts" => repeat(burst),
            "check" => repeat(|work| if work.job()? { Ok(()) } else { Err("a job is WRONG".into()) }),
            // SAFETY: a function without arguments that stays there.
            "join-at-exit" => drop(unsafe { libc::atexit(join_worker) }),
            "library" => Cl::load_from(rest)?,
            "launches" => {
                let work = Work::new(Cl::get()?)?;
                work.steps(count(rest)?)?;
                say(&format!("launches {rest}"));
            }
            "job" => say(if Work::new(Cl::get()?)?.job()? { "job right" } else { "job WRONG" }),
            "platforms" => {
                say(&format!("platforms {}", Cl::get()?.platforms().map_or_else(|e| e, |_| "found".into())))
            }
            "behind-event" => behind::launch(Gate::Event, count(rest)?)?,
            "behind-queue" => behind::launch(Gate::OtherQueue, count(rest)?)?,
            "late-event" => behind::set_late(count(rest)?)?,
            "launch" => say(&format!("launch {}", Work::new(Cl::get()?)?.launch_code())),
            "rust-api" => api::steer()?,
            "hang" => Work::new(Cl::get()?)?.hang()?,
            "queues" => {
                Cl::get()?.make_queues(number(rest).cast_unsigned())?;
                say(&format!("queues {rest}"));
            }
            "hear" => {
                if !hear() {
                    return Ok(());
                }
            }
            "say" => say(rest),
            "sleep" => loop {
                std::thread::sleep(Duration::from_secs(60));
            },
            "fork" => fork(&list(rest, ','))?,
            "reap" => reap(),
            "exec" => return Err(become_another(&list(rest, ';'))),
            "main" => return Ok(()),
            "exit" => std::process::exit(number(rest)),
            // SAFETY: ends the process without exit handlers, which is the point.
            "_exit" => unsafe { libc::_exit(number(rest)) },
            "abort" => std::process::abort(),
            "dlclose" => Cl::close(),
            "errno" => errno::report(&Work::new(Cl::get()?)?),
            "alarms" => signals::start(),
            "sigpipe" => signals::end_at_broken_pipes(),
            "alarms-check" => signals::report(),
            "close-fds" => files::close_all(),
            "open-files" => files::open()?,
            "check-files" => say(&format!("files {}", files::check())),
            _ => return Err(format!("there is no action {action:?}")),
        }
    }
    Ok(())
}

/// Work, and a while without any.
fn burst(work: &Work) -> Result<(), String> {
    work.steps(20)?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

/// Makes such steps on a thread as long as the process lives; returns after the first.
fn repeat(step: Step) {
    begin(step);
    while STEPS.load(Ordering::Relaxed) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Makes such steps on a thread until it is to end; returns at once.
fn begin(step: Step) {
    let worker = move || -> Result<(), String> {
        let work = Work::new(Cl::get()?)?;
        let mut said = Instant::now();
        while !IS_TO_END.load(Ordering::Relaxed) {
            step(&work)?;
            let steps = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
            if steps == 1 || said.elapsed() > Duration::from_millis(20) {
                say(&format!("step {steps}"));
                said = Instant::now();
            }
        }
        Ok(())
    };
    std::thread::spawn(move || {
        if let Err(why) = worker() {
            say(&format!("failed {why}"));
        }
        HAS_ENDED.store(true, Ordering::Release);
    });
}

/// What programs do that end in order: the exit handler waits for the worker.
extern "C" fn join_worker() {
    IS_TO_END.store(true, Ordering::Relaxed);
    while !HAS_ENDED.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The child performs a script of its own and ends; the parent goes on.
fn fork(script: &[String]) -> Result<(), String> {
    // SAFETY: the child does what the script says; scripts are written so that a child may do it.
    match unsafe { libc::fork() } {
        -1 => Err("cannot fork".into()),
        0 => {
            STEPS.store(0, Ordering::Relaxed);
            let result = perform(script);
            if let Err(why) = &result {
                say(&format!("failed {why}"));
            }
            // SAFETY: exit handlers are for scripts that say `exit`.
            unsafe { libc::_exit(if result.is_ok() { 0 } else { 98 }) }
        }
        child => {
            say(&format!("forked {child}"));
            Ok(())
        }
    }
}

fn reap() {
    let mut status = 0;
    // SAFETY: waits for any child.
    let child = unsafe { libc::waitpid(-1, &raw mut status, 0) };
    let end = if libc::WIFEXITED(status) {
        format!("exit {}", libc::WEXITSTATUS(status))
    } else {
        format!("signal {}", libc::WTERMSIG(status))
    };
    say(&format!("reaped {child} {end}"));
}

fn become_another(script: &[String]) -> String {
    match std::env::current_exe() {
        Ok(this) => Command::new(this).args(script).exec().to_string(),
        Err(why) => why.to_string(),
    }
}

fn list(text: &str, separator: char) -> Vec<String> {
    text.split(separator).map(str::to_owned).collect()
}

fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text:?} is no count"))
}

fn number(text: &str) -> i32 {
    text.parse().unwrap_or(97)
}
