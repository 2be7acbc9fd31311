//! The urgent side: one small inference-like request at a fixed period, each time-stamped.
//!
//! A request uploads a batch of inputs, passes it through a stack of dense layers (one kernel each) and reads the
//! result back, waiting for it. The loop is open: request `i` is due at `start + i * period` whatever became of the
//! ones before it, and latency counts from there, so a slow request cannot hide the wait of the next one.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::cl::{Buffer, Device, Kernel};
use crate::clock;

/// Values per input and per layer.
const WIDTH: usize = 512;
/// Inputs per request.
const BATCH: usize = 64;
/// Outputs per work-item.
const LANES: usize = 16;

const SOURCE: &str = "
kernel void dense(global const float *x, global const float *w, global float *y, uint width) {
    size_t o = get_global_id(0), row = get_global_id(1) * width;
    float16 sum = 0.0f;
    for (uint i = 0; i < width; i++) sum += vload16(o, w + i * width) * x[row + i];
    vstore16(sum / (1.0f + fabs(sum)), o, y + row);
}";

/// What to run and how to report it.
pub(crate) struct Plan {
    /// Nanoseconds from one request to the next.
    pub(crate) period: u64,
    /// Dense layers per request.
    pub(crate) layers: usize,
    /// Requests before the first one that counts.
    pub(crate) warm_up: usize,
    /// Requests that count.
    pub(crate) count: usize,
    /// Where the time stamps go.
    pub(crate) csv: Option<PathBuf>,
}

/// The stamps of one request, CLOCK_MONOTONIC nanoseconds.
struct Stamp {
    due: u64,
    started: u64,
    finished: u64,
}

/// Runs the requests of `plan` and prints one summary line.
pub(crate) fn run(device: &Device, plan: &Plan) -> Result<()> {
    let mut model = Model::new(device)?;
    model.answer(plan.layers)?;
    let wanted = model.digest();
    let mut stamps = Vec::with_capacity(plan.count);
    let start = clock::now() + plan.period;
    for i in 0..plan.warm_up + plan.count {
        let due = start + i as u64 * plan.period;
        clock::sleep_until(due);
        let started = clock::now();
        model.answer(plan.layers)?;
        let finished = clock::now();
        if model.digest() != wanted {
            bail!("request {i} got another answer than the first one");
        }
        if i >= plan.warm_up {
            stamps.push(Stamp { due, started, finished });
        }
    }
    if let Some(path) = &plan.csv {
        std::fs::write(path, csv(&stamps)).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{}", summary(&stamps));
    Ok(())
}

/// The number of layers with which one request takes `wanted` nanoseconds on an otherwise idle device.
pub(crate) fn layers_for(device: &Device, wanted: u64) -> Result<usize> {
    let mut model = Model::new(device)?;
    // Two sizes, so that the fixed part (upload, read, synchronization) is not counted as layers; the best of many
    // tries of each, so that a busy machine does not make the request smaller.
    let (few, many) = (4, 20);
    let (mut short, mut long) = (u64::MAX, u64::MAX);
    for _ in 0..40 {
        for (layers, best) in [(few, &mut short), (many, &mut long)] {
            let started = clock::now();
            model.answer(layers)?;
            *best = (*best).min(clock::now() - started);
        }
    }
    let per_layer = (long.saturating_sub(short) / (many - few) as u64).max(1);
    let fixed = short.saturating_sub(few as u64 * per_layer);
    Ok((wanted.saturating_sub(fixed) / per_layer).clamp(1, 100_000) as usize)
}

/// The weights on the device, two buffers that the layers alternate between, and the host's input and output.
struct Model<'a> {
    device: &'a Device,
    kernel: Kernel,
    weights: Buffer<f32>,
    activations: [Buffer<f32>; 2],
    input: &'static [f32],
    output: Vec<f32>,
}

impl<'a> Model<'a> {
    fn new(device: &'a Device) -> Result<Self> {
        let mut random = Random(1);
        let input: Vec<f32> = (0..BATCH * WIDTH).map(|_| random.next()).collect();
        // A standard deviation of about 2/sqrt(width) keeps the signal alive through any number of layers.
        let scale = 2.0 * 1.73 / (WIDTH as f32).sqrt();
        let weights: Vec<f32> = (0..WIDTH * WIDTH).map(|_| random.next() * scale).collect();
        Ok(Self {
            device,
            kernel: device.kernel(SOURCE, "dense")?,
            weights: device.buffer(&weights)?,
            activations: [device.buffer(&input)?, device.buffer(&input)?],
            output: vec![0.0; input.len()],
            input: input.leak(),
        })
    }

    /// One request: afterwards `output` holds the answer.
    fn answer(&mut self, layers: usize) -> Result<()> {
        let [mut from, mut to] = self.activations.each_ref();
        self.device.write(from, self.input)?;
        self.kernel.set_buffer(1, &self.weights)?;
        self.kernel.set_u32(3, WIDTH as u32)?;
        for _ in 0..layers {
            self.kernel.set_buffer(0, from)?;
            self.kernel.set_buffer(2, to)?;
            self.device.launch(&self.kernel, [WIDTH / LANES, BATCH], [WIDTH / LANES, 1])?;
            (from, to) = (to, from);
        }
        self.device.read(from, &mut self.output)
    }

    /// A digest (FNV-1a over words) of the last answer, to compare answers by.
    fn digest(&self) -> u64 {
        self.output.iter().fold(0xcbf2_9ce4_8422_2325, |digest, value| {
            (digest ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// A small generator (xorshift) of values in -1..1: every run of the program computes the same.
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

fn csv(stamps: &[Stamp]) -> String {
    let mut text = String::from("due_ns,started_ns,finished_ns\n");
    for Stamp { due, started, finished } in stamps {
        let _ = writeln!(text, "{due},{started},{finished}");
    }
    text
}

fn summary(stamps: &[Stamp]) -> String {
    let ms = |nanos: u64| nanos as f64 / 1e6;
    let mut latency: Vec<u64> = stamps.iter().map(|s| s.finished - s.due).collect();
    let mut service: Vec<u64> = stamps.iter().map(|s| s.finished - s.started).collect();
    let window = stamps.first().zip(stamps.last()).map_or(0, |(first, last)| last.finished - first.due);
    format!(
        "{} requests, {:.1}/s; latency p50 {:.2} p95 {:.2} max {:.2} ms; service p50 {:.2} ms",
        stamps.len(),
        stamps.len() as f64 / (window.max(1) as f64 / 1e9),
        ms(percentile(&mut latency, 50)),
        ms(percentile(&mut latency, 95)),
        ms(percentile(&mut latency, 100)),
        ms(percentile(&mut service, 50)),
    )
}

/// The nearest-rank percentile; 0 where there are no values.
fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_of_a_hundred_values_is_the_value_of_that_rank() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut values, 50), 50);
        assert_eq!(percentile(&mut values, 95), 95);
        assert_eq!(percentile(&mut values, 100), 100);
        assert_eq!(percentile(&mut [], 50), 0);
    }

    #[test]
    fn csv_has_a_head_and_one_line_per_request() {
        let stamps = [Stamp { due: 1, started: 2, finished: 30 }];
        assert_eq!(csv(&stamps), "due_ns,started_ns,finished_ns\n1,2,30\n");
    }
}
