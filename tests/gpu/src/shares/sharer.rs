//! The program whose share is measured: a closed loop that counts what the device completes between two moments.

use crate::pipeline::Pipeline;
use crate::player::{self, number};
use crate::saturate::{Saturate, multiprocessors};
use anyhow::{Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use std::ptr::null_mut;
use std::time::Duration;

/// Now, by the clock that all processes have in common.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Does what it is told until nobody is left: `between KERNEL_US FROM_US TO_US` (of [`now`]) answers `did` and how much it got done in a second, from the
/// one moment to the other.
pub(crate) fn play() -> Result<()> {
    let (cu, orders) = (player::open()?, player::orders());
    let work = Saturate::new(&cu, multiprocessors(&cu)?)?;
    println!("ready");
    while let Ok(order) = orders.recv() {
        let [kernel, from, to] = [1, 2, 3].map(|at| number(&order, at).map(Duration::from_micros));
        let (rounds, from, to) = (work.rounds(kernel?), from?, to?);
        ensure!(from < to, "{order:?} ends before it begins");
        work.reset()?;
        let mut pipeline = Pipeline::new(&cu, &work, null_mut())?;
        let mut seen = Vec::new();
        loop {
            pipeline.step(rounds)?;
            let at = now();
            seen.push((at, pipeline.completed()));
            if at >= to {
                break;
            }
        }
        pipeline.finish()?;
        work.check(pipeline.launched() * rounds)?;
        let done = completed(&seen, to) - completed(&seen, from);
        println!("did {}", done * rounds as f64 / (to - from).as_secs_f64());
    }
    Ok(())
}

/// Kernels that were complete at this time. One is done bit by bit from the moment when the one before it was; not while its program was held back,
/// but a program that is held back has none that has begun.
fn completed(seen: &[(Duration, u64)], time: Duration) -> f64 {
    let at = seen.partition_point(|(at, _)| *at <= time);
    let (before, after) = (at.checked_sub(1).and_then(|at| seen.get(at)), seen.get(at));
    match (before, after) {
        (Some(&(then, done)), Some(&(next, more))) => {
            let part = (time - then).as_secs_f64() / (next - then).as_secs_f64();
            done as f64 + part * (more - done) as f64
        }
        (Some(&(_, done)), None) => done as f64,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_count_in_proportion_between_two_completions() {
        let seen = [(1, 0), (2, 1), (4, 2)].map(|(at, done)| (Duration::from_secs(at), done));
        let at = |ms| completed(&seen, Duration::from_millis(ms));
        assert_eq!(
            [at(500), at(1000), at(1500), at(2000), at(3000), at(9000)],
            [0.0, 0.0, 0.5, 1.0, 1.5, 2.0]
        );
    }
}
