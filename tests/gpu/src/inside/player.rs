//! One process with two streams: requests on an urgent one, a closed loop on a greedy one.

use crate::pipeline::Pipeline;
use crate::player::{self, number};
use crate::saturate::{Saturate, call, multiprocessors};
use anyhow::{Context, Result, bail, ensure};
use cuda_suite::cu::{Api, Handle};
use std::ffi::{c_int, c_uint};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};
use xsched::Queue;

/// A kernel of a request.
pub(crate) const KERNEL: Duration = Duration::from_micros(100);
/// Streams do not wait for the legacy default stream.
const NON_BLOCKING: c_uint = 1;

/// A stream, which any thread may use.
#[derive(Clone, Copy)]
struct Stream(Handle);

// SAFETY: a handle of the driver's.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Streams that differ in the driver's own priority.
    #[arg(long)]
    pub(crate) stream_priorities: bool,
    /// Streams that differ in XSched's priority.
    #[arg(long)]
    pub(crate) queue_priorities: bool,
    /// How many greedy kernels may be in flight while an urgent one may come; else it goes by their length.
    #[arg(long, requires = "queue_priorities")]
    pub(crate) threshold: Option<u32>,
}

/// Does what it is told until nobody is left: `run REQUESTS KERNELS PERIOD_US` answers `took` and each request's time in µs; `go KERNEL_US`, `count`, `stop`: the greedy
/// stream works, counts from now on, answers `did` and how much it got done in a second.
pub(crate) fn play(options: &Options) -> Result<()> {
    let (cu, orders) = (player::open()?, player::orders());
    let multiprocessors = multiprocessors(&cu)?;
    let [urgent, greedy] = streams(&cu, options.stream_priorities)?;
    let _queues = match options.queue_priorities {
        // SAFETY: streams, which are never destroyed.
        true => Some(unsafe { [queue(urgent, 10, None)?, queue(greedy, -10, options.threshold)?] }),
        false => None,
    };
    let (requests, loops) = (Saturate::new(&cu, multiprocessors)?, Saturate::new(&cu, multiprocessors)?);
    println!("ready");
    let (is_over, completed) = (AtomicBool::new(false), AtomicU64::new(0));
    let (is_over, completed, cu, loops) = (&is_over, &completed, &cu, &loops);
    std::thread::scope(|scope| {
        let mut worker: Option<ScopedJoinHandle<'_, Result<()>>> = None;
        let (mut rounds, mut counted, mut since) = (0, 0, Instant::now());
        let mut obey = |order: &[String]| -> Result<()> {
            match order.first().map(String::as_str) {
                Some("run") => {
                    let [count, kernels, period] = [number(order, 1)?, number(order, 2)?, number(order, 3)?];
                    println!(
                        "took{}",
                        run(cu, &requests, urgent, count, kernels, Duration::from_micros(period))?
                    );
                }
                Some("go") => {
                    rounds = loops.rounds(Duration::from_micros(number(order, 1)?));
                    completed.store(0, Ordering::Relaxed);
                    is_over.store(false, Ordering::Relaxed);
                    worker =
                        Some(scope.spawn(move || be_greedy(cu, loops, greedy, rounds, is_over, completed)));
                }
                Some("count") => (counted, since) = (completed.load(Ordering::Relaxed), Instant::now()),
                Some("stop") => {
                    let (done, time) = (completed.load(Ordering::Relaxed) - counted, since.elapsed());
                    is_over.store(true, Ordering::Relaxed);
                    let worker = worker.take().context("there is nothing to stop")?;
                    worker.join().map_err(|_| anyhow::anyhow!("the greedy thread panicked"))??;
                    println!("did {}", (done * rounds) as f64 / time.as_secs_f64());
                }
                _ => bail!("{order:?} where only run, go, count and stop are understood"),
            }
            Ok(())
        };
        let obeyed = orders.iter().try_for_each(|order| obey(&order));
        is_over.store(true, Ordering::Relaxed);
        obeyed
    })
}

/// The urgent stream and the greedy one.
fn streams(cu: &Api, with_priorities: bool) -> Result<[Stream; 2]> {
    type Range = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
    type Create = unsafe extern "C" fn(*mut Handle, c_uint, c_int) -> c_int;
    let (mut least, mut greatest) = (0, 0);
    let range = cu.symbol("cuCtxGetStreamPriorityRange").context("no cuCtxGetStreamPriorityRange")?;
    // SAFETY: the function of that name has this signature (cuda.h); places for the answers.
    let code = unsafe { std::mem::transmute::<Handle, Range>(range)(&raw mut least, &raw mut greatest) };
    call("cuCtxGetStreamPriorityRange", code)?;
    ensure!(!with_priorities || greatest < least, "this GPU knows no priorities of streams");
    let create = cu.symbol("cuStreamCreateWithPriority").context("no cuStreamCreateWithPriority")?;
    let mut streams = [Stream(null_mut()); 2];
    for (Stream(stream), priority) in
        streams.iter_mut().zip([if with_priorities { greatest } else { least }, least])
    {
        // SAFETY: as above; a place for the answer.
        let code = unsafe { std::mem::transmute::<Handle, Create>(create)(stream, NON_BLOCKING, priority) };
        call("cuStreamCreateWithPriority", code)?;
    }
    Ok(streams)
}

/// # Safety
/// The stream outlives the queue.
unsafe fn queue(Stream(stream): Stream, priority: i32, threshold: Option<u32>) -> Result<Queue> {
    // SAFETY: by the caller.
    let queue = unsafe { Queue::of_cuda_stream(stream) }.context("naming a stream to XSched")?;
    queue.set_priority(priority)?;
    if let Some(threshold) = threshold {
        queue.set_launch_config(threshold, 1)?;
    }
    Ok(queue)
}

/// Requests, one in each period; answers their times in µs.
fn run(
    cu: &Api,
    work: &Saturate<'_>,
    Stream(stream): Stream,
    requests: u64,
    kernels: u64,
    period: Duration,
) -> Result<String> {
    let (rounds, mut took, mut due) = (work.rounds(KERNEL), String::new(), Instant::now());
    for _ in 0..requests {
        due = (due + period).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let begun = Instant::now();
        for _ in 0..kernels {
            work.launch_rounds(rounds, stream)?;
        }
        // SAFETY: a stream.
        call("cuStreamSynchronize", unsafe { (cu.cuStreamSynchronize)(stream) })?;
        took += &format!(" {:.1}", begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}

fn be_greedy(
    cu: &Api,
    work: &Saturate<'_>,
    Stream(stream): Stream,
    rounds: u64,
    is_over: &AtomicBool,
    completed: &AtomicU64,
) -> Result<()> {
    player::enter(cu)?;
    work.reset()?;
    let mut pipeline = Pipeline::new(cu, work, stream)?;
    while !is_over.load(Ordering::Relaxed) {
        pipeline.step(rounds)?;
        completed.store(pipeline.completed(), Ordering::Relaxed);
    }
    pipeline.finish()?;
    work.check(pipeline.launched() * rounds)
}
