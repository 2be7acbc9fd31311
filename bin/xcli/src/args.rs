//! The command line as a whole: global flags, the list of commands, and the flags that come from the table of hints.
//!
//! A new command is one line in [`Command`] and one file in `command/`, which has its own flags and help.

use crate::command;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use xsched_client::MAX_NAME;
use xsched_core::hint::{HINTS, HintInfo};
use xsched_core::text::Expected;
use xsched_core::{Hint, HintKind, Level};

/// Runs programs under XSched, and shows and steers what xserver schedules.
#[derive(Debug, Parser)]
#[command(name = "xcli", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Print one JSON value instead of text (errors too, on standard error)
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,

    /// Socket of xserver [default: XSCHED_SOCKET, else the first of the usual places that answers]
    #[arg(long, global = true, value_name = "PATH", display_order = 901)]
    pub(crate) socket: Option<PathBuf>,

    /// Ask xserver over HTTP at this address [default with --port: 127.0.0.1]
    #[arg(short, long, value_name = "ADDR", conflicts_with = "socket", value_parser = host, display_order = 902)]
    pub(crate) addr: Option<String>,

    /// Ask xserver over HTTP at this port [default with --addr: 50000]
    #[arg(short, long, value_name = "PORT", conflicts_with = "socket", display_order = 903)]
    pub(crate) port: Option<u16>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no server.";

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(command::run::Run),
    List(command::list::List),
    Hint(command::hint::Hint),
    Policy(command::policy::Policy),
    Rules(command::rules::Rules),
    Config(command::config::Config),
    Status(command::status::Status),
    Top(command::top::Top),
    Trace(command::trace::Trace),
    Sim(command::sim::Sim),
    Doctor(command::doctor::Doctor),
    Service(command::service::Service),
    Cdi(command::cdi::Cdi),
    #[command(hide = true)]
    Probe(command::probe::Probe),
}

impl Command {
    /// Whether it asks a server and nothing else, so that it may be one that is reached over HTTP.
    pub(crate) fn asks_a_server(&self) -> bool {
        match self {
            Command::List(_) | Command::Hint(_) | Command::Policy(_) | Command::Status(_) => true,
            Command::Top(_) | Command::Trace(_) | Command::Rules(_) => true,
            Command::Run(_)
            | Command::Config(_)
            | Command::Sim(_)
            | Command::Doctor(_)
            | Command::Service(_)
            | Command::Cdi(_)
            | Command::Probe(_) => false,
        }
    }
}

/// Hints given on the command line: one flag for each row of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct HintFlags(pub(crate) Vec<Hint>);

/// One-letter flags that users of earlier versions type.
const SHORT: &[(HintKind, char)] =
    &[(HintKind::Priority, 'p'), (HintKind::Utilization, 'u'), (HintKind::Timeslice, 't')];

impl Args for HintFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(HINTS.iter().map(hint_flag))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for HintFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<HintFlags, clap::Error> {
        Ok(HintFlags(HINTS.iter().filter_map(|info| matches.get_one(info.name).copied()).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Reads an address without a port, as it stands in a URL.
fn host(text: &str) -> Result<String, Expected> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    match text.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>() {
        Ok(address) => Ok(format!("[{address}]")),
        Err(_) if !text.is_empty() && text.chars().all(is_name) => Ok(text.to_owned()),
        Err(_) => Err(Expected::new("an address such as 127.0.0.1, or the name of a machine")),
    }
}

/// Reads a level, as settings do.
pub(crate) fn level(text: &str) -> Result<Level, Expected> {
    xsched_core::text::Value::parse(text)
}

/// Reads the name of a hint.
pub(crate) fn kind(text: &str) -> Result<HintKind, Expected> {
    let known = HINTS.iter().find(|info| info.name == text).map(|info| info.kind);
    let names = || HINTS.iter().map(|info| info.name).collect::<Vec<_>>().join(" ");
    known.ok_or_else(|| Expected::new(format!("one of {}", names())))
}

/// Reads text that must not be empty.
pub(crate) fn not_empty(text: &str) -> Result<String, Expected> {
    if text.is_empty() { Err(Expected::new("a name")) } else { Ok(text.into()) }
}

/// Reads the name of a group.
pub(crate) fn group(text: &str) -> Result<String, Expected> {
    if (1..=MAX_NAME).contains(&text.len()) {
        Ok(text.into())
    } else {
        Err(Expected::new(format!("a name of 1 to {MAX_NAME} bytes")))
    }
}

/// The first line of what clap says, without its "error: ", and the lines that say what is allowed; not the usage.
pub(crate) fn usage_message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = text.find("\n\nUsage:").or_else(|| text.find("\n\nFor more")).unwrap_or(text.len());
    text[..end].trim_end().into()
}

/// Whether clap's answer is what was asked for: help or the version.
pub(crate) fn is_asked_for(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

fn hint_flag(info: &'static HintInfo) -> Arg {
    let short = SHORT.iter().find(|(kind, _)| *kind == info.kind).map(|(_, letter)| *letter);
    Arg::new(info.name)
        .long(&*flag_name(info).leak())
        .short(short)
        .value_name("N")
        .help_heading("Hints")
        .allow_negative_numbers(true)
        .value_parser(hint_value(info))
        .help(format!(
            "{} [{} to {}{}, default {}]",
            info.help.trim_end_matches('.'),
            info.min,
            info.max,
            info.unit,
            info.default
        ))
}

/// As settings have theirs.
fn flag_name(info: &HintInfo) -> String {
    info.name.replace('_', "-")
}

fn hint_value(info: &'static HintInfo) -> impl TypedValueParser<Value = Hint> {
    move |text: &str| {
        let expected =
            || Expected::new(format!("a whole number from {} to {}{}", info.min, info.max, info.unit));
        Hint::parse(info.kind, info.name, text).map_err(|_| expected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_row_of_the_hint_table_is_a_flag_of_run_and_of_hint() {
        for info in HINTS {
            let flag = format!("--{}={}", flag_name(info), info.min);
            let run = Cli::try_parse_from(["xcli", "run", &flag, "true"]).unwrap();
            let Command::Run(run) = run.command else { panic!("not run") };
            assert_eq!(run.hints.0, [Hint::new(info.kind, info.min).unwrap()]);
            Cli::try_parse_from(["xcli", "hint", "--pid", "1", &flag]).unwrap();
        }
    }

    #[test]
    fn a_bad_value_names_the_flag_the_value_and_what_is_allowed() {
        let error = Cli::try_parse_from(["xcli", "run", "--priority", "300", "true"]).unwrap_err();
        assert_eq!(
            usage_message(&error),
            "invalid value '300' for '--priority <N>': expected a whole number from -256 to 255"
        );
    }
}
