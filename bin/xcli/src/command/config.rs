//! `xcli config`: every setting, the value that holds and where it came from.
//!
//! It answers for a program or server started from here with the same file: it asks no server.

use crate::command::of_a_queue::OfAQueue;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::launch::environment::settings;
use crate::output::{Column, Table, printable, wrap};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use xsched_core::config::Shown;

/// Show settings
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Option<Show>,

    #[command(flatten)]
    of_a_queue: OfAQueue,
}

#[derive(Debug, Subcommand)]
enum Show {
    /// Show every setting: its value, where that came from, its environment variable, and what it is for
    ///
    /// Later sources win: default, file, environment, command line. Settings that cannot be used are reported on standard
    /// error, and the exit code is 1.
    Show {
        /// A TOML file with settings, as xserver reads it
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

const COLUMNS: &[Column] =
    &[Column::Text("NAME"), Column::Text("VALUE"), Column::Text("FROM"), Column::Text("ENVIRONMENT")];

impl Config {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        if self.of_a_queue.is_given() {
            return Err(self.of_a_queue.answer(context));
        }
        let file = self.command.and_then(|Show::Show { config }| config);
        let mut config = xsched_core::Config::default();
        let mut problems = Vec::new();
        if let Some(path) = file {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(&path)
                .map_err(|e| Failure::failed(format!("cannot read {place}: {e}")))?;
            problems.extend(config.apply_toml(&place, &text));
        }
        let env = settings();
        problems.extend(config.apply_env(env.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
        if let Some(socket) = &context.socket {
            problems.extend(config.apply_flag("socket", &socket.to_string_lossy()).err());
        }
        let settings = config.show();
        context.output.result(&settings, || text(&settings))?;
        if problems.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(Failure { kind: Kind::Failed, message: lines.join("\nxcli: "), problems })
    }
}

fn text(settings: &[Shown]) -> String {
    let mut table = Table::new(COLUMNS);
    for shown in settings {
        let value = if shown.value.is_empty() { "-".into() } else { printable(&shown.value) };
        table.row(vec![shown.name.into(), value, shown.source.to_string(), shown.env.into()]);
    }
    let table = table.render(usize::MAX);
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    let entries = lines.zip(settings).map(|(line, shown)| format!("{line}\n{}", wrap(shown.help, 4)));
    std::iter::once(format!("{heading}\n")).chain(entries).collect()
}
