//! The greedy side: kernels of one length back to back, a fixed number in flight, the rate printed every second.

use std::collections::VecDeque;
use std::io::Write as _;

use anyhow::Result;

use crate::cl::{Device, Kernel};
use crate::clock;

const SOURCE: &str = "
kernel void spin(global uint *out, uint rounds) {
    uint x = get_global_id(0);
    for (uint i = 0; i < rounds; i++) x = x * 1664525u + 1013904223u;
    out[get_global_id(0)] = x;
}";

/// Work-items per work-group, and work-groups per compute unit.
const LOCAL: usize = 64;
const GROUPS_PER_UNIT: usize = 4;

/// How long a kernel is.
pub(crate) enum Length {
    /// Nanoseconds of device time, about.
    Time(u64),
    /// Rounds of its loop.
    Rounds(u32),
}

/// Runs kernels of this length, `in_flight` at once, until `seconds` are over (`None`: for ever). Says how many rounds a kernel has.
///
/// Prints one line a second: CLOCK_MONOTONIC nanoseconds, kernels completed so far, kernels per second since the
/// line before.
pub(crate) fn run(device: &Device, length: Length, in_flight: usize, seconds: Option<f64>) -> Result<()> {
    let items = device.compute_units * GROUPS_PER_UNIT * LOCAL;
    let out = device.buffer(&vec![0u32; items])?;
    let kernel = device.kernel(SOURCE, "spin")?;
    kernel.set_buffer(0, &out)?;
    let rounds = match length {
        Length::Time(nanos) => rounds_for(device, &kernel, items, nanos)?,
        Length::Rounds(rounds) => rounds,
    };
    eprintln!("rounds: {rounds}");
    kernel.set_u32(1, rounds)?;

    let start = clock::now();
    let end = seconds.map(|s| start + (s * 1e9) as u64);
    let (mut done, mut reported, mut reported_at) = (0u64, 0u64, start);
    let mut pending = VecDeque::with_capacity(in_flight);
    let mut stdout = std::io::stdout();
    while end.is_none_or(|end| clock::now() < end) {
        pending.push_back(device.launch_with_event(&kernel, [items, 1], [LOCAL, 1])?);
        if pending.len() < in_flight.max(1) {
            continue;
        }
        if let Some(oldest) = pending.pop_front() {
            oldest.wait()?;
            done += 1;
        }
        let now = clock::now();
        if now - reported_at >= 1_000_000_000 {
            let rate = (done - reported) as f64 / ((now - reported_at) as f64 / 1e9);
            writeln!(stdout, "{now} {done} {rate:.1}/s")?;
            stdout.flush()?;
            (reported, reported_at) = (done, now);
        }
    }
    device.finish()
}

/// The rounds with which one kernel takes `wanted` nanoseconds of device time: the best of a few tries, so that a
/// busy machine does not make the kernels shorter.
fn rounds_for(device: &Device, kernel: &Kernel, items: usize, wanted: u64) -> Result<u32> {
    let mut rounds = 1_000u32;
    loop {
        kernel.set_u32(1, rounds)?;
        let mut best = u64::MAX;
        for _ in 0..10 {
            best = best.min(device.launch_with_event(kernel, [items, 1], [LOCAL, 1])?.wait()?);
        }
        if best >= wanted / 2 || rounds > u32::MAX / 4 {
            let scaled = f64::from(rounds) * wanted as f64 / best.max(1) as f64;
            return Ok(scaled.clamp(1.0, f64::from(u32::MAX)) as u32);
        }
        rounds *= 2;
    }
}
