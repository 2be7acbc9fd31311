//! Tests and benchmarks on a machine with an NVIDIA GPU. It needs no cargo there: `cargo xtask gpu-test` and `gpu-bench` lay out a folder
//! with this program, XSched, and the programs under test, to be copied to that machine whole.
//!
//! Tables go to standard output, as Markdown; everything else to standard error.

mod apps;
mod behind;
mod bundle;
mod check;
mod conditions;
mod control;
mod cores;
mod crowd;
mod inside;
mod launch;
mod memory;
mod mps;
mod pair;
mod pipeline;
mod player;
mod preempt;
mod safety;
mod saturate;
mod shares;
mod soak;
mod worker;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Tests and benchmarks of XSched on an NVIDIA GPU.")]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Programs compute the same natively, under XSched, and while they are suspended at random.
    Test(check::Options),
    /// What a launch costs, native and under XSched alternated in one process.
    Launch(launch::Options),
    /// What XSched costs applications.
    Apps(apps::Options),
    /// Stopping and slicing by the driver's resource manager, by hand.
    Control(control::Options),
    /// An urgent program beside a greedy one: alone, natively together, under XSched together.
    Pair(pair::Options),
    /// What an urgent request takes right behind greedy work that is over: the least that scheduling can reach.
    Behind(behind::Options),
    /// How soon an urgent kernel runs beside greedy kernels of several lengths.
    Preempt(preempt::Options),
    /// What programs get of the device under UP, PUP and CFS.
    Shares(shares::Options),
    /// Two streams of one process, an urgent one and a greedy one, under a scheduler inside the process.
    Inside(inside::Options),
    /// Nothing stays stopped, whoever dies or freezes.
    Safety(safety::Options),
    /// Level 3 in contexts of each kind, with other users, and where it is not wanted.
    Conditions(conditions::Options),
    /// Several urgent programs beside several greedy ones.
    Crowd(crowd::Options),
    /// One of the programs of `preempt`.
    #[command(hide = true)]
    Player(preempt::player::Options),
    /// The program of `shares`.
    #[command(hide = true)]
    Sharer,
    /// The program of `inside`.
    #[command(hide = true)]
    TwoStreams(inside::player::Options),
    /// Eight programs for minutes: nothing fails, nothing grows.
    Soak(soak::Options),
    /// One start of a driver: how this program times them.
    #[command(hide = true)]
    Start(launch::start::Options),
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    bundle::enter()?;
    match &options.what {
        What::Test(options) => check::run(options),
        What::Launch(options) => launch::run(options).map(|()| ExitCode::SUCCESS),
        What::Apps(options) => apps::run(options).map(|()| ExitCode::SUCCESS),
        What::Control(options) => control::run(options).map(|()| ExitCode::SUCCESS),
        What::Pair(options) => pair::run(options).map(|()| ExitCode::SUCCESS),
        What::Behind(options) => behind::run(options).map(|()| ExitCode::SUCCESS),
        What::Preempt(options) => preempt::run(options).map(|()| ExitCode::SUCCESS),
        What::Shares(options) => shares::run(options).map(|()| ExitCode::SUCCESS),
        What::Inside(options) => inside::run(options).map(|()| ExitCode::SUCCESS),
        What::Safety(options) => safety::run(options),
        What::Conditions(options) => conditions::run(options),
        What::Crowd(options) => crowd::run(options).map(|()| ExitCode::SUCCESS),
        What::Player(options) => preempt::player::play(options).map(|()| ExitCode::SUCCESS),
        What::Sharer => shares::sharer::play().map(|()| ExitCode::SUCCESS),
        What::TwoStreams(options) => inside::player::play(options).map(|()| ExitCode::SUCCESS),
        What::Soak(options) => soak::run(options),
        What::Start(options) => launch::start::once(options).map(|()| ExitCode::SUCCESS),
    }
}
