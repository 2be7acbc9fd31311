//! Nothing stays stopped, whoever dies or freezes: a greedy program whose channels are off, and then something happens to it, to the urgent one
//! or to xserver, also while the greedy one sits in calls that hold the driver's locks.

use crate::bundle;
use crate::memory::free_memory;
use crate::player;
use crate::saturate::call;
use crate::worker::Worker;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use rustix::process::{Pid, Signal, kill_process};
use std::process::ExitCode;
use std::ptr::null_mut;
use std::time::{Duration, Instant};
use test_system::{Machine, Server};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only scenes whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Milliseconds within which whoever is let go goes on, beside what its kernels in flight take: what the issue asks for.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    goal: u64,
    /// Times that each scene is played.
    #[arg(long, value_name = "N", default_value_t = 3)]
    times: usize,
}

/// Length of the greedy kernels.
const KERNEL_US: u64 = 20_000;
/// Length of those of which two take longer than a scene.
const LONG: Duration = Duration::from_secs(1);
/// Who is let go has this long to show it: what the issue asks for, the kernels in flight, and a slow machine.
const BOUND: Duration = Duration::from_secs(2);
/// Who is let go shows it when its kernels in flight are done.
const IN_FLIGHT: Duration = Duration::from_micros(2 * KERNEL_US);
/// Who does not answer for so long is off.
const OFF: Duration = Duration::from_millis(400);
/// How long an end may take.
const END: Duration = Duration::from_secs(30);

/// Everybody, with the greedy program off.
struct Scene {
    cu: Api,
    machine: Machine,
    server: Option<Server>,
    urgent: Worker,
    greedy: Worker,
    /// Free memory of the device before the greedy program came, and with it.
    free: (usize, usize),
}

/// What happens. Answers how long it took until whoever was to go on did.
type Act = fn(&mut Scene) -> Result<Duration>;

/// Name, order to the greedy program, what happens.
const SCENES: &[(&str, &str, Act)] = &[
    ("xserver killed", "go", Scene::server_is_killed),
    ("xserver killed, greedy program in cuMemFree", "free", Scene::server_is_killed),
    ("xserver killed, greedy program in cuModuleLoad", "load", Scene::server_is_killed),
    ("xserver killed, greedy program in cuCtxSynchronize", "wait", Scene::server_is_killed),
    ("xserver frozen, and thawed", "go", Scene::server_is_frozen),
    ("xserver frozen, greedy program in cuMemFree", "free", Scene::server_is_frozen),
    ("xserver ended", "go", Scene::server_ends),
    ("urgent program killed", "go", Scene::urgent_is_killed),
    ("urgent program ended", "go", Scene::urgent_ends),
    (
        "urgent program ended, long kernels in flight",
        "long",
        Scene::urgent_ends_and_long_kernels_have_not_run,
    ),
    ("greedy program killed", "go", Scene::greedy_is_killed),
    ("greedy program frozen, and thawed", "go", Scene::greedy_is_frozen),
];

