//! xcli, the command line: runs programs under XSched, shows what xserver schedules, and gives it hints.
//!
//! Invariant: a command either writes its result to standard output and ends with 0, or writes one failure to standard error
//! and ends with the failure's exit code (`failure.rs`). `run` replaces this process and so ends as its program does.
//! The program itself is `main.rs`, one line; this is a library so that its manual can be made from its command line.
//! Deliberately absent: any knowledge of vendors; what can be put in front of a program is what lies in the library folder, and what
//! is to know about it, `doctor` asks libxsched.so.

mod args;
mod command;
mod containers;
mod context;
mod doctor;
mod failure;
mod launch;
mod output;
mod service;
mod top;
mod trace;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use context::Context;
use failure::Failure;
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

/// The whole command line, for its manual and for what completes it in shells.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &words),
    };
    let output = Output::new(cli.json);
    let http = (cli.addr.is_some() || cli.port.is_some()).then(|| {
        let address = cli.addr.as_deref().unwrap_or("127.0.0.1");
        format!("{address}:{}", cli.port.unwrap_or(50_000))
    });
    if http.is_some() && !cli.command.asks_a_server() {
        output
            .warning("--addr and --port are without effect here: programs reach xserver by its socket alone");
    }
    let context = Context { output, socket: cli.socket, http };
    let result = match cli.command {
        Command::Run(run) => run.execute(&context),
        Command::List(list) => list.execute(&context),
        Command::Hint(hint) => hint.execute(&context),
        Command::Policy(policy) => policy.execute(&context),
        Command::Rules(rules) => rules.execute(&context),
        Command::Config(config) => config.execute(&context),
        Command::Status(status) => status.execute(&context),
        Command::Top(top) => top.execute(&context),
        Command::Trace(trace) => trace.execute(&context),
        Command::Sim(sim) => sim.execute(&context),
        Command::Doctor(doctor) => doctor.execute(&context),
        Command::Service(service) => service.execute(&context),
        Command::Cdi(cdi) => cdi.execute(&context),
        Command::Probe(probe) => probe.execute(&context),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code().into()
        }
    }
}

/// Help and version as asked for, or what is wrong with the command line.
fn not_parsed(error: &clap::Error, words: &[OsString]) -> ExitCode {
    let json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    if json && !args::is_asked_for(error) {
        let failure = Failure::usage(args::usage_message(error));
        Output::new(true).failure(&failure);
        return failure.exit_code().into();
    }
    // A reader who went away needs no help.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(2).into()
}
