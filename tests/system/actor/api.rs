//! What a program does that uses the Rust crate: it tells of each step, and hears before the next one.

use crate::cl::{Cl, Work};
use crate::text::{hear, say};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsched::{Error, Queue, Wait};

/// Gives hints to its queue and to all of them, and takes them back; holds the queue back, and lets it go.
pub(crate) fn steer() -> Result<(), String> {
    let work = Work::new(Cl::get()?)?;
    work.steps(1)?;
    steps(&work).map_err(|error| error.to_string())
}

fn steps(work: &Work) -> Result<(), Error> {
    let step = |what: &str| {
        say(&format!("api {what}"));
        hear();
    };
    // SAFETY: the command queue lives as long as the program.
    let queue = unsafe { Queue::of_opencl_queue(work.queue)? };
    say(&format!("library {}", xsched::library_path()?.display()));
    queue.set_priority(4)?;
    step("given");
    let scope = queue.with_priority(6)?;
    step("scope");
    drop(scope);
    step("over");
    let held = queue.suspend(Wait::InFlight)?;
    let is_launched = Arc::new(AtomicBool::new(false));
    let launched = Arc::clone(&is_launched);
    let command = queue.submit(move || launched.store(true, Ordering::SeqCst))?;
    std::thread::sleep(Duration::from_millis(100));
    let is_early = is_launched.load(Ordering::SeqCst);
    drop(held);
    command.wait()?;
    drop(command);
    say(&format!("submitted {is_early} {}", is_launched.load(Ordering::SeqCst)));
    queue.close()?;
    let process = xsched::with_priority(8)?;
    step("process");
    process.end()?;
    step("end");
    Ok(())
}
