//! Two queues of one process: an urgent one with a request now and then, and a greedy one that is always busy. A scheduler inside the process
//! lets the urgent one go first; no server is needed.

use anyhow::{Result, anyhow};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xsched::{Policy, Queue, Scheduler};
use xsched_examples::{Device, Stream};

const REQUESTS: usize = 50;

fn main() -> Result<()> {
    let device = Device::open()?;
    let (urgent, greedy) = (device.stream()?, device.stream()?);
    // SAFETY: they are command queues, and outlive the queues, which are dropped before them.
    let queues =
        unsafe { [Queue::of_opencl_queue(urgent.handle())?, Queue::of_opencl_queue(greedy.handle())?] };
    queues[0].set_priority(10)?;
    queues[1].set_priority(-10)?;

    xsched::set_scheduler(Scheduler::AppManaged, None)?;
    measure("alone:", &urgent)?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let worker = scope.spawn(|| be_greedy(&greedy, &is_over));
        let measured = measure("together:", &urgent).and_then(|()| {
            xsched::set_scheduler(Scheduler::Local, Some(Policy::Hpf))?;
            measure("with a local scheduler:", &urgent)
        });
        is_over.store(true, Ordering::Relaxed);
        worker.join().map_err(|_| anyhow!("the greedy thread panicked"))??;
        measured
    })
}

fn be_greedy(stream: &Stream, is_over: &AtomicBool) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..4 {
            stream.spin(Duration::from_millis(4))?;
        }
        stream.finish()?;
    }
    Ok(())
}

fn measure(how: &str, urgent: &Stream) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        urgent.spin(Duration::from_millis(2))?;
        urgent.finish()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        thread::sleep(Duration::from_millis(8));
    }
    times.sort_by(f64::total_cmp);
    println!("{how:24} median {:.1} ms, p95 {:.1} ms", times[REQUESTS / 2], times[REQUESTS * 95 / 100]);
    Ok(())
}
