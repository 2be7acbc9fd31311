//! The two programs: they do what they are told, line by line.

use super::contexts::{self, Context};
use crate::pipeline::Pipeline;
use crate::player::{self, Order, number};
use crate::saturate::{Saturate, call, multiprocessors};
use anyhow::{Result, bail};
use cuda_suite::cu::{Api, Kernels};
use std::ptr::null_mut;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// An urgent request: so many kernels ...
pub(crate) const KERNELS: usize = 10;
/// ... of this length.
pub(crate) const KERNEL: Duration = Duration::from_micros(20);

#[derive(clap::Args)]
pub(crate) struct Options {
    kind: Kind,
    /// What context it works in.
    #[arg(long, value_enum, default_value = "primary")]
    context: Context,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// `run REQUESTS PERIOD_MS [KERNELS]`: answers `took` and each request's time in µs. `eager SECONDS`, `stop`: small kernels with gaps between
    /// them, without a pause; says `begins`, and `took` at the end.
    Urgent,
    /// `go KERNEL_US`, `count`, `where`, `stop`: answers `at` where it is, and `did` with its rate at the end. In place of `go`: `free`, `load` or `wait`, which
    /// also free memory, load a module or wait for the whole context all the time.
    Greedy,
}

/// Plays until nobody is left to tell anything.
pub(crate) fn play(options: &Options) -> Result<()> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    // SAFETY: flags must be 0.
    call("cuInit", unsafe { (cu.cuInit)(0) })?;
    let context = contexts::make(&cu, options.context)?;
    // SAFETY: a context of ours.
    call("cuCtxSetCurrent", unsafe { (cu.cuCtxSetCurrent)(context) })?;
    let orders = player::orders();
    match options.kind {
        Kind::Urgent => urgent(&cu, &orders),
        Kind::Greedy => greedy(&cu, &orders),
    }
}

fn urgent(cu: &Api, orders: &Receiver<Order>) -> Result<()> {
    let kernels = cu.kernels().map_err(|code| anyhow::anyhow!("the driver answers {code}"))?;
    request(cu, &kernels, KERNELS)?;
    println!("ready");
    while let Ok(order) = orders.recv() {
        if order.first().is_some_and(|word| word == "eager") {
            eager(cu, &kernels, Duration::from_secs(number(&order, 1)?), orders)?;
            println!("took");
            continue;
        }
        let (requests, period) = (number(&order, 1)?, Duration::from_millis(number(&order, 2)?));
        let of_each = if order.len() > 3 { number(&order, 3)? as usize } else { KERNELS };
        let mut took = String::from("took");
        let mut due = Instant::now();
        for _ in 0..requests {
            due = (due + period).max(Instant::now());
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            request(cu, &kernels, of_each)?;
            took += &format!(" {:.1}", begun.elapsed().as_secs_f64() * 1e6);
        }
        println!("{took}");
    }
    Ok(())
}

/// Kernels of 20 µs with gaps of as much, until it is over or somebody says so.
fn eager(cu: &Api, kernels: &Kernels, time: Duration, orders: &Receiver<Order>) -> Result<()> {
    const BURST: usize = 500;
    let begun = Instant::now();
    println!("begins");
    while begun.elapsed() < time && orders.try_recv().is_err() {
        for _ in 0..BURST {
            call("cuLaunchKernel", cu.spin(kernels, KERNEL.as_nanos() as u64, null_mut()))?;
            let next = Instant::now() + KERNEL * 2;
            while Instant::now() < next {
                std::hint::spin_loop();
            }
        }
    }
    // SAFETY: no preconditions.
    call("cuStreamSynchronize", unsafe { (cu.cuStreamSynchronize)(null_mut()) })
}

fn request(cu: &Api, kernels: &Kernels, of_each: usize) -> Result<()> {
    for _ in 0..of_each {
        call("cuLaunchKernel", cu.spin(kernels, KERNEL.as_nanos() as u64, null_mut()))?;
    }
    // SAFETY: no preconditions.
    call("cuStreamSynchronize", unsafe { (cu.cuStreamSynchronize)(null_mut()) })
}

fn greedy(cu: &Api, orders: &Receiver<Order>) -> Result<()> {
    let work = Saturate::new(cu, multiprocessors(cu)?)?;
    println!("ready");
    while let Ok(order) = orders.recv() {
        let besides: fn(&Api) -> Result<()> = match order.first().map(String::as_str) {
            Some("go") => |_| Ok(()),
            Some("free") => allocate_and_free,
            Some("load") => {
                |cu| cu.kernels().map(drop).map_err(|code| anyhow::anyhow!("cuModuleLoad answers {code}"))
            }
            // SAFETY: no preconditions.
            Some("wait") => |cu| call("cuCtxSynchronize", unsafe { (cu.cuCtxSynchronize)() }),
            _ => bail!("{order:?} where only go, free, load and wait are understood"),
        };
        let rounds = work.rounds(Duration::from_micros(number(&order, 1)?));
        work.reset()?;
        let mut pipeline = Pipeline::new(cu, &work, null_mut())?;
        let (mut counted, mut since) = (0, Instant::now());
        loop {
            match orders.try_recv() {
                Ok(order) if order.first().is_some_and(|word| word == "count") => {
                    (counted, since) = (pipeline.launched(), Instant::now());
                }
                Ok(order) if order.first().is_some_and(|word| word == "where") => {
                    println!("at {}", pipeline.launched());
                }
                Ok(_) => break,
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
            pipeline.step(rounds)?;
            besides(cu)?;
        }
        let launched = pipeline.launched();
        let rate = ((launched - counted) * rounds) as f64 / since.elapsed().as_secs_f64();
        work.wait()?;
        work.check(launched * rounds)?;
        println!("did {rate}");
    }
    Ok(())
}

fn allocate_and_free(cu: &Api) -> Result<()> {
    let mut memory = 0;
    // SAFETY: a place for the answer; nobody uses the memory.
    unsafe {
        call("cuMemAlloc", (cu.cuMemAlloc_v2)(&raw mut memory, 64 << 20))?;
        call("cuMemFree", (cu.cuMemFree_v2)(memory))
    }
}
