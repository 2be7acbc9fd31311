//! Many threads launch on many streams at once: nanoseconds of the whole process per launch, natively and through the stand-in.
//!
//! The threads stay, so that what is measured is launching, and nothing of their beginning.

use super::{Bench, launch, line};
use cuda_suite::cu::{Api, Code, Handle, done};
use std::ptr::null_mut;
use std::sync::Barrier;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Instant;
use test_stats::Coin;

pub(super) const NAME: &str = "16 threads, each on all of 64 streams in turn";

const THREADS: usize = 16;
const STREAMS: usize = 64;
/// Launches of each thread on each stream in a block.
const TURNS: usize = 8;

const NATIVE: u32 = 0;
const SHIM: u32 = 1;
const OVER: u32 = 2;

/// The row of the table.
pub(super) fn row(native: &Api, shim: &Api, bench: &Bench, pairs: usize) -> Result<String, Code> {
    let mut context = null_mut();
    // SAFETY: a place for the answer; so below.
    done(unsafe { (native.cuCtxGetCurrent)(&raw mut context) })?;
    let streams = (0..STREAMS).map(|_| {
        let mut stream = null_mut();
        // SAFETY: as above.
        done(unsafe { (native.cuStreamCreate)(&raw mut stream, 1) }).map(|()| stream as usize)
    });
    let streams = streams.collect::<Result<Vec<usize>, Code>>()?;
    let (context, empty) = (context as usize, bench.empty as usize);
    let (order, failed, gate) = (AtomicU32::new(NATIVE), AtomicI32::new(0), Barrier::new(THREADS + 1));
    let work = || {
        // SAFETY: the context of the streams, which lives on.
        failed.fetch_or(unsafe { (native.cuCtxSetCurrent)(context as Handle) }, Ordering::Relaxed);
        loop {
            gate.wait();
            let cu = match order.load(Ordering::SeqCst) {
                NATIVE => native,
                SHIM => shim,
                _ => return,
            };
            let mut code = 0;
            for _ in 0..TURNS {
                streams.iter().for_each(|&stream| code |= launch(cu, empty as Handle, stream as Handle));
            }
            failed.fetch_or(code, Ordering::Relaxed);
            gate.wait();
        }
    };
    // All launches of a block and their end, in nanoseconds for each.
    let block = |which: u32| {
        order.store(which, Ordering::SeqCst);
        gate.wait();
        let start = Instant::now();
        gate.wait();
        // SAFETY: no arguments.
        failed.fetch_or(unsafe { (native.cuCtxSynchronize)() }, Ordering::Relaxed);
        start.elapsed().as_nanos() as f64 / (THREADS * STREAMS * TURNS) as f64
    };
    let mut seen = Vec::with_capacity(pairs);
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
        let mut coin = Coin::new();
        for pair in 0..pairs + 3 {
            let times = if coin.toss() {
                let first = block(NATIVE);
                (first, block(SHIM))
            } else {
                let first = block(SHIM);
                (block(NATIVE), first)
            };
            // The first ones warm up.
            if pair >= 3 {
                seen.push(times);
            }
        }
        order.store(OVER, Ordering::SeqCst);
        gate.wait();
    });
    done(failed.into_inner())?;
    for stream in streams {
        // SAFETY: made above, and nothing runs there any more. By the stand-in, which has a queue for it.
        done(unsafe { (shim.cuStreamDestroy_v2)(stream as Handle) })?;
    }
    Ok(line(NAME, THREADS * STREAMS * TURNS, &seen))
}