/// Plays all and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let mut context = null_mut();
    // SAFETY: places for the answers.
    unsafe {
        call("cuDevicePrimaryCtxRetain", (cu.cuDevicePrimaryCtxRetain)(&raw mut context, 0))?;
        call("cuCtxSetCurrent", (cu.cuCtxSetCurrent)(context))?;
    }
    println!(
        "While the greedy program is off:\n\n| what happens | what goes on | within, ms | goal, ms | |\n|---|---|--:|--:|---|"
    );
    let mut failures = 0;
    for (name, order, act) in SCENES.iter().filter(|scene| scene.0.contains(&options.only)) {
        let mut longest = Duration::ZERO;
        let played = (0..options.times).try_for_each(|_| {
            let mut scene = Scene::set(cu, order)?;
            longest = longest.max(act(&mut scene)?);
            anyhow::Ok(())
        });
        let who = if name.starts_with("greedy program killed") {
            "the urgent one; memory is back"
        } else {
            "the greedy one"
        };
        match played {
            Ok(()) => {
                let goal =
                    Duration::from_millis(options.goal) + if *order == "long" { 2 * LONG } else { IN_FLIGHT };
                failures += u32::from(longest > goal);
                let verdict = if longest > goal { "**late**" } else { "as it should" };
                let millis = |time: Duration| time.as_secs_f64() * 1e3;
                println!("| {name} | {who} | {:.0} | {:.0} | {verdict} |", millis(longest), millis(goal));
            }
            Err(why) => {
                failures += 1;
                println!("| {name} | {who} | | | **failed**: {} |", format!("{why:#}").replace('\n', " / "));
            }
        }
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Scene {
    /// Starts everybody, and waits until the greedy program is off.
    fn set(cu: Api, order: &str) -> Result<Scene> {
        let machine = Machine::new();
        // Nobody's lease lapses, and nobody gets a due: whoever is off stays off.
        let server = machine.server(&["--lease", "60s", "--max-suspend", "60s"]);
        let free = free_memory(&cu)?;
        let play = |kind: &str, priority: &str| {
            let mut command = machine.xcli();
            command.args(["run", "--priority", priority, "--"]).arg(player::this()).args(["player", kind]);
            Worker::start(kind, command, None)
        };
        let (mut urgent, mut greedy) = (play("urgent", "10"), play("greedy", "0"));
        urgent.begins("ready")?;
        greedy.begins("ready")?;
        match order {
            "long" => greedy.tell(&format!("go {}", LONG.as_micros()))?,
            order => greedy.tell(&format!("{order} {KERNEL_US}"))?,
        }
        let free = (free, free_memory(&cu)?);
        let mut scene = Scene { cu, machine, server: Some(server), urgent, greedy, free };
        scene.goes_on().context("before anything happened")?;
        scene.be_urgent()?;
        Ok(scene)
    }

    /// The urgent program works from now on, in many small kernels; the greedy one is off.
    fn be_urgent(&mut self) -> Result<()> {
        self.urgent.tell("eager 60")?;
        self.urgent.hear("begins", END)?;
        self.comes_to_be_off().context("the urgent program works, and the greedy one is not off")
    }

    /// Soon. A program that is off may still launch, as far as its window goes.
    fn comes_to_be_off(&mut self) -> Result<()> {
        let begun = Instant::now();
        while let Err(why) = self.is_off() {
            ensure!(begun.elapsed() < BOUND, "{why:#}");
        }
        Ok(())
    }

    fn is_off(&mut self) -> Result<()> {
        ensure!(self.greedy.ask("where", "at", OFF).is_err(), "it goes on");
        Ok(())
    }

    /// The greedy program goes on. How long that took.
    fn goes_on(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.greedy.ask("where", "at", BOUND).context("it does not go on")?;
        Ok(begun.elapsed())
    }

    /// All that the greedy program did since the start is right.
    fn is_right(&mut self) -> Result<()> {
        self.greedy.ask("stop", "did", END).map(drop).context("its results")
    }

    fn server(&mut self) -> Result<Server> {
        self.server.take().context("it has been taken")
    }

    fn server_is_killed(&mut self) -> Result<Duration> {
        self.server()?.crash();
        let took = self.goes_on()?;
        self.is_right()?;
        Ok(took)
    }

    fn server_is_frozen(&mut self) -> Result<Duration> {
        let server = self.server()?;
        server.freeze();
        let took = self.goes_on()?;
        server.thaw();
        // All is as before.
        self.comes_to_be_off().context("after the thaw")?;
        server.end();
        self.goes_on()?;
        self.is_right()?;
        Ok(took)
    }

    fn server_ends(&mut self) -> Result<Duration> {
        self.server()?.end();
        let took = self.goes_on()?;
        self.is_right()?;
        Ok(took)
    }

    fn urgent_is_killed(&mut self) -> Result<Duration> {
        signal(&self.urgent, Signal::KILL)?;
        let took = self.goes_on()?;
        self.is_right()?;
        Ok(took)
    }

    fn urgent_ends(&mut self) -> Result<Duration> {
        self.urgent.tell("stop")?;
        let took = self.goes_on()?;
        self.is_right()?;
        Ok(took)
    }

    /// With closed gates alone they would be done by now, and in the gaps of the urgent program too.
    fn urgent_ends_and_long_kernels_have_not_run(&mut self) -> Result<Duration> {
        std::thread::sleep(4 * LONG);
        self.urgent.ask("stop", "took", END)?;
        let took = self.goes_on()?;
        ensure!(took > LONG / 10, "the kernels in flight have run: it went on after {took:?}");
        self.is_right()?;
        Ok(took)
    }

    /// Its memory must be there again, although xserver had its file.
    fn greedy_is_killed(&mut self) -> Result<Duration> {
        ensure!(self.free.1 < self.free.0, "the programs take no memory: {:?}", self.free);
        let begun = Instant::now();
        signal(&self.greedy, Signal::KILL)?;
        signal(&self.urgent, Signal::KILL)?;
        while free_memory(&self.cu)? < self.free.0 {
            ensure!(begun.elapsed() < END, "{} of {:?} bytes are free", free_memory(&self.cu)?, self.free);
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = begun.elapsed();
        ensure!(self.machine.list().is_empty(), "xserver still knows them");
        Ok(took)
    }

    fn greedy_is_frozen(&mut self) -> Result<Duration> {
        signal(&self.greedy, Signal::STOP)?;
        self.urgent.ask("stop", "took", END)?;
        std::thread::sleep(Duration::from_millis(200));
        signal(&self.greedy, Signal::CONT)?;
        let took = self.goes_on()?;
        // Nobody is asked to come back while it cannot answer, either.
        self.urgent.tell("eager 60")?;
        signal(&self.greedy, Signal::STOP)?;
        std::thread::sleep(Duration::from_millis(300));
        self.urgent.ask("stop", "took", END)?;
        signal(&self.greedy, Signal::CONT)?;
        self.goes_on()?;
        self.is_right()?;
        Ok(took)
    }
}

/// To the program itself, which xcli has become.
fn signal(worker: &Worker, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(worker.pid())?).context("a process")?;
    kill_process(pid, signal).context("sending a signal")
}
