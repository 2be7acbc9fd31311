//! Stopping and slicing by the resource manager, by hand: what it takes to be found, what each call costs, that it does what it says, and how soon
//! an urgent context runs beside a greedy one of the same process. No xserver.

mod probe;

use crate::bundle;
use crate::saturate::{Saturate, call, multiprocessors};
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::{Api, Handle, Kernels};
use std::os::fd::AsFd;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use test_stats::quantile;
use xsched_cuda_control::{Channels, Control, Mode, decode};
use xsched_hal::RemoteControl;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Urgent requests for each row.
    #[arg(long, value_name = "N", default_value_t = 100)]
    requests: usize,
    /// How often each control is called.
    #[arg(long, value_name = "N", default_value_t = 50)]
    calls: usize,
    /// Measure nothing, and tell what a driver that is not known yet has of what is needed.
    #[arg(long)]
    probe: bool,
}

/// An urgent request: kernels of this length, one behind the other.
const KERNELS: usize = 10;
const KERNEL: Duration = Duration::from_micros(20);

/// What is done so that the urgent context runs soon.
#[derive(Clone, Copy, PartialEq)]
enum Arm {
    Nothing,
    Slices,
    Hold,
}

/// Runs all and prints the tables.
pub(crate) fn run(options: &Options) -> Result<()> {
    // SAFETY: no slot of any table is filled.
    unsafe { xsched_platform_cuda::bind(Path::new("/"), &[]) }.map_err(anyhow::Error::msg)?;
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let greedy_context = new_context(&cu)?;
    if options.probe {
        return probe::look();
    }
    let (_, first) = lent()?;
    let urgent_context = new_context(&cu)?;
    let (remote, both) = lent()?;
    let of = |is_wanted: &dyn Fn(&Channels) -> bool| both.iter().find(|it| is_wanted(it)).context("a group");
    let greedy = of(&|it| first.iter().any(|before| before.group == it.group))?;
    let urgent = of(&|it| it.group != greedy.group)?;
    ensure!(
        (first.len(), both.len()) == (1, 2),
        "{} groups with one context, {} with two",
        first.len(),
        both.len()
    );
    println!(
        "Each context has one group that computes: {} channels, on {}.",
        greedy.channels.len(),
        greedy.device
    );
    let file = remote.fds.first().context("a file")?;
    let control = Control::new(file.as_fd())?;
    println!("A turn is {:?} long at first.\n", control.slice(greedy)?);
    costs(&control, greedy, options)?;
    current(&cu, greedy_context)?;
    let work = Saturate::new(&cu, multiprocessors(&cu)?)?;
    stops(&cu, &control, greedy, &work)?;
    let kernels = {
        current(&cu, urgent_context)?;
        cu.kernels().map_err(|code| anyhow::anyhow!("the driver answers {code}"))?
    };
    println!(
        "\n| greedy kernels | arm | urgent µs p50 | p99 | max | greedy work kept |\n|---|---|--:|--:|--:|--:|"
    );
    let alone = request(&cu, &kernels, options.requests)?;
    row("none", "alone", &alone, None);
    for length in [100, 1000, 10_000, 100_000].map(Duration::from_micros) {
        let mut native = 0.0;
        for (name, arm) in
            [("native", Arm::Nothing), ("slices, instructions", Arm::Slices), ("held by call", Arm::Hold)]
        {
            if arm == Arm::Slices {
                control.set_mode(greedy, Mode::Instruction)?;
                control.set_slice(greedy, Duration::from_micros(1))?;
                control.set_slice(urgent, Duration::from_secs(1))?;
            } else {
                control.set_slice(greedy, Duration::from_micros(2048))?;
                control.set_slice(urgent, Duration::from_micros(2048))?;
            }
            let requests =
                if arm == Arm::Nothing && length > Duration::from_millis(50) { 20 } else { options.requests };
            let (times, rate) = beside(
                &cu,
                greedy_context,
                urgent_context,
                &work,
                length,
                || {
                    let begun = Instant::now();
                    if arm == Arm::Hold {
                        control.hold(greedy)?;
                    }
                    urgent_request(&cu, &kernels)?;
                    let took = begun.elapsed();
                    if arm == Arm::Hold {
                        control.release(greedy)?;
                    }
                    Ok(took)
                },
                requests,
            )?;
            if arm == Arm::Nothing {
                native = rate;
            }
            row(&format!("{length:?}"), name, &times, Some(rate / native));
        }
        control.set_mode(greedy, Mode::ThreadBlock)?;
    }
    Ok(())
}

fn new_context(cu: &Api) -> Result<Handle> {
    let (mut context, mut stream) = (null_mut(), null_mut());
    // SAFETY: places for the answers.
    unsafe {
        call("cuCtxCreate", (cu.cuCtxCreate_v2)(&raw mut context, 0, 0))?;
        call("cuStreamCreate", (cu.cuStreamCreate)(&raw mut stream, 1))?;
        // The platform meets the context by a stream of it.
        xsched_platform_cuda::claim(stream).map_err(|why| anyhow::anyhow!("{why}"))?;
    }
    Ok(context)
}

/// What the platform would tell xserver.
fn lent() -> Result<(RemoteControl, Vec<Channels>)> {
    let offered =
        xsched_runtime::offered().context("nothing is offered: the real library's ioctl was not found")?;
    let remote = offered.remote().context("no group was found, or the driver refused")?;
    let groups = decode(&remote.blob)?;
    Ok((remote, groups))
}

fn current(cu: &Api, context: Handle) -> Result<()> {
    // SAFETY: a context of ours.
    call("cuCtxSetCurrent", unsafe { (cu.cuCtxSetCurrent)(context) })
}

fn microseconds(mut times: Vec<Duration>) -> Vec<f64> {
    times.sort();
    times.iter().map(|time| time.as_secs_f64() * 1e6).collect()
}

