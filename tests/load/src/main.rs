//! Programs that measure the real xserver with guests that have no device. `cargo xtask bench` builds and runs them.
//!
//! Each subcommand prints Markdown. Where the server is, and as what this process introduces itself, is said by the environment
//! (`XSCHED_SOCKET`), as to any program under XSched.

mod accounted;
mod crowd;
mod decision;
mod endless;
mod http;
mod inside;
mod member;
mod operate;
mod rival;
mod soak;
mod storm;
mod wake;
mod watched;

use anyhow::Result;
use clap::Parser;

/// Measure a running xserver.
#[derive(Parser)]
#[command(version)]
enum Task {
    /// From an urgent program's first launch to the greedy program's gate word, against a bare eventfd wake.
    Wake(wake::Args),
    /// What the server costs, and a decision of it, with many guests and queues attached.
    Crowd(crowd::Args),
    /// Whether anything grows while guests come and go.
    Soak(soak::Args),
    /// A guest that has work all the time and is less urgent than others, so that somebody waits for them.
    Rival(rival::Args),
    /// What a busy machine costs the server, and how soon an operator sees it.
    Operate(operate::Args),
    /// Who speaks HTTP badly, while `wake` measures.
    Storm(storm::Args),
    /// What a launch costs more because xserver keeps accounts.
    Accounted(accounted::Args),
    /// What scheduling inside a process costs.
    Inside,
    /// Who is woken and does nothing in `crowd`, which starts it.
    #[command(hide = true)]
    Sleeper,
    /// Who launches in `accounted`, which starts it.
    #[command(hide = true)]
    AccountedLauncher,
    /// The greedy program of `wake`, which starts it.
    #[command(hide = true)]
    WakeGreedy(wake::board::Inherited),
    /// Who is woken by a bare eventfd in `wake`, which starts it.
    #[command(hide = true)]
    WakeEcho(wake::board::Inherited),
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Wake(args) => wake::run(&args),
        Task::Crowd(args) => crowd::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Operate(args) => operate::run(&args),
        Task::Storm(args) => storm::run(&args),
        Task::Sleeper => crowd::sleeper(),
        Task::Accounted(args) => accounted::run(&args),
        Task::AccountedLauncher => accounted::launcher(),
        Task::Inside => inside::run(),
        Task::Rival(args) => rival::run(&args),
        Task::WakeGreedy(inherited) => wake::greedy::run(&inherited),
        Task::WakeEcho(inherited) => wake::echo::run(&inherited),
    }
}
