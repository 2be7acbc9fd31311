//! Tells XSched how urgent its queue is, and changes its mind.

use anyhow::Result;
use std::time::Duration;
use xsched::Queue;
use xsched_examples::Device;

const KERNEL: Duration = Duration::from_millis(1);

fn main() -> Result<()> {
    let stream = Device::open()?.stream()?;
    // SAFETY: it is a command queue, and outlives the queue, which is dropped before it.
    let queue = unsafe { Queue::of_opencl_queue(stream.handle())? };

    queue.set_priority(-2)?;
    queue.set_utilization(25)?;
    stream.spin(KERNEL)?;
    pause("in the background: priority -2, utilization 25")?;
    {
        let _urgent = queue.with_priority(0)?;
        stream.spin(KERNEL)?;
        pause("more urgent for a request: priority 0")?;
    }
    pause(&format!("which is over: priority {}", queue.priority()))?;

    queue.set_deadline(Some(Duration::from_millis(20)))?;
    {
        // For all queues of the process that have no priority of their own, those to come included.
        let _all = xsched::with_priority(-1)?;
        stream.spin(KERNEL)?;
        pause("within 20 ms, and all other queues: priority -1")?;
    }

    if let Err(error) = queue.set_priority(1000) {
        println!("refused: {error}");
    }
    Ok(())
}

/// Goes on when the user presses Enter, so that he can look meanwhile.
fn pause(what: &str) -> Result<()> {
    println!("{what}");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