fn costs(control: &Control<'_>, group: &Channels, options: &Options) -> Result<()> {
    type Do<'a> = &'a dyn Fn() -> Result<(), xsched_cuda_control::Refusal>;
    let rows: [(&str, Do<'_>); 6] = [
        ("get slice", &|| control.slice(group).map(drop)),
        ("set slice", &|| control.set_slice(group, Duration::from_micros(2048))),
        ("set mode", &|| control.set_mode(group, Mode::ThreadBlock)),
        ("preempt", &|| control.preempt(group, Duration::from_millis(10))),
        ("hold", &|| control.hold(group)),
        ("release", &|| control.release(group)),
    ];
    println!("| control | µs p50 | p99 |\n|---|--:|--:|");
    for (name, act) in rows {
        let times = (0..options.calls).map(|_| {
            let begun = Instant::now();
            act().map(|()| begun.elapsed())
        });
        let times = microseconds(times.collect::<Result<_, _>>()?);
        println!("| {name} | {:.0} | {:.0} |", quantile(&times, 0.5), quantile(&times, 0.99));
    }
    Ok(())
}

/// A held group does nothing, for as long as it is held, and loses nothing.
fn stops(cu: &Api, control: &Control<'_>, group: &Channels, work: &Saturate<'_>) -> Result<()> {
    const LAUNCHES: u64 = 10;
    for (mode, length) in [(Mode::ThreadBlock, 5), (Mode::Instruction, 5), (Mode::Instruction, 200)] {
        control.set_mode(group, mode)?;
        let rounds = work.rounds(Duration::from_millis(length));
        work.reset()?;
        for _ in 0..LAUNCHES {
            work.launch_rounds(rounds, null_mut())?;
        }
        std::thread::sleep(Duration::from_millis(2));
        let begun = Instant::now();
        control.hold(group)?;
        let took = begun.elapsed();
        std::thread::sleep(Duration::from_millis(LAUNCHES * length * 2));
        // SAFETY: the legacy stream of the current context.
        let answer = unsafe { (cu.cuStreamQuery)(null_mut()) };
        ensure!(answer == 600, "a held group went on: cuStreamQuery answers {answer}");
        let begun = Instant::now();
        control.release(group)?;
        work.wait()?;
        work.check(rounds * LAUNCHES)?;
        println!(
            "\n{mode:?}, kernels of {length} ms: held within {took:?}, nothing ran, nothing was lost; done {:?} after.",
            begun.elapsed()
        );
    }
    Ok(())
}

fn urgent_request(cu: &Api, kernels: &Kernels) -> Result<()> {
    for _ in 0..KERNELS {
        call("cuLaunchKernel", cu.spin(kernels, KERNEL.as_nanos() as u64, null_mut()))?;
    }
    // SAFETY: no preconditions.
    call("cuStreamSynchronize", unsafe { (cu.cuStreamSynchronize)(null_mut()) })
}

/// Requests alone, 10 ms apart.
fn request(cu: &Api, kernels: &Kernels, count: usize) -> Result<Vec<f64>> {
    let times = (0..count).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let begun = Instant::now();
        urgent_request(cu, kernels).map(|()| begun.elapsed())
    });
    Ok(microseconds(times.collect::<Result<_>>()?))
}

/// Urgent requests beside greedy kernels of this length, of which two are always in flight; with the greedy work done, in rounds a second.
fn beside(
    cu: &Api,
    greedy: Handle,
    urgent: Handle,
    work: &Saturate<'_>,
    length: Duration,
    mut ask: impl FnMut() -> Result<Duration>,
    count: usize,
) -> Result<(Vec<f64>, f64)> {
    let (stop, launched) = (AtomicBool::new(false), AtomicU64::new(0));
    let (rounds, greedy) = (work.rounds(length), greedy as usize);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| -> Result<()> {
            current(cu, greedy as Handle)?;
            work.reset()?;
            let mut events = [null_mut(); 2];
            for event in &mut events {
                // SAFETY: a place for the answer.
                call("cuEventCreate", unsafe { (cu.cuEventCreate)(event, 2) })?;
            }
            let mut next = 0;
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: an event of ours; one that was never recorded is complete.
                call("cuEventSynchronize", unsafe { (cu.cuEventSynchronize)(events[next]) })?;
                work.launch_rounds(rounds, null_mut())?;
                // SAFETY: as above.
                call("cuEventRecord", unsafe { (cu.cuEventRecord)(events[next], null_mut()) })?;
                launched.fetch_add(1, Ordering::Relaxed);
                next = 1 - next;
            }
            work.wait()?;
            work.check(rounds * launched.load(Ordering::Relaxed))
        });
        current(cu, urgent)?;
        std::thread::sleep(Duration::from_millis(50));
        let (begun, before) = (Instant::now(), launched.load(Ordering::Relaxed));
        let mut times = Vec::new();
        let mut result = Ok(());
        for _ in 0..count {
            std::thread::sleep(Duration::from_millis(5));
            match ask() {
                Ok(time) => times.push(time),
                Err(why) => {
                    result = Err(why);
                    break;
                }
            }
        }
        let rate = (launched.load(Ordering::Relaxed) - before) as f64 * rounds as f64
            / begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        worker.join().map_err(|_| anyhow::anyhow!("the greedy thread broke"))??;
        result?;
        Ok((microseconds(times), rate))
    })
}

fn row(length: &str, arm: &str, times: &[f64], kept: Option<f64>) {
    let kept = kept.map_or_else(|| "–".into(), |kept| format!("{:.0} %", kept * 100.0));
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| quantile(times, share));
    println!("| {length} | {arm} | {p50:.0} | {p99:.0} | {most:.0} | {kept} |");
}
