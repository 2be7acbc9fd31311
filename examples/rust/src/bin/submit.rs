//! Submits commands instead of launching them: a thread of XSched's launches each as soon as the queue may run, so this one never waits.

use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use xsched::{Command, Queue, Wait};
use xsched_examples::Device;

const COMMANDS: usize = 10;

fn main() -> Result<()> {
    let stream = Arc::new(Device::open()?.stream()?);
    // SAFETY: it is a command queue, and outlives the queue, which is dropped before it.
    let queue = unsafe { Queue::of_opencl_queue(stream.handle())? };
    let launched = Arc::new(AtomicUsize::new(0));

    let held = queue.suspend(Wait::No)?;
    let submit = |_| {
        let (stream, launched) = (Arc::clone(&stream), Arc::clone(&launched));
        queue.submit(move || {
            launched.fetch_add(1, Ordering::Relaxed);
            // A panic comes back as an error, from whoever waits for the command.
            stream.add_one().expect("the device takes a kernel");
        })
    };
    let commands: Vec<Command<'_>> = (0..COMMANDS).map(submit).collect::<Result<_, _>>()?;
    thread::sleep(Duration::from_millis(100));
    println!("{} of {COMMANDS} are launched while the queue is suspended", launched.load(Ordering::Relaxed));

    drop(held);
    // Complete on the device, not only launched.
    commands[4].wait()?;
    let is_launched = launched.load(Ordering::Relaxed) >= 5;
    println!("the fifth is complete: {}", if is_launched { "yes" } else { "no" });
    queue.wait()?;
    println!("all are complete: the device counted {}", stream.number()?);

    let failed = queue.submit(|| panic!("nothing to launch"))?;
    println!(
        "one more: {}",
        failed.wait().map_or_else(|error| error.to_string(), |()| "complete".to_owned())
    );
    Ok(())
}
