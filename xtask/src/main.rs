//! Project tasks: cargo xtask <task>. One file for each.

use clap::Parser;

mod symbols;

/// Project tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    Symbols(symbols::Args),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Symbols(args) => symbols::run(&args),
    }
}
