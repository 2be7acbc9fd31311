//! Holds a queue back and lets it go. The thread that launches on it knows nothing of that: it waits in its launch.

use anyhow::{Result, anyhow};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use xsched::{Queue, Wait};
use xsched_examples::{Device, Stream};

fn main() -> Result<()> {
    let stream = Device::open()?.stream()?;
    // SAFETY: it is a command queue, and outlives the queue, which is dropped before it.
    let queue = unsafe { Queue::of_opencl_queue(stream.handle())? };
    let (done, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let result = work(&stream, &done, &is_over);
            // Whoever waits for more must not wait for ever.
            is_over.store(true, Ordering::Relaxed);
            result
        });
        let shown = show(&queue, &done, &is_over);
        is_over.store(true, Ordering::Relaxed);
        worker.join().map_err(|_| anyhow!("the thread that works panicked"))??;
        shown
    })
}

fn show(queue: &Queue, done: &AtomicU32, is_over: &AtomicBool) -> Result<()> {
    wait_for_more(done, is_over);
    println!("runs");
    {
        // Returns when nothing of the queue runs on the device any more; holds until the end of the block.
        let _held = queue.suspend(Wait::InFlight)?;
        // The thread may be about to count what was the last.
        thread::sleep(Duration::from_millis(100));
        let before = done.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(300));
        println!("suspended: {} kernels in 300 ms", done.load(Ordering::Relaxed) - before);
    }
    wait_for_more(done, is_over);
    println!("resumed: it runs again");
    Ok(())
}

fn work(stream: &Stream, done: &AtomicU32, is_over: &AtomicBool) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        stream.spin(Duration::from_millis(1))?;
        stream.finish()?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn wait_for_more(done: &AtomicU32, is_over: &AtomicBool) {
    let before = done.load(Ordering::Relaxed);
    while done.load(Ordering::Relaxed) < before + 3 && !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
}
