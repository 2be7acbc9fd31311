//! What those programs of the benchmarks have in common that are this program itself: the first GPU, and orders line by line.

use crate::saturate::call;
use anyhow::{Context, Result};
use cuda_suite::cu::Api;
use std::io::BufRead;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::mpsc::{Receiver, channel};

/// Words of a line.
pub(crate) type Order = Vec<String>;

/// This program.
pub(crate) fn this() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

/// The driver, with the first GPU's primary context current to this thread.
pub(crate) fn open() -> Result<Api> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    // SAFETY: flags must be 0.
    call("cuInit", unsafe { (cu.cuInit)(0) })?;
    enter(&cu)?;
    Ok(cu)
}

/// Makes the first GPU's primary context current to this thread.
pub(crate) fn enter(cu: &Api) -> Result<()> {
    let mut context = null_mut();
    // SAFETY: places for the answers.
    unsafe {
        call("cuDevicePrimaryCtxRetain", (cu.cuDevicePrimaryCtxRetain)(&raw mut context, 0))?;
        call("cuCtxSetCurrent", (cu.cuCtxSetCurrent)(context))
    }
}

/// The lines of the standard input, which come to an end when nobody is left to tell anything.
pub(crate) fn orders() -> Receiver<Order> {
    let (tell, orders) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.send(line.split_whitespace().map(str::to_owned).collect()).is_err() {
                return;
            }
        }
    });
    orders
}

/// A number in an order.
pub(crate) fn number(order: &[String], at: usize) -> Result<u64> {
    let word = order.get(at).with_context(|| format!("{order:?} has too few words"))?;
    word.parse().with_context(|| format!("{word:?} in {order:?} is no number"))
}
