//! Project tasks: `cargo xtask TASK`. One file for each.

use std::process::ExitCode;

use clap::Parser;

mod bench;
mod bindings;
mod demo;
mod dist;
mod fuzz;
mod gpu;
mod lanes;
mod loom;
mod misuse;
mod nightly;
mod null_driver;
mod pip;
mod sanitize;
mod service;
mod setup;
mod stage;
mod symbols;
mod tally;
mod test;
mod tidy;

/// Project tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Run tests under the address sanitizer.
    Asan(sanitize::Args),
    Bench(bench::Args),
    Bindings(bindings::Args),
    Demo(demo::Args),
    Dist(dist::Args),
    GpuBench(gpu::BenchArgs),
    GpuTest(gpu::TestArgs),
    Fuzz(fuzz::Args),
    /// Run the loom proofs, as the code stands and with each ordering weakened.
    Loom,
    /// Run tests under Miri, an interpreter that finds undefined behaviour.
    Miri(sanitize::Args),
    Setup(setup::Args),
    /// Build for release and lay out in target/xsched what an installation has.
    Stage,
    Symbols(symbols::Args),
    Test(test::Args),
    /// Look for unfinished work, overlong files, and documents that lead nowhere.
    Tidy,
    /// Run tests under the thread sanitizer, which finds races.
    Tsan(sanitize::Args),
}

/// Benchmarks of XSched on this machine.
#[derive(Parser)]
#[command(name = "run")]
struct Bundled {
    #[command(flatten)]
    bench: bench::Args,
}

fn main() -> anyhow::Result<ExitCode> {
    if bench::bundle::Bundle::here()?.is_some() {
        return bench::run(&Bundled::parse().bench).map(|()| ExitCode::SUCCESS);
    }
    match Task::parse() {
        Task::Asan(args) => sanitize::run(&sanitize::ADDRESS, &args).map(|tally| tally.close()),
        Task::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Bindings(args) => bindings::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Dist(args) => dist::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Task::GpuBench(args) => gpu::bench(&args).map(|()| ExitCode::SUCCESS),
        Task::GpuTest(args) => gpu::test(&args).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(args) => fuzz::run(&args).map(|tally| tally.close()),
        Task::Loom => loom::run().map(|tally| tally.close()),
        Task::Miri(args) => sanitize::run(&sanitize::MIRI, &args).map(|tally| tally.close()),
        Task::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Stage => stage::run().map(|()| ExitCode::SUCCESS),
        Task::Symbols(args) => symbols::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Test(args) => test::run(&args).map(|tally| tally.close()),
        Task::Tidy => tidy::run().map(|tally| tally.close()),
        Task::Tsan(args) => sanitize::run(&sanitize::THREAD, &args).map(|tally| tally.close()),
    }
}
