//! Project tasks: `cargo xtask TASK`. One file for each.

use clap::Parser;

mod demo;
mod setup;
mod stage;
mod symbols;

/// Project tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    Demo(demo::Args),
    Symbols(symbols::Args),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Demo(args) => demo::run(&args),
        Task::Symbols(args) => symbols::run(&args),
    }
}
