//! Level 3 under all sorts of circumstances: contexts of each kind, other users, a server or a program that does not want it. In each the greedy program is
//! held while an urgent program works, goes on after, and has computed what it should; and it is interrupted where it should be.

use crate::bundle;
use crate::memory::free_memory;
use crate::player;
use crate::preempt::contexts::Context;
use crate::worker::Worker;
use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use cuda_suite::cu::Api;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use test_system::{Machine, Server};
use xsched_core::Level;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only circumstances whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// A user who is nobody.
const NOBODY: u32 = 65534;
/// Length of the greedy kernels.
const KERNEL_US: u64 = 2_000;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who does not move for so long is held.
const HELD: Duration = Duration::from_millis(500);

/// One row.
struct Condition {
    name: &'static str,
    context: Context,
    /// Who both programs and the server are, if not this process's user.
    user: Option<u32>,
    server_user: Option<u32>,
    server: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    expected: Level,
}

const PLAIN: Condition = Condition {
    name: "primary context",
    context: Context::Primary,
    user: None,
    server_user: None,
    server: &[],
    environment: &[],
    expected: Level::Interrupt,
};

const CONDITIONS: &[Condition] = &[
    PLAIN,
    Condition { name: "context of its own", context: Context::Made, ..PLAIN },
    Condition { name: "three contexts", context: Context::Several, ..PLAIN },
    Condition { name: "primary context, reset in between", context: Context::Reset, ..PLAIN },
    Condition { name: "green context", context: Context::Green, ..PLAIN },
    Condition { name: "program of another user, without any capability", user: Some(NOBODY), ..PLAIN },
    Condition {
        name: "program and server of that user",
        user: Some(NOBODY),
        server_user: Some(NOBODY),
        ..PLAIN
    },
    Condition {
        name: "server leaves devices alone",
        server: &["--device-control", "off"],
        expected: Level::Block,
        ..PLAIN
    },
    Condition {
        name: "program lends nothing",
        environment: &[("XSCHED_DEVICE_CONTROL", "off")],
        expected: Level::Block,
        ..PLAIN
    },
    Condition {
        name: "Level 1 asked for",
        environment: &[("XSCHED_AUTO_XQUEUE_LEVEL", "1")],
        expected: Level::Block,
        ..PLAIN
    },
];

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    println!(
        "| circumstances | level | held | goes on within, ms | its results | memory of the device, MiB | |"
    );
    println!("|---|---|---|--:|---|--:|---|");
    let mut failures = 0;
    let mut memory = None;
    for condition in CONDITIONS.iter().filter(|condition| condition.name.contains(&options.only)) {
        match condition.try_it(&cu) {
            Ok(row) => {
                let is_right = row.level == condition.expected;
                failures += u32::from(!is_right);
                let verdict = if is_right { "as it should" } else { "**another level**" };
                let (name, millis) = (condition.name, row.goes_on.as_secs_f64() * 1e3);
                let mib = row.memory as f64 / 1048576.0;
                println!("| {name} | {:?} | yes | {millis:.0} | right | {mib:.1} | {verdict} |", row.level);
                if condition.context == Context::Primary && condition.user.is_none() {
                    let (with, without) = memory.unwrap_or((0, 0));
                    memory = Some(match row.level {
                        Level::Interrupt => (row.memory, without),
                        _ => (with, row.memory),
                    });
                }
            }
            Err(why) => {
                failures += 1;
                let why = format!("{why:#}").replace('\n', " / ");
                println!("| {} | | | | | | **failed**: {why} |", condition.name);
            }
        }
    }
    if let Some((with @ 1.., without @ 1..)) = memory {
        let more = (with as f64 - without as f64) / 1048576.0;
        println!(
            "\nInterruptible, the program takes {more:.1} MiB more of the device's memory than at Level 1."
        );
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was seen.
struct Row {
    level: Level,
    goes_on: Duration,
    /// What the greedy program takes while it is held: after it was switched to be interruptible, where it was.
    memory: usize,
}

impl Condition {
    fn try_it(&self, cu: &Api) -> Result<Row> {
        let machine = Machine::new();
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(machine.folder(), everybody).context("opening the folder to others")?;
        let flags = [&["--lease", "60s", "--max-suspend", "60s"], self.server].concat();
        let mut command = machine.server_command(&flags);
        become_user(&mut command, self.server_user);
        let server = Server::start(command, &machine.socket());
        let play = |kind: &str, priority: &str| {
            let mut command = machine.xcli();
            command.args(["run", "--priority", priority, "--"]).arg(player::this()).args(["player", kind]);
            become_user(&mut command, self.user);
            command
        };
        let mut urgent = Worker::start("the urgent program", play("urgent", "10"), None);
        urgent.begins("ready")?;
        let before = free_memory(cu)?;
        let mut command = play("greedy", "0");
        let context = self.context.to_possible_value().context("it has a name")?;
        command.args(["--context", context.get_name()]);
        command.envs(self.environment.iter().copied());
        let mut greedy = Worker::start("the greedy program", command, None);
        greedy.begins("ready")?;
        greedy.tell(&format!("go {KERNEL_US}"))?;
        greedy.ask("where", "at", PATIENCE)?;
        // Its agent lends ten times in a second, and the driver is asked.
        std::thread::sleep(Duration::from_millis(500));
        let level = machine
            .find(greedy.pid())
            .and_then(|client| client.queues.iter().map(|queue| queue.level).max())
            .context("xserver does not know it")?;
        urgent.tell("eager 60")?;
        urgent.hear("begins", PATIENCE)?;
        // What its window allows may still be launched.
        let begun = Instant::now();
        while greedy.ask("where", "at", HELD).is_ok() {
            ensure!(begun.elapsed() < PATIENCE, "it goes on although it should be held");
        }
        let memory = before.saturating_sub(free_memory(cu)?);
        let begun = Instant::now();
        urgent.ask("stop", "took", PATIENCE)?;
        greedy.hear("at", PATIENCE).context("it does not go on")?;
        let goes_on = begun.elapsed();
        greedy.ask("stop", "did", PATIENCE).context("its results")?;
        drop((urgent, greedy, server));
        Ok(Row { level, goes_on, memory })
    }
}

fn become_user(command: &mut Command, user: Option<u32>) {
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
}
